"""Texts whose time is over: what never went out expires, and so does what was accepted and never told of again."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import Connection, delete, select

from gateway.messaging.inbound.senders import HOUR
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.queue.mt_status import OnTexts
from gateway.messaging.texts import Step, TextRows
from gateway.store import tables
from gateway.store.batch import Batch

RECEIPT_GRACE = 3_600_000_000
"""How long after its validity period a receipt is waited for (microseconds)."""
LIMIT = 500


def overdue_texts(connection: Connection, now: int) -> list[int]:
    """Find texts that are not final and whose validity period is over, the oldest first."""
    texts = tables.texts
    found = select(texts.c.id).where(texts.c.final == 0, texts.c.valid_until <= now).order_by(texts.c.id).limit(LIMIT)
    return list(connection.execute(found).scalars())


class ExpireTexts(OnTexts):
    """Expire the parts of overdue texts that nothing further will come of."""

    def __init__(self, policy: MessagingPolicy, ids: Sequence[int]) -> None:
        """Take the texts that were found overdue."""
        super().__init__(policy)
        self._ids = ids

    def text_ids(self, _batch: Batch) -> Sequence[int]:
        """Name the texts."""
        return self._ids

    def decide(self, batch: Batch) -> int:
        """Give how many texts came to their end."""
        ended = 0
        for text_id in self._ids:
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


class SweepMessaging:
    """Delete what texts left behind: early receipts and parts that never became whole, arrivals, old questions, old texts."""

    alone: ClassVar[bool] = True
    touches: ClassVar[tuple[type, ...]] = ()

    def __init__(self, policy: MessagingPolicy, retention: int) -> None:
        """Take how long final texts are kept, in microseconds."""
        self._policy, self._retention = policy, retention

    def decide(self, batch: Batch) -> int:
        """Give how many rows were deleted."""
        kept = batch.now - self._retention
        rows = tables.texts
        old = select(rows.c.id).where(rows.c.final == 1, rows.c.updated_at < kept).order_by(rows.c.id).limit(LIMIT)
        steps = (
            delete(tables.early_receipts).where(tables.early_receipts.c.created_at < batch.now - 24 * RECEIPT_GRACE),
            delete(tables.segments).where(tables.segments.c.created_at < batch.now - self._policy.reassembly),
            delete(tables.arrivals).where(tables.arrivals.c.at < batch.now - HOUR),
            delete(tables.questions).where(tables.questions.c.expires_at < batch.now),
            delete(tables.awaited_receipts).where(tables.awaited_receipts.c.created_at < kept),
            delete(tables.texts).where(tables.texts.c.id.in_(old)),
        )
        return sum(batch.connection.execute(step).rowcount for step in steps)
