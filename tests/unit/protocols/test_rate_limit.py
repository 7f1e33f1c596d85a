"""The token bucket."""

import pytest

from protocols.rate_limit import TokenBucket


def taken(bucket, start, end, step=0.01):
    """How many requests go out if as many as may go do."""
    count, tick = 0, 0
    while start + tick * step < end:
        now = start + tick * step
        while bucket.available(now, 1):
            bucket.take(now)
            count += 1
        tick += 1
    return count


def test_a_bucket_keeps_its_rate_and_lets_one_burst_through():
    bucket = TokenBucket(50.0, 5.0, 100.0)
    assert taken(bucket, 100.0, 110.0) == pytest.approx(505, abs=1)


def test_a_second_after_a_silence_exceeds_the_rate_by_the_burst_alone():
    bucket = TokenBucket(50.0, 5.0, 0.0)
    assert taken(bucket, 1000.0, 1001.0) <= 55


def test_a_slow_rate_still_sends():
    bucket = TokenBucket(0.5, 0.05, 0.0)
    assert bucket.available(0.0, 10) == 1
    bucket.take(0.0)
    assert (bucket.available(1.9, 10), bucket.ready_at(1.9)) == (0, pytest.approx(2.0))
    assert bucket.available(bucket.ready_at(1.9), 10) == 1


def test_without_a_rate_everything_goes_at_once():
    bucket = TokenBucket(0.0, 0.0, 0.0)
    bucket.take(0.0)
    assert (bucket.available(0.0, 77), bucket.ready_at(3.0)) == (77, 3.0)


def test_a_clock_that_stands_still_or_goes_back_gives_no_tokens():
    bucket = TokenBucket(10.0, 1.0, 50.0)
    bucket.take(50.0)
    assert [bucket.available(now, 1) for now in (50.0, 49.0, 50.0)] == [0, 0, 0]


def test_reserved_turns_are_evenly_spread_in_the_order_of_the_calls():
    bucket = TokenBucket(10.0, 1.0, 50.0)
    assert [bucket.reserve(50.0) for _ in range(4)] == pytest.approx([50.0, 50.1, 50.2, 50.3])
    assert bucket.reserve(50.15) == pytest.approx(50.4)
    assert bucket.reserve(99.0) == 99.0
    assert bucket.reserve(99.05) == pytest.approx(99.1)


def test_without_a_rate_each_turn_is_now():
    bucket = TokenBucket(0.0, 1.0, 0.0)
    assert [bucket.reserve(7.0) for _ in range(3)] == [7.0, 7.0, 7.0]
