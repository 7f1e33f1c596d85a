"""What every host adapter offers: bring a line to a condition, and read back how the host holds it.

An adapter says what is to be, not what is to be done: it compares before it writes, so that bringing a line twice to one
condition changes nothing the second time. Nobody believes an OK: a step is done when `read` shows what was wanted.
"""

from enum import StrEnum
from typing import Final, Protocol

import msgspec

from protocols.tap import Tap
from provisioning.errors import HostRefused
from provisioning.keys import Keys


class Access(StrEnum):
    """How the host holds a line."""

    ABSENT = "absent"
    BARRED = "barred"
    """Known, but without service: an attached phone is cut off."""
    OPEN = "open"


class Line(msgspec.Struct, frozen=True):
    """A line as a host knows it. `keys` are there where a card has them; `profile` is the host's name of our plan."""

    iccid: str
    imsi: str
    profile: str
    keys: Keys | None = None


class Condition(msgspec.Struct, frozen=True):
    """How a line is to be held: its access and its number (None: no number)."""

    access: Access
    msisdn: str | None = None


ABSENT = Condition(Access.ABSENT)
UNSETTLED = Condition(Access.BARRED, "")
"""What equals no condition that can be wanted: the host holds a line half this way and half that, or is not done with it."""


class Reading(msgspec.Struct, frozen=True):
    """How the host holds a line now; `keys_match` is None where the host keeps no keys or does not tell them."""

    condition: Condition
    keys_match: bool | None = None

    def shows(self, wanted: Condition) -> bool:
        """Whether this is what was wanted."""
        return self.condition == wanted and self.keys_match is not False


OTHER_LINE: Final = "host.other_line"


def mind(found: Condition, wanted: Condition) -> None:
    """Refuse to bring a fresh card that is in service already as another line: there is nothing of ours to change."""
    if found.access is Access.OPEN and found.msisdn and found.msisdn != wanted.msisdn:
        raise HostRefused("the host has this card in service as another line", OTHER_LINE)


class Pending(msgspec.Struct, frozen=True):
    """The host has taken the call and works on it; reading back is worth while after so many seconds."""

    after: float


class Host(Protocol):
    """One host operator's provisioning interface.

    `call_id` is the same whenever the same step is tried again, and another for every other step. Calls may run
    concurrently, for different lines. Both raise HostRefused or HostUnavailable, never anything else, and no text of theirs
    carries a key or a whole number.
    """

    name: str

    async def bring(self, call_id: str, line: Line, wanted: Condition, *, fresh: bool = False) -> Pending | None:
        """Ask for a condition; None: the host says that it is so.

        `fresh`: the card is not to be in service yet. HostRefused with the code OTHER_LINE if it is, under another number.
        """

    async def read(self, line: Line) -> Reading:
        """Tell how the host holds a line."""

    def hinted(self, body: bytes) -> list[str]:
        """Name the call ids that a callback of the host speaks of; a callback is a hint to read back, and nothing more."""

    def watch(self, tap: Tap | None) -> None:
        """Have each message to the host and from it told from now on, or none any more.

        What is told is raw: subscriber keys (Ki, OPc), whole numbers and our callback address are in it, and masking is the
        listener's work. What proves who we are is never in it. A tap that raises is taken away, and the call goes on.
        """

    async def close(self) -> None:
        """Let go of all connections."""
