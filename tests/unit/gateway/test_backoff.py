from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gateway.background import LAST_DELAY, Backoff


@given(st.integers())
def test_waits_double_up_to_half_a_minute_with_jitter(seed):
    backoff = Backoff(Random(seed))
    for base in (0.5, 1, 2, 4, 8, 16, 30, 30, 30):
        assert 0.5 * base <= backoff.next() <= min(1.5 * base, LAST_DELAY)
    backoff.reset()
    assert backoff.next() <= 0.75


def test_two_gateways_do_not_come_back_at_the_same_moment():
    assert Backoff(Random(1)).next() != Backoff(Random(2)).next()
