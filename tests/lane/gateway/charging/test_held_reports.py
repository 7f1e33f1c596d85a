"""What is charged must be what could be used: the rest waits for review, outside every total, until somebody decides."""

import itertools

import msgspec
import pytest
from sqlalchemy import func, select, update
from support.books import check
from support.charging_fixture import (
    EVENT,
    IMSI,
    INITIAL,
    MSISDN,
    PENNY,
    PLANS,
    TERMINATION,
    UPDATE,
    ccr,
    charging_place,
    service,
)

from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.charging import review
from gateway.charging.check_held_reports import wrong_held_reports
from gateway.charging.held_reports import ReviewCapacity
from gateway.charging.review import BookReport, DropReport, ReviewRefused
from gateway.charity.policies import recompute
from gateway.store import tables
from protocols.diameter.messages import RequestedServiceUnit, UsedServiceUnit

POUND, MEGABYTE, SECOND_US = 100 * PENNY, 1_000_000, 1_000_000
VOICE, TEXTS = "32260@3gpp.org", "32274@3gpp.org"
LARGEST = (1 << 64) - 1


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db") as opened:
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []
            assert list(wrong_held_reports(connection)) == []


def later(place, seconds):
    place.ticks = itertools.count(next(place.ticks) + int(seconds * SECOND_US), 1_000)


def wallet(place, owner):
    columns = (tables.wallets.c.balance, tables.wallets.c.reserved)
    return place.read(select(*columns).where(tables.wallets.c.subscriber_id == owner))[0]


def used(place):
    return [octets for (octets,) in place.read(select(tables.usage.c.octets).order_by(tables.usage.c.id))]


def held(place, *, decided=False):
    with place.reader.connect() as connection:
        return msgspec.to_builtins(review.read(connection, after=0, limit=100, decided=decided))


def calls(request_type, number, *times, ask=None):
    units = [UsedServiceUnit(cc_time=seconds) for seconds in times]
    return ccr(request_type, number, service(None, used=units, ask=ask), session="msc;1;1", context=VOICE)


