"""How many requests of one peer are in work at once, and what becomes of the others. Time is an argument."""

from typing import Final

from protocols.limits import StreamLimits

_FRESH: Final = 0.1
"""The part of `overload_deadline` for which a request may have waited that is taken while others are refused."""


class Admission:
    """The requests of a peer that we owe an answer.

    At the limit (`full`) the peer's further messages wait until half of the limit is answered. Where they wait for too long the
    peer sends more than can be done: from then on (`shed`) what finds no room is refused at once, and what has waited for a
    tenth of that time (`refusing`): an answer that comes after its client has given up is worth nothing, and all the others
    would come as late. That ends as soon as nothing had to be refused for as long.
    """

    __slots__ = ("_limits", "_sheds_until", "full", "outstanding", "refusing", "shedding")

    def __init__(self, limits: StreamLimits) -> None:
        self.outstanding = 0
        self.full = self.shedding = self.refusing = False
        """`refusing`: a request that is handled now is refused."""
        self._sheds_until = 0.0
        self._limits = limits

    def admit(self, now: float) -> None:
        """A request is in work, be it to be refused."""
        self.outstanding += 1
        if self.refusing:
            self.shed(now)
        elif self.outstanding >= self._limits.outstanding and not self.full:
            self.full = True
            self.shedding = self.shedding and now < self._sheds_until

    def settle(self) -> None:
        """A request has been answered."""
        self.outstanding -= 1
        if self.full and self.outstanding <= self._limits.outstanding // 2:
            self.full = self.refusing = False

    def shed(self, now: float) -> None:
        """Requests have waited for too long, or one is refused: refuse what finds no room, for some time yet."""
        self.shedding, self._sheds_until = True, now + self._limits.overload_deadline

    def refuses(self, waited: float) -> bool:
        """While it sheds: whether a request that is handled now, and has waited for so many seconds, is refused."""
        self.refusing = self.full or waited > self._limits.overload_deadline * _FRESH
        return self.refusing

    def end(self) -> None:
        """Whatever comes is taken again, or nothing comes any more."""
        self.full = self.shedding = self.refusing = False
