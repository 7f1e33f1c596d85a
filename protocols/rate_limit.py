"""How fast requests may follow each other: a token bucket. Time is an argument."""

from typing import Final

_EPSILON: Final = 1e-9
"""Tokens: what rounding may leave short of a whole one."""


class TokenBucket:
    """At most `rate` requests a second, plus `burst` after a silence; rate 0: no limit.

    Args:
        rate: requests a second.
        burst: requests that may go at once, at least one.
    """

    __slots__ = ("_burst", "_filled_at", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._tokens = self._burst
        self._filled_at = now

    def change(self, rate: float, burst: float, now: float) -> None:
        """Go on at another rate; a bucket that had none is empty."""
        if self._rate:
            self._fill(now)
        else:
            self._tokens, self._filled_at = 0.0, now
        self._rate, self._burst = rate, max(1.0, burst)

    def give_back(self, now: float) -> None:
        """The last request does not count: the next may go now."""
        if self._rate:
            self._fill(now)
            self._tokens = max(self._tokens, 1.0)

    def available(self, now: float, wanted: int) -> int:
        """How many of the wanted requests may go now."""
        if not self._rate:
            return wanted
        self._fill(now)
        return min(wanted, int(self._tokens + _EPSILON))

    def take(self, now: float) -> None:
        """A request goes out."""
        if self._rate:
            self._fill(now)
            self._tokens -= 1.0

    def reserve(self, now: float) -> float:
        """Take the next turn, which may lie ahead; returns when it is. Turns are given in the order of the calls."""
        turn = self.ready_at(now)
        self.take(now)
        return turn

    def ready_at(self, now: float) -> float:
        """When the next request may go."""
        if not self._rate:
            return now
        self._fill(now)
        return now + max(0.0, 1.0 - self._tokens) / self._rate

    def _fill(self, now: float) -> None:
        if now > self._filled_at:
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
