"""Credit that ends: who pays first, what accrues, what becomes of it at its end; no gift is made of the company's own."""

import itertools
import json

import msgspec
import pytest
from sqlalchemy import func, select, text
from support.books import check
from support.charging_fixture import MSISDN, PENNY, TERMINATION, ccr, charging_place, service
from support.lane_fixture import unguard

from gateway.balance import bookings
from gateway.balance.breakage import lapsed_credit
from gateway.balance.promotions import GivePromotion, Promoted
from gateway.balance.topups import Payment, TopUp
from gateway.balance.wallets import WalletRows
from gateway.billing.payments import BANK, TakeBack
from gateway.charging.check_held_reports import wrong_held_reports
from gateway.charging.check_sessions import wrong_sessions
from gateway.charging.renewals import KeepWallet, due_wallets
from gateway.charity.policies import recompute
from gateway.store import tables
from gateway.store.idempotency import KeyConflict
from gateway.store.sweeper import Retention, Sweep

POUND, MEGABYTE, DAY_US = 100 * PENNY, 1_000_000, 86_400_000_000


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db") as opened:
        opened.owner = opened.enrol(POUND)
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []
            assert list(wrong_sessions(connection)) == []


def give(place, amount, days=30, reference="r"):
    return place.lane.run(GivePromotion("msisdn", MSISDN, amount, "GBP", days, "tpo", reference))


def forget_keys(place):
    """Let so much time pass that idempotency keys are swept."""
    place.ticks = itertools.count(next(place.ticks) + 3 * DAY_US, 1_000)
    kept = dict.fromkeys(("answers", "outbox", "usage", "orders", "access_log"), 1 << 30)
    place.lane.run(Sweep(Retention(sessions=86_400, **kept), published_only=False))


def test_credit_is_given_once_a_reference_however_long_keys_are_kept(place):
    first = give(place, 2 * POUND, days=5)
    forget_keys(place)
    again = give(place, 2 * POUND, days=5)
    assert (again.repeated, again.ends_at, again.balance) == (True, first.ends_at, 3 * POUND)
    assert isinstance(give(place, 4 * POUND, days=5), KeyConflict)
    assert sums(place)["promotion"] == 200


def pay(place, amount, days, reference):
    return place.lane.run(TopUp("msisdn", MSISDN, Payment("tpo", reference, amount, "GBP"), 500 * POUND, None, days))


def use(place, pennies, session):
    place.ask(ccr(TERMINATION, 0, service(used=[pennies * MEGABYTE]), session=session))


