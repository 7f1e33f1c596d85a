"""How many requests of one peer are in work at once, and what becomes of the others. Time is an argument."""

from protocols.limits import StreamLimits


class Admission:
    """The requests of a peer that we owe an answer.

    At the limit (`full`) the peer's further messages are left alone, so that its own flow control slows it down, until half
    of the limit is answered. Where that takes too long, its requests are refused meanwhile (`refusing`): a peer must not
    wait for ever, nor lose the answers and signs of life that stand behind its requests.
    """

    __slots__ = ("_limits", "deadline", "full", "outstanding", "refusing")

    def __init__(self, limits: StreamLimits) -> None:
        self.outstanding = 0
        self.full = self.refusing = False
        self.deadline: float | None = None
        """When `on_timer` wants to be called."""
        self._limits = limits

    def admit(self, now: float) -> None:
        """A request is in work."""
        self.outstanding += 1
        if self.outstanding >= self._limits.outstanding and not self.full:
            self.full = True
            self.deadline = now + self._limits.overload_deadline

    def settle(self) -> None:
        """A request has been answered."""
        self.outstanding -= 1
        if self.full and self.outstanding <= self._limits.outstanding // 2:
            self.end()

    def on_timer(self, now: float) -> bool:
        """Time has passed; whether requests are refused from now on."""
        if self.deadline is None or now < self.deadline:
            return False
        self.deadline, self.refusing = None, True
        return True

    def end(self) -> None:
        """Whatever comes is taken again, or nothing comes any more."""
        self.full = self.refusing = False
        self.deadline = None
