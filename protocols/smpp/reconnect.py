"""When a lost link is dialled again: exponential, jittered, and long where only a person can help."""

from collections.abc import Callable

from protocols.backoff import Backoff
from protocols.smpp.limits import Limits


class Reconnect:
    """The back-offs of one link. Time is an argument; `random` returns a float of [0, 1)."""

    __slots__ = ("_bound_at", "_failures", "_refusals", "_steady")

    def __init__(self, limits: Limits, random: Callable[[], float]) -> None:
        self._failures = Backoff(limits.reconnect_first, limits.reconnect_last, random)
        self._refusals = Backoff(limits.refused_first, limits.refused_last, random)
        self._steady = limits.steady
        self._bound_at: float | None = None

    def bound(self, now: float) -> None:
        """The link is bound: a wrong password is out of the question."""
        self._bound_at = now
        self._refusals.reset()

    def lost(self, now: float, *, refused: bool = False) -> float:
        """The link is down; returns when to dial.

        Args:
            refused: by a status that time won't mend (RINVPASWD, RALYBND: SMPP 3.4 §5.1.3).
        """
        if self._bound_at is not None and now - self._bound_at >= self._steady:
            self._failures.reset()
        self._bound_at = None
        return now + (self._refusals if refused else self._failures).next()

    def forget(self) -> None:
        """Someone wants the link up now."""
        self._failures.reset()
        self._refusals.reset()