def test_a_report_far_beyond_grant_and_network_is_held_and_the_session_goes_on(place):
    owner = place.enrol(5 * POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    later(place, 1)
    (mscc,) = place.ask(ccr(UPDATE, 1, service(used=[1 << 40], ask=0))).multiple_services_credit_control
    assert (mscc.result_code, mscc.granted_service_unit.cc_total_octets) == (2001, 10 * MEGABYTE)
    assert place.last.alarms == ["charging.report.held"]
    assert wallet(place, owner) == (5 * POUND, 10 * PENNY)
    assert used(place) == []
    assert place.read(select(tables.transfers.c.id)) == place.read(
        select(tables.transfers.c.id).where(tables.transfers.c.kind == "opening")
    )
    (report,) = held(place)
    assert (report["reason"], report["octets"], report["imsi"], report["state"]) == ("excess", 1 << 40, IMSI, "open")
    place.ask(ccr(TERMINATION, 2, service(used=[3 * MEGABYTE])))
    assert wallet(place, owner) == (5 * POUND - 3 * PENNY, 0)


def test_a_call_is_not_longer_than_the_time_since_it_began_and_its_grant(place):
    owner = place.enrol(5 * POUND)
    place.ask(calls(INITIAL, 0, ask=0))
    later(place, 2)
    assert place.ask(calls(TERMINATION, 1, 71_582_788)).result_code == 2001
    assert wallet(place, owner) == (5 * POUND, 0)
    assert [report["seconds"] for report in held(place)] == [71_582_788]


def test_the_sane_part_of_a_request_is_charged_and_the_absurd_one_held(place):
    owner = place.enrol(5 * POUND)
    place.ask(ccr(INITIAL, 0, service(100, ask=0), service(200, ask=0)))
    answer = place.ask(ccr(TERMINATION, 1, service(100, used=[2 * MEGABYTE]), service(200, used=[LARGEST])))
    assert [mscc.result_code for mscc in answer.multiple_services_credit_control] == [2001, 2001]
    assert used(place) == [2 * MEGABYTE]
    assert wallet(place, owner) == (5 * POUND - 2 * PENNY, 0)
    assert [(report["rating_group"], report["octets"]) for report in held(place)] == [(200, LARGEST)]
    (closed_at,) = place.read(select(tables.sessions.c.closed_at))[0]
    assert closed_at is not None


@pytest.mark.parametrize(
    "unit",
    [
        UsedServiceUnit(cc_input_octets=LARGEST, cc_output_octets=LARGEST),
        UsedServiceUnit(cc_total_octets=1, cc_service_specific_units=LARGEST),
        UsedServiceUnit(cc_total_octets=1, cc_time=(1 << 32) - 1),
    ],
    ids=["both directions", "service-specific units of data", "seconds of data"],
)
def test_no_number_that_a_client_can_write_is_too_large_to_be_held(place, unit):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    assert place.ask(ccr(UPDATE, 1, service(used=[unit], ask=0))).result_code == 2001
    assert (used(place), len(held(place))) == ([], 1)


def test_reports_of_one_request_share_what_could_be_used(place):
    place.enrol(50 * POUND)
    place.ask(ccr(INITIAL, 0, service(10, ask=0)))
    later(place, 1)
    gigabyte = 1000 * MEGABYTE
    place.ask(ccr(UPDATE, 1, service(10, used=[gigabyte, gigabyte]), service(10, used=[gigabyte], ask=0)))
    assert (used(place), [report["octets"] for report in held(place)]) == ([gigabyte], [gigabyte, gigabyte])


@pytest.mark.parametrize("octets", [20 * MEGABYTE, 1_250 * MEGABYTE], ids=["a slice above the grant", "10 Gbit/s"])
def test_what_could_be_used_is_charged(place, octets):
    place.enrol(50 * POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    later(place, 1)
    place.ask(ccr(UPDATE, 1, service(used=[octets], ask=0)))
    assert (used(place), held(place)) == ([octets], [])


def test_reports_that_a_client_kept_while_it_could_not_reach_us_are_charged_though_they_come_at_once(place):
    place.enrol(50 * POUND)
    begun = next(place.ticks) // SECOND_US
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    later(place, 3 * 3600)
    for number, hours in ((1, 1), (2, 2), (3, 3)):
        report = ccr(UPDATE, number, service(used=[5_000 * MEGABYTE]), event_timestamp=begun + hours * 3600 - 60)
        place.ask(report)
    assert (used(place), held(place)) == ([5_000 * MEGABYTE] * 3, [])


@pytest.mark.parametrize(("octets", "is_held"), [(50 * MEGABYTE, False), (1 << 40, True)])
def test_a_session_that_nobody_knows_is_believed_for_a_minute_of_data(place, octets, is_held):
    place.enrol(50 * POUND)
    assert place.ask(ccr(TERMINATION, 7, service(used=[octets]))).result_code == 2001
    assert (used(place) == [], bool(held(place))) == (is_held, is_held)


def test_a_call_that_nobody_knows_is_believed_for_as_long_as_a_silent_session_lives(place):
    place.enrol(50 * POUND)
    place.ask(calls(TERMINATION, 7, 3600))
    assert held(place) == []


@pytest.mark.parametrize(
    ("context", "wanted"),
    [
        (VOICE, RequestedServiceUnit(cc_time=(1 << 32) - 1)),
        (TEXTS, RequestedServiceUnit(cc_service_specific_units=LARGEST)),
    ],
)
def test_an_event_of_more_than_a_network_carries_is_not_rated(place, context, wanted):
    owner = place.enrol(10**15)
    answer = place.ask(ccr(EVENT, 0, context=context, requested_service_unit=wanted, requested_action=0))
    assert answer.result_code == 5031
    assert wallet(place, owner) == (10**15, 0)


def test_usage_for_a_number_that_nobody_has_is_refused_and_kept_once_however_often_it_comes(place):
    request = ccr(TERMINATION, 1, service(100, used=[1000 * MEGABYTE]), imsi=None, msisdn="447700900999")
    for _ in range(3):
        assert place.ask(request).result_code == 5030
    assert place.last.alarms == ["charging.report.unbooked"]
    (report,) = held(place)
    assert (report["reason"], report["msisdn"], report["octets"]) == ("no_subscriber", "447700900999", 1000 * MEGABYTE)


def test_usage_under_a_plan_that_is_gone_is_kept_and_booked_once_the_plan_is_back(place):
    owner = place.enrol(5 * POUND, plan="payg-old")
    assert place.ask(ccr(TERMINATION, 1, service(used=[5 * MEGABYTE]))).result_code == 5031
    (report,) = held(place)
    assert report["reason"] == "no_price"
    refused = place.lane.run(BookReport(int(report["id"]), "ops", "again"))
    assert isinstance(refused, ReviewRefused)
    place.price_by({**PLANS, "payg-old": msgspec.structs.replace(PLANS["payg-gb"], id="payg-old")})
    booked = place.lane.run(BookReport(int(report["id"]), "ops", "again"))
    assert (booked.state, booked.price) == ("booked", 5 * PENNY)
    assert wallet(place, owner) == (5 * POUND - 5 * PENNY, 0)


def test_a_booked_report_is_priced_with_its_session_and_its_tenth_accrues(place):
    owner = place.enrol(5 * POUND)
    place.ask(calls(INITIAL, 0, ask=0))
    place.ask(calls(UPDATE, 1, 30, ask=0))
    place.ask(calls(TERMINATION, 2, 7200))
    (report,) = held(place)
    booked = place.lane.run(BookReport(int(report["id"]), "ops", "the host confirmed it"))
    assert booked.price == 3 * PENNY * 7230 // 60 - 3 * PENNY
    assert wallet(place, owner)[0] == 5 * POUND - 3 * PENNY * 7230 // 60
    accrued = place.read(select(tables.transfers.c.amount).where(tables.transfers.c.kind == "accrual"))
    assert sum(amount for (amount,) in accrued) == 3 * PENNY * 7230 // 60 // 10
    (told,) = held(place, decided=True)
    assert (told["state"], told["decided_by"], told["note"]) == ("booked", "ops", "the host confirmed it")
    assert told["record_id"] == str(booked.record_id)


@pytest.mark.parametrize("first", ["book", "drop"])
@pytest.mark.parametrize("second", ["book", "drop"])
def test_a_report_is_decided_once(place, first, second):
    place.enrol(50 * POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[1_000 * MEGABYTE], ask=0)))
    (report,) = held(place)
    number = int(report["id"])
    units = {
        "book": lambda: BookReport(number, "ops", "why"),
        "drop": lambda: DropReport(number, "ops", "why"),
    }
    assert place.lane.run(units[first]()).state == f"{first}{'ped' if first == 'drop' else 'ed'}"
    refused = place.lane.run(units[second]())
    assert (type(refused), refused.code) == (ReviewRefused, "review.decided")
    assert len(used(place)) == (1 if first == "book" else 0)
    assert held(place) == []


