"""Delivery receipts as a unit: matched with the part that they tell of, held if they come early, ignored if they come twice."""

from collections.abc import Iterable
from typing import Any, ClassVar

from gateway.messaging.receipts import AwaitedRows, DoubtfulRows, Receipt, keep_early
from gateway.messaging.text_units import OnTexts
from gateway.messaging.texts import Step, TextRows
from gateway.store.batch import Batch, RowSet


class RecordReceipts(OnTexts):
    """Delivery receipts in the order in which they came: matched by link and message id, held if they come early, ignored if
    they come twice."""

    touches: ClassVar[tuple[type, ...]] = (AwaitedRows, DoubtfulRows, *OnTexts.touches)

    receipts: list[Receipt]

    def text_ids(self, batch: Batch) -> Iterable[int]:
        """Name the texts that the message ids lead to, and doubtful ones that a receipt may tell of."""
        awaited, doubtful = batch.row_set(AwaitedRows), batch.row_set(DoubtfulRows)
        known = {entry[1] for receipt in self.receipts for entry in awaited.candidates(receipt.link, receipt.forms)}
        return known.union(*(doubtful.rows.get(number, ()) for number in self._unknown(batch)))

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the message ids in every form that they may have, then whose receipts name an unknown one."""
        if isinstance(row_set, AwaitedRows):
            return {form for receipt in self.receipts for form in receipt.forms}
        if isinstance(row_set, DoubtfulRows):
            return self._unknown(batch)
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> int:
        """Give how many receipts moved a part."""
        return sum(self._record(batch, receipt) for receipt in self.receipts if receipt.step is not None)

    def _record(self, batch: Batch, receipt: Receipt) -> bool:
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

    def _unknown(self, batch: Batch) -> set[str]:
        """Name the numbers that receipts of unknown messages came from, which echo a reference of ours."""
        awaited = batch.row_set(AwaitedRows)
        return {
            receipt.destination
            for receipt in self.receipts
            if receipt.reference is not None and not awaited.candidates(receipt.link, receipt.forms)
        }

    def _settle_doubt(self, batch: Batch, receipt: Receipt) -> bool:
        """A receipt that echoes our user_message_reference settles a part whose answer was lost (doubtful: wait)."""
        assert receipt.step is not None
        if receipt.reference is None:
            return False
        for text_id in batch.row_set(DoubtfulRows).rows.get(receipt.destination, ()):
            text = batch.row_set(TextRows).get(text_id)
            for number, part in enumerate(text.parts if text is not None else ()):
                same = text is not None and (text.reference_number + number) & 0xFFFF == receipt.reference
                if text is not None and same and part.step is Step.DOUBTFUL and part.go(receipt.step, receipt.error):
                    self.finish(batch, text)
                    return True
        return False
