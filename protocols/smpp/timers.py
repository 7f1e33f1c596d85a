"""The timers of one session as a pure value: session_init, enquire_link and inactivity (SMPP 3.4 §7.2).

The fourth, the response timer, is one for each request: see `window`. A `Timers` never changes; each method returns
the value that follows. Times are seconds of any monotonic clock.
"""

from enum import Enum

import msgspec

from protocols.smpp.limits import Limits


class Expired(Enum):
    """Which timer has run out."""

    SESSION_INIT = "no bind in time"
    ENQUIRE_LINK = "the peer is silent: ask it"
    UNANSWERED = "the peer was asked and stays silent"
    INACTIVITY = "no transaction for long"


class Timers(msgspec.Struct, frozen=True, gc=False):
    """When each timer runs out; None: it does not run."""

    session_init: float | None = None
    enquire_link: float | None = None
    unanswered: float | None = None
    inactivity: float | None = None

    def connected(self, limits: Limits, now: float) -> "Timers":
        """The transport is there; a bind has to follow."""
        return Timers(session_init=now + limits.session_init)

    def bound(self, limits: Limits, now: float) -> "Timers":
        """The session is bound."""
        return Timers(enquire_link=_after(limits.enquire_link, now), inactivity=_after(limits.inactivity, now))

    def stopped(self) -> "Timers":
        """The session ends; it has a deadline of its own."""
        return Timers()

    def heard(self, limits: Limits, now: float, *, transaction: bool) -> "Timers":
        """PDUs have come: the peer lives; called once for all PDUs of one read."""
        inactivity = _after(limits.inactivity, now) if transaction else self.inactivity
        return Timers(enquire_link=_after(limits.enquire_link, now), inactivity=inactivity)

    def transacted(self, limits: Limits, now: float) -> "Timers":
        """A request of ours went out."""
        if not limits.inactivity:
            return self
        return Timers(self.session_init, self.enquire_link, self.unanswered, now + limits.inactivity)

    def asked(self, limits: Limits, now: float) -> "Timers":
        """An enquire_link of ours went out."""
        return Timers(unanswered=now + limits.response_timeout, inactivity=self.inactivity)

    def deadline(self) -> float | None:
        """When `expired` has something to say."""
        times = (self.session_init, self.enquire_link, self.unanswered, self.inactivity)
        return min((time for time in times if time is not None), default=None)

    def expired(self, now: float) -> Expired | None:
        """The timer that has run out, the gravest first; its deadline stands until a method moves it."""
        if self.session_init is not None and now >= self.session_init:
            return Expired.SESSION_INIT
        if self.unanswered is not None and now >= self.unanswered:
            return Expired.UNANSWERED
        if self.inactivity is not None and now >= self.inactivity:
            return Expired.INACTIVITY
        if self.enquire_link is not None and now >= self.enquire_link:
            return Expired.ENQUIRE_LINK
        return None


def _after(seconds: float, now: float) -> float | None:
    return now + seconds if seconds else None
