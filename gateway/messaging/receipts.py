"""Delivery receipts and the message ids that they name: what is waited for, and what came before its submit_sm was answered."""

from enum import IntEnum

import msgspec
from sqlalchemy import Connection, literal_column, select, text

from gateway.messaging.addresses import SHORT_CODE_DIGITS
from gateway.messaging.texts import FINAL, Step, Text
from gateway.store.batch import Batch, RowSet
from gateway.store.known_values import member_of
from gateway.store.statements import Delete, Insert, SelectAmong
from gateway.store.tables import PARTS_OUT, awaited_receipts, early_receipts, texts

TAIL = 7
"""Digits that two forms of one number have in common at their end."""
UNANSWERED = 600_000_000
"""Microseconds for which a submit_sm may be without its answer at the most; a receipt that is held for longer is of another
text, if its message id comes again."""
MOST_OF_ONE_ID = 256
"""Parts that are waited for under one message id: some SMSCs give many texts the same one, and the newest count."""
_FURTHER = [chr(number) for number in range(1, 32)]
"""What stands before a message id under which an early receipt is held that is not the first: parts may share an id."""
_AWAIT = Insert(awaited_receipts)
_FORGET = Delete(awaited_receipts, ["link", "message_id", "text_id", "part"])
_AWAITED = SelectAmong(
    select(
        awaited_receipts.c.message_id,
        awaited_receipts.c.link,
        awaited_receipts.c.text_id,
        awaited_receipts.c.part,
        awaited_receipts.c.destination,
    ),
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


class From(IntEnum):
    """How the address that a receipt comes from goes with the receiver of a text; more is better."""

    OTHER = 0
    """It is somebody else's number."""
    NOBODY = 1
    """It says nothing: none, a short code or name, or the sender's own."""
    ALIKE = 2
    """It has the same last digits."""
    RECEIVER = 3
    """It is the receiver's number."""


class Receipt(msgspec.Struct, frozen=True):
    """A delivery receipt: the forms that its message id may be kept in, and a final step; None if it is not final.

    `also` are the forms of the id in its text, where a TLV names another. `destination` is the number that the text went to,
    `sender` the address that it came from; `reference` our user_message_reference where the SMSC echoes it.
    `by_text`: it came as a plain text, which anybody can write; it has to come from that number.
    """

    link: str
    forms: tuple[str, ...]
    step: Step | None
    error: str = ""
    destination: str = ""
    reference: int | None = None
    by_text: bool = False
    also: tuple[str, ...] = ()
    sender: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """All forms of both ids, likeliest first, and what stands for the id of a part that was given none."""
        if not self.also:
            return (*self.forms, *self.references)
        forms = dict.fromkeys((*self.forms[:1], *self.also[:1], *self.forms[1:], *self.also[1:]))
        return (*forms, *self.references)

    @property
    def references(self) -> tuple[str, ...]:
        """Our reference with each number that the text may have gone to."""
        if self.reference is None:
            return ()
        return tuple(reference_id(number, self.reference) for number in self.numbers)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The phone numbers that the text may have gone to: some SMSCs swap the addresses."""
        given = (self.destination,) if self.by_text else (self.destination, self.sender)
        return tuple(dict.fromkeys(filter(is_phone, given)))

    def is_exact(self, message_id: str) -> bool:
        """Whether an id is as the receipt has it, and not read in another base."""
        return message_id in (*self.forms[:1], *self.also[:1])

    def comes_from(self, text: Text) -> From:
        """Compare its addresses with those of a text, which may be swapped."""
        found = comes_from(self.destination, text)
        swapped = not self.by_text and self.sender == text.destination and self.destination in ("", text.source)
        return From.RECEIVER if swapped else found


def reference_id(destination: str, reference: int) -> str:
    """What stands for the message id of a part that its SMSC gave none: the receiver, and our reference.

    The number alone could be that of a receipt of another text, which came twice. No message id begins with a blank.
    """
    return f" {destination} {reference}"


def is_message_id(kept: str) -> bool:
    """Whether what is kept is an SMSC's message id."""
    return not kept.startswith(" ")


def is_phone(address: str) -> bool:
    """Whether an address is a phone number, whose owner a receipt may be about."""
    return len(address) > SHORT_CODE_DIGITS and address.isdecimal()


def comes_from(address: str, text: Text) -> From:
    """Compare an address that a receipt comes from with those of a text.

    A customer's own handset must not tell of the texts that he pays for.
    """
    if address == text.destination and address:
        return From.RECEIVER
    if not address or (address == text.source and text.payer is None):
        return From.NOBODY
    if address[-TAIL:] == text.destination[-TAIL:]:
        return From.ALIKE
    return From.OTHER if is_phone(address) else From.NOBODY


class Awaited(msgspec.Struct, frozen=True):
    """A part whose receipt is waited for, and the number that it went to."""

    message_id: str
    link: str
    text_id: int
    part: int
    destination: str

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What finds its row."""
        return self.link, self.message_id, self.text_id, self.part


class AwaitedRows(RowSet[str, list[Awaited]]):
    """Which parts of which texts a message id stands for; an SMSC may use an id again, or always the same one."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.gone: list[tuple[str, str, int, int]] = []
        self.fresh: dict[tuple[str, str, int, int], tuple[object, ...]] = {}

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read what waits for receipts with these ids."""
        for row in _AWAITED.run(connection, keys):
            awaited = Awaited(*row)
            self.rows.setdefault(awaited.message_id, []).append(awaited)

    def candidates(self, receipt: Receipt) -> list[Awaited]:
        """Return what a receipt may be of: of many parts under one id those to its numbers, and the newest."""
        found: list[Awaited] = []
        for form in receipt.ids:
            waiting = self.rows.get(form)
            if not waiting:
                continue
            known = [awaited for awaited in waiting if awaited.link == receipt.link]
            if len(known) == 1:  # as nearly always
                found += known
                continue
            known.sort(key=lambda awaited: (awaited.text_id, awaited.part), reverse=True)
            theirs = [awaited for awaited in known if awaited.destination in receipt.numbers]
            found += dict.fromkeys((*theirs, *known[:1]))
        return found

    def keep(self, batch: Batch, link: str, message_id: str, text: Text, part: int) -> None:
        """Wait for the receipt of a part; of too many under one id the oldest are given up."""
        awaited = Awaited(message_id, link, text.id, part, text.destination)
        known = self.rows.setdefault(message_id, [])
        same = sorted((other for other in known if other.link == link), key=lambda other: other.text_id)
        for old in [other for other in same if other.key == awaited.key] + same[: -MOST_OF_ONE_ID + 1]:
            self.forget(old)
        known.append(awaited)
        self.fresh[awaited.key] = (*awaited.key, awaited.destination, batch.now)

    def forget(self, awaited: Awaited) -> None:
        """Stop waiting for a receipt that has come."""
        self.rows[awaited.message_id] = [other for other in self.rows[awaited.message_id] if other != awaited]
        if self.fresh.pop(awaited.key, None) is None:
            self.gone.append(awaited.key)

    def save(self, connection: Connection) -> None:
        """Delete what is no longer waited for, insert what is."""
        _FORGET.run(connection, self.gone)
        _AWAIT.run(connection, list(self.fresh.values()))


_DOUBTFUL = {
    dialect: SelectAmong(
        select(texts.c.destination, texts.c.id)
        .where(texts.c.final == literal_column("0"), text(parts_out))
        .order_by(texts.c.node, texts.c.id),  # as their index has them
        texts.c.destination,
        str,
    )
    for dialect, parts_out in PARTS_OUT.items()
}


class DoubtfulRows(RowSet[str, list[int]]):
    """The texts to each number that a receipt came from which are doubtful, or become so in the same batch: a receipt that
    names an unknown message may tell of them."""

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Find the texts to these numbers whose answers are out, the oldest first."""
        for destination, text_id in _DOUBTFUL[connection.dialect.name].run(connection, keys):
            self.rows.setdefault(destination, []).append(text_id)


class Early(msgspec.Struct, frozen=True):
    """A receipt that came before its submit_sm was answered; `stated` is its message id as the SMSC wrote it."""

    link: str
    stated: str
    destination: str
    step: str
    error: str

    @property
    def reached(self) -> Step:
        """The step that a part comes to by it; RowUnknown where the row has none that this version knows."""
        return member_of(Step, self.step, "early_receipts", self.stated)


class EarlyRows(RowSet[str, list[Early]]):
    """Early receipts by each form that their message id may be kept in."""

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read early receipts with these ids."""
        for message_id, *fields in _EARLY.run(connection, keys):
            self.rows.setdefault(message_id, []).append(Early(*fields))

    def find(self, link: str, message_id: str, text: Text) -> Early | None:
        """Return the receipt of a text that was just accepted: from its receiver, or of its own id and from nobody else."""
        known = [(comes_from(early.destination, text), early) for early in self.rows.get(message_id, ())]
        fitting = [
            (fit, early)
            for fit, early in known
            if early.link == link and (fit is From.RECEIVER or (fit is not From.OTHER and early.stated == message_id))
        ]
        return max(fitting, key=lambda entry: entry[0], default=(From.OTHER, None))[1]

    def forget(self, batch: Batch, early: Early, text: Text) -> None:
        """Delete a receipt that has found its text, in all forms of its id, and as one of its sender's.

        Those that came after it under its id are the next ones of other parts, as long as the text has any that is open.
        """
        rows, numbers = early_receipts, (early.destination, text.destination, text.source)
        same = (rows.c.link == early.link, rows.c.stated == early.stated, rows.c.destination.in_(numbers))
        is_open = any(part.step not in FINAL for part in text.parts)
        held = batch.connection.execute(select(rows).where(*same)).all() if is_open else []
        batch.connection.execute(rows.delete().where(*same))
        for known in self.rows.values():
            known[:] = [
                other
                for other in known
                if (other.link, other.stated) != (early.link, early.stated) or other.destination not in numbers
            ]
        for row in held:
            if row.message_id[0] not in _FURTHER:
                continue
            place = _FURTHER.index(row.message_id[0])
            message_id = "".join(_FURTHER[place - 1 : place]) + row.message_id[1:]
            batch.connection.execute(rows.insert().values(row._asdict() | {"message_id": message_id}))
            following = Early(row.link, row.stated, row.destination, row.state, row.error)
            self.rows.setdefault(message_id, []).append(following)


def keep_early(batch: Batch, receipt: Receipt) -> None:
    """Hold a receipt whose submit_sm is not answered yet, in every form of its ids, for each number that it may be about.

    Of several final ones of a message the first counts, as it does once the answer is there; parts of a text that share an
    id have one each.
    """
    for forms in (receipt.forms, receipt.also):
        for number in receipt.numbers or ("",):
            _keep_early(batch, receipt, forms, number)
    for number, form in zip(receipt.numbers, receipt.references, strict=False):
        _keep_early(batch, receipt, (form,), number)


def _keep_early(batch: Batch, receipt: Receipt, forms: tuple[str, ...], number: str) -> None:
    row_set, rows = batch.row_set(EarlyRows), early_receipts
    for form in forms:
        early = Early(receipt.link, forms[0], number, str(receipt.step), receipt.error[:32])
        values = {"link": early.link, "destination": number, "stated": early.stated, "created_at": batch.now}
        values |= {"state": early.step, "error": early.error}
        for place in (form, *(mark + form for mark in _FURTHER)):
            same = (rows.c.link == early.link, rows.c.message_id == place, rows.c.destination == number)
            of_it = rows.c.stated == early.stated, rows.c.created_at > batch.now - UNANSWERED
            if batch.connection.execute(select(rows.c.stated).where(*same, *of_it)).first() is None:
                break
        else:
            continue
        batch.connection.execute(rows.delete().where(*same))
        batch.connection.execute(rows.insert().values(values | {"message_id": place}))
        if place == form:
            known = row_set.rows.setdefault(form, [])
            known[:] = [other for other in known if (other.link, other.destination) != (early.link, number)]
            known.append(early)
