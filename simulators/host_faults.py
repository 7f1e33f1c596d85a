"""What goes wrong at the simulated host: each fault by name, by a script for the next calls or by probability and seed."""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from simulators.fault_rates import FaultsUnreadable, Shares, read_shares

__all__ = ["ANY_CALL", "Fault", "Faults", "FaultsUnreadable", "read_faults"]


class Fault(StrEnum):
    """What may happen to one call that changes something; those of ANY_CALL may happen to one that only reads, too."""

    ERROR_BEFORE = "error-before"
    """500, and nothing was done."""
    TIMEOUT_BEFORE = "timeout-before"
    """No answer, and nothing was done."""
    SLOW = "slow"
    """The answer takes its time."""
    ERROR_AFTER = "error-after"
    """500, but it was done."""
    TIMEOUT_AFTER = "timeout-after"
    """No answer, but it was done."""
    WORK_FAILS = "work-fails"
    """202, and the work fails: its Monitor says so."""
    CALLBACK_LOST = "callback-lost"
    CALLBACK_DOUBLED = "callback-doubled"
    CALLBACK_LATE = "callback-late"
    CALLBACK_FIRST = "callback-first"
    """The callback has arrived before the answer leaves; the work is done by then."""
    CALLBACK_DISORDER = "callback-disorder"
    """The callback comes after that of the next call."""
    DROPPED = "dropped"
    """It was not done, and the connection is cut."""
    CONFLICT = "conflict"
    """409, and nothing was done."""


ANY_CALL: Final = frozenset({Fault.ERROR_BEFORE, Fault.TIMEOUT_BEFORE, Fault.SLOW, Fault.DROPPED})
"""What may happen to a call that only reads, as well."""


def read_faults(text: str) -> dict[Fault, float]:
    """Read `error-after=0.02,slow=0.1`: probabilities by fault, 1 at most in all."""
    return read_shares(text, Fault)


class Faults:
    """Which fault befalls a call. The script comes first; then the probabilities decide, by seed and by the call's own name."""

    def __init__(self, probabilities: Mapping[Fault, float] | None = None, seed: int = 1) -> None:
        self._shares = Shares(probabilities or {}, seed)
        self._changes: deque[Fault | None] = deque()
        self._reads: deque[Fault | None] = deque()

    def steer(self, probabilities: Mapping[Fault, float]) -> None:
        """Let these be the probabilities from now on."""
        self._shares.steer(probabilities)

    def next_changes(self, *faults: Fault | None) -> None:
        """Let these befall the next calls that change something, in this order; None: nothing."""
        self._changes.extend(faults)

    def next_reads(self, *faults: Fault | None) -> None:
        """Let these befall the next calls that only read."""
        self._reads.extend(faults)

    def of_change(self, name: str) -> Fault | None:
        """Return what befalls a call that changes something."""
        return self._changes.popleft() if self._changes else self._shares.draw(name)

    def of_read(self, name: str) -> Fault | None:
        """Return what befalls a call that only reads."""
        fault = self._reads.popleft() if self._reads else self._shares.draw(name)
        return fault if fault in ANY_CALL else None
