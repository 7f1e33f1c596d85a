"""How long one thread may keep the interpreter from another: Python's own five milliseconds, less while batches are slow.

At each statement of a batch the write lane lets the interpreter go, and has it back when the loop pauses or is made to. While
a peer floods us the loop never pauses, and five milliseconds a statement make a batch last for a second. One millisecond mends
that, but it costs a tenth of the CPU of each charging request where the loop pauses anyway; so it is kept for the bad times.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT = 0.001
"""Seconds after which Python makes a thread let the interpreter go, in bad times."""
SLOW_WORK = 0.1
"""Seconds of work, without the waiting and the commit, that no batch takes when the loop pauses."""
CALM = 10.0
"""Seconds without a slow batch after which the usual interval holds again."""


class ThreadSwitching:
    """Shortens Python's switch interval while batches are slow; for the lane's thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._usual = sys.getswitchinterval()
        self._short_until: float | None = None

    def observe(self, worked: float) -> None:
        """Take note of how many seconds a batch's work took, from reading to the last statement before the commit."""
        if worked > SLOW_WORK:
            if self._short_until is None:
                sys.setswitchinterval(SHORT)
            self._short_until = self._clock() + CALM
        elif self._short_until is not None and self._clock() >= self._short_until:
            sys.setswitchinterval(self._usual)
            self._short_until = None
