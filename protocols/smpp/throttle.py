"""How fast a peer that refuses what is too much for it is asked: pauses, and a rate that is found. Time is an argument.

A peer that says RTHROTTLED or RMSGQFUL gets no request for a while, longer each time in a row. Until its rate is known one
request goes out as a probe then, and each success doubles how many may be under way, up to the window. What it took between
two refusals is its rate: from then on requests are paced by it, a refusal costs a part of the time between two of them, and
the rate moves like a congestion window (RFC 9438): a little down after a refusal, quickly back to just below where that came,
slowly past it, and ever faster where no refusal comes. Only time in which requests were taken counts: silence proves nothing.

The same window follows congestion_state where the peer tells it (SMPP 5.0 §2.9): above 90 it shrinks, below 80 it grows.
"""

from typing import Final

from protocols.backoff import delay_after
from protocols.rate_limit import TokenBucket
from protocols.smpp.limits import Limits

CONGESTED: Final = 90
"""SMPP 5.0 §2.9: the peer nears its limit; 80 to 90 is the best use of it."""
UNCONGESTED: Final = 80
PAUSE: Final = 0.25
"""Of the time between two requests: the pause after a refusal, once a rate is known."""
CLUMP: Final = 0.02
"""Seconds' worth of requests that may go at once, where the loop was late."""
DIP: Final = 0.03
"""By how much the rate lies below its plateau after a refusal."""
STEP_DOWN: Final = 0.95
"""A refusal lowers the rate to this part of it at most..."""
FURTHER_DOWN: Final = 0.8
"""... and each further one in a row by this."""
PLATEAU_REQUESTS: Final = 5
PLATEAU_SECONDS: Final = 3.0
"""The rate is back at its plateau after so many requests, or seconds if that is longer."""
SEARCH_SECONDS: Final = 1.0
"""How long the first rate takes to double, until the first refusal shows that it is one."""
UNLIMITED: Final = 10_000.0
"""Requests a second: a peer that takes so many throttles nobody."""


class Throttle:
    """How many requests may be under way, and how fast they may follow each other; none at all before `paused_until`."""

    def __init__(self, limits: Limits) -> None:
        self._first = limits.throttle_first
        self._last = limits.throttle_last
        self._window = limits.window
        self._refusals = 0
        self._resumed_at = self._counted_from = self._taken_at = float("-inf")
        self._taken = 0
        self._active = self._plateau = 0.0
        self._searching = False
        self._heard = 0
        self._bucket = TokenBucket(0.0, 0.0, 0.0)
        self.limit = limits.window
        """Of requests under way."""
        self.rate: float | None = None
        """Requests a second that the peer takes; None: it throttled nobody so far."""
        self.paused_until: float | None = None
        """While the link pauses; None once a request may go again."""
        self.congestion_state: int | None = None
        """What the peer said last, 0 to 100."""

    def room(self, used: int, now: float) -> int:
        """How many more requests may go now; `used` are under way."""
        places = self.places(used)
        return places if self.rate is None or not places else self._bucket.available(now, places)

    def places(self, used: int) -> int:
        """How many more requests may be under way, however fast they follow each other."""
        if self.paused_until is not None:
            return 0
        limit = 1 if self._refusals > 1 else self.limit
        return max(0, limit - used)

    def ready_at(self, now: float) -> float:
        """When the rate lets the next request go."""
        return now if self.rate is None else self._bucket.ready_at(now)

    def take(self, now: float) -> None:
        """A request goes out."""
        if self.rate is not None:
            self._bucket.take(now)

    def throttled(self, sent_at: float, now: float) -> float:
        """The peer has enough; returns when it may be asked again. One pause covers all that was under way before it."""
        if self.paused_until is not None:
            return self.paused_until
        if sent_at < self._resumed_at:
            return now
        first = self._first if self.rate is None else min(self._first, PAUSE / self.rate)
        self.paused_until = now + delay_after(self._refusals, first, self._last)
        self._refusals += 1
        if self.rate is None:
            self.limit = 1
        return self.paused_until

    def resume(self, now: float, used: int = 0) -> bool:
        """Whether a pause has just ended. What was refused used up no turn, unless more are under way in its place."""
        if self.paused_until is None or now < self.paused_until:
            return False
        self.paused_until, self._resumed_at = None, now
        if not used:
            self._bucket.give_back(now)
        return True

    def succeeded(self, sent_at: float, now: float) -> None:
        """The peer took a request; what it took before it throttled us says nothing new."""
        self._taken += 1
        if self.paused_until is not None or sent_at < self._resumed_at:
            return
        if self._refusals:
            self._measure(now)
            self._refusals, self._taken, self._counted_from = 0, 0, now
        elif self.rate is not None:
            self._grow(self.rate, now)
        self._taken_at = now
        if self.rate is not None:
            self._heard = 0 if self.limit == self._window else self._heard
        elif self.limit < self._window and self.congestion_state is None:
            self.limit = min(self._window, self.limit * 2)

    def _measure(self, now: float) -> None:
        """The refusals of a row have ended: what was taken since the row before is what the peer takes."""
        seconds = now - self._counted_from
        if not 0.0 < seconds < float("inf"):
            return
        measured = self._taken / seconds
        if self.rate is None:
            self._searching, self.limit = True, self._window
            self._pace(measured, now)
            return
        in_a_row = self._refusals - (self._taken > 1)  # one request between two refusals ends no row
        least = self.rate * STEP_DOWN * FURTHER_DOWN**in_a_row
        self._searching = False
        self._active = 0.0
        self._pace(min(self.rate * (1 - DIP), max(measured, least)), now)
        self._plateau = self.rate / (1 - DIP)

    def _grow(self, rate: float, now: float) -> None:
        """Another request was taken at this rate."""
        seconds = min(now - self._taken_at, 2.0 / rate)
        if self._searching:
            self._pace(rate * 2.0 ** (seconds / SEARCH_SECONDS), now)
            return
        self._active += seconds
        level = max(PLATEAU_SECONDS, PLATEAU_REQUESTS / self._plateau)
        self._pace(self._plateau * (1.0 + DIP * (self._active / level - 1.0) ** 3), now)

    def _pace(self, rate: float, now: float) -> None:
        if rate > UNLIMITED:
            self.rate = None
            return
        self.rate = rate
        self._bucket.change(rate, rate * CLUMP, now)

    def congestion(self, congestion_state: int) -> None:
        """The peer told how loaded it is; the limit moves once for as many responses as may be under way."""
        self.congestion_state = congestion_state
        self._heard += 1
        if self._heard < self.limit or self._refusals or self.paused_until is not None:
            return
        self._heard = 0
        if congestion_state > CONGESTED:
            self.limit = max(1, self.limit * 3 // 4)
        elif congestion_state < UNCONGESTED:
            self.limit = min(self._window, self.limit + 1)