def test_a_report_that_no_record_can_say_can_only_be_dropped(place):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[LARGEST], ask=0)))
    (report,) = held(place)
    assert place.lane.run(BookReport(int(report["id"]), "ops", "why")).code == "review.size"
    assert place.lane.run(DropReport(int(report["id"]), "ops", "why")).state == "dropped"


def test_a_report_of_a_line_that_is_brought_in_later_can_be_booked(place):
    place.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE])))
    (report,) = held(place)
    assert place.lane.run(BookReport(int(report["id"]), "ops", "why")).code == "review.subscriber"
    owner = place.enrol(POUND)
    assert place.lane.run(BookReport(int(report["id"]), "ops", "brought in")).price == PENNY
    assert wallet(place, owner) == (POUND - PENNY, 0)


def test_there_is_an_end_to_what_is_held(place):
    place.policy.room = ReviewCapacity(2)
    for number in range(4):
        place.ask(ccr(TERMINATION, number, service(used=[MEGABYTE])))
    assert place.last.alarms == ["charging.report.unbooked", "charging.review.full"]
    reports = held(place)
    assert len(reports) == 2
    place.lane.run(DropReport(int(reports[0]["id"]), "ops", "why"))
    later(place, 61)
    place.ask(ccr(TERMINATION, 9, service(used=[MEGABYTE])))
    assert len(held(place)) == 2


def test_a_suspended_line_that_reports_an_event_is_charged_for_what_it_used(place):
    owner = place.enrol(POUND)
    with place.writer.begin() as connection:
        connection.execute(tables.subscribers.update().values(status="suspended"))
    answer = place.ask(ccr(EVENT, 0, service(used=[MEGABYTE]), requested_action=0))
    assert answer.result_code == 2001
    assert wallet(place, owner) == (POUND - PENNY, 0)


