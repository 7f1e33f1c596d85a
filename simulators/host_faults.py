"""What goes wrong at the simulated host: each fault by name, by a script for the next calls or by probability and seed."""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Final

_SPAN: Final = float(1 << 64)


class Fault(StrEnum):
    """What may happen to one call that changes something; the first three and the last may happen to any."""

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


ANY_CALL: Final = frozenset({Fault.ERROR_BEFORE, Fault.TIMEOUT_BEFORE, Fault.SLOW, Fault.DROPPED})
"""What may happen to a call that only reads, as well."""


class FaultsUnreadable(ValueError):
    """A text that names no faults."""


def read_faults(text: str) -> dict[Fault, float]:
    """Read `error-after=0.02,slow=0.1`: probabilities by fault, 1 at most in all."""
    found: dict[Fault, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, share = part.partition("=")
        try:
            fault, probability = Fault(name.strip()), float(share)
        except ValueError:
            message = f"{part!r} is no FAULT=PROBABILITY; faults are {', '.join(Fault)}"
            raise FaultsUnreadable(message) from None
        if fault in found or not 0.0 <= probability <= 1.0:
            message = f"{part!r}: give each fault once, with a probability from 0 to 1"
            raise FaultsUnreadable(message)
        found[fault] = probability
    if sum(found.values()) > 1.0:
        message = "the probabilities come to more than 1"
        raise FaultsUnreadable(message)
    return found


class Faults:
    """Which fault befalls a call. The script comes first; then the probabilities decide, by seed and by the call's own name.

    A call's fate depends on its name and on how often it was tried, not on what else is going on: the same seed gives the
    same faults again, however calls overlap.
    """

    def __init__(self, probabilities: Mapping[Fault, float] | None = None, seed: int = 1) -> None:
        self._seed = seed
        self._bounds: list[tuple[float, Fault]] = []
        reached = 0.0
        for fault, probability in (probabilities or {}).items():
            reached += probability
            self._bounds.append((reached, fault))
        self._tries: dict[str, int] = {}
        self._changes: deque[Fault | None] = deque()
        self._reads: deque[Fault | None] = deque()

    def next_changes(self, *faults: Fault | None) -> None:
        """Let these befall the next calls that change something, in this order; None: nothing."""
        self._changes.extend(faults)

    def next_reads(self, *faults: Fault | None) -> None:
        """Let these befall the next calls that only read."""
        self._reads.extend(faults)

    def of_change(self, name: str) -> Fault | None:
        """Give what befalls a call that changes something."""
        return self._changes.popleft() if self._changes else self._drawn(name)

    def of_read(self, name: str) -> Fault | None:
        """Give what befalls a call that only reads."""
        fault = self._reads.popleft() if self._reads else self._drawn(name)
        return fault if fault in ANY_CALL else None

    def _drawn(self, name: str) -> Fault | None:
        if not self._bounds:
            return None
        attempt = self._tries[name] = self._tries.get(name, 0) + 1
        digest = blake2b(f"{self._seed}/{name}/{attempt}".encode(), digest_size=8).digest()
        drawn = int.from_bytes(digest) / _SPAN
        return next((fault for bound, fault in self._bounds if drawn < bound), None)
