"""How long one thread may keep the interpreter from another."""

import sys

import pytest

from gateway.runtime.thread_switching import CALM, SHORT, SLOW_WORK, ThreadSwitching


@pytest.fixture
def usual():
    """The interval of this process, which holds again after the test."""
    interval = sys.getswitchinterval()
    yield interval
    sys.setswitchinterval(interval)


def test_a_slow_batch_shortens_the_switch_interval_until_none_was_slow_for_a_while(usual):
    now = [100.0]
    switching = ThreadSwitching(lambda: now[0])
    switching.observe(SLOW_WORK)
    assert sys.getswitchinterval() == usual
    switching.observe(SLOW_WORK * 2)
    assert sys.getswitchinterval() == pytest.approx(SHORT)
    now[0] += CALM - 1
    switching.observe(SLOW_WORK * 2)
    now[0] += CALM - 1
    switching.observe(0.001)
    assert sys.getswitchinterval() == pytest.approx(SHORT)
    now[0] += 1
    switching.observe(0.001)
    assert sys.getswitchinterval() == usual


def test_the_interval_before_is_the_one_that_holds_again(usual):
    now = [100.0]
    sys.setswitchinterval(0.003)
    switching = ThreadSwitching(lambda: now[0])
    switching.observe(SLOW_WORK * 2)
    now[0] += CALM
    switching.observe(0)
    assert sys.getswitchinterval() == pytest.approx(0.003)
