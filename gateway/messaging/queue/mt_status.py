"""Texts on their way to the SMSC: taken for sending before they go out, then what the SMSC said of each part."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.ledger.wallets import WalletRows
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.text_charges import settle
from gateway.messaging.texts import Step, Text, TextRows, TextState
from gateway.store import tables
from gateway.store.batch import Batch, RowSet
from gateway.store.statements import Delete, Insert, SelectAmong
from gateway.store.tables import awaited_receipts, early_receipts, opt_outs
from gateway.subscribers.create import ACTIVE
from gateway.subscribers.profiles import ProfileRows

TAIL = 7
"""Digits that two forms of one number have in common at their end."""
INACTIVE = "the sender's line is not active"


class Dispatch(msgspec.Struct, frozen=True):
    """A part of a text and the link that is to carry it."""

    text_id: int
    part: int
    link: str


class SubmitOutcome(msgspec.Struct, frozen=True):
    """What became of a part at the SMSC: `step` is accepted, waiting (try again), failed or doubtful.

    `message_id` is the SMSC's in the form in which it is kept (protocols.smpp.receipts.stored_id), `stated` as the SMSC
    wrote it, where that is another: query_sm has to name it so.
    """

    text_id: int
    part: int
    link: str
    step: Step
    message_id: str = ""
    error: str = ""
    stated: str = ""


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


class OptOutRows(RowSet[str, set[str]]):
    """Who opted out of what, by phone number."""

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read the short codes that these numbers said STOP to."""
        for msisdn, short_code in _OPT_OUTS.run(connection, keys):
            self.rows.setdefault(msisdn, set()).add(short_code)

    def out(self, msisdn: str, short_code: str) -> bool:
        """Tell whether a number wants nothing from a short code."""
        return short_code in self.rows.get(msisdn, ())


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


_AWAIT = Insert(awaited_receipts)
_FORGET = Delete(awaited_receipts, ["link", "message_id"])
_OPT_OUTS = SelectAmong(select(opt_outs.c.msisdn, opt_outs.c.short_code), opt_outs.c.msisdn, str)
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


class OnTexts:
    """A unit about texts: it needs them, and the wallets of those who pay."""

    alone: ClassVar[bool] = False
    touches: ClassVar[tuple[type, ...]] = (TextRows, WalletRows, ProfileRows)

    def __init__(self, policy: MessagingPolicy) -> None:
        self._policy = policy

    def text_ids(self, batch: Batch) -> Iterable[int]:
        """Name the texts."""
        raise NotImplementedError

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the texts, then their payers."""
        if isinstance(row_set, TextRows):
            return self.text_ids(batch)
        if isinstance(row_set, (WalletRows, ProfileRows)):
            texts = (batch.row_set(TextRows).get(text_id) for text_id in self.text_ids(batch))
            return [text.payer for text in texts if text is not None and text.payer is not None]
        return ()

    def finish(self, batch: Batch, text: Text) -> None:
        """Work out the state; a text that has just become final is paid for or given back, and told of."""
        if text.settle(batch.now):
            settle(batch, text, self._policy.charging)
            self._policy.publish_final(batch, text)


class TakeForSending(OnTexts):
    """Write down that parts are about to go out; only those named in the answer may."""

    touches: ClassVar[tuple[type, ...]] = (OptOutRows, *OnTexts.touches)

    def __init__(self, policy: MessagingPolicy, dispatches: Sequence[Dispatch]) -> None:
        """Take the parts and their links."""
        super().__init__(policy)
        self._legs = dispatches

    def text_ids(self, _batch: Batch) -> Iterable[int]:
        """Name the texts."""
        return {dispatch.text_id for dispatch in self._legs}

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the receivers too: who opted out since gets nothing."""
        if isinstance(row_set, OptOutRows):
            texts = (batch.row_set(TextRows).get(dispatch.text_id) for dispatch in self._legs)
            return {text.destination for text in texts if text is not None}
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> list[Dispatch]:
        """Give the parts that may go out now."""
        taken = []
        for dispatch in self._legs:
            text = batch.row_set(TextRows).get(dispatch.text_id)
            if text is None:
                continue
            part = text.parts[dispatch.part]
            if text.valid_until <= batch.now:
                part.go(Step.EXPIRED, "validity period over")
            elif not text.always and batch.row_set(OptOutRows).out(text.destination, text.source):
                part.go(Step.CANCELLED, "the receiver opted out")
            elif _is_barred(batch, text):
                part.go(Step.CANCELLED, INACTIVE)
            elif part.go(Step.SENT):
                text.link = dispatch.link
                part.attempts += 1
                taken.append(dispatch)
            self.finish(batch, text)
        return taken


def _is_barred(batch: Batch, text: Text) -> bool:
    """Whether the line that pays for a text was suspended, or ended, since it was accepted."""
    wallet = batch.row_set(WalletRows).get(text.payer) if text.payer is not None else None
    return wallet is not None and wallet.status != ACTIVE


