"""What every host adapter offers: bring a line to a condition, and read back how the host holds it.

An adapter says what is to be, not what is to be done: it compares before it writes, so that bringing a line twice to one
condition changes nothing the second time. Nobody believes an OK: a step is done when `read` shows what was wanted. What the
host held before the first change is read by `inspect`, and `restore` gives back that and nothing else.
"""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from protocols.tap import Tap
from provisioning.keys import Keys


class Access(StrEnum):
    """How the host holds a line."""

    ABSENT = "absent"
    BARRED = "barred"
    """Known, but without service: an attached phone is cut off."""
    OPEN = "open"


class HostLine(msgspec.Struct, frozen=True):
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


class HostReading(msgspec.Struct, frozen=True):
    """How the host holds a line now; `keys_match` is None where the host keeps no keys or does not tell them."""

    condition: Condition
    keys_match: bool | None = None

    def shows(self, wanted: Condition) -> bool:
        """Whether this is what was wanted."""
        return self.condition == wanted and self.keys_match is not False


class KeysHeld(StrEnum):
    """Which keys the host holds for a card."""

    NONE = "none"
    OURS = "ours"
    OTHER = "other"
    UNTOLD = "untold"
    """The host does not tell, or we have none to compare them with."""


class Holding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host holds of a card, as it was read before a step changes anything.

    `words` tell it to people, numbers masked. `other_card`: its record names another IMSI for this ICCID.
    `number_elsewhere`: the number that was asked about is another IMSI's. `fixed`: why it could not be given back once it
    was changed; empty where it can be. `record` is what the adapter needs to give it back: equal records are equal states,
    it is empty where the host holds nothing, and it may hold the host's keys, so it does not print.
    """

    condition: Condition = ABSENT
    words: str = ""
    msisdn: str | None = None
    keys: KeysHeld = KeysHeld.UNTOLD
    other_card: bool = False
    number_elsewhere: bool = False
    fixed: str = ""
    record: bytes = b""

    @property
    def present(self) -> bool:
        """Whether the host holds anything of the card."""
        return bool(self.record)

    def __repr__(self) -> str:
        return f"Holding({self.words or 'nothing'})"


NOTHING: Final = Holding()


class HeldLine(msgspec.Struct, frozen=True):
    """A line in a host's own list; a host that knows no cards has no ICCID, and one that knows cards may not say the IMSI."""

    imsi: str | None
    iccid: str | None
    msisdn: str | None
    access: Access


UNLISTED: Final = "host.unlisted"
"""The code of a refusal to list what the host holds."""


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

    async def inspect(self, line: HostLine, msisdn: str | None = None) -> Holding:
        """Return all that the host holds of a card and, where a number is given, whether that is another IMSI's."""

    async def bring(
        self, call_id: str, line: HostLine, wanted: Condition, *, before: Holding | None = None
    ) -> Pending | None:
        """Ask for a condition; None: the host says that it is so.

        `before` is what `inspect` told before this step was sent for the first time: what the host holds now has to be that,
        or what this step made of it. If it is neither, it is somebody else's: HostRefused with the code
        `ownership.FOREIGN`, and nothing is changed.
        """

    async def restore(self, call_id: str, line: HostLine, wanted: Condition, before: Holding) -> Pending | None:
        """Give back what the host held before a step that wanted `wanted`; `call_id` is the undoing's own.

        What the step created is removed, what it changed is put back. HostRefused with the code `ownership.FOREIGN` where
        somebody else has changed it since: it is left as it is.
        """

    async def read(self, line: HostLine) -> HostReading:
        """Return how the host holds a line."""

    def lines(self) -> AsyncIterator[list[HeldLine]]:
        """List all lines that the host holds, page by page; HostRefused (UNLISTED) where it cannot tell them."""

    def hinted(self, body: bytes) -> list[str]:
        """Name the call ids that a callback of the host speaks of; a callback is a hint to read back, and nothing more."""

    def set_tap(self, tap: Tap | None) -> None:
        """Pass each message to the host and from it to a tap from now on; None ends it.

        What is told is raw: subscriber keys (Ki, OPc), whole numbers and our callback address are in it, and masking is the
        listener's work. What proves who we are is never in it. A tap that raises is taken away, and the call goes on.
        """

    async def close(self) -> None:
        """Let go of all connections."""
