"""Medians, ratios and turns: the arithmetic behind every figure of the bench."""

import pytest

from tests.bench import charging
from tests.bench.rounds import Round, interleave, median, ratio, summary


def a_round(rate, *, cpu=1.0, speed=1_000_000.0, **more):
    return Round(done=rate * 10, seconds=10.0, cpu=cpu, speed=speed, **more)


def test_each_round_has_everyone_once_and_begins_one_further_on():
    order = list(interleave(["echo", "gateway", "other"], 4))
    assert [name for number, name in order if number == 0] == ["echo", "gateway", "other"]
    assert [name for number, name in order if number == 1] == ["gateway", "other", "echo"]
    assert [name for number, name in order if number == 3] == ["echo", "gateway", "other"]


def test_turns_are_the_cpu_of_each_at_the_speed_meanwhile():
    slow = Round(done=1000, seconds=2.0, cpu=0.4, speed=5_000_000.0)
    fast = Round(done=1000, seconds=1.0, cpu=0.2, speed=10_000_000.0)
    assert slow.turns == fast.turns == pytest.approx(2000.0)
    assert (slow.rate, slow.cpu_us, slow.cores) == pytest.approx((500.0, 400.0, 0.2))


def test_a_ratio_is_taken_within_each_round_so_that_a_slow_minute_of_the_machine_is_in_both():
    gateway, echo = [a_round(100), a_round(30), a_round(90)], [a_round(400), a_round(120), a_round(300)]
    assert ratio(gateway, echo, "rate") == pytest.approx(0.25)  # of 0.25, 0.25, 0.3; the medians alone would say 0.3


def test_rounds_that_do_not_stand_side_by_side_give_no_ratio():
    with pytest.raises(ValueError, match="zip"):
        ratio([a_round(1)], [a_round(1), a_round(1)], "rate")


def test_a_median_leaves_one_disturbed_round_out():
    assert median([a_round(100), a_round(7), a_round(104)], "rate") == 100
    assert median([a_round(100)], "p99_ms") is None


def test_a_summary_has_the_medians_the_extremes_and_nothing_that_was_not_measured():
    found = summary([a_round(100, p99_ms=9.04), a_round(300, p99_ms=11.0), a_round(200, p99_ms=10.0)])
    assert (found["rate"], found["from"], found["to"], found["p99_ms"]) == (200, 100, 300, 10.0)
    assert "p50_ms" not in found
    assert "database_turns" not in found


def test_the_turns_of_the_database_are_its_own():
    found = summary([a_round(100, cpu=0.1, database_cpu=0.2)])
    assert (found["turns"], found["database_turns"]) == (100, 200)


def test_what_a_store_costs_counts_its_server_beside_one_that_has_none():
    shared, file = a_round(100, cpu=0.1, database_cpu=0.2), a_round(100, cpu=0.15)
    assert ratio([shared], [file], "all_turns") == pytest.approx(2.0)


def test_waits_for_locks_are_a_share_of_all_looks_at_gateways_that_share_a_store():
    alone = charging.Contestant("one", [], [], [object()], lock_looks=100, lock_waits=50)
    sharing = charging.Contestant("two", [], [], [object(), object()], lock_looks=400, lock_waits=3)
    assert charging.lock_figures([alone, sharing]) == {"charging.two_gateways_lock_waits": 0.0075}
    assert charging.lock_figures([alone]) == {}
