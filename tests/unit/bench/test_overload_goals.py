"""What the bench of overload calls a missed goal."""

import pytest

from tests.bench.overload import GOALS, missed

GOOD = {"goodput": 0.95, "p99_seconds": 0.03, "livez_seconds": 0.02, "watchdog_seconds": 0.01}


def test_figures_within_their_goals_miss_none():
    assert GOOD.keys() == GOALS.keys()
    assert missed(GOOD) == []


@pytest.mark.parametrize(
    "figures",
    [{"goodput": 0.89}, {"p99_seconds": 0.51}, {"livez_seconds": 1.5}, {"watchdog_seconds": None}],
    ids=lambda figures: next(iter(figures)),
)
def test_a_figure_beyond_its_goal_is_named_and_so_is_one_that_was_not_measured(figures):
    assert missed(GOOD | figures) == list(figures)
