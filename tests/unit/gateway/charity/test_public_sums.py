"""Which figures of giving a month has: of fifty givers, never of one small cause, and every penny in one month or another."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.charity.public_sums import FEWEST, SMALLER, Giving, decide, unit_of
from gateway.ledger import money
from gateway.ledger.money import MICRO


def giving(givers, each=MICRO, carried=0, first=0):
    """What so many different subscribers gave in one month, alike."""
    made = Giving(amount=carried)
    for subscriber in range(first, first + givers):
        made.add(subscriber, each)
    return made


def figures(decision):
    return {(figure.cause, figure.currency): figure.amount / MICRO for figure in decision.figures}


def pounds(**causes):
    return {(name, "GBP"): each for name, each in causes.items()}


def test_fifty_givers_have_a_figure_and_forty_nine_have_none():
    assert figures(decide(pounds(wwf=giving(50)))) == {("wwf", "GBP"): 50}
    decision = decide(pounds(wwf=giving(49)))
    assert decision.figures == []
    assert decision.carried["wwf", "GBP"].amount == 49 * MICRO


def test_figures_are_whole_units_and_the_rest_is_carried_on_to_the_next_month():
    first = decide(pounds(wwf=giving(50, 1_555_555)))
    assert figures(first) == {("wwf", "GBP"): 77}
    assert (first.carried["wwf", "GBP"].amount, first.carried["wwf", "GBP"].parts) == (777_750, {})
    second = pounds(wwf=giving(50, MICRO, carried=first.carried["wwf", "GBP"].amount))
    assert figures(decide(second)) == {("wwf", "GBP"): 50}
    third = pounds(wwf=giving(50, MICRO + 5_000, carried=777_750))
    assert figures(decide(third)) == {("wwf", "GBP"): 51}


def test_small_causes_are_joined_if_fifty_stand_behind_them_together():
    month = pounds(wwf=giving(500), a=giving(30, first=1000), b=giving(20, first=2000))
    assert figures(decide(month)) == {("wwf", "GBP"): 500, (SMALLER, "GBP"): 50}


def test_the_same_people_of_two_small_causes_count_once():
    month = pounds(a=giving(30), b=giving(30, first=10))
    assert decide(month).figures == []


def test_one_small_cause_alone_is_joined_by_the_large_one_with_the_fewest_givers():
    """Else the total, which whoever knows the prices knows, less what is published would be the small cause's sum."""
    month = pounds(wwf=giving(500), wateraid=giving(80, first=1000), a=giving(1, first=2000))
    decision = decide(month)
    assert figures(decision) == {("wwf", "GBP"): 500, (SMALLER, "GBP"): 81}
    assert decision.carried == {}


def test_small_causes_of_too_few_together_are_joined_by_large_ones_until_there_are_fifty():
    month = pounds(wwf=giving(500), wateraid=giving(80, first=1000), a=giving(1, first=2000), b=giving(2, first=2001))
    assert figures(decide(month)) == {("wwf", "GBP"): 500, (SMALLER, "GBP"): 83}


def test_where_nothing_can_join_nothing_is_published_at_all():
    month = pounds(a=giving(20), b=giving(20, first=100))
    decision = decide(month)
    assert decision.figures == []
    assert {key: each.amount for key, each in decision.carried.items()} == {
        ("a", "GBP"): 20 * MICRO, ("b", "GBP"): 20 * MICRO,
    }  # fmt: skip


def test_currencies_are_decided_on_apart():
    month = {("wwf", "GBP"): giving(60), ("wwf", "USD"): giving(60), ("a", "USD"): giving(3, first=100)}
    assert figures(decide(month)) == {("wwf", "GBP"): 60, (SMALLER, "USD"): 63}


def test_one_who_gives_most_of_a_sum_hides_behind_a_larger_one():
    """Sparse regression finds the heaviest of fifty givers; so a sum that is mostly one person's is told with others only."""
    heavy = giving(60, first=1000)
    heavy.add(1, 40 * MICRO)
    assert decide(pounds(a=heavy)).figures == []
    month = pounds(a=heavy, wwf=giving(20_000, first=5000), wateraid=giving(30_000, first=50_000))
    assert figures(decide(month)) == {("wateraid", "GBP"): 30_000, (SMALLER, "GBP"): 20_100}


def test_a_crowd_that_gives_next_to_nothing_does_not_hide_five_who_give():
    crowd = giving(45, each=1, first=1000)
    for subscriber in range(5):
        crowd.add(subscriber, 10 * MICRO)
    assert decide(pounds(a=crowd)).figures == []


