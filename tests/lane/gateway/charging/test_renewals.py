"""Bundles by the month: sold for a period, renewed where the customer agreed and can pay, with what rolls over; add-ons."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import select
from support.books import check
from support.charging_fixture import INITIAL, MSISDN, PENNY, TERMINATION, UPDATE, ccr, charging_place, service

from gateway.balance.line_terms import SetCreditLimit, SetRenewal
from gateway.charging.add_ons import AddOnBought, AddOnRefused, BuyAddOn
from gateway.charging.renewals import DoneByCalendar, KeepWallet, due_wallets
from gateway.charity.policies import recompute
from gateway.rating.plans import Bundle, Plan, Rate, Zone
from gateway.store import tables
from gateway.store.idempotency import KeyConflict
from gateway.store.sweeper import Retention, Sweep

POUND, MEGABYTE, DAY_US = 100 * PENNY, 1_000_000, 86_400_000_000
RATES = (Rate(PENNY, MEGABYTE), Rate(3 * PENNY, 60), Rate(2 * PENNY, 1))
ABROAD = Zone("europe", ("208",), *(Rate(rate.price * 10, rate.per, in_bundle=False) for rate in RATES))
MONTHLY = Bundle(10 * POUND, 0, data=31 * MEGABYTE, roll_over=("data",))
PLANS = {
    "monthly": Plan(
        "monthly", "", "GBP", *RATES, {}, MONTHLY, home=("234",), zones=(ABROAD,),
        add_ons={
            "boost": Bundle(3 * POUND, 7, data=5 * MEGABYTE),
            "europe": Bundle(POUND, 7, data=5 * MEGABYTE, zones=("europe",)),
        },
    ),
    "anchored": Plan("anchored", "", "GBP", *RATES, {}, Bundle(10 * POUND, 0, data=31 * MEGABYTE, pro_rata=False)),
}  # fmt: skip


def at(text):
    return (datetime.fromisoformat(text) - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db", plans=PLANS) as opened:
        opened.ticks = itertools.count(at("2027-01-31T12:00+00:00"), 1_000)
        opened.owner = opened.enrol(50 * POUND, plan="monthly")
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def until(place, text):
    place.ticks = itertools.count(at(text), 1_000)


def holdings(place):
    (raw,) = place.read(select(tables.wallets.c.bundle))[0]
    return json.loads(raw or b"{}")


def left(place):
    return [(each.get("kind", "bundle"), each["left"]["data"]) for each in holdings(place).get("allowances", [])]


def amounts(place, kind):
    rows = tables.transfers.c
    return list(itertools.chain(*place.read(select(rows.amount).where(rows.kind == kind).order_by(rows.id))))


def use(place, octets, session, **more):
    place.ask(ccr(TERMINATION, 0, service(used=[octets]), session=session, **more))


def agree(place, consent=True, day=0):
    return place.lane.run(SetRenewal("msisdn", MSISDN, consent, day, "tester", "as asked"))


def keep(place):
    with place.reader.connect() as connection:
        for owner in due_wallets(connection, next(place.ticks), [place.node.id]):
            place.lane.run(KeepWallet(owner))
    return place.lane.run(KeepWallet(place.owner))


def test_the_first_sale_makes_the_billing_day_and_each_period_ends_on_it_or_the_last_of_the_month(place):
    use(place, MEGABYTE, "first")
    agree(place)
    assert place.lane.run(KeepWallet(place.owner)) == DoneByCalendar()
    ends = [holdings(place)["renewal"]["next_at"]]
    for _ in range(3):
        place.ticks = itertools.count(ends[-1], 1_000)
        assert place.lane.run(KeepWallet(place.owner)).renewed
        assert not place.lane.run(KeepWallet(place.owner)).renewed
        ends.append(holdings(place)["renewal"]["next_at"])
    days = ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]
    assert ends == [at(f"{day}T00:00+00:00") for day in days]
    assert amounts(place, "sale") == [10 * POUND] * 4


def test_without_consent_nothing_is_renewed_and_the_bundle_is_sold_when_it_is_needed(place):
    use(place, MEGABYTE, "first")
    until(place, "2027-03-15T00:00+00:00")
    assert not keep(place).renewed
    assert amounts(place, "sale") == [10 * POUND]
    use(place, MEGABYTE, "again")  # within the period from 28 February to 31 March: 16 of its 31 days are left
    assert amounts(place, "sale") == [10 * POUND, round(10 * POUND * 16 / 31)]
    assert left(place)[-1] == ("bundle", 16 * MEGABYTE - MEGABYTE)


def test_withdrawn_consent_renews_nothing_more(place):
    use(place, MEGABYTE, "first")
    agree(place)
    agree(place, consent=False)
    until(place, "2027-02-28T00:00:01+00:00")
    assert not place.lane.run(KeepWallet(place.owner)).renewed
    history = place.read(select(tables.subscriber_history.c.before, tables.subscriber_history.c.after))
    assert history == [("off on day 31", "on on day 31"), ("on on day 31", "off on day 31")]


def test_a_renewal_that_cannot_be_paid_is_not_made_on_credit_and_not_again_by_itself(place):
    use(place, MEGABYTE, "first")
    agree(place)
    use(place, 3_530 * MEGABYTE, "all but five pounds")
    until(place, "2027-02-28T00:00:01+00:00")
    assert place.lane.run(KeepWallet(place.owner)).unpaid
    assert place.lane.run(KeepWallet(place.owner)) == DoneByCalendar()
    place.top_up(MSISDN, 20 * POUND, "r")
    use(place, MEGABYTE, "needs it")
    assert len(amounts(place, "sale")) == 2
    assert holdings(place)["renewal"]["next_at"] == at("2027-03-31T00:00+00:00")


def test_a_line_that_is_suspended_is_not_renewed(place):
    use(place, MEGABYTE, "first")
    agree(place)
    with place.writer.begin() as connection:
        connection.execute(tables.subscribers.update().values(status="suspended"))
    until(place, "2027-02-28T00:00:01+00:00")
    assert not place.lane.run(KeepWallet(place.owner)).renewed
    assert amounts(place, "sale") == [10 * POUND]


def test_what_is_left_rolls_over_for_one_period_and_is_used_first(place):
    use(place, MEGABYTE, "first")
    agree(place)
    until(place, "2027-02-28T00:00:01+00:00")
    place.lane.run(KeepWallet(place.owner))
    assert left(place) == [("bundle", 0), ("rolled", 30 * MEGABYTE), ("bundle", 31 * MEGABYTE)]
    use(place, 32 * MEGABYTE, "more than rolled over")
    assert left(place) == [("bundle", 0), ("rolled", 0), ("bundle", 29 * MEGABYTE)]
    until(place, "2027-03-31T00:00:01+00:00")
    place.lane.run(KeepWallet(place.owner))
    assert left(place)[-2:] == [("rolled", 29 * MEGABYTE), ("bundle", 31 * MEGABYTE)]
    until(place, "2027-04-30T00:00:01+00:00")
    place.lane.run(KeepWallet(place.owner))
    assert left(place)[-2:] == [("rolled", 31 * MEGABYTE), ("bundle", 31 * MEGABYTE)], "it rolls over once"
    until(place, "2027-05-02T12:00+00:00")
    place.lane.run(KeepWallet(place.owner))
    entries = tables.allowance_entries.c
    expired = select(entries.units).where(entries.kind == "expiry").order_by(entries.id)
    assert place.read(expired) == [(-29 * MEGABYTE,)]


def test_a_service_that_a_bundle_was_sold_with_twice_rolls_over_once(place):
    bundle = msgspec.structs.replace(MONTHLY, roll_over=("data", "data"))
    place.price_by({**PLANS, "monthly": msgspec.structs.replace(PLANS["monthly"], bundle=bundle)})
    use(place, MEGABYTE, "first")
    agree(place)
    until(place, "2027-02-28T00:00:01+00:00")
    place.lane.run(KeepWallet(place.owner))
    assert left(place) == [("bundle", 0), ("rolled", 30 * MEGABYTE), ("bundle", 31 * MEGABYTE)]


def test_a_sale_that_is_taken_back_rolls_nothing_over(place):
    use(place, MEGABYTE, "first")
    until(place, "2027-02-28T00:00:01+00:00")
    late = {"event_timestamp": at("2027-02-27T23:00+00:00") // 1_000_000}
    place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE]), session="late", **late))
    assert left(place) == [("bundle", 29 * MEGABYTE)]


def test_a_billing_day_that_was_set_makes_the_first_period_a_short_one(place):
    agree(place, day=7)
    use(place, MEGABYTE, "first")  # from noon of 31 January to 7 February: 6.5 of 31 days
    assert amounts(place, "sale") == [round(10 * POUND * 6.5 / 31)]
    assert left(place) == [("bundle", round(31 * MEGABYTE * 6.5 / 31) - MEGABYTE)]
    until(place, "2027-02-07T00:00+00:00")
    assert keep(place) == DoneByCalendar()
    assert amounts(place, "sale")[1:] == [10 * POUND]


def test_a_bundle_that_is_sold_whole_moves_the_billing_day(place):
    owner = place.enrol(50 * POUND, imsi="234150000000002", msisdn="447700900002", plan="anchored")
    place.lane.run(SetRenewal("msisdn", "447700900002", True, 7, "tester", "as asked"))
    place.ask(ccr(INITIAL, 0, service(ask=0), imsi="234150000000002", session="other"))
    (raw,) = place.read(select(tables.wallets.c.bundle).where(tables.wallets.c.subscriber_id == owner))[0]
    assert json.loads(raw)["renewal"]["billing_day"] == 31
    assert amounts(place, "sale") == [10 * POUND]


def buy(place, name, reference="r"):
    return place.lane.run(BuyAddOn("msisdn", MSISDN, name, "tpo", reference))


def test_an_add_on_is_bought_once_a_reference_and_used_before_what_ends_later(place):
    use(place, MEGABYTE, "first")
    bought = buy(place, "boost")
    assert isinstance(bought, AddOnBought)
    assert (bought.price, bought.balance, bought.repeated) == (3 * POUND, 37 * POUND, False)
    assert buy(place, "boost").repeated
    assert isinstance(buy(place, "europe"), KeyConflict)
    assert amounts(place, "sale") == [10 * POUND, 3 * POUND]
    assert amounts(place, "accrual") == [POUND, 3 * POUND // 10]
    use(place, 6 * MEGABYTE, "second")
    assert left(place) == [("bundle", 29 * MEGABYTE), ("add-on", 0)]


def test_an_add_on_is_bought_once_a_reference_however_long_keys_are_kept(place):
    bought = buy(place, "boost")
    place.ticks = itertools.count(next(place.ticks) + 3 * DAY_US, 1_000)
    kept = dict.fromkeys(("answers", "outbox", "usage", "orders", "access_log"), 1 << 30)
    place.lane.run(Sweep(Retention(sessions=86_400, **kept), published_only=False))
    again = buy(place, "boost")
    assert (again.repeated, again.price, again.balance) == (True, 3 * POUND, bought.balance)
    assert amounts(place, "sale") == [3 * POUND]


def test_an_add_on_for_a_zone_covers_use_there_alone(place):
    buy(place, "europe")
    sgsn = {"service_information": None}
    del sgsn
    use(place, MEGABYTE, "at home")
    assert left(place) == [("add-on", 5 * MEGABYTE), ("bundle", 30 * MEGABYTE)]


@pytest.mark.parametrize(
    ("name", "status", "balance", "code"),
    [
        ("huge", "active", 50, "add_on.unknown"),
        ("boost", "suspended", 50, "add_on.line"),
        ("boost", "active", 2, "add_on.credit"),
    ],
)
def test_an_add_on_that_cannot_be_bought_changes_nothing(place, name, status, balance, code):
    number = "447700900009"
    place.enrol(balance * POUND, "234150000000009", number, plan="monthly")
    with place.writer.begin() as connection:
        connection.execute(tables.subscribers.update().values(status=status))
    refused = place.lane.run(BuyAddOn("msisdn", number, name, "tpo", "r"))
    assert isinstance(refused, AddOnRefused)
    assert (refused.code, amounts(place, "sale"), left(place)) == (code, [], [])


def test_a_line_that_pays_later_is_served_down_to_its_limit_and_no_further(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db") as place:
        place.enrol(0)
        assert place.ask(ccr(INITIAL, 0, service(ask=0))).result_code == 2001
        refused = place.ask(ccr(INITIAL, 0, service(ask=0), session="b")).multiple_services_credit_control
        assert refused[0].result_code == 4012
        place.lane.run(SetCreditLimit("msisdn", MSISDN, 5 * PENNY, "tester", "contract"))
        granted = place.ask(ccr(INITIAL, 0, service(ask=0), session="c")).multiple_services_credit_control[0]
        assert granted.granted_service_unit.cc_total_octets == 5 * MEGABYTE
        use(place, 5 * MEGABYTE, "c")
        assert place.read(select(tables.wallets.c.balance)) == [(-5 * PENNY,)]
        assert "charging.wallet.overdrawn" not in place.last.alarms
        with place.reader.connect() as connection:
            assert check(connection, recompute).findings == []
