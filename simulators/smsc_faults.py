"""What goes wrong at the simulated message centre: by a script for the next texts, or by probability and seed."""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from protocols.smpp.errors import CommandStatus
from simulators.fault_rates import Shares, read_shares


class SmscFault(StrEnum):
    """What may happen to one submit_sm, or to what is told of it afterwards."""

    THROTTLED = "throttled"
    """ESME_RTHROTTLED: not taken."""
    QUEUE_FULL = "queue-full"
    """ESME_RMSGQFUL: not taken."""
    REFUSED = "refused"
    """ESME_RSUBMITFAIL: not taken, and not to be tried again."""
    DROPPED = "dropped"
    """Not taken, and the connection is cut."""
    DROPPED_AFTER = "dropped-after"
    """Taken, and the connection is cut before the response."""
    NO_RESPONSE = "no-response"
    """Taken, and never answered."""
    LATE_RESPONSE = "late-response"
    """Taken, and answered after `late_seconds`: a sender may have given up."""
    SLOW = "slow"
    """Taken, and answered after `slow_seconds`."""
    REORDERED = "reordered"
    """Taken, and answered after the next one."""
    UNBIND = "unbind"
    """Taken and answered; then the centre leaves (unbind), whatever is on its way."""
    RECEIPT_EARLY = "receipt-early"
    """Its receipt comes before its response."""
    RECEIPT_DOUBLED = "receipt-doubled"
    RECEIPT_LOST = "receipt-lost"
    RECEIPT_UNKNOWN = "receipt-unknown"
    """A receipt of a text that nobody sent comes, too."""
    UNDELIVERABLE = "undeliverable"
    """Taken, and the receipt says UNDELIV."""


REFUSALS: Final[Mapping[SmscFault | None, CommandStatus]] = {
    SmscFault.THROTTLED: CommandStatus.ESME_RTHROTTLED,
    SmscFault.QUEUE_FULL: CommandStatus.ESME_RMSGQFUL,
    SmscFault.REFUSED: CommandStatus.ESME_RSUBMITFAIL,
}


def read_smsc_faults(text: str) -> dict[SmscFault, float]:
    """Read `throttled=0.02,slow=0.1`: probabilities by fault, 1 at most in all; raises FaultsUnreadable."""
    return read_shares(text, SmscFault)


class SmscFaults:
    """Which fault befalls a text. The script comes first; then the probabilities decide, by seed and by what the text says."""

    def __init__(self, probabilities: Mapping[SmscFault, float] | None = None, seed: int = 1) -> None:
        self._shares = Shares(probabilities or {}, seed)
        self._script: deque[SmscFault | None] = deque()

    def steer(self, probabilities: Mapping[SmscFault, float]) -> None:
        """Let these be the probabilities from now on."""
        self._shares.steer(probabilities)

    def next_texts(self, *faults: SmscFault | None) -> None:
        """Let these befall the next texts, in this order; None: nothing."""
        self._script.extend(faults)

    def of_text(self, name: str) -> SmscFault | None:
        """Return what befalls a text."""
        return self._script.popleft() if self._script else self._shares.draw(name)
