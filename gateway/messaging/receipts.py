"""Delivery receipts and the message ids that they name: what is waited for, and what came before its submit_sm was answered."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, select

from gateway.messaging.texts import Step, Text, TextState
from gateway.store.batch import Batch, RowSet
from gateway.store.statements import Delete, Insert, SelectAmong
from gateway.store.tables import awaited_receipts, early_receipts, texts

TAIL = 7
"""Digits that two forms of one number have in common at their end."""
_AWAIT = Insert(awaited_receipts)
_FORGET = Delete(awaited_receipts, ["link", "message_id"])
_AWAITED = SelectAmong(
    select(awaited_receipts.c.message_id, awaited_receipts.c.link, awaited_receipts.c.text_id, awaited_receipts.c.part),
    awaited_receipts.c.message_id,
    str,
)
_EARLY = SelectAmong(
    select(
        early_receipts.c.message_id,
        early_receipts.c.link,
        early_receipts.c.stated,
        early_receipts.c.destination,
        early_receipts.c.state,
        early_receipts.c.error,
    ),
    early_receipts.c.message_id,
    str,
)


class Receipt(msgspec.Struct, frozen=True):
    """A delivery receipt: the forms that its message id may be kept in, and a final step; None if it is not final.

    `destination` is the number that the text went to, `reference` our user_message_reference where the SMSC echoes it.
    `by_text`: it came as a plain text, which anybody can write; it has to come from that number.
    """

    link: str
    forms: tuple[str, ...]
    step: Step | None
    error: str = ""
    destination: str = ""
    reference: int | None = None
    by_text: bool = False

    def may_tell_of(self, text: Text) -> bool:
        """Whether it may be about a text, by where it comes from: in any form of the number, or with its addresses swapped.

        A customer's own handset must not tell of the texts that he pays for.
        """
        swapped = self.destination == text.source and text.payer is None
        if not self.by_text or not self.destination or swapped:
            return True
        return self.destination[-TAIL:] == text.destination[-TAIL:]


class AwaitedRows(RowSet[str, list[tuple[str, int, int]]]):
    """Which part of which text a message id stands for: id -> [(link, text, part)]."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.gone: list[tuple[str, str]] = []
        self.fresh: dict[tuple[str, str], tuple[object, ...]] = {}

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read what waits for receipts with these ids."""
        for message_id, link, text_id, part in _AWAITED.run(connection, keys):
            self.rows.setdefault(message_id, []).append((link, text_id, part))

    def candidates(self, link: str, forms: Iterable[str]) -> list[tuple[str, int, int]]:
        """Give (message id, text, part) for each form that this link knows, likeliest first."""
        return [
            (form, text_id, part) for form in forms for known, text_id, part in self.rows.get(form, ()) if known == link
        ]

    def keep(self, batch: Batch, link: str, message_id: str, part: tuple[int, int]) -> None:
        """Wait for the receipt of a part; an SMSC that reuses an id means its newest message by it."""
        others = [entry for entry in self.rows.get(message_id, ()) if entry[0] != link]
        self.rows[message_id] = [*others, (link, *part)]
        self.gone.append((link, message_id))  # who keeps an id need not have loaded it: an older message may have it
        self.fresh[link, message_id] = (link, message_id, *part, batch.now)

    def forget(self, link: str, message_id: str) -> None:
        """Stop waiting for a receipt that has come."""
        self.rows[message_id] = [entry for entry in self.rows[message_id] if entry[0] != link]
        if self.fresh.pop((link, message_id), None) is None:
            self.gone.append((link, message_id))

    def save(self, connection: Connection) -> None:
        """Delete what is no longer waited for, insert what is."""
        _FORGET.run(connection, self.gone)
        _AWAIT.run(connection, list(self.fresh.values()))


class DoubtfulRows(RowSet[str, list[int]]):
    """The doubtful texts to each number that a receipt came from: one that names an unknown message may tell of them."""

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Find the doubtful texts to these numbers, the oldest first."""
        for destination, text_id in connection.execute(
            select(texts.c.destination, texts.c.id)
            .where(texts.c.final == 0, texts.c.state == TextState.DOUBTFUL, texts.c.destination.in_(keys))
            .order_by(texts.c.id)
        ):
            self.rows.setdefault(destination, []).append(text_id)


class Early(msgspec.Struct, frozen=True):
    """A receipt that came before its submit_sm was answered; `stated` is its message id as the SMSC wrote it."""

    link: str
    stated: str
    destination: str
    step: str
    error: str


class EarlyRows(RowSet[str, list[Early]]):
    """Early receipts by each form that their message id may be kept in."""

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read early receipts with these ids."""
        for message_id, *fields in _EARLY.run(connection, keys):
            self.rows.setdefault(message_id, []).append(Early(*fields))

    def find(self, link: str, message_id: str, destination: str) -> Early | None:
        """Give the receipt of a text that has just been accepted; it comes from the number that the text went to."""
        for early in self.rows.get(message_id, ()):
            if early.link == link and early.destination == destination:
                return early
        return None

    def forget(self, batch: Batch, early: Early) -> None:
        """Delete a receipt that has found its text, in all forms of its id."""
        rows = early_receipts
        same = (rows.c.link == early.link, rows.c.stated == early.stated, rows.c.destination == early.destination)
        batch.connection.execute(rows.delete().where(*same))
        for known in self.rows.values():
            known[:] = [other for other in known if other != early]


def keep_early(batch: Batch, receipt: Receipt) -> bool:
    """Hold a receipt whose submit_sm is not answered yet, in every form of its id; it has moved nothing so far."""
    if not receipt.forms:
        return False
    row_set, rows = batch.row_set(EarlyRows), early_receipts
    early = Early(receipt.link, receipt.forms[0], receipt.destination, str(receipt.step), receipt.error[:32])
    for form in receipt.forms:
        known = row_set.rows.setdefault(form, [])
        same = (rows.c.link == early.link, rows.c.message_id == form, rows.c.destination == early.destination)
        batch.connection.execute(rows.delete().where(*same))
        known[:] = [other for other in known if (other.link, other.destination) != (early.link, early.destination)]
        known.append(early)
        values = {"link": early.link, "message_id": form, "destination": early.destination, "stated": early.stated}
        values |= {"state": early.step, "error": early.error}
        batch.connection.execute(rows.insert().values(**values, created_at=batch.now))
    return False