def test_another_lines_session_id_takes_no_usage_with_it(place):
    place.enrol(POUND)
    other = Enrolment("447700900002", "234150000000002", "8944234150000000002", "payg-gb", "", POUND)
    place.lane.run(Enrol(other, "GBP"))
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE]), origin_host="other.example"))
    (report,) = held(place)
    assert (report["reason"], report["msisdn"], MSISDN in str(report)) == ("foreign_session", None, False)


def wrong(place, **change):
    """What is found of the first report once somebody has changed its row."""
    table = tables.held_reports
    with place.writer.connect() as connection:
        connection.execute(
            update(table).where(table.c.id == select(func.min(table.c.id)).scalar_subquery()).values(change)
        )
        found = [finding.detail for finding in wrong_held_reports(connection)]
        connection.rollback()
    return found


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"session_id": "pgw;9"}, "is not of the request that it is named by"),
        ({"origin_host": "other.example"}, "is not of the request that it is named by"),
        ({"request_number": 7}, "is not of the request that it is named by"),
        ({"fingerprint": "0" * 64}, "is not of the request that it is named by"),
        ({"state": "dropped"}, "is dropped, and says otherwise of who decided it and when"),
        (
            {"state": "dropped", "decided_at": 5, "decided_by": "ann", "usage_id": 9},
            "is dropped, and says otherwise of the",
        ),
        ({"state": "booked", "decided_at": 5, "decided_by": "ann"}, "is booked, and says otherwise of the record"),
        ({"state": "gone"}, "is gone, which no report is"),
    ],
)
def test_a_report_that_was_changed_by_hand_is_named_by_the_check(place, change, what):
    place.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE])))
    (said,) = wrong(place, **change)
    assert said.startswith(f"held report {held(place)[0]['id']} {what}")
    assert said.endswith(": put the row of held_reports back from a backup")


@pytest.mark.parametrize("change", [{"octets": "5"}, {"event_at": 5}, {"service": "voice"}, {"rating_group": 3}])
def test_a_report_that_was_booked_is_held_against_its_usage(place, change):
    place.enrol(POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    later(place, 1)
    place.ask(ccr(UPDATE, 1, service(used=[1 << 33], ask=0)))
    (report,) = held(place)
    booked = place.lane.run(BookReport(int(report["id"]), "ops", "why"))
    (said,) = wrong(place, **change)
    assert f"is booked as record {booked.record_id}, which says another service, time or units" in said


def test_of_many_reports_the_first_few_are_named_and_their_number(place):
    for number in range(7):
        place.ask(ccr(TERMINATION, number, service(used=[MEGABYTE])))
    with place.writer.connect() as connection:
        connection.execute(update(tables.held_reports).values(session_id="pgw;9"))
        found = [finding.detail for finding in wrong_held_reports(connection)]
        connection.rollback()
    assert (len(found), found[-1]) == (6, "7 held reports in all are not as they were")


@pytest.mark.parametrize(
    "change", [{"traffic": "relayed"}, {"service": "fax"}, {"octets": "many"}, {"seconds": "-5"}, {"units": "²"}]
)
def test_a_report_with_what_no_gateway_writes_is_named_and_not_booked(tmp_path, change):
    with charging_place(f"sqlite:///{tmp_path}/desk.db") as place:
        owner = place.enrol(POUND, imsi="234150000000009", msisdn="447700900009")
        place.ask(ccr(TERMINATION, 1, service(used=[MEGABYTE])))
        (report,) = held(place)
        place.enrol(POUND)
        [(column, value)] = change.items()
        with place.writer.begin() as connection:
            connection.execute(update(tables.held_reports).values(change))
        refused = place.lane.run(BookReport(int(report["id"]), "ops", "why"))
        assert (type(refused), refused.code) == (ReviewRefused, "review.unknown_value")
        assert f"row {report['id']} of held_reports has {column} {value!r}" in str(refused)
        assert "put back what it was" in str(refused)
        assert (used(place), wallet(place, owner)) == ([], (POUND, 0))
        assert [row["state"] for row in held(place)] == ["open"]
        with place.reader.connect() as connection:
            [finding] = wrong_held_reports(connection)
        assert f"has {column} {value!r}" in finding.detail
        assert place.lane.run(DropReport(int(report["id"]), "ops", "why")).state == "dropped"
