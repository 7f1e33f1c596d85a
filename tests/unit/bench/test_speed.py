"""The measure of CPU time: turns of a loop that runs beside what is measured."""

import threading

from tests.bench.speed import PASSES, Speed, sample, turns


def test_the_loop_does_the_same_each_time():
    assert turns(PASSES) == turns(PASSES)


def test_a_sample_is_in_turns_a_second():
    assert sample() > 0


def test_the_speed_of_a_block_is_the_mean_of_samples_from_its_beginning_to_its_end():
    before = threading.active_count()
    with Speed() as speed:
        pass
    assert len(speed.samples) >= 2
    assert min(speed.samples) <= speed.turns_per_second <= max(speed.samples)
    assert threading.active_count() == before
