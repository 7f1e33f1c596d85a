from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.charity.accruals import RunningTenth, accrue
from gateway.charity.choices import Choice, ChoiceInvalid, Share, at, parse
from gateway.charity.policies import NET, POLICIES, Policy, in_force, recompute_by
from gateway.ledger.entries import Entry

POLICY = POLICIES["2026-1"]
ACCOUNTS = {"giving": 1, "unassigned": 2, "cause:wateraid": 3, "cause:wwf": 4}


def charge(amount):
    return Entry("charge", debit=1 << 40, credit=9, amount=amount, currency="GBP", event_at=5, usage_id=77)


def test_the_tenth_of_seven_pounds_fifty_is_seventy_five_pence():
    (entry,) = accrue(charge(7_500_000), (Share("wateraid", 10_000),), POLICY, ACCOUNTS.__getitem__, RunningTenth())
    assert (entry.debit, entry.credit, entry.amount) == (1, 3, 750_000)
    assert (entry.base, entry.policy, entry.share, entry.usage_id) == (7_500_000, "2026-1", 10_000, 77)


def test_without_a_choice_the_tenth_is_held_visibly():
    (entry,) = accrue(charge(100), (), POLICY, ACCOUNTS.__getitem__, RunningTenth())
    assert (entry.credit, entry.amount) == (ACCOUNTS["unassigned"], 10)


def test_a_part_that_rounds_to_nothing_books_nothing():
    assert accrue(charge(4), (Share("wwf", 10_000),), POLICY, ACCOUNTS.__getitem__, RunningTenth()) == []


@given(st.integers(1, 10**12), st.integers(1, 10_000))
def test_each_accrual_is_rounded_once_half_even(base, share):
    assert POLICY.accrual(base, share) == round(Fraction(base * share, 100_000))


def test_the_choice_at_the_time_of_use_counts():
    first, second = (Share("wateraid", 10_000),), (Share("wwf", 10_000),)
    choices = [Choice(10, first), Choice(20, second)]
    assert [at(choices, time) for time in (9, 10, 19, 20, 99)] == [(), first, first, second, second]


def test_percentages_and_equal_shares_are_one_whole():
    known = ["wateraid", "wwf", "trussell-trust"]
    assert parse(["wateraid=60", "wwf=40"], known) == (Share("wateraid", 6000), Share("wwf", 4000))
    assert [share.share for share in parse(known, known)] == [3334, 3333, 3333]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([], "at least one"),
        (["wateraids"], "choose among"),
        (["wwf", "wwf"], "twice"),
        (["wwf=60", "wateraid=50"], "add up"),
        (["wwf=100", "wateraid=0"], "more than 0"),
        (["wwf=33.333", "wateraid=66.667"], "two decimals"),
        (["wwf=1e2"], "two decimals"),
        (["wwf=50.²", "wateraid=50"], "two decimals"),
        (["wwf=5\u0660", "wateraid=50"], "two decimals"),
        (["wwf=" + "9" * 5000], "two decimals"),
    ],
)
def test_a_bad_choice_says_why(texts, reason):
    with pytest.raises(ChoiceInvalid, match=reason):
        parse(texts, ["wwf", "wateraid"])


NET_POLICY = Policy("2027-1", base=NET, rate=1_000, tax=2_000, effective_from=1_000)


def test_the_net_tenth_of_seven_pounds_fifty_with_twenty_per_cent_tax_is_sixty_two_and_a_half_pence():
    assert NET_POLICY.tenth(7_500_000) == 625_000
    assert recompute_by([POLICY, NET_POLICY], "2027-1", 7_500_000, 10_000) == 625_000


def test_the_policy_in_force_is_that_of_the_events_time():
    assert [in_force((POLICY, NET_POLICY), at).id for at in (0, 999, 1_000)] == ["2026-1", "2026-1", "2027-1"]


def test_two_pounds_fifty_split_by_fifty_forty_five_and_five_come_to_a_quarter_exactly():
    shares = (Share("a", 5_000), Share("b", 4_500), Share("c", 500))
    accounts = {"giving": 1, "cause:a": 2, "cause:b": 3, "cause:c": 4}
    booked = accrue(charge(2_500_000), shares, POLICY, accounts.__getitem__, RunningTenth())
    assert [entry.amount for entry in booked] == [125_000, 112_500, 12_500]
