"""Texts whose time is over: what never went out expires, and so does what was accepted and never told of again."""

from collections.abc import Sequence

from sqlalchemy import Connection, literal_column, select

from gateway.messaging.text_units import OnTexts
from gateway.messaging.texts import Step, TextRows, TextState
from gateway.store import tables
from gateway.store.batch import Batch

RECEIPT_GRACE = 3_600_000_000
"""How long after its validity period a receipt is waited for (microseconds)."""
LIMIT = 500


def overdue_texts(connection: Connection, now: int) -> list[int]:
    """Find texts that are not final and whose validity period is over, those first that ended first.

    Of each state by itself: texts whose receipts are still waited for must not keep those from their end that never went out.
    """
    texts, found = tables.texts, list[int]()
    for state, until in (
        (TextState.QUEUED, now),
        (TextState.DOUBTFUL, now),
        (TextState.SUBMITTED, now - RECEIPT_GRACE),
    ):
        overdue = (texts.c.final == literal_column("0"), texts.c.state == state, texts.c.valid_until <= until)
        rows = select(texts.c.id).where(*overdue).order_by(texts.c.valid_until).limit(LIMIT)
        found += connection.execute(rows).scalars()
    return found


class ExpireTexts(OnTexts):
    """Expire the parts of texts that were found overdue, and that nothing further will come of."""

    ids: list[int]

    def text_ids(self, _batch: Batch) -> Sequence[int]:
        """Name the texts."""
        return self.ids

    def decide(self, batch: Batch) -> int:
        """Return how many texts came to their end."""
        ended = 0
        for text_id in self.ids:
            text = batch.row_set(TextRows).get(text_id)
            if text is None or text.body is None or text.valid_until > batch.now:
                continue
            late = text.valid_until + RECEIPT_GRACE <= batch.now
            for part in text.parts:
                if part.step is Step.WAITING or late:
                    part.go(Step.EXPIRED, "validity period over" if part.step is Step.WAITING else "no receipt came")
            self.finish(batch, text)
            ended += text.body is None
        return ended
