"""Somebody who has packs, bills of others, and the exact sum of a cause, and wants to know who gives to it (cases kind 3)."""

import random
from itertools import combinations

import pytest
from support.billing_fixture import billing_place
from support.evidence_pack import IMSI, MSISDN, audited, closed_month, rows_of
from support.lane_fixture import EVIDENCE_KEY

from gateway.billing.packs.making import Month
from gateway.billing.packs.samples import TellBills, most_drawn
from gateway.store.tables import cause_payments, payouts

pytestmark = pytest.mark.xdist_group("adversary")


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


def test_samples_by_other_seeds_tell_of_no_more_bills_together_than_one_may(place):
    with place.reading() as connection:
        tree = Month(connection, EVIDENCE_KEY, place.closed).tree
    one, other = tree.numbers[:2], tree.numbers[2:4]
    assert place.lane.run(TellBills(place.closed, one, 3))
    assert place.lane.run(TellBills(place.closed, one, 3))  # the same seed again
    assert not place.lane.run(TellBills(place.closed, other, 3))
    assert place.lane.run(TellBills(place.closed, [*one, other[0]], 3))
    assert not place.lane.run(TellBills(place.closed, other[1:], 3))
    assert place.lane.run(TellBills("2020-01", other, 3))  # each month by itself


def test_a_cause_that_was_paid_and_one_that_was_not_are_told_apart_by_no_pack_without_names(place):
    with place.writer.begin() as connection:
        file = (7, place.closed, "GBP", 1, "ann", "pain.001.001.09", "0" * 64, b"", "approved", "bob", 2)
        connection.execute(payouts.insert().values(file))
        paid = (8, 7, "tenth", "wateraid", "GBP", 5, 9, "paid", place.ticks.now, "")
        connection.execute(cause_payments.insert().values(paid))
    rows = rows_of(audited(place, place.closed, sample=6))["payments"]
    assert len({str({**row, "bill": "", "cause": ""}) for row in rows}) == 1
    assert [way["state"] for way in rows[0]["payments"]] == ["paid"]
    named = rows_of(audited(place, place.closed, sample=6, named=True))["payments"]
    assert {row["cause"] for row in named if row["payments"]} == {"wateraid"}
