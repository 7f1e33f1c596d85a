"""Somebody has all that leaves about a cause: remittances, reports, every pack and commitment. Whom does he name?

A cause's treasurer knows exactly what his cause was given. Packs without causes show him a tenth of each month's bills, under
labels; bills of a line follow on each other (a balance is the next one's opening), so that here he knows which are of one line.
Where he would succeed, what was told once is tried beside what is told now (decision 060).
"""

import itertools

import numpy as np
import pytest
from support.outsiders import luck, matching_pursuit

from gateway.billing.packs.samples import most_drawn
from gateway.charity.months import quarter_of
from gateway.ledger.money import MICRO

pytestmark = pytest.mark.xdist_group("who_gave_to_whom")
LINES, MONTHS, UNLIKELY = 5000, 36, 1e-3


def tenths_of(random, lines=LINES, spread=0.7):
    """What each line gives in each month, in micro-units."""
    habit = np.exp(random.normal(0, spread, lines)) * MICRO
    return np.rint(habit * np.exp(random.normal(0, 0.5, (MONTHS, lines)))).astype(np.int64)


def by_quarter(values):
    periods = [f"20{24 + month // 12}-{month % 12 + 1:02d}" for month in range(MONTHS)]
    quarters = sorted({quarter_of(period) for period in periods})
    return np.array([values[[quarter_of(period) == each for period in periods]].sum(0) for each in quarters])


def drawn(random, share, lines=LINES):
    """Which lines' bills packs show, month by month: one sample, or all samples that may be had."""
    found = np.zeros((MONTHS, lines), bool)
    for month in found:
        month[random.permutation(lines)[: int(share * lines)]] = True
    return found


def of_sum(tenths, shown, sums, most):
    """Lines that alone, or two together, gave exactly what a cause was told, in a period of which all their bills are shown."""
    found = set()
    for each, seen, told in zip(tenths, shown, sums, strict=True):
        lines = np.flatnonzero(seen)
        found |= {(int(line),) for line in lines[each[lines] == told]}
        if most == 2:
            known = {int(each[line]): int(line) for line in lines}
            pairs = ((int(line), known.get(int(told - each[line]))) for line in lines)
            found |= {tuple(sorted(pair)) for pair in pairs if pair[1] not in (None, pair[0])}
    return found


def operator(seed, givers, spread=0.7):
    random = np.random.default_rng(seed)
    tenths = tenths_of(random, spread=spread)
    members = sorted(random.permutation(LINES)[:givers].tolist())
    return random, tenths, members, tenths[:, members].sum(1)


def test_all_samples_of_a_month_together_show_a_tenth_of_its_bills():
    assert most_drawn(LINES) == LINES // 10


@pytest.mark.parametrize("givers", [1, 2])
def test_whoever_is_told_months_finds_the_bill_of_his_one_giver_and_whoever_is_told_quarters_does_not(givers):
    """Its name is on no pack; but a cause of so few is better told quarters, by its agreement."""
    months, quarters = 0, 0
    for seed in range(8):
        random, tenths, members, sums = operator(seed, givers)
        shown = drawn(random, 0.1)
        months += tuple(members) in of_sum(tenths, shown, sums, givers)
        whole = by_quarter(shown.astype(np.int64)) == 3
        quarters += tuple(members) in of_sum(by_quarter(tenths), whole, by_quarter(sums), givers)
    assert quarters == 0
    assert months >= (6 if givers == 1 else 1)


@pytest.mark.parametrize("spread", [0.0, 0.7, 1.2], ids=["all use alike", "some use more", "few use most"])
@pytest.mark.parametrize("givers", [3, 10, 49, 50])
def test_sparse_regression_over_all_packs_and_remittances_of_three_years_names_nobody_above_chance(givers, spread):
    random, tenths, members, sums = operator(givers, givers, spread)
    shown = drawn(random, 0.1)
    known = np.where(shown, tenths, 0)
    habit = known.sum(0) / np.maximum(shown.sum(0), 1)
    filled = np.where(shown, tenths, habit) / MICRO  # where a bill is not shown he takes what the line gives by habit
    filled[:, (known > sums[:, None]).any(0)] = 0  # it gave more than the cause was given: it is no giver
    picks = matching_pursuit(filled, sums / MICRO, min(givers, MONTHS - 2))
    assert luck(len(set(picks) & set(members)), len(picks), givers, LINES) >= UNLIKELY


def named(tenths, sums, givers):
    return matching_pursuit(tenths / MICRO, sums / MICRO, min(givers, len(sums) - 2))


def test_exact_sums_beside_every_price_name_ten_givers_by_months_and_not_by_quarters():
    """Remittances and `usage/rated` belong in different hands: whoever had both would need quarters to be told nothing."""
    months, quarters = [], []
    for seed in range(6):
        _, tenths, members, sums = operator(100 + seed, 10)
        months.append(len(set(named(tenths, sums, 10)) & set(members)))
        quarters.append(len(set(named(by_quarter(tenths), by_quarter(sums), 10)) & set(members)))
    assert luck(max(months), 10, 10, LINES) < UNLIKELY
    assert luck(sum(quarters), 60, 60, 6 * LINES) >= UNLIKELY


def three_of(tenths, told):
    """Every three lines that gave exactly what was told, of the first period, that did so in each other one as well."""
    known, first = {int(tenth): line for line, tenth in enumerate(tenths[0])}, [int(tenth) for tenth in tenths[0]]
    for one, other in itertools.combinations(range(len(first)), 2):
        third = known.get(int(told[0]) - first[one] - first[other], -1)
        if third > other and (tenths[:, [one, other, third]].sum(1) == told).all():
            yield {one, other, third}


def test_three_givers_are_named_by_arithmetic_from_exact_sums_and_every_price_even_by_quarters():
    """What confidentiality alone prevents: money of three is paid exactly, and hides from nobody who knows every price."""
    random = np.random.default_rng(7)
    tenths = by_quarter(tenths_of(random, lines=1000))
    members = set(random.permutation(1000)[:3].tolist())
    assert list(three_of(tenths, tenths[:, sorted(members)].sum(1))) == [members]


def test_in_a_small_world_every_sharing_out_of_the_shown_bills_over_causes_is_possible():
    """Brute force: every way in which the bills of a sample may be his cause's, against what is left for the others."""
    random = np.random.default_rng(5)
    month = tenths_of(random, lines=80)[0]
    members = set(random.permutation(80)[:20].tolist())
    told = int(month[sorted(members)].sum())
    shown = random.permutation(80)[: most_drawn(80)].tolist()
    rest = int(month.sum()) - int(month[shown].sum())
    ways = [some for size in range(len(shown) + 1) for some in itertools.combinations(shown, size)]
    possible = [some for some in ways if 0 <= told - int(month[list(some)].sum()) <= rest]
    assert len(possible) == 2 ** len(shown)
