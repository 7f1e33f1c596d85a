"""Notices when the wall clock steps, forwards or back: it is held against a clock that never goes back."""

from gateway.environment import Environment

TOLERANCE = 0.25
"""Seconds; a clock that is slewed drifts by less between two looks."""
MICROSECONDS = 1_000_000


class ClockWatch:
    """The distance between both clocks as it was at the last look."""

    def __init__(self, environment: Environment) -> None:
        """Take the clocks."""
        self._environment = environment
        self._distance = self._measure()

    def step(self) -> float:
        """Return the seconds by which the wall clock has stepped since the last look, negative for back; 0.0 if it has not."""
        before, self._distance = self._distance, self._measure()
        moved = self._distance - before
        return moved if abs(moved) >= TOLERANCE else 0.0

    def _measure(self) -> float:
        """Read the wall clock between two readings of the other, the closest of three: the process may be held up meanwhile."""
        clock, monotonic = self._environment.clock, self._environment.monotonic
        readings = []
        for _ in range(3):
            before = monotonic()
            wall = clock()
            after = monotonic()
            readings.append((after - before, wall / MICROSECONDS - (before + after) / 2))
        return min(readings)[1]
