"""Holds and repeats do not hang on what a client leaves out (charging cases G17 to G20, G23)."""

import itertools

import pytest
from sqlalchemy import func, select
from support.books import check
from support.charging_fixture import INITIAL, PENNY, TERMINATION, UPDATE, ccr, charging_place, service
from support.one_batch import together

from gateway.charging.gy.sub_session import name_of, parts_of
from gateway.charity.policies import recompute
from gateway.store import tables

POUND, MEGABYTE, SECOND = 100 * PENNY, 1_000_000, 1_000_000


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db") as opened:
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def money(place):
    return place.read(select(tables.wallets.c.balance, tables.wallets.c.reserved))[0]


def codes(answer):
    return [mscc.result_code for mscc in answer.multiple_services_credit_control]


def granted(answer):
    units = [mscc.granted_service_unit for mscc in answer.multiple_services_credit_control]
    return [unit and unit.cc_total_octets for unit in units]


def of(*identifiers, rating_group=100, used=(), ask=0):
    return service(rating_group, used=used, ask=ask, service_identifier=identifiers)


@pytest.mark.parametrize(
    ("first", "second"),
    [((1,), ()), ((), (1,)), ((1, 2), (2,)), ((2,), (1, 2)), ((1, 2), (2, 1)), ((1, 1), (1,))],
)
def test_a_rating_group_has_one_hold_whether_or_not_its_service_identifier_is_named_again(place, first, second):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, of(*first)))
    assert granted(place.ask(ccr(UPDATE, 1, of(*second)))) == [10 * MEGABYTE]
    assert money(place).reserved == 10 * PENNY
    place.ask(ccr(UPDATE, 2, of(*first, used=[MEGABYTE])))
    assert money(place) == (POUND - PENNY, 10 * PENNY)


def test_usage_under_an_identifier_that_was_granted_nothing_was_of_what_was_granted(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, of(1)))
    place.ask(ccr(UPDATE, 1, of(2, used=[MEGABYTE])))
    assert money(place) == (POUND - PENNY, 10 * PENNY)


@pytest.mark.parametrize(("first", "second"), [(100, None), (None, 100)])
def test_a_hold_is_found_whether_or_not_its_rating_group_is_named_again(place, first, second):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(first, ask=0)))
    place.ask(ccr(UPDATE, 1, service(second, used=[MEGABYTE], ask=0)))
    assert money(place) == (POUND - PENNY, 10 * PENNY)
    place.ask(ccr(UPDATE, 2, service(first, used=[MEGABYTE], ask=0)))
    assert money(place) == (POUND - 2 * PENNY, 10 * PENNY)


def test_rating_groups_that_are_named_are_held_apart(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(100, ask=0), service(101, ask=0)))
    place.ask(ccr(UPDATE, 1, service(102, used=[MEGABYTE], ask=0)))
    assert money(place) == (POUND - PENNY, 30 * PENNY)
    place.ask(ccr(UPDATE, 2, service(None, used=[MEGABYTE], ask=0)))  # which of the three is not known
    assert money(place) == (POUND - 2 * PENNY, 40 * PENNY)


def test_three_identifiers_do_not_lock_a_customer_with_money_out_of_his_rating_group(place):
    place.enrol(30 * PENNY)
    place.ask(ccr(INITIAL, 0, of(1), of(2), of(3)))
    assert money(place).reserved == 30 * PENNY
    answer = place.ask(ccr(UPDATE, 1, of()))
    assert (codes(answer), granted(answer)) == ([2001], [10 * MEGABYTE])
    assert money(place).reserved == 10 * PENNY


def test_services_of_one_rating_group_that_are_granted_apart_are_held_and_reported_apart(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, of(201), of(375)))
    place.ask(ccr(UPDATE, 1, of(201, used=[MEGABYTE], ask=None)))
    assert money(place) == (POUND - PENNY, 10 * PENNY)
    place.ask(ccr(UPDATE, 2, of(375, used=[MEGABYTE])))
    assert money(place) == (POUND - 2 * PENNY, 10 * PENNY)


@pytest.mark.parametrize("plan", ["payg-gb", "bundle-gb"])
def test_whatever_is_granted_in_one_answer_is_held(place, plan):
    place.enrol(8 * POUND, plan=plan)
    answer = place.ask(ccr(INITIAL, 0, *[of()] * 4))
    units = sum(granted(answer))
    bundle = 20 * MEGABYTE if plan == "bundle-gb" else 0
    assert units == 40 * MEGABYTE
    assert money(place).reserved == (units - bundle) // MEGABYTE * PENNY
    place.ask(ccr(UPDATE, 1, of(used=[MEGABYTE])))
    assert money(place).reserved == (0 if bundle else 10 * PENNY)
    place.ask(ccr(TERMINATION, 2))
    assert money(place).reserved == 0


