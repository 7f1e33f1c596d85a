"""Exponential back-off: how long to wait before the next attempt. Time is its caller's, and randomness an argument."""

from collections.abc import Callable
from typing import Final

_MOST_DOUBLINGS: Final = 16
"""Beyond these a wait is as long as it gets, and 2 to the power of the failures would be without bound."""


def delay_after(failures: int, first: float, last: float) -> float:
    """Return the seconds to wait after so many failures before this one: `first`, doubled each time, up to `last`."""
    return min(last, first * 2.0 ** min(failures, _MOST_DOUBLINGS))


class Backoff:
    """Waits that double from the first to the last, spread so that many who wait don't come back in one instant.

    Args:
        first, last: seconds, before they are spread.
        random: returns a float of [0, 1).
        earlier, later: the parts of a wait that it may be shorter or longer by. No wait is longer than `last`.
    """

    __slots__ = ("_failures", "_first", "_last", "_later", "_random", "_width")

    def __init__(
        self, first: float, last: float, random: Callable[[], float], *, earlier: float = 0.25, later: float = 0.0
    ) -> None:
        self._first = first
        self._last = last
        self._random = random
        self._later = later
        self._width = earlier + later
        self._failures = 0

    def reset(self) -> None:
        """Begin again with the shortest wait."""
        self._failures = 0

    def next(self, at_least: float = 0.0) -> float:
        """Count a failure, and give the seconds to wait now; `at_least` so many, before they are spread."""
        delay = max(at_least, delay_after(self._failures, self._first, self._last))
        self._failures += 1
        return min(self._last, delay * (1.0 + self._later - self._width * self._random()))
