"""Delivery receipts as a unit: matched with the part that they tell of, held if they come early, ignored if they come twice."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import msgspec

from gateway.messaging.receipts import Awaited, AwaitedRows, DoubtfulRows, From, Receipt, keep_early
from gateway.messaging.text_units import OnTexts
from gateway.messaging.texts import Step, Text, TextRows
from gateway.store.batch import Batch, RowSet


class Recorded(msgspec.Struct, frozen=True):
    """How many receipts moved a part, and the places of those that name no message that is waited for."""

    moved: int
    unknown: list[int] = []


class RecordReceipts(OnTexts):
    """Delivery receipts in the order in which they came: matched by link and message id, held if they come early, ignored if
    they come twice."""

    touches: ClassVar[tuple[type, ...]] = (AwaitedRows, DoubtfulRows, *OnTexts.touches)

    receipts: list[Receipt]

    def text_ids(self, batch: Batch) -> Iterable[int]:
        """Name the texts that the message ids lead to, and doubtful ones that a receipt may tell of."""
        awaited, doubtful = batch.row_set(AwaitedRows), batch.row_set(DoubtfulRows)
        known = {entry.text_id for receipt in self.receipts for entry in awaited.candidates(receipt)}
        return known.union(*(doubtful.rows.get(number, ()) for number in self._numbers_out(batch)))

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the message ids in every form that they may have, then the numbers whose texts may be out."""
        if isinstance(row_set, AwaitedRows):
            return {form for receipt in self.receipts for form in receipt.ids}
        if isinstance(row_set, DoubtfulRows):
            return self._numbers_out(batch)
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> Recorded:
        """Settle what the receipts tell of."""
        moved, unknown = 0, []
        for place, receipt in enumerate(self.receipts):
            found = self._find(batch, receipt)
            if found is not None:
                moved += receipt.step is not None and self._settle(batch, receipt, *found)
            elif receipt.step is not None and self._settle_doubt(batch, receipt):
                moved += 1
            else:
                unknown.append(place)
                self._hold(batch, receipt)
        return Recorded(moved, unknown)

    def _settle(self, batch: Batch, receipt: Receipt, awaited: Awaited, text: Text) -> bool:
        assert receipt.step is not None
        batch.row_set(AwaitedRows).forget(awaited)
        if not text.parts[awaited.part].go(receipt.step, receipt.error):
            return False
        self.finish(batch, text)
        return True

    def _find(self, batch: Batch, receipt: Receipt) -> tuple[Awaited, Text] | None:
        """Find the part: by our reference and the number that the receipt comes from, where its id may mean several."""
        candidates = batch.row_set(AwaitedRows).candidates(receipt)
        texts = batch.row_set(TextRows)
        known = [(awaited, text) for awaited in candidates if (text := texts.get(awaited.text_id)) is not None]

        def fit(entry: tuple[Awaited, Text]) -> tuple[bool, From, bool]:
            awaited, text = entry
            same = receipt.reference == text.part_reference(awaited.part)
            return same, receipt.comes_from(text), receipt.is_exact(awaited.message_id)

        if not known:
            return None
        best = max(known, key=fit)  # the first of equal ones: the likeliest form, the newest text
        same, comes_from, exact = fit(best)
        if comes_from is From.RECEIVER:
            return best
        if not same and self._is_early(batch, receipt):
            return None
        if exact and comes_from is not From.OTHER:
            return best
        contradicts = receipt.by_text or (receipt.reference is not None and not same)
        return best if exact and len(candidates) == 1 and not contradicts else None

    def _hold(self, batch: Batch, receipt: Receipt) -> None:
        """Keep a receipt for the answer to its text; a plain text that tells of somebody else's is no early one."""
        known = batch.row_set(AwaitedRows).candidates(receipt)
        if receipt.step is not None and not (known and receipt.by_text):
            keep_early(batch, receipt)

    def _texts_out(self, batch: Batch, receipt: Receipt) -> Iterator[Text]:
        """Return the texts to its numbers that have parts whose answers have not come, or were lost."""
        doubtful, texts = batch.row_set(DoubtfulRows), batch.row_set(TextRows)
        ids = (text_id for number in receipt.numbers for text_id in doubtful.rows.get(number, ()))
        return (text for text_id in ids if (text := texts.get(text_id)) is not None)

    def _is_early(self, batch: Batch, receipt: Receipt) -> bool:
        """Whether a text to its number is out whose answer has not come: an SMSC may give that one the id of another."""
        return any(part.step is Step.SENT for text in self._texts_out(batch, receipt) for part in text.parts)

    def _numbers_out(self, batch: Batch) -> set[str]:
        """Name the numbers that receipts came from whose id means nothing yet, or a text to somebody else."""
        awaited = batch.row_set(AwaitedRows)
        return {
            number
            for receipt in self.receipts
            if not any(known.destination in receipt.numbers for known in awaited.candidates(receipt))
            for number in receipt.numbers
        }

    def _settle_doubt(self, batch: Batch, receipt: Receipt) -> bool:
        """A receipt that echoes our user_message_reference settles a part whose answer was lost (doubtful: wait)."""
        assert receipt.step is not None
        if receipt.reference is None:
            return False
        for text in self._texts_out(batch, receipt):
            for number, part in enumerate(text.parts):
                same = text.part_reference(number) == receipt.reference
                if same and part.step is Step.DOUBTFUL and part.go(receipt.step, receipt.error):
                    self.finish(batch, text)
                    return True
        return False
