"""Another plan at once, pro rata or at the renewal; what becomes of allowances when the line ends."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from support.books import check
from support.charging_fixture import MSISDN, PENNY, TERMINATION, ccr, charging_place, service
from support.lane_fixture import unguard

from gateway.balance import allowance_entries
from gateway.balance.changes import Change, ChooseCauses
from gateway.balance.endings import settle
from gateway.balance.families import SetPayer, payers_of
from gateway.balance.line_terms import SetRenewal
from gateway.balance.promotions import GivePromotion
from gateway.balance.wallets import WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.plan_changes import Effective, change_plan
from gateway.charging.renewals import KeepWallet
from gateway.charity.choices import Share
from gateway.charity.policies import recompute
from gateway.rating.plans import Bundle, Plan, Rate
from gateway.store import tables

POUND, MEGABYTE, DAY_US = 100 * PENNY, 1_000_000, 86_400_000_000
RATES = (Rate(PENNY, MEGABYTE), Rate(3 * PENNY, 60), Rate(2 * PENNY, 1))
PLANS = {
    name: Plan(name, "", "GBP", *RATES, {}, bundle)
    for name, bundle in (
        ("small", Bundle(10 * POUND, 0, data=30 * MEGABYTE)),
        ("large", Bundle(20 * POUND, 0, data=300 * MEGABYTE)),
        ("payg", None),
    )
}


class _Change(Change):
    """Change the plan of the line that has a number."""

    plan: str
    effective: Effective

    def keys(self, row_set, batch):
        named = tuple(super().keys(row_set, batch))
        return (*named, *payers_of(batch.connection, named[0])) if isinstance(row_set, WalletRows) else named

    def decide(self, batch):
        wallet = self._wallet(batch)
        return change_plan(batch, wallet, self.plan, self.effective)


class _End(Change):
    """End the line that has a number, as its last order does."""

    def decide(self, batch):
        wallet, policy = self._wallet(batch), batch.policy(ChargingPolicy)
        booked = settle(wallet, policy.books.account, batch.now, 7, batch.take_id)
        policy.books.post(batch, booked.entries)
        allowance_entries.post(batch, booked.uses)


def at(text):
    return (datetime.fromisoformat(text) - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db", plans=PLANS) as opened:
        opened.ticks = itertools.count(at("2027-01-01T00:00+00:00"), 1)
        opened.owner = opened.enrol(50 * POUND, plan="small")
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def later(place, text):
    place.ticks = itertools.count(at(text), 1)


def use(place, megabytes, session):
    place.ask(ccr(TERMINATION, 0, service(used=[megabytes * MEGABYTE]), session=session))


def wallet(place):
    with place.reader.connect() as connection:
        rows = WalletRows()
        rows.load(connection, {place.owner})
        return rows.rows[place.owner]


def left(place):
    return [(each.plan, each.left["data"] // MEGABYTE) for each in wallet(place).allowances]


def amounts(place, kind):
    rows = tables.transfers.c
    return list(itertools.chain(*place.read(select(rows.amount).where(rows.kind == kind).order_by(rows.id))))


def change(place, plan, effective=Effective.NOW):
    return place.lane.run(_Change("msisdn", MSISDN, plan, effective))


def test_a_plan_that_begins_at_once_leaves_the_customer_what_was_bought(place):
    use(place, 5, "a")
    assert change(place, "large") == "small"
    use(place, 5, "b")
    assert (left(place), amounts(place, "pro_rata")) == ([("small", 20)], [])


def test_pro_rata_gives_back_the_rest_of_the_price_to_the_micro_unit_with_its_tenth(place):
    place.lane.run(ChooseCauses("msisdn", MSISDN, (Share("wateraid", 3_333), Share("wwf", 6_667))))
    later(place, "2027-01-02T00:00+00:00")
    use(place, 5, "a")
    sold_at, ends_at = wallet(place).allowances[0].starts_at, at("2027-02-02T00:00+00:00")
    later(place, "2027-01-12T07:00+00:00")
    change(place, "large", Effective.PRO_RATA)
    (back,) = amounts(place, "pro_rata")
    moment = place.read(select(tables.transfers.c.at).where(tables.transfers.c.kind == "pro_rata"))[0][0]
    assert abs(back - 10 * POUND * (ends_at - moment) / (ends_at - sold_at)) <= 0.5
    kept = 10 * POUND - back
    assert sum(amounts(place, "accrual")) - sum(amounts(place, "accrual_reversal")) == recompute("2026-1", kept, 10_000)
    assert wallet(place).given == recompute("2026-1", kept, 10_000)
    entries = tables.allowance_entries.c
    assert place.read(select(entries.units).where(entries.kind == "forfeit")) == [(-25 * MEGABYTE,)]
    use(place, 5, "b")  # the other plan's bundle, for the rest of the period
    price, days = amounts(place, "sale")[-1], (ends_at - moment) / DAY_US
    assert abs(price - 20 * POUND * days / 31) < 5
    change(place, "payg", Effective.PRO_RATA)
    assert len(amounts(place, "pro_rata")) == 2


def test_a_plan_begins_at_the_renewal_and_is_what_is_renewed(place):
    use(place, 5, "a")
    place.lane.run(SetRenewal("msisdn", MSISDN, True, 0, "tester", "asked"))
    assert change(place, "large", Effective.RENEWAL) == "small"
    use(place, 5, "b")
    later(place, "2027-02-01T00:00:05+00:00")
    assert place.lane.run(KeepWallet(place.owner)).renewed
    assert amounts(place, "sale") == [10 * POUND, 20 * POUND]
    assert left(place) == [("small", 20), ("large", 300)]


def test_a_plan_that_waits_is_called_off_by_the_present_one_or_replaced_by_another(place):
    use(place, 5, "a")
    change(place, "large", Effective.RENEWAL)
    change(place, "small")
    later(place, "2027-02-01T00:00:05+00:00")
    use(place, 1, "b")
    assert [name for name, _ in left(place)] == ["small", "small"]
    change(place, "large", Effective.RENEWAL)
    change(place, "payg")
    plans = tables.subscriptions.c
    assert place.read(select(plans.plan).order_by(plans.valid_from)) == [("small",), ("payg",)]


def test_without_a_period_a_plan_for_the_renewal_begins_at_once(place):
    change(place, "payg", Effective.RENEWAL)
    use(place, 5, "a")
    assert (amounts(place, "sale"), amounts(place, "charge")) == ([], [5 * PENNY])


def test_every_allowance_of_a_line_that_ends_has_an_entry(place):
    use(place, 5, "a")
    place.lane.run(GivePromotion("msisdn", MSISDN, 3 * POUND, "GBP", 30, "tpo", "r"))
    place.lane.run(_End("msisdn", MSISDN))
    entries = tables.allowance_entries.c
    rows = select(entries.kind, entries.service, entries.units).where(entries.units < 0).order_by(entries.id)
    assert place.read(rows) == [("forfeit", "data", -25 * MEGABYTE), ("expiry", "money", -3 * POUND)]
    assert (amounts(place, "lapse"), amounts(place, "settlement")) == ([3 * POUND], [40 * POUND])
    assert json.loads(place.read(select(tables.wallets.c.bundle))[0][0] or b"null") is None
    assert place.read(select(tables.wallets.c.balance, tables.wallets.c.due_at)) == [(0, None)]


@pytest.mark.parametrize("meanwhile", ["stays", "leaves", "chooses"])
def test_the_tenth_of_what_is_given_back_to_a_member_is_taken_back_from_the_causes_of_who_paid(place, meanwhile):
    other = {"imsi": "234150000000002", "msisdn": "447700900002"}
    place.enrol(0, plan="small", cause="", **other)
    place.lane.run(SetPayer(other["msisdn"], MSISDN, None, "t", "family"))
    later(place, "2027-01-02T00:00+00:00")
    place.ask(ccr(TERMINATION, 0, service(used=[5 * MEGABYTE]), session="b", imsi=other["imsi"]))
    if meanwhile == "leaves":
        place.lane.run(SetPayer(other["msisdn"], "", None, "t", "family"))
    elif meanwhile == "chooses":
        place.lane.run(ChooseCauses("msisdn", other["msisdn"], (Share("wwf", 10_000),)))
    later(place, "2027-01-12T07:00+00:00")
    place.lane.run(_Change("msisdn", other["msisdn"], "large", Effective.PRO_RATA))
    rows = tables.transfers.c
    (given,) = place.read(select(rows.credit).where(rows.kind == "accrual"))
    assert place.read(select(rows.debit).where(rows.kind == "accrual_reversal")) == [given]


SPOILT = {
    "UPDATE transfers SET amount = 11 * 1000000 WHERE kind = 'pro_rata'": 1,
    "UPDATE transfers SET debit = (SELECT id FROM accounts WHERE name = 'unassigned') WHERE kind = 'accrual_reversal'": 1,
    "UPDATE transfers SET reference = 'pro-rata:7' WHERE kind IN ('pro_rata', 'accrual_reversal')": 2,
}


@pytest.mark.parametrize("damage", SPOILT)
def test_what_was_given_back_of_a_bundle_beyond_its_sale_is_named(place, damage):
    use(place, 5, "a")
    later(place, "2027-01-12T07:00+00:00")
    change(place, "large", Effective.PRO_RATA)
    with place.writer.connect() as connection:
        unguard(connection)
        connection.execute(text(damage))
        found = [each.detail for each in check(connection, recompute).findings if each.check == "refund"]
        connection.rollback()
    assert len(found) == SPOILT[damage]