def test_the_same_rating_group_four_times_never_takes_a_wallet_below_zero(place):
    place.enrol(15 * PENNY)
    answer = place.ask(ccr(INITIAL, 0, *[of()] * 4))
    assert (granted(answer), codes(answer)) == ([10 * MEGABYTE, 5 * MEGABYTE, None, None], [2001, 2001, 4012, 4012])
    assert money(place).reserved == 15 * PENNY


def test_sub_sessions_are_charged_each_by_itself(place):
    place.enrol(POUND)
    for number in (1, 2):
        place.ask(ccr(INITIAL, 0, service(ask=0), cc_sub_session_id=number))
    assert money(place).reserved == 20 * PENNY
    place.ticks = itertools.count(next(place.ticks) + SECOND, 1_000)
    first = ccr(TERMINATION, 1, service(used=[MEGABYTE]), cc_sub_session_id=1)
    place.ask(first)
    assert money(place) == (POUND - PENNY, 10 * PENNY)
    place.ask(ccr(TERMINATION, 1, service(used=[30 * MEGABYTE]), cc_sub_session_id=2))
    assert (place.last.repeated, money(place)) == (False, (POUND - 31 * PENNY, 0))
    place.ask(first)
    assert (place.last.repeated, money(place)) == (True, (POUND - 31 * PENNY, 0))


@pytest.mark.parametrize("sub_session", [None, 0, 1, 2**64 - 1])
def test_the_name_of_a_sub_session_gives_its_ids_back(sub_session):
    assert parts_of(name_of(b"pgw;1;\xe9", sub_session)) == (b"pgw;1;\xe9", sub_session)


def test_a_final_report_again_under_another_number_is_booked_once(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(TERMINATION, 1, service(used=[2 * MEGABYTE])))
    answer = place.ask(ccr(TERMINATION, 2, service(used=[2 * MEGABYTE])))
    assert (answer.result_code, answer.cc_request_number, codes(answer)) == (2001, 2, [2001])
    assert place.last.alarms == ["charging.termination.repeated"]
    assert money(place) == (POUND - 2 * PENNY, 0)
    body = place.body
    place.ask(ccr(TERMINATION, 2, service(used=[2 * MEGABYTE])))
    assert (place.last.repeated, place.body) == (True, body)
    place.ask(ccr(TERMINATION, 3, service(used=[MEGABYTE])))
    assert money(place) == (POUND - 3 * PENNY, 0)


def test_a_final_report_again_with_its_services_in_another_order_is_the_same(place):
    place.enrol(POUND)
    services = [of(rating_group=group, used=[octets * MEGABYTE], ask=None) for group, octets in ((10, 1), (300, 2))]
    place.ask(ccr(TERMINATION, 1, *services))
    place.ask(ccr(TERMINATION, 1, *reversed(services)))
    assert (place.last.repeated, place.last.alarms) == (True, [])
    place.ask(ccr(TERMINATION, 2, *reversed(services)))
    assert place.last.alarms == ["charging.termination.repeated"]
    assert money(place) == (POUND - 3 * PENNY, 0)


def test_a_final_report_that_waits_for_review_waits_once(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    for number in (1, 2):
        place.ask(ccr(TERMINATION, number, service(used=[1 << 49])))
    assert place.read(select(func.count()).select_from(tables.held_reports)) == [(1,)]


def test_requests_that_a_client_does_not_wait_between_hold_what_they_would_one_by_one(place):
    place.enrol(POUND)
    first, second = (place.unit(ccr(*said)) for said in ((INITIAL, 0, of()), (UPDATE, 1, of(used=[MEGABYTE]))))
    together(place.lane, first, second)
    assert money(place) == (POUND - PENNY, 10 * PENNY)


@pytest.mark.parametrize("used", [(), (MEGABYTE,)])
def test_a_beginning_that_its_end_overtook_opens_nothing(place, used):
    place.enrol(POUND)
    end = ccr(TERMINATION, 1, *([service(used=used)] if used else []))
    assert place.ask(end).result_code == (2001 if used else 5002)
    answer = place.ask(ccr(INITIAL, 0, service(ask=0)))
    assert (answer.result_code, codes(answer), granted(answer)) == (2001, [4010], [None])
    assert money(place) == (POUND - len(used) * PENNY, 0)
    assert place.read(
        select(func.count()).select_from(tables.sessions).where(tables.sessions.c.closed_at.is_(None))
    ) == [(0,)]
    body = place.body
    place.ask(end)
    assert (place.last.repeated, place.body != body) == (True, True)


def test_usage_after_an_end_that_nobody_knew_is_still_charged(place):
    place.enrol(POUND)
    place.ask(ccr(TERMINATION, 1))
    assert place.ask(ccr(UPDATE, 0, service(used=[MEGABYTE], ask=0))).result_code == 2001
    assert money(place) == (POUND - PENNY, 0)