def test_what_was_carried_on_counts_for_whom_it_was_given_by():
    """Forty-nine waited for a month: in the next one their parts are still known, though fifty others give."""
    first = decide(pounds(a=giving(2, each=100 * MICRO, first=1000)))
    kept = first.carried["a", "GBP"]
    assert kept.parts == {1000: 100 * MICRO, 1001: 100 * MICRO}
    for subscriber in range(50):
        kept.add(subscriber, MICRO)
    assert decide(pounds(a=kept)).figures == []


def test_a_sum_below_zero_or_of_no_whole_unit_is_carried_on():
    taken_back = giving(50, each=10_000)
    taken_back.add(None, -600_000)
    decision = decide(pounds(a=taken_back, wwf=giving(50, each=10_000)))
    assert decision.figures == []
    assert {key: each.amount for key, each in decision.carried.items()} == {
        ("a", "GBP"): -100_000, ("wwf", "GBP"): 500_000,
    }  # fmt: skip


def test_a_rest_without_givers_neither_counts_as_a_cause_nor_is_lost():
    month = pounds(wwf=giving(50), old=Giving(amount=400_000))
    decision = decide(month)
    assert figures(decision) == {("wwf", "GBP"): 50}
    assert decision.carried["old", "GBP"].amount == 400_000


def test_a_currency_without_pennies_is_told_in_hundreds(monkeypatch):
    monkeypatch.setitem(money.CURRENCIES, "JPY", 0)
    monkeypatch.setitem(money.CURRENCIES, "KWD", 3)
    assert [unit_of(currency) // MICRO for currency in ("GBP", "USD", "JPY", "KWD")] == [1, 1, 100, 1]
    assert figures(decide({("wwf", "JPY"): giving(50, each=95 * MICRO)})) == {("wwf", "JPY"): 4700}


@pytest.mark.parametrize("givers", [1, 3, 10, 49])
@pytest.mark.parametrize("large", [(), (50,), (50, 400), (3000, 4000)])
def test_no_difference_of_figures_is_the_sum_of_a_small_cause(givers, large):
    month = pounds(small=giving(givers, first=1_000_000))
    month |= {(f"large-{n}", "GBP"): giving(count, first=n * 10_000) for n, count in enumerate(large)}
    decision = decide(month)
    alone = {figure.cause for figure in decision.figures} - {SMALLER}
    left_over = [key for key in month if key[0] not in alone]
    assert ("small", "GBP") in left_over
    assert len(left_over) > 1 or not large
    assert len(set().union(*(month[key].givers for key in left_over))) >= FEWEST or not large


parts = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(["GBP", "USD"]),
        st.one_of(st.none(), st.integers(1, 120)),
        st.integers(-2 * MICRO, 20 * MICRO),
        st.integers(1, 70),
    ),
    max_size=12,
)


@given(st.lists(parts, min_size=1, max_size=5))
def test_whatever_comes_every_penny_is_told_once_or_carried_and_no_figure_has_fewer_than_fifty_givers(months):
    booked, told, carried = Counter(), Counter(), {}
    for month in months:
        for cause, currency, first, amount, count in month:
            open_sum = carried.setdefault((cause, currency), Giving(parts={}, givers=set()))
            for subscriber in range(first, first + count) if first is not None else (None,):
                open_sum.add(subscriber, amount)
                booked[currency] += amount
        decision = decide(carried)
        for figure in decision.figures:
            members = (
                [figure.cause] if figure.cause != SMALLER else {c for c, money_ in carried if money_ == figure.currency}
            )
            givers = set().union(*(carried[cause, figure.currency].givers for cause in members))
            assert len(givers) >= FEWEST
            assert figure.amount > 0
            assert figure.amount % MICRO == 0
            told[figure.currency] += figure.amount
        assert len({(figure.cause, figure.currency) for figure in decision.figures}) == len(decision.figures)
        carried = decision.carried
    for (_, currency), each in carried.items():
        assert not each.givers
        told[currency] += each.amount
    assert {k: v for k, v in told.items() if v} == {k: v for k, v in booked.items() if v}


def test_deciding_changes_nothing_of_what_it_was_given():
    month = pounds(wwf=giving(60), a=giving(3, first=100))
    before = {key: (each.amount, dict(each.parts), set(each.givers)) for key, each in month.items()}
    assert decide(month) == decide(month)
    assert {key: (each.amount, each.parts, each.givers) for key, each in month.items()} == before
