"""A bundle is sold where a priced unit is used or wanted on an active line, and covers what was used while it was in force."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import select
from support.books import check
from support.charging_fixture import EVENT, INITIAL, PENNY, TERMINATION, UPDATE, ccr, charging_place, service
from support.gy_samples import avp, word
from support.lane_fixture import unguard

from gateway.charging.renewals import KeepWallet, due_wallets
from gateway.charity.policies import recompute
from gateway.rating.billing_days import days_later
from gateway.rating.plans import Bundle, Plan, Rate
from gateway.store import tables
from protocols.diameter.messages import RequestedServiceUnit, UsedServiceUnit

POUND, MEGABYTE, SECOND_US, DAY_US = 100 * PENNY, 1_000_000, 1_000_000, 86_400_000_000
PRICE = 750 * PENNY
VOICE, TEXTS = "32260@3gpp.org", "32274@3gpp.org"
PLANS = {
    "bundle-gb": Plan(
        "bundle-gb", "", "GBP", Rate(PENNY, MEGABYTE), Rate(3 * PENNY, 60), Rate(2 * PENNY, 1), {200: Rate(0, 1)},
        Bundle(PRICE, 30, data=20 * MEGABYTE, voice=600, sms=10),
    ),
    "bundle-xl": Plan(
        "bundle-xl", "", "GBP", Rate(PENNY, MEGABYTE), Rate(3 * PENNY, 60), Rate(2 * PENNY, 1), {},
        Bundle(2 * PRICE, 30, data=200 * MEGABYTE),
    ),
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db", plans=PLANS) as opened:
        opened.owner = opened.enrol(50 * POUND, plan="bundle-gb")
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def sold(place):
    return len(place.read(select(tables.transfers.c.id).where(tables.transfers.c.kind == "sale")))


def charged(place):
    rows = select(tables.transfers.c.amount).where(tables.transfers.c.kind == "charge").order_by(tables.transfers.c.id)
    return [amount for (amount,) in place.read(rows)]


def left(place):
    """Octets that are left of each bundle, the one that ended first before the others."""
    (raw,) = place.read(select(tables.wallets.c.bundle))[0]
    return [allowance["left"]["data"] for allowance in json.loads(raw or b"{}").get("allowances", [])]


def later(place, microseconds):
    place.ticks = itertools.count(next(place.ticks) + microseconds, 1_000)


def now(place):
    return next(place.ticks) // SECOND_US


def with_bundle_that_ended(place, seconds):
    """Use 5 MB, and let the bundle that was sold for it end so many seconds ago."""
    place.ask(ccr(TERMINATION, 0, service(used=[5 * MEGABYTE]), session="before"))
    assert (sold(place), left(place)) == (1, [15 * MEGABYTE])
    later(place, 30 * DAY_US + seconds * SECOND_US)


def terminating(*, octets=None, seconds=None):
    information = avp("IMS-Information", avp("Role-Of-Node", word(1)))
    used = [UsedServiceUnit(cc_time=seconds)] if seconds is not None else []
    item = service(None, used=used, ask=None if used else 0)
    return ccr(TERMINATION if used else INITIAL, 0, item, context="32260@3gpp.org", service_information=information)


@pytest.mark.parametrize(
    "request_",
    [
        ccr(INITIAL, 0, service(200, ask=0)),
        ccr(UPDATE, 3, service(200, used=[MEGABYTE], ask=0)),
        ccr(TERMINATION, 3, service(100, used=[0])),
        ccr(TERMINATION, 3, service(100, used=[UsedServiceUnit(cc_time=60)])),
        ccr(INITIAL, 0),
        terminating(),
        terminating(seconds=60),
        ccr(TERMINATION, 3, service(100, used=[1 << 50])),
    ],
    ids=[
        "a free rating group is wanted",
        "a free rating group is used",
        "no octets are used",
        "only seconds of data are used, which have no price",
        "nothing is wanted",
        "a call comes in",
        "a call came in",
        "what was reported could not be used",
    ],
)
def test_no_bundle_is_sold_where_nothing_priced_is_used_or_wanted(place, request_):
    assert place.ask(request_).result_code == 2001
    assert sold(place) == 0


@pytest.mark.parametrize("used", [0, 5 * MEGABYTE])
def test_a_line_that_is_not_active_is_sold_nothing(place, used):
    with place.writer.begin() as connection:
        connection.execute(tables.subscribers.update().values(status="suspended"))
    place.ask(ccr(TERMINATION, 3, service(used=[used])))
    assert (sold(place), sum(charged(place))) == (0, 5 * PENNY if used else 0)


@pytest.mark.parametrize(
    "request_", [ccr(INITIAL, 0, service(ask=0)), ccr(INITIAL, 0, service()), ccr(TERMINATION, 3, service(used=[1]))]
)
def test_a_bundle_is_sold_once_a_priced_unit_is_used_or_wanted(place, request_):
    place.ask(request_)
    place.ask(ccr(INITIAL, 0, service(ask=0), session="another"))
    assert sold(place) == 1


def test_a_late_report_counts_on_the_bundle_that_was_in_force_when_it_was_used(place):
    with_bundle_that_ended(place, 10)
    late = ccr(TERMINATION, 0, service(used=[5 * MEGABYTE]), event_timestamp=now(place) - 30, session="late")
    place.ask(late)
    assert (sold(place), left(place), charged(place)) == (1, [10 * MEGABYTE], [])


def test_what_was_used_before_a_bundles_end_counts_on_it_while_what_is_wanted_now_is_sold_anew(place):
    with_bundle_that_ended(place, 10)
    update = ccr(UPDATE, 4, service(used=[5 * MEGABYTE], ask=0), event_timestamp=now(place) - 30, session="late")
    place.ask(update)
    assert (sold(place), left(place), charged(place)) == (2, [10 * MEGABYTE, 20 * MEGABYTE], [])
    place.ask(ccr(TERMINATION, 5, service(used=[6 * MEGABYTE]), session="late"))
    assert (sold(place), left(place)) == (2, [10 * MEGABYTE, 14 * MEGABYTE])


def test_use_from_between_two_bundles_counts_on_the_next_one(place):
    with_bundle_that_ended(place, 10)
    place.ask(ccr(TERMINATION, 0, service(used=[MEGABYTE]), session="sells the second"))
    later(place, 60 * SECOND_US)
    between = ccr(TERMINATION, 0, service(used=[MEGABYTE]), event_timestamp=now(place) - 65, session="between")
    place.ask(between)
    assert (sold(place), left(place), charged(place)) == (2, [15 * MEGABYTE, 18 * MEGABYTE], [])


def test_an_ended_bundle_is_forgotten_when_reports_can_be_so_late_no_more(place):
    with_bundle_that_ended(place, 10)
    assert place.lane.run(KeepWallet(place.owner)).ended == 0
    later(place, 2 * DAY_US)
    with place.reader.connect() as connection:
        assert list(due_wallets(connection, next(place.ticks), [place.node.id])) == [place.owner]
    assert place.lane.run(KeepWallet(place.owner)).ended == 1
    assert place.lane.run(KeepWallet(place.owner)).ended == 0
    assert left(place) == []
    entries = tables.allowance_entries.c
    expired = select(entries.service, entries.units).where(entries.kind == "expiry").order_by(entries.service)
    assert place.read(expired) == [("data", -15 * MEGABYTE), ("sms", -10), ("voice", -600)]


def test_a_grant_of_an_ended_bundle_is_given_back_to_it_and_not_to_the_next_one(place):
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    later(place, 30 * DAY_US)
    place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0), event_timestamp=now(place) - 3600))
    (raw,) = place.read(select(tables.wallets.c.bundle))[0]
    assert [allowance["held"]["data"] for allowance in json.loads(raw)["allowances"]] == [0, 10 * MEGABYTE]


def test_a_bundle_of_another_plan_stays_the_customers_and_is_used_up_first(place):
    place.ask(ccr(TERMINATION, 0, service(used=[5 * MEGABYTE]), session="before"))
    with place.writer.begin() as connection:
        row = {"id": 7, "subscriber_id": place.owner, "plan": "bundle-xl", "valid_from": next(place.ticks)}
        connection.execute(tables.subscriptions.insert().values(row))
    later(place, 2 * SECOND_US)
    place.ask(ccr(TERMINATION, 0, service(used=[5 * MEGABYTE]), session="after"))
    assert (sold(place), left(place)) == (1, [10 * MEGABYTE])
    place.ask(ccr(TERMINATION, 0, service(used=[15 * MEGABYTE]), session="more than is left of it"))
    assert (sold(place), left(place), charged(place)) == (2, [0, 195 * MEGABYTE], [])
    used = tables.usage.c
    rows = place.read(select(used.octets, used.allowance_id, used.covered).order_by(used.id))
    entries = tables.allowance_entries.c
    (second,) = place.read(select(entries.allowance_id, entries.usage_id, entries.units).where(entries.kind == "use"))
    assert [(row.octets, row.covered) for row in rows][-1] == (15 * MEGABYTE, 15 * MEGABYTE)
    assert (second.units, second.allowance_id != rows[-1].allowance_id) == (-5 * MEGABYTE, True)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (
            ccr(EVENT, 0, context=TEXTS, requested_service_unit=RequestedServiceUnit(cc_service_specific_units=5000)),
            5031,
        ),
        (ccr(EVENT, 0, context=TEXTS, requested_service_unit=RequestedServiceUnit(cc_time=1)), 5031),
        (
            ccr(
                INITIAL,
                0,
                context=VOICE,
                requested_service_unit=RequestedServiceUnit(cc_money=avp("Unit-Value", avp("Value-Digits", bytes(8)))),
            ),
            5031,
        ),
        (ccr(EVENT, 0, context=VOICE, requested_service_unit=RequestedServiceUnit(cc_time=7000)), 2001),
    ],
    ids=["more texts than could be", "a text by time", "a call by money", "a call that the wallet alone can pay for"],
)
def test_no_bundle_is_sold_for_what_is_refused_or_paid_without_it(place, request_, code):
    with place.writer.begin() as connection:
        connection.execute(tables.wallets.update().values(balance=PRICE + 200 * PENNY))
        unguard(connection)
        connection.execute(tables.transfers.update().values(amount=PRICE + 200 * PENNY))
    assert (place.ask(request_).result_code, sold(place)) == (code, 0)
    assert sum(charged(place)) == (350 * PENNY if code == 2001 else 0)


@pytest.mark.parametrize(("context", "number"), [("32251@3gpp.org", 1), (VOICE, 0), (TEXTS, 0)])
def test_a_bundle_is_not_sold_for_a_service_that_it_does_not_cover(tmp_path, context, number):
    plan = msgspec.structs.replace(PLANS["bundle-gb"], bundle=Bundle(PRICE, 30, data=MEGABYTE))
    with charging_place(f"sqlite:///{tmp_path}/one.db", plans={plan.id: plan}) as place:
        place.enrol(50 * POUND, plan=plan.id)
        assert place.ask(ccr(INITIAL, 0, service(None, ask=0), context=context)).result_code == 2001
        assert sold(place) == number


def test_a_bundle_that_costs_nothing_covers_and_moves_nothing(tmp_path):
    plan = msgspec.structs.replace(PLANS["bundle-gb"], bundle=Bundle(0, 30, data=20 * MEGABYTE))
    with charging_place(f"sqlite:///{tmp_path}/free.db", plans={plan.id: plan}) as place:
        place.enrol(POUND, plan=plan.id)
        place.ask(ccr(TERMINATION, 0, service(used=[5 * MEGABYTE])))
        assert (sold(place), charged(place), left(place)) == (0, [], [15 * MEGABYTE])
        with place.reader.connect() as connection:
            assert check(connection, recompute).findings == []


@pytest.mark.parametrize(
    ("zone", "sold_at", "ends_at"),
    [
        ("Europe/London", "2026-03-15T12:00:00.000001+00:00", "2026-04-14T12:00:00.000001+01:00"),
        ("Europe/London", "2026-10-15T23:30:00+01:00", "2026-11-14T23:30:00+00:00"),
        ("Europe/London", "2026-02-27T01:30:00+00:00", "2026-03-29T02:30:00+01:00"),
        ("Europe/London", "2026-09-25T01:30:00+01:00", "2026-10-25T01:30:00+01:00"),
        ("America/New_York", "2026-10-15T23:30:00-04:00", "2026-11-14T23:30:00-05:00"),
        ("Australia/Lord_Howe", "2026-03-20T12:00:00+11:00", "2026-04-19T12:00:00+10:30"),
        ("UTC", "2026-03-15T12:00:00+00:00", "2026-04-14T12:00:00+00:00"),
    ],
    ids=[
        "spring",
        "autumn",
        "a time that the clocks leave out",
        "a time that they show twice",
        "New York",
        "30 min",
        "none",
    ],
)
def test_a_bundle_ends_at_the_time_of_day_at_which_it_was_sold(zone, sold_at, ends_at):
    epoch = datetime.fromtimestamp(0, UTC)
    begin, end = ((datetime.fromisoformat(text) - epoch) // timedelta(microseconds=1) for text in (sold_at, ends_at))
    assert days_later(begin, 30, ZoneInfo(zone)) == end


def test_an_event_sells_the_bundle_that_covers_it(place):
    place.ask(ccr(EVENT, 0, service(ask=MEGABYTE), requested_action=0))
    assert (sold(place), left(place), charged(place)) == (1, [19 * MEGABYTE], [])
