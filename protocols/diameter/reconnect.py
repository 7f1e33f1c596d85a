"""When a lost peer is dialled again: exponential, jittered, and not at all where it does not want to talk to us."""

from collections.abc import Callable

from protocols.backoff import Backoff
from protocols.diameter.limits import Limits
from protocols.diameter.transitions import CloseReason, DisconnectCause


class Reconnect:
    """The back-off of one peer. Time is an argument; `random` returns a float of [0, 1)."""

    __slots__ = ("_failures", "_longest", "barred")

    def __init__(self, limits: Limits, random: Callable[[], float]) -> None:
        self._failures = Backoff(limits.reconnect_first, limits.reconnect_last, random)
        self._longest = limits.reconnect_last
        self.barred = False
        """It does not want to talk to us: it may come, we don't dial (RFC 6733 §5.4.3)."""

    def lost(self, now: float, reason: CloseReason, cause: DisconnectCause | None) -> float | None:
        """The peer is down; returns when to dial, None: not before `forget`.

        Args:
            cause: of its DPR; a peer that is BUSY is left alone for as long as any.
        """
        left_because = cause if reason is CloseReason.LEFT else None
        self.barred = self.barred or left_because is DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU
        if self.barred:
            return None
        return now + self._failures.next(at_least=self._longest if left_because is DisconnectCause.BUSY else 0.0)

    def forget(self) -> None:
        """The capabilities were exchanged, or someone wants the peer back now."""
        self._failures.reset()
        self.barred = False
