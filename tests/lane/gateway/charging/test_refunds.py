"""A usage record is given back once: each part to the allowance, the credit or the wallet that it came from, and its tenth."""

import itertools

import msgspec
import pytest
from sqlalchemy import func, select, text
from support.books import check
from support.charging_fixture import MSISDN, PENNY, PLANS, TERMINATION, ccr, charging_place, service

from gateway.balance.changes import ChooseCauses
from gateway.balance.promotions import GivePromotion
from gateway.balance.refunds import RefundUsage, charged
from gateway.balance.topups import Payment, TopUp
from gateway.balance.wallets import WalletRows
from gateway.charging.renewals import KeepWallet
from gateway.charity.choices import Share
from gateway.charity.policies import recompute
from gateway.rating.plans import CalledRates, Rate, ServiceCharge
from gateway.store import tables
from gateway.store.sweeper import Retention, Sweep
from protocols.diameter.messages import UsedServiceUnit

POUND, MEGABYTE, DAY_US = 100 * PENNY, 1_000_000, 86_400_000_000


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db") as opened:
        opened.unguard()
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def use(place, octets, session="a"):
    place.ask(ccr(TERMINATION, 0, service(used=[octets]), session=session))


def refund(place):
    (record,) = place.read(select(func.max(tables.usage.c.id)))[0]
    with place.reader.connect() as connection:
        found = charged(connection, record)
    return place.lane.run(RefundUsage(found, "tester", "cut off"))


def wallet(place, owner):
    with place.reader.connect() as connection:
        rows = WalletRows()
        rows.load(connection, {owner})
        return rows.rows[owner]


def legs(place, kind):
    rows = tables.transfers.c
    return sorted(place.read(select(rows.debit, rows.credit, rows.amount).where(rows.kind == kind)))


def test_a_price_and_its_tenth_are_negated_leg_by_leg_and_once(place):
    owner = place.enrol(POUND)
    place.lane.run(ChooseCauses("msisdn", MSISDN, (Share("wateraid", 4_500), Share("wwf", 5_500))))
    use(place, 1_234_500)
    given_back = refund(place)
    assert (given_back.amount, given_back.repeated) == (12_345, False)
    assert refund(place).repeated
    assert (wallet(place, owner).balance, wallet(place, owner).given) == (POUND, 0)
    assert legs(place, "accrual_reversal") == sorted((to, by, amount) for by, to, amount in legs(place, "accrual"))
    history = tables.subscriber_history.c
    assert place.read(select(history.change, history.reason)) == [("refund", "cut off")]


def test_covered_units_return_to_their_allowance_and_the_rest_to_the_wallet(place):
    owner = place.enrol(10 * POUND, plan="bundle-gb")
    use(place, 25 * MEGABYTE)
    before = wallet(place, owner)
    assert before.allowances[0].left["data"] == 0
    assert refund(place).units == {"data": 20 * MEGABYTE}
    after = wallet(place, owner)
    assert (after.allowances[0].left["data"], after.balance - before.balance) == (20 * MEGABYTE, 5 * PENNY)


@pytest.mark.parametrize(("ended", "balance", "left"), [(False, 100 + 30, 30), (True, 100, None)])
def test_what_credit_of_the_company_paid_returns_to_it_or_to_nobody_where_it_has_ended(place, ended, balance, left):
    owner = place.enrol(POUND)
    place.lane.run(GivePromotion("msisdn", MSISDN, 30 * PENNY, "GBP", 5, "tpo", "r"))
    use(place, 40 * MEGABYTE)
    if ended:
        place.ticks = itertools.count(next(place.ticks) + 6 * DAY_US, 1_000)
        place.lane.run(KeepWallet(owner))
    refund(place)
    found = wallet(place, owner)
    assert found.balance == balance * PENNY
    assert [each.left["money"] // PENNY for each in found.allowances] == ([] if left is None else [left])
    assert found.given == 0


def test_credit_that_was_paid_for_and_has_ended_takes_nothing_off_what_returns_to_the_company_s(place):
    owner = place.enrol(0)
    paid_in = Payment("shop", "r", 50 * PENNY, "GBP")
    assert place.lane.run(TopUp("msisdn", MSISDN, paid_in, 100 * POUND, credit_days=5))
    place.lane.run(GivePromotion("msisdn", MSISDN, 30 * PENNY, "GBP", 20, "tpo", "r"))
    use(place, 70 * MEGABYTE)
    place.ticks = itertools.count(next(place.ticks) + 6 * DAY_US, 1_000)
    place.lane.run(KeepWallet(owner))
    refund(place)
    found = wallet(place, owner)
    money = [each.left["money"] // PENNY for each in found.allowances]
    assert (found.balance // PENNY, money) == (70, [30])


def test_a_record_is_not_given_back_again_when_the_keys_of_its_time_are_swept(place):
    owner = place.enrol(POUND)
    use(place, MEGABYTE)
    refund(place)
    place.ticks = itertools.count(next(place.ticks) + 3 * DAY_US, 1_000)
    kept = dict.fromkeys(("answers", "outbox", "usage", "orders", "access_log"), 1 << 30)
    place.lane.run(Sweep(Retention(sessions=86_400, **kept), published_only=False))
    assert refund(place).repeated
    assert wallet(place, owner).balance == POUND


DAMAGE = {
    "UPDATE transfers SET amount = amount + 1 WHERE kind = 'refund'": "booked as refund",
    "UPDATE transfers SET amount = amount - 1 WHERE kind = 'accrual_reversal'": "booked as accrual_reversal",
    "UPDATE transfers SET usage_id = usage_id - 1 WHERE kind = 'refund'": "of 0 that were moved by it",
    "DELETE FROM transfers WHERE kind = 'accrual_reversal'": "some of its tenth was not taken back",
    "INSERT INTO transfers SELECT id + 1000, at, kind, debit, credit, amount, currency, event_at, usage_id, base, policy, "
    "share, 'refund:9' FROM transfers WHERE kind = 'refund'": "is given back more than once: refund:",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_refund_that_is_none_of_what_was_charged_is_named_by_its_record(place, damage):
    place.enrol(POUND)
    use(place, 1_234_500)
    refund(place)
    with place.writer.connect() as connection:
        connection.execute(text(damage))
        found = [each.detail for each in check(connection, recompute).findings if each.check == "refund"]
        connection.rollback()
    assert any(DAMAGE[damage] in each for each in found)


def test_credit_that_paid_a_third_party_stays_spent_and_what_paid_us_returns(place):
    called = Rate(55 * PENNY, 60, in_bundle=False, service=ServiceCharge(Rate(100 * PENNY, 60), tenth=False))
    premium = msgspec.structs.replace(PLANS["payg-gb"], destinations={"449": CalledRates(called)})
    place.price_by({**PLANS, "payg-gb": premium})
    owner = place.enrol(POUND)
    assert place.lane.run(TopUp("msisdn", MSISDN, Payment("shop", "r", 2 * POUND, "GBP"), 100 * POUND, credit_days=5))
    used = service(None, used=[UsedServiceUnit(cc_time=60)])
    unit = place.unit(ccr(TERMINATION, 0, used, session="c", context="32260@3gpp.org"))
    place.lane.run(type(unit)(msgspec.structs.replace(unit.request, called="449098790000")))
    assert refund(place).amount == 55 * PENNY
    found = wallet(place, owner)
    assert (found.balance // PENNY, [each.left["money"] // PENNY for each in found.allowances]) == (200, [100])
