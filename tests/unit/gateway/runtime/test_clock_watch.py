import pytest

from gateway.environment import Environment
from gateway.runtime.clock_watch import ClockWatch


class Clocks:
    """Both clocks of a machine."""

    def __init__(self):
        self.wall, self.steady = 1_700_000_000_000_000, 100.0
        self.environment = Environment(clock=lambda: self.wall, monotonic=lambda: self.steady)

    def go(self, seconds, *, step=0.0):
        """Let time pass; with a step of the wall clock on top."""
        self.steady += seconds
        self.wall += round((seconds + step) * 1_000_000)


@pytest.mark.parametrize("step", [1.0, -1.0, 3600.0, -3600.0, 0.3, -0.3, 86_400.0 * 400])
def test_a_step_is_told_once_with_its_size_and_direction(step):
    clocks = Clocks()
    watch = ClockWatch(clocks.environment)
    clocks.go(1.0)
    assert watch.step() == 0.0
    clocks.go(1.0, step=step)
    assert watch.step() == pytest.approx(step, abs=1e-6)
    clocks.go(5.0)
    assert watch.step() == 0.0


def test_a_clock_that_is_slewed_has_not_stepped():
    clocks = Clocks()
    watch = ClockWatch(clocks.environment)
    for _ in range(3600):
        clocks.go(1.0, step=0.0005)  # the most that adjtime slews
        assert watch.step() == 0.0


def test_a_process_that_is_held_up_while_it_reads_its_clocks_sees_no_step():
    clocks = Clocks()
    slow = iter([0.0, 0.9, 0.0, 0.0, 0.0, 0.0])

    def monotonic():
        clocks.go(next(slow, 0.0))
        return clocks.steady

    watch = ClockWatch(Environment(clock=lambda: clocks.wall, monotonic=lambda: clocks.steady))
    watch._environment = Environment(clock=lambda: clocks.wall, monotonic=monotonic)
    assert watch.step() == 0.0
