"""Causes as the store keeps them beside a customer: sealed, so that no row says what anybody chose (decision 057).

Each is sealed with AES-256-GCM under a key derived from privacy.key, for the row that it stands in: what is put beside another
customer, or into another row, does not open. All are of one length, which tells nothing of the cause's name.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.charity.choices import Choice, Share
from gateway.ledger.checks.examined import OpenedChoice
from gateway.privacy.pseudonyms import derive
from gateway.privacy.sealing import NONCE, SealBroken, Sealer
from gateway.store.batch import Batch
from gateway.store.statements import SelectAmong
from gateway.store.tables import choices

PURPOSE: Final = "causes"
"""The purpose of the key that causes are sealed under."""
LONGEST: Final = 64
"""Octets of a cause's id; shorter ones are filled up."""
_FILL: Final = b"\x00"
_COLUMNS: Final = (
    choices.c.subscriber_id,
    choices.c.valid_from,
    choices.c.cause,
    choices.c.share,
    choices.c.id,
)
_OF_SUBSCRIBERS: Final = SelectAmong(select(*_COLUMNS), choices.c.subscriber_id, int)


class Consent(msgspec.Struct, frozen=True, gc=False):
    """How a customer agreed to a choice: by which channel, and the version of what the customer was asked; "": not known."""

    channel: str
    wording: str = ""


class CauseSeals:
    """Seals causes, and opens them again for the row that they were sealed for."""

    def __init__(self, key: bytes) -> None:
        """Take the master key."""
        self._sealer = Sealer(key, PURPOSE)
        self._nonces = hmac.new(derive(key, f"{PURPOSE}/nonces"), digestmod="sha256")

    def seal(self, cause: str, owner: str) -> bytes:
        """Seal a cause for its row, whose name is `owner`."""
        return self.seal_octets(cause.encode().ljust(LONGEST, _FILL), owner)

    def open(self, sealed: bytes, owner: str) -> str:
        """Return the cause; SealBroken where it was not sealed for this row, or by another key."""
        return self._sealer.open(sealed, owner).rstrip(_FILL).decode()

    def seal_text(self, cause: str, owner: str) -> str:
        """Seal a cause as text (base64); no cause stays none."""
        return b64encode(self.seal(cause, owner)).decode() if cause else ""

    def open_text(self, sealed: str, owner: str) -> str:
        """Return the cause of `seal_text`."""
        return self.open(b64decode(sealed), owner) if sealed else ""

    def seal_octets(self, octets: bytes, owner: str) -> bytes:
        """Seal what else tells who gave to whom.

        The nonce is a keyed digest of the row's name and what is sealed, so that nothing else has it, and the same store comes
        of the same requests.
        """
        nonces, name = self._nonces.copy(), owner.encode()
        nonces.update(len(name).to_bytes(4) + name + octets)
        return self._sealer.seal(octets, owner, nonces.digest()[:NONCE])

    def open_octets(self, sealed: bytes, owner: str) -> bytes:
        """Give them; SealBroken as `open`."""
        return self._sealer.open(sealed, owner)


def choice_owner(subscriber_id: int, number: int) -> str:
    """Name the row of a choice; migration 0026 and every store that was written since know causes by this name."""
    return f"choice/{subscriber_id}/{number}"


def write_choice(batch: Batch, subscriber_id: int, shares: Iterable[Share], valid_from: int, consent: Consent) -> None:
    """Append a customer's choice, with the evidence of the customer's consent; one row a cause."""
    seals = batch.policy(CauseSeals)
    for share in shares:
        number = batch.take_id()
        sealed = seals.seal(share.cause, choice_owner(subscriber_id, number))
        said = (batch.now, consent.channel, consent.wording)
        batch.add(choices, (number, subscriber_id, sealed, share.share, valid_from, *said))


def ask_choices(connection: Connection, subscribers: set[int]) -> Callable[[CauseSeals], dict[int, tuple[Choice, ...]]]:
    """Ask for the choices of these customers; gives what takes the rows, opened, by customer and in order of time."""
    asked = _OF_SUBSCRIBERS.ask(connection, subscribers)
    return lambda seals: _opened(asked.rows(), seals)


def read_all(connection: Connection, seals: CauseSeals) -> Iterator[OpenedChoice]:
    """Return all choices, also those that do not open: for checks alone."""
    for subscriber_id, valid_from, sealed, share, number in connection.execute(select(*_COLUMNS)):
        try:
            cause = seals.open(sealed, choice_owner(subscriber_id, number))
        except SealBroken:
            cause = None
        yield OpenedChoice(number, subscriber_id, cause, share, valid_from)


def _opened(rows: Iterable[Sequence[Any]], seals: CauseSeals) -> dict[int, tuple[Choice, ...]]:
    """Open rows of choices; those of one time are one choice."""
    found: dict[int, dict[int, tuple[Share, ...]]] = {}
    for subscriber_id, valid_from, sealed, share, number in rows:
        cause = seals.open(sealed, choice_owner(subscriber_id, number))
        chosen = found.setdefault(subscriber_id, {})
        chosen[valid_from] = (*chosen.get(valid_from, ()), Share(cause, share))
    return {owner: tuple(Choice(*each) for each in sorted(chosen.items())) for owner, chosen in found.items()}