def sums(place):
    rows = tables.transfers.c
    found = place.read(select(rows.kind, func.sum(rows.amount)).group_by(rows.kind))
    return {kind: int(amount) // PENNY if amount % PENNY == 0 else int(amount) / PENNY for kind, amount in found}


def left(place):
    (raw,) = place.read(select(tables.wallets.c.bundle))[0]
    return [each["left"]["money"] // PENNY for each in json.loads(raw or b"{}").get("allowances", [])]


def promotions_last(place):
    tariff = msgspec.structs.replace(place.policy.tariff, promotions_last=True)
    place.decide_by(msgspec.structs.replace(place.policy, tariff=tariff))


def test_credit_of_the_company_pays_first_and_nothing_accrues_on_it(place):
    given = give(place, 30 * PENNY)
    assert isinstance(given, Promoted)
    assert (given.balance, given.repeated) == (130 * PENNY, False)
    assert give(place, 30 * PENNY).repeated
    assert isinstance(give(place, 31 * PENNY), KeyConflict)
    use(place, 20, "a")
    use(place, 20, "b")
    assert sums(place) == {"opening": 100, "promotion": 30, "promotional": 30, "charge": 10, "accrual": 1}
    assert left(place) == [0]


def test_it_pays_last_where_it_is_set_so(place):
    promotions_last(place)
    give(place, 30 * PENNY)
    use(place, 90, "a")
    use(place, 20, "b")
    assert sums(place) == {"opening": 100, "promotion": 30, "promotional": 10, "charge": 100, "accrual": 10}
    assert left(place) == [20]


@pytest.mark.parametrize("last", [False, True])
def test_what_is_used_beyond_all_of_it_is_the_customers_debt_and_accrues(place, last):
    if last:
        promotions_last(place)
    give(place, 30 * PENNY)
    use(place, 150, "a")
    assert sums(place) == {"opening": 100, "promotion": 30, "promotional": 30, "charge": 120, "accrual": 12}
    assert place.read(select(tables.wallets.c.balance)) == [(-20 * PENNY,)]


def test_of_money_that_was_paid_in_what_ends_soonest_goes_first(place):
    pay(place, 40 * PENNY, 60, "later")
    pay(place, 20 * PENNY, 30, "sooner")
    use(place, 50, "a")
    assert left(place) == [10, 0]
    use(place, 20, "b")
    assert left(place) == [0, 0]
    assert place.read(select(tables.wallets.c.balance)) == [(90 * PENNY,)]


def keep(place, days):
    place.ticks = itertools.count(next(place.ticks) + days * DAY_US, 1_000)
    with place.reader.connect() as connection:
        due = list(due_wallets(connection, next(place.ticks), [place.node.id]))
    return [place.lane.run(KeepWallet(owner)).ended for owner in due]


def test_what_is_left_of_it_at_its_end_goes_back_or_is_breakage_with_its_tax(place):
    tariff = msgspec.structs.replace(place.policy.tariff, credit_vat=2_000)
    place.decide_by(msgspec.structs.replace(place.policy, tariff=tariff))
    give(place, 30 * PENNY, days=10)
    pay(place, 24 * PENNY, 20, "x")
    use(place, 18, "a")
    assert keep(place, 9) == []
    assert keep(place, 1) == [1]
    assert sums(place)["lapse"] == 12
    assert keep(place, 10) == [1]
    assert keep(place, 10) == []
    assert (sums(place)["breakage"], sums(place)["breakage_vat"]) == (20, 4)
    assert place.read(select(tables.wallets.c.balance)) == [(100 * PENNY,)]


def test_what_a_session_holds_of_it_ends_when_that_is_over(place):
    give(place, 50 * PENNY, days=10)
    use(place, 90, "a")  # 60 are left, all of them the customer's own
    give(place, 20 * PENNY, days=10, reference="s")
    place.ask(ccr(1, 0, service(ask=70 * MEGABYTE), session="b"))
    place.ask(ccr(1, 0, service(ask=70 * MEGABYTE), session="c"))
    for session in "defgh":
        place.ask(ccr(1, 0, service(ask=70 * MEGABYTE), session=session))
    assert place.read(select(tables.wallets.c.reserved))[0][0] > 60 * PENNY
    assert keep(place, 11) == [1]
    assert sum(left(place)) > 0
    for session in "bcdefgh":
        place.ask(ccr(3, 1, service(used=[0]), session=session))
    assert keep(place, 0) == [1]
    assert (sums(place)["lapse"], left(place)) == (20, [])


def test_no_gift_is_made_of_what_the_company_gave(place):
    give(place, 30 * PENNY)
    with place.reader.connect() as connection:
        rows = WalletRows()
        rows.load(connection, {place.owner})
    assert bookings.own_money(rows.rows[place.owner]) == 100 * PENNY


def test_money_of_a_top_up_that_the_bank_takes_back_does_not_end_as_well(place):
    pay(place, 40 * PENNY, 30, "card-1")
    use(place, 10, "a")
    payment = Payment(BANK, "c-1", 40 * PENNY, "GBP")
    unit = TakeBack(payment, next(place.ticks), "card-1", "ann", "card-1", "tpo")
    assert [place.lane.run(unit).repeated for _ in range(2)] == [False, True]
    assert left(place) == [0]
    keep(place, 31)
    assert place.read(select(tables.wallets.c.balance)) == [(90 * PENNY,)]
    assert "breakage" not in sums(place)


def take_back(place, pennies, reference, original="card-1"):
    """The bank takes back so much of a top-up, as the action books it."""
    with place.reader.connect() as connection:
        lapsed = lapsed_credit(connection, "tpo", original)
    payment = Payment(BANK, reference, pennies * PENNY, "GBP")
    return place.lane.run(TakeBack(payment, next(place.ticks), original, "ann", original, "tpo", lapsed))


def balance(place):
    return place.read(select(tables.wallets.c.balance))[0][0] // PENNY


def lapse_of(place):
    """A top-up of 40 of which 10 were used: 30 have ended, with their tax."""
    tariff = msgspec.structs.replace(place.policy.tariff, credit_vat=2_000)
    place.decide_by(msgspec.structs.replace(place.policy, tariff=tariff))
    pay(place, 40 * PENNY, 20, "card-1")
    use(place, 10, "a")
    assert keep(place, 21) == [1]
    assert (sums(place)["breakage"], sums(place)["breakage_vat"], balance(place)) == (25, 5, 100)


def test_credit_that_has_ended_is_put_back_before_the_bank_takes_what_paid_for_it(place):
    lapse_of(place)
    pay(place, 15 * PENNY, 90, "card-2")
    assert take_back(place, 40, "c-1").repeated is False
    assert (sums(place)["breakage_back"], sums(place)["breakage_vatback"]) == (25, 5)
    assert balance(place) == 100 + 15 - 10, "what was used of it is owed, and nothing else"
    assert left(place) == [5], "what was used is taken from the credit that would end"
    assert take_back(place, 40, "c-1").repeated is True
    assert sums(place)["chargeback"] == 40


def test_of_credit_that_has_ended_each_return_puts_back_its_part_and_all_of_them_no_more_than_ended(place):
    lapse_of(place)
    for number, (pennies, back) in enumerate(((7, 7), (13, 20), (20, 30))):
        take_back(place, pennies, f"c-{number}")
        put_back = place.read(
            select(func.sum(tables.transfers.c.amount)).where(tables.transfers.c.kind.like("breakage_%back"))
        )
        assert put_back == [(back * PENNY,)]
        assert sums(place)["breakage_vatback"] == pytest.approx(back / 6, abs=0.0001)
    assert balance(place) == 90


def test_a_payment_that_never_was_credit_puts_nothing_back(place):
    lapse_of(place)
    pay(place, 20 * PENNY, 0, "card-3")
    take_back(place, 20, "c-3", "card-3")
    assert "breakage_back" not in sums(place)
    assert balance(place) == 100


PUT_BACK = {
    "UPDATE transfers SET amount = amount + 1 WHERE kind = 'breakage_back'": "its credits say 300000",
    "DELETE FROM transfers WHERE kind = 'breakage_vatback'": "its credits say 300000",
    "DELETE FROM transfers WHERE kind = 'chargeback'": "and takes 0 out of it",
    "DELETE FROM allowance_entries WHERE kind = 'refund'": "its credits say 0",
    "UPDATE allowance_entries SET units = units / 2 WHERE kind = 'expiry'": "was put back by 300000 micro-units, 150000 had",
}


@pytest.mark.parametrize("damage", PUT_BACK)
def test_what_was_put_back_otherwise_than_it_ended_is_named(place, damage):
    lapse_of(place)
    take_back(place, 40, "c-1")
    with place.writer.connect() as connection:
        unguard(connection)
        connection.execute(text(damage))
        found = [each.detail for each in check(connection, recompute).findings if each.check == "breakage"]
        connection.rollback()
    assert any(PUT_BACK[damage] in each for each in found), found


def test_ended_credit_is_put_back_and_held_reports_are_checked_on_a_server(database):
    with charging_place(database("breakage")) as place:
        place.owner = place.enrol(POUND)
        lapse_of(place)
        assert take_back(place, 40, "c-1").repeated is False
        assert (sums(place)["breakage_back"], sums(place)["breakage_vatback"], balance(place)) == (25, 5, 90)
        place.ask(ccr(TERMINATION, 0, service(used=[MEGABYTE]), session="z", imsi="234150000000999"))
        with place.writer.connect() as connection:
            assert check(connection, recompute).findings == []
            assert list(wrong_held_reports(connection)) == []
            connection.execute(text("UPDATE held_reports SET session_id = 'y'"))
            assert len(list(wrong_held_reports(connection))) == 1
            connection.rollback()
