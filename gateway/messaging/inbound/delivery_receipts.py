"""Delivery receipts as a unit: matched with the part that they tell of, held if they come early, ignored if they come twice."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from sqlalchemy import select

from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.receipts import AwaitedRows, Receipt, keep_early
from gateway.messaging.text_units import OnTexts
from gateway.messaging.texts import Step, TextRows, TextState
from gateway.store import tables
from gateway.store.batch import Batch, RowSet


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
