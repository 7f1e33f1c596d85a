"""Somebody who has packs, bills of others, and the exact sum of a cause, and wants to know who gives to it (cases kind 3)."""

import random
from itertools import combinations

import pytest
from support.billing_fixture import billing_place
from support.evidence_pack import IMSI, MSISDN, audited, closed_month, rows_of

from gateway.billing.packs.making import most_drawn


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with billing_place(f"sqlite:///{tmp_path_factory.mktemp('adversary')}/tpo.db") as place:
        place.closed = closed_month(place, lines=6)
        yield place


def by_bill(rows):
    """What a holder of bills finds: the rows of each by its sums, with the labels of its causes."""
    return {
        (bill["closing"], bill["given"]): sorted(
            row["cause"] for row in rows["payments"] if row["bill"] == bill["bill"]
        )
        for bill in rows["bills"]
    }


def test_whoever_knows_a_bill_finds_its_rows_and_no_cause_that_two_bills_or_two_packs_share(place):
    first, second = (by_bill(rows_of(audited(place, place.closed, seed=seed, sample=6))) for seed in ("1", "2"))
    assert set(first) == set(second) == {(row.closing, row.given) for row in place.bills()}
    labels = [label for found in (first, second) for causes in found.values() for label in causes]
    assert len(labels) == len(set(labels)) == 2 * (3 * 2 + 3)


def test_what_is_said_of_how_far_money_came_is_the_same_for_each_cause(place):
    ways = rows_of(audited(place, place.closed, sample=6))["payments"]
    assert len({str({**row, "bill": "", "cause": ""}) for row in ways}) == 1


def test_rows_stand_in_no_order_of_lines_or_bills(place):
    bills = rows_of(audited(place, place.closed, sample=6))["bills"]
    by_number = [(row.closing, row.given) for row in place.bills()]
    places = [by_number.index((bill["closing"], bill["given"])) for bill in bills]
    assert places not in (sorted(places), sorted(places, reverse=True))
    for told in (IMSI.format(0), MSISDN.format(0)):
        assert told not in str(bills)


def givers(tenths, total):
    """Every set of bills whose tenths come to what a cause was told."""
    return [
        found for size in range(len(tenths) + 1) for found in combinations(range(len(tenths)), size)
        if sum(tenths[i] for i in found) == total
    ]  # fmt: skip


def test_of_a_whole_month_a_solver_names_the_givers_which_is_why_a_tenth_of_it_is_drawn_at_most():
    chance = random.Random(3)
    tenths = [chance.randrange(100_000, 3_000_000) for _ in range(12)]
    true = (1, 4, 7, 9)
    assert givers(tenths, sum(tenths[i] for i in true)) == [true]
    assert (most_drawn(1), most_drawn(120), most_drawn(300_000)) == (1, 12, 30_000)
    month = [*tenths, *(chance.randrange(100_000, 3_000_000) for _ in range(108))]
    told, undrawn = sum(month[i] for i in (*true, *range(20, 60))), sum(month[12:])
    possible = [
        found for size in range(13) for found in combinations(range(12), size)
        if 0 <= told - sum(month[i] for i in found) <= undrawn
    ]  # fmt: skip
    assert len(possible) == 2**12  # any of them may be a giver, or not