class NoteAnswers(OnTexts):
    """What the SMSC answered to parts that went out, or that it never did."""

    touches: ClassVar[tuple[type, ...]] = (EarlyRows, *OnTexts.touches)

    def __init__(self, policy: MessagingPolicy, answers: Sequence[SubmitOutcome]) -> None:
        """Take the answers in the order in which they came."""
        super().__init__(policy)
        self._answers = answers

    def text_ids(self, _batch: Batch) -> Iterable[int]:
        """Name the texts."""
        return {answer.text_id for answer in self._answers}

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the new message ids too: their receipts may be there already."""
        if isinstance(row_set, EarlyRows):
            return {answer.message_id for answer in self._answers if answer.message_id}
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> None:
        """Move the parts; wait for receipts where they were asked for."""
        for answer in self._answers:
            text = batch.row_set(TextRows).get(answer.text_id)
            if text is None:
                continue
            part = text.parts[answer.part]
            was = part.step
            if part.go(answer.step, answer.error):
                if was is Step.SENT and answer.step is Step.WAITING:
                    part.attempts = max(0, part.attempts - 1)  # the SMSC answered, or it never went out
                part.maybe_double = part.maybe_double or answer.step is Step.DOUBTFUL
                if answer.step is Step.ACCEPTED:
                    part.message_id, part.stated = answer.message_id, answer.stated
                    self._await(batch, text, answer)
            self.finish(batch, text)

    def _await(self, batch: Batch, text: Text, answer: SubmitOutcome) -> None:
        part = text.parts[answer.part]
        if not text.registered_delivery:
            part.go(Step.DELIVERED)
            return
        if not answer.message_id:
            return  # no receipt could name it
        early = batch.row_set(EarlyRows).find(answer.link, answer.message_id, text.destination)
        if early is not None:
            part.go(Step(early.step), early.error)
            batch.row_set(EarlyRows).forget(batch, early)
            return
        batch.row_set(AwaitedRows).keep(batch, answer.link, answer.message_id, (text.id, answer.part))


class NoteReceipts(OnTexts):
    """Delivery receipts: matched by link and message id, held if they come early, ignored if they come twice."""

    touches: ClassVar[tuple[type, ...]] = (AwaitedRows, *OnTexts.touches)

    def __init__(self, policy: MessagingPolicy, receipts: Sequence[Receipt]) -> None:
        """Take the receipts in the order in which they came."""
        super().__init__(policy)
        self._receipts = receipts
        self._doubtful: dict[tuple[str, str], list[int]] = {}

    def text_ids(self, batch: Batch) -> Iterable[int]:
        """Name the texts that the message ids lead to, and doubtful ones that a receipt may tell of."""
        awaited = batch.row_set(AwaitedRows)
        known = {entry[1] for receipt in self._receipts for entry in awaited.candidates(receipt.link, receipt.forms)}
        return known.union(*self._doubtful.values())

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the message ids in every form that they may have."""
        if isinstance(row_set, AwaitedRows):
            return {form for receipt in self._receipts for form in receipt.forms}
        if isinstance(row_set, TextRows):
            self._doubtful = self._look_for_doubt(batch)
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> int:
        """Give how many receipts moved a part."""
        return sum(self._note(batch, receipt) for receipt in self._receipts if receipt.step is not None)

    def _note(self, batch: Batch, receipt: Receipt) -> bool:
        assert receipt.step is not None
        candidates = batch.row_set(AwaitedRows).candidates(receipt.link, receipt.forms)
        for message_id, text_id, number in candidates:
            text = batch.row_set(TextRows).get(text_id)
            sure = len(candidates) == 1 and message_id == receipt.forms[0]
            if text is None or not (sure or text.destination == receipt.destination):
                continue  # in another base the id may be some other text's
            if not receipt.may_tell_of(text):
                continue
            batch.row_set(AwaitedRows).forget(receipt.link, message_id)
            if not text.parts[number].go(receipt.step, receipt.error):
                return False
            self.finish(batch, text)
            return True
        if candidates and receipt.by_text:
            return False  # of a text to somebody else: it is no early one
        return self._settle_doubt(batch, receipt) or keep_early(batch, receipt)

    def _look_for_doubt(self, batch: Batch) -> dict[tuple[str, str], list[int]]:
        """Find doubtful texts that receipts of unknown messages may tell of, by link and destination."""
        awaited, texts = batch.row_set(AwaitedRows), tables.texts
        unknown = {
            (receipt.link, receipt.destination)
            for receipt in self._receipts
            if receipt.reference is not None and not awaited.candidates(receipt.link, receipt.forms)
        }
        found = {}
        for link, destination in unknown:
            open_ones = select(texts.c.id).where(texts.c.final == 0, texts.c.state == TextState.DOUBTFUL)
            same = open_ones.where(texts.c.destination == destination)
            found[link, destination] = list(batch.connection.execute(same).scalars())
        return found

    def _settle_doubt(self, batch: Batch, receipt: Receipt) -> bool:
        """A receipt that echoes our user_message_reference settles a part whose answer was lost (doubtful: wait)."""
        assert receipt.step is not None
        for text_id in self._doubtful.get((receipt.link, receipt.destination), ()):
            text = batch.row_set(TextRows).get(text_id)
            for number, part in enumerate(text.parts if text is not None else ()):
                same = text is not None and (text.reference_number + number) & 0xFFFF == receipt.reference
                if text is not None and same and part.step is Step.DOUBTFUL and part.go(receipt.step, receipt.error):
                    self.finish(batch, text)
                    return True
        return False


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


def open_texts(connection: Connection, node: int, after: int, limit: int) -> Sequence[tuple[Any, ...]]:
    """Read texts of a node that are not final, in their order, for a start after a stop of any kind."""
    texts = tables.texts
    return connection.execute(
        select(texts)
        .where(texts.c.final == 0, texts.c.node == node, texts.c.id > after)
        .order_by(texts.c.id)
        .limit(limit)
    ).all()
