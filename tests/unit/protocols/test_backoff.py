"""The exponential back-off that links, peers, forwarders and background tasks wait by."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from protocols.backoff import Backoff, delay_after


def test_waits_double_from_the_first_to_the_last():
    backoff = Backoff(1.0, 8.0, lambda: 0.0)
    assert [backoff.next() for _ in range(5)] == [1.0, 2.0, 4.0, 8.0, 8.0]
    backoff.reset()
    assert backoff.next() == 1.0


def test_a_wait_comes_up_to_a_quarter_earlier_and_never_later():
    assert Backoff(1.0, 8.0, lambda: 0.0).next() == 1.0
    assert 0.75 <= Backoff(1.0, 8.0, lambda: 0.999).next() < 0.751


@given(st.integers())
def test_waits_give_or_take_a_half_never_pass_the_last(seed):
    backoff = Backoff(0.5, 30.0, Random(seed).random, earlier=0.5, later=0.5)
    for base in (0.5, 1, 2, 4, 8, 16, 30, 30, 30):
        assert 0.5 * base <= backoff.next() <= min(1.5 * base, 30.0)
    backoff.reset()
    assert backoff.next() <= 0.75


def test_two_that_wait_do_not_come_back_at_the_same_moment():
    assert Backoff(1.0, 8.0, Random(1).random).next() != Backoff(1.0, 8.0, Random(2).random).next()


def test_a_wait_of_at_least_so_long_counts_as_a_failure_like_any():
    backoff = Backoff(1.0, 8.0, lambda: 0.0)
    assert [backoff.next(), backoff.next(at_least=5.0), backoff.next(at_least=99.0), backoff.next()] == [
        1.0,
        5.0,
        8.0,
        8.0,
    ]


@given(st.integers(0, 10**30))
def test_any_number_of_failures_has_its_wait(failures):
    assert 0.5 <= delay_after(failures, 0.5, 30.0) <= 30.0
