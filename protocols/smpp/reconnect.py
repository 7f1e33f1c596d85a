"""When a lost link is dialled again: exponential, jittered, and long where only a person can help."""

from collections.abc import Callable
from typing import Final

from protocols.smpp.limits import Limits

_SPREAD: Final = 0.25
"""Retries come up to this part earlier, so that all links of a host network don't bind in one instant."""


class Reconnect:
    """The back-off of one link. Time is an argument; `random` returns a float of [0, 1)."""

    __slots__ = ("_bound_at", "_failures", "_limits", "_random", "_refusals")

    def __init__(self, limits: Limits, random: Callable[[], float]) -> None:
        self._limits = limits
        self._random = random
        self._failures = 0
        self._refusals = 0
        self._bound_at: float | None = None

    def bound(self, now: float) -> None:
        """The link is bound: a wrong password is out of the question."""
        self._bound_at = now
        self._refusals = 0

    def lost(self, now: float, *, refused: bool = False) -> float:
        """The link is down; returns when to dial.

        Args:
            refused: by a status that time won't mend (RINVPASWD, RALYBND: SMPP 3.4 §5.1.3).
        """
        limits = self._limits
        if self._bound_at is not None and now - self._bound_at >= limits.steady:
            self._failures = 0
        self._bound_at = None
        if refused:
            delay = min(limits.refused_last, limits.refused_first * 2.0 ** min(self._refusals, 16))
            self._refusals += 1
        else:
            delay = min(limits.reconnect_last, limits.reconnect_first * 2.0 ** min(self._failures, 16))
            self._failures += 1
        return now + delay * (1.0 - _SPREAD * self._random())

    def forget(self) -> None:
        """Someone wants the link up now."""
        self._failures = self._refusals = 0
