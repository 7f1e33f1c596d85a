"""Which tenths wait for customers' money: one rule for bills, chargebacks, overdrafts and families."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.charity.unpaid import Charges, covers, unpaid

WWF, AID, GIFTS, REVENUE, GIVING = 11, 12, 13, 1, 2
ANN, BEN = 1 << 40, (1 << 40) + 1


def _row(*fields):
    return fields


def charge(number, wallet, amount, *parts, at=None, kind="charge"):
    """The rows of a charge and of its tenth: parts are (account, amount)."""
    at = number if at is None else at
    usage, reference = (number, None) if kind == "charge" else (None, f"{kind}:{number}")
    rows = [_row(number, kind, wallet, REVENUE, amount, at, usage, reference)]
    return rows + [
        _row(number + 1 + i, "accrual", GIVING, account, part, at, usage, reference)
        for i, (account, part) in enumerate(parts)
    ]


def gift(number, wallet, amount):
    return [_row(number, "gift", wallet, GIFTS, amount, number, None, f"gift:{number}")]


def refund(number, wallet, amount, usage, *parts):
    rows = [_row(number, "refund", REVENUE, wallet, amount, number, usage, f"refund:{number}")]
    return rows + [
        _row(number + 1 + i, "accrual_reversal", account, GIVING, part, number, usage, f"refund:{number}")
        for i, (account, part) in enumerate(parts)
    ]


def of(rows, debts, lent=None):
    members = {member for each in (lent or {}).values() for member in each}
    found = Charges([*debts, *members])
    for row in rows:
        found.add(row)
    return unpaid(debts, found.by_wallet(), lent or {})


def test_without_a_debt_every_tenth_is_confirmed():
    assert of(charge(10, ANN, 100, (WWF, 10)), {}) == {}


def test_an_overdraft_of_the_allowed_kind_waits_in_part_as_case_l17_asks():
    assert of(charge(10, ANN, 5_000_000, (WWF, 500_000)), {ANN: 4_000_000}) == {WWF: 400_000}


def test_the_latest_charge_by_event_is_unpaid_first_whatever_was_booked_last():
    rows = charge(10, ANN, 100, (WWF, 10), at=500) + charge(20, ANN, 100, (AID, 10), at=400)
    assert of(rows, {ANN: 100}) == {WWF: 10}
    assert of(rows, {ANN: 150}) == {WWF: 10, AID: 5}


def test_of_what_a_debt_reaches_gifts_are_unpaid_before_charges_and_a_gift_of_before_stays():
    rows = gift(10, ANN, 50) + charge(20, ANN, 100, (WWF, 10)) + gift(30, ANN, 50) + charge(40, ANN, 100, (WWF, 10))
    assert of(rows, {ANN: 30}) == {WWF: 3}
    assert of(rows, {ANN: 110}) == {GIFTS: 50, WWF: 6}


def test_a_choice_changed_in_mid_period_leaves_each_charge_with_its_own_cause():
    rows = charge(10, ANN, 100, (WWF, 10)) + charge(20, ANN, 100, (WWF, 5), (AID, 5))
    assert of(rows, {ANN: 120}) == {WWF: 7, AID: 5}


def test_of_a_split_each_part_waits_rounded_up_so_that_no_cause_is_paid_from_nothing():
    rows = charge(10, ANN, 2_500_000, (WWF, 125_000), (AID, 112_500), (GIFTS, 12_500))
    assert of(rows, {ANN: 1}) == {WWF: 1, AID: 1, GIFTS: 1}


def test_a_refunded_charge_is_no_charge_and_a_second_refund_changes_nothing_more():
    rows = charge(10, ANN, 100, (WWF, 10)) + charge(20, ANN, 60, (AID, 6)) + refund(30, ANN, 60, 20, (AID, 6))
    assert of(rows, {ANN: 50}) == of(rows + refund(40, ANN, 60, 20, (AID, 6)), {ANN: 50}) == {WWF: 5}


def test_parts_of_the_journal_may_come_latest_first():
    rows = charge(10, ANN, 100, (WWF, 10))
    later = refund(30, ANN, 40, 10, (WWF, 4))
    assert of([*later, *rows], {ANN: 60}) == of([*rows, *later], {ANN: 60}) == {WWF: 6}


def test_what_a_payer_lent_makes_the_members_charges_unpaid_up_to_what_was_lent():
    rows = charge(10, BEN, 100, (WWF, 10)) + charge(20, ANN, 10, (AID, 1)) + charge(30, BEN, 100, (WWF, 10))
    assert of(rows, {ANN: 70}, {ANN: {BEN: 60}}) == {AID: 1, WWF: 6}
    assert of(rows, {ANN: 200}, {ANN: {BEN: 60}}) == {AID: 1, WWF: 6}


def test_it_is_known_from_when_on_charges_make_up_a_debt():
    found = Charges([ANN])
    for row in charge(10, ANN, 100) + charge(20, ANN, 100):
        found.add(row)
    charges = found.by_wallet()[ANN]
    assert (covers(charges, 100), covers(charges, 101), covers(charges, 201)) == (20, 10, None)


amounts = st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**9), st.booleans()), max_size=8)


@given(amounts, st.integers(0, 10**10), st.integers(0, 10**9))
def test_unpaid_parts_grow_with_the_debt_and_never_exceed_what_accrued(charges, debt, more):
    rows, accrued = [], {}
    for i, (amount, at, is_split) in enumerate(charges):
        tenth = amount // 10
        parts = [(WWF, tenth - tenth // 3), (AID, tenth // 3)] if is_split else [(WWF, tenth)]
        rows += charge(100 * (i + 1), ANN, amount, *parts, at=at)
        for account, part in parts:
            accrued[account] = accrued.get(account, 0) + part
    less, larger = of(rows, {ANN: debt}), of(rows, {ANN: debt + more})
    for account, part in larger.items():
        assert 0 <= less.get(account, 0) <= part <= accrued[account]
    if debt >= sum(amount for amount, _, _ in charges):
        assert {account: part for account, part in less.items() if part} == {a: p for a, p in accrued.items() if p}
