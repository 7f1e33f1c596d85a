"""A bill limit: told of when it is near and reached, never billed beyond, passed only with the customer's consent."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.charging_fixture import EVENT, INITIAL, PENNY, TERMINATION, UPDATE, ccr, service
from support.gy_samples import avp
from support.notice_fixture import POUND, watched_place

from gateway.balance.changes import SubscriberUnknown
from gateway.balance.spending import BillingMonths, period_of
from gateway.ledger.totals import totals
from gateway.notices.limit_changes import LimitRefused
from gateway.store import tables
from protocols.diameter.messages import RequestedServiceUnit

MEGABYTE = 1_000_000
MONTHS = BillingMonths()
VOICE = "32260@3gpp.org"


@pytest.fixture
def place(tmp_path):
    with watched_place(f"sqlite:///{tmp_path}/lines.db") as opened:
        yield opened
        assert opened.books_are_right()


def only(answer):
    (mscc,) = answer.multiple_services_credit_control
    return mscc


def absorbed(place):
    return [amount for amount, _ in place.booked("absorbed")]


def charged(place):
    return sum(amount for amount, _ in place.booked("charge"))


def test_at_the_limit_quota_ends_with_a_final_unit_then_4012_and_each_notice_is_sent_once(place):
    sub = place.enrol(5 * POUND)
    place.limit(10 * PENNY)
    first = only(place.ask(ccr(INITIAL, 0, service(ask=9 * MEGABYTE))))
    assert first.granted_service_unit.cc_total_octets == 9 * MEGABYTE
    last = only(place.ask(ccr(UPDATE, 1, service(used=(9 * MEGABYTE,), ask=9 * MEGABYTE))))
    assert last.granted_service_unit.cc_total_octets == MEGABYTE
    assert last.final_unit_indication is not None
    assert place.kinds() == ["bill_limit_set", "bill_limit_likely"]
    over = only(place.ask(ccr(UPDATE, 2, service(used=(MEGABYTE,), ask=0))))
    assert over.result_code == 4012
    place.ask(ccr(TERMINATION, 3, service()))
    assert only(place.ask(ccr(INITIAL, 0, service(ask=0), session="pgw;1;2"))).result_code == 4012
    assert place.kinds() == ["bill_limit_set", "bill_limit_likely", "bill_limit_reached"]
    assert (charged(place), absorbed(place)) == (10 * PENNY, [])
    assert place.wallet(sub) == (5 * POUND - 10 * PENNY, 0)


def test_what_comes_late_above_the_limit_is_absorbed_and_accrues_no_tenth(place):
    sub = place.enrol(5 * POUND)
    place.limit(3 * PENNY)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    answer = only(place.ask(ccr(UPDATE, 1, service(used=(8 * MEGABYTE,)))))
    assert answer.result_code == 4012
    assert (charged(place), absorbed(place)) == (3 * PENNY, [5 * PENNY])
    assert place.booked("accrual") == [(3 * PENNY // 10, 3 * PENNY)]
    assert place.wallet(sub)[0] == 5 * POUND - 3 * PENNY
    assert place.last.alarms == ["charging.usage.absorbed"]
    assert place.kinds() == ["bill_limit_set", "bill_limit_reached"]
    (price,) = place.read(select(tables.usage.c.price))[0]
    assert price == 3 * PENNY
    month = place.policy.tariff.months.bounds(2023 * 12 + 10)
    with place.reader.connect() as connection:
        page = totals(connection, "2023-11", *month)
    assert page.differences == []
    (beyond,) = [row.amount for row in page.rows if row.step == "journal: beyond customers' limits"]
    assert beyond == "0.05"


def test_a_limit_of_nothing_lets_a_bundle_and_what_is_free_be_used_and_refuses_the_rest(place):
    place.enrol(10 * POUND, plan="bundle-gb")
    place.limit(0)
    granted = only(place.ask(ccr(INITIAL, 0, service(ask=0))))
    assert granted.granted_service_unit.cc_total_octets == 10 * MEGABYTE
    assert place.kinds() == ["bill_limit_set"]
    place.ask(ccr(UPDATE, 1, service(used=(10 * MEGABYTE,), ask=0)))
    place.ask(ccr(UPDATE, 2, service(used=(10 * MEGABYTE,), ask=0)))
    assert place.booked("charge") == []
    assert "bill_limit_reached" in place.kinds()


@pytest.mark.parametrize(
    ("called", "served"), [("999", True), ("112", True), ("+448001111", True), ("+447700900002", False)]
)
def test_emergency_and_freephone_calls_are_served_whatever_the_limit(place, called, served):
    place.enrol(5 * POUND)
    place.limit(0)
    call = avp("IMS-Information", avp("Called-Party-Address", f"tel:{called}".encode()))
    asked = ccr(INITIAL, 0, service(None, ask=0), context=VOICE, service_information=call)
    assert (only(place.ask(asked)).result_code == 2001) is served


def test_a_limit_is_passed_only_after_a_notice_and_for_this_month_alone(place):
    sub = place.enrol(5 * POUND)
    place.limit(10 * PENNY)
    refused = place.agree()
    assert isinstance(refused, LimitRefused)
    assert refused.code == "limit.agreement"
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=(10 * MEGABYTE,), ask=0)))
    agreed = place.agree()
    assert (agreed.agreed, agreed.limit) == (True, 10 * PENNY)
    more = only(place.ask(ccr(UPDATE, 2, service(ask=0))))
    assert more.granted_service_unit.cc_total_octets == 10 * MEGABYTE
    place.ask(ccr(UPDATE, 3, service(used=(10 * MEGABYTE,))))
    assert charged(place) == 20 * PENNY
    kept = place.read(select(tables.bill_limits.c.decision, tables.bill_limits.c.channel, tables.bill_limits.c.wording))
    assert [tuple(row) for row in kept] == [("set", "call", "2026-1"), ("agreed", "call", "2026-1")]
    place.jump(40 * 86_400)
    assert place.spending(sub).agreed > 0
    later = only(place.ask(ccr(INITIAL, 0, service(ask=0), session="pgw;1;9")))
    assert later.granted_service_unit.cc_total_octets == 10 * MEGABYTE


def test_a_new_limit_is_told_of_anew_and_a_removed_one_holds_nothing(place):
    place.enrol(5 * POUND)
    place.limit(5 * PENNY)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=(5 * MEGABYTE,), ask=0)))
    place.limit(6 * PENNY)
    place.ask(ccr(UPDATE, 2, service(used=(MEGABYTE,), ask=0)))
    assert place.kinds() == ["bill_limit_set", "bill_limit_reached"] * 2
    assert place.limit().limit < 0
    assert only(place.ask(ccr(UPDATE, 3, service(ask=0)))).result_code == 2001
    assert place.kinds()[-1] == "bill_limit_removed"


def test_a_text_of_a_line_at_its_limit_is_refused_and_one_to_an_emergency_is_not(place):
    place.enrol(5 * POUND)
    place.limit(3 * PENNY)
    (sent,) = place.accept(place.draft()).ids
    refusal = place.accept(place.draft("again"))
    assert refusal.code == "sms.limit"
    assert place.kinds() == ["bill_limit_set", "bill_limit_reached"]
    place.take(sent)
    place.answer(sent, message_id="a1")
    place.receipt("a1")
    assert charged(place) == 2 * PENNY
    assert place.accept(place.draft(destination="999")).ids


def test_a_decision_about_a_number_of_nobody_is_refused(place):
    assert isinstance(place.limit(POUND, number="447700900999"), SubscriberUnknown)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    reports=st.lists(st.integers(0, 12 * MEGABYTE), min_size=1, max_size=8),
    limit=st.integers(0, 30 * PENNY),
    events=st.lists(st.integers(1, 3), max_size=3),
)
def test_whatever_is_reported_no_bill_passes_its_limit_and_all_use_is_charged_or_absorbed(
    tmp_path_factory, reports, limit, events
):
    folder = tmp_path_factory.mktemp("limit")
    with watched_place(f"sqlite:///{folder}/lines.db") as place:
        place.enrol(50 * POUND)
        place.limit(limit)
        place.ask(ccr(INITIAL, 0, service(ask=0)))
        for number, octets in enumerate(reports, 1):
            place.ask(ccr(UPDATE, number, service(used=(octets,), ask=0)))
        for number, texts in enumerate(events):
            wanted = service(ask=None, rating_group=None)
            asked = type(wanted)(requested_service_unit=RequestedServiceUnit(cc_service_specific_units=texts))
            place.ask(ccr(EVENT, 0, asked, session=f"sms;{number}", context="32274@3gpp.org"))
        used = place.read(select(tables.usage.c.octets, tables.usage.c.units))  # but for what waits for review
        total, texts = sum(row.octets for row in used), sum(row.units for row in used)
        assert charged(place) <= limit
        assert charged(place) + sum(absorbed(place)) == round(total * PENNY / MEGABYTE) + texts * 2 * PENNY
        assert len(place.kinds()) == len(set(place.kinds()))
        assert place.books_are_right()


def test_a_late_report_of_last_month_is_held_against_last_months_limit_and_says_nothing_of_this_one(place):
    place.enrol(5 * POUND)
    place.limit(3 * PENNY)
    place.jump(16 * 86_400 + 7200)  # the first hour of December
    now = next(place.ticks) // 1_000_000
    last_month = now - 7200
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    answer = only(place.ask(ccr(UPDATE, 1, service(used=(8 * MEGABYTE,)), event_timestamp=last_month)))
    assert answer.result_code == 2001
    assert (charged(place), absorbed(place)) == (3 * PENNY, [5 * PENNY])
    assert place.kinds() == ["bill_limit_set"]
    granted = only(place.ask(ccr(UPDATE, 2, service(ask=0))))
    assert granted.granted_service_unit.cc_total_octets == 3 * MEGABYTE


def test_a_limit_of_one_month_stands_in_place_of_that_of_all_and_ends_with_it(place):
    place.enrol(5 * POUND)
    place.limit(10 * PENNY)
    this, following = period_of(MONTHS.number(next(place.ticks))), period_of(MONTHS.number(next(place.ticks)) + 1)
    wide = place.limit(30 * PENNY, period=this)
    assert (wide.limit, wide.period) == (30 * PENNY, this)
    place.ask(ccr(TERMINATION, 0, service(used=(8 * MEGABYTE,)), session="m;1"))
    place.ask(ccr(TERMINATION, 0, service(used=(8 * MEGABYTE,)), session="m;2"))
    assert (charged(place), absorbed(place)) == (16 * PENNY, [])
    assert isinstance(place.limit(PENNY, period=period_of(MONTHS.number(next(place.ticks)) - 1)), LimitRefused)
    place.limit(period=following)
    place.ticks.skip(31 * 86_400)
    place.ask(ccr(TERMINATION, 0, service(used=(9 * MEGABYTE,)), session="m;3"))
    place.ask(ccr(TERMINATION, 0, service(used=(9 * MEGABYTE,)), session="m;4"))
    assert (charged(place), absorbed(place)) == (34 * PENNY, [])
    place.ticks.skip(31 * 86_400)
    place.ask(ccr(TERMINATION, 0, service(used=(9 * MEGABYTE,)), session="m;5"))
    place.ask(ccr(TERMINATION, 0, service(used=(9 * MEGABYTE,)), session="m;6"))
    assert (charged(place), absorbed(place)) == (44 * PENNY, [8 * PENNY])
    kinds = place.kinds()
    assert kinds[:2] == ["bill_limit_set", "bill_limit_in_month"]
    assert kinds.count("bill_unlimited_in_month") == 1
    assert place.limit(20 * PENNY).limit == 20 * PENNY  # of all months: none has one of its own any more
