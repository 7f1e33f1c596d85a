"""The pause that a throttled link takes. Time is an argument.

A peer that says RTHROTTLED or RMSGQFUL gets no request for a while, longer each time in a row. Then one request goes
out as a probe, and each success doubles how many may be under way, up to the window: a link that is kept at its limit
finds it, instead of beating against it with a whole window. The same limit follows congestion_state where the peer
tells it (SMPP 5.0 §2.9): above 90 it shrinks, below 80 it grows.
"""

from typing import Final

from protocols.backoff import delay_after
from protocols.smpp.limits import Limits

CONGESTED: Final = 90
"""SMPP 5.0 §2.9: the peer nears its limit; 80 to 90 is the best use of it."""
UNCONGESTED: Final = 80


class Throttle:
    """How many requests may be under way: `limit`, and none at all before `paused_until`."""

    __slots__ = ("_failures", "_first", "_heard", "_last", "_window", "congestion_state", "limit", "paused_until")

    def __init__(self, limits: Limits) -> None:
        self._first = limits.throttle_first
        self._last = limits.throttle_last
        self._window = limits.window
        self._failures = 0
        self._heard = 0
        self.limit = limits.window
        self.paused_until: float | None = None
        """While the link pauses; None once a request may go again."""
        self.congestion_state: int | None = None
        """What the peer said last, 0 to 100."""

    def room(self, used: int) -> int:
        """How many more requests may be under way."""
        return 0 if self.paused_until is not None else max(0, self.limit - used)

    def throttled(self, now: float) -> float:
        """The peer has enough; returns when it may be asked again. One pause covers a whole window of refusals."""
        if self.paused_until is None:
            self.paused_until = now + delay_after(self._failures, self._first, self._last)
            self._failures += 1
            self.limit = 1
        return self.paused_until

    def resume(self, now: float) -> bool:
        """Whether a pause has just ended."""
        if self.paused_until is None or now < self.paused_until:
            return False
        self.paused_until = None
        return True

    def succeeded(self) -> None:
        """The peer took a request; what it took before it throttled us says nothing new."""
        if self._failures and self.paused_until is None:
            self.limit = min(self._window, self.limit * 2)
            if self.limit == self._window:
                self._failures = 0

    def congestion(self, congestion_state: int) -> None:
        """The peer told how loaded it is; the limit moves once for as many responses as may be under way."""
        self.congestion_state = congestion_state
        self._heard += 1
        if self._heard < self.limit or self._failures or self.paused_until is not None:
            return
        self._heard = 0
        if congestion_state > CONGESTED:
            self.limit = max(1, self.limit * 3 // 4)
        elif congestion_state < UNCONGESTED:
            self.limit = min(self._window, self.limit + 1)
