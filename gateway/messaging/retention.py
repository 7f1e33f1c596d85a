"""How long what texts leave behind is kept, and the unit that deletes it."""

from typing import ClassVar

from sqlalchemy import delete, select

from gateway.messaging.inbound.senders import HOUR
from gateway.messaging.queue.sms_expiry import LIMIT, RECEIPT_GRACE
from gateway.store import tables
from gateway.store.batch import Batch, Unit


class SweepMessaging(Unit):
    """Delete what texts left behind: early receipts, arrivals, old questions, old texts.

    `retention` is how long final texts are kept, in microseconds.
    """

    alone: ClassVar[bool] = True

    retention: int

    def decide(self, batch: Batch) -> int:
        """Return how many rows were deleted."""
        kept = batch.now - self.retention
        rows = tables.texts
        old = select(rows.c.id).where(rows.c.final == 1, rows.c.updated_at < kept).order_by(rows.c.id).limit(LIMIT)
        steps = (
            delete(tables.early_receipts).where(tables.early_receipts.c.created_at < batch.now - 24 * RECEIPT_GRACE),
            delete(tables.arrivals).where(tables.arrivals.c.at < batch.now - HOUR),
            delete(tables.questions).where(tables.questions.c.expires_at < batch.now),
            delete(tables.awaited_receipts).where(tables.awaited_receipts.c.created_at < kept),
            delete(tables.texts).where(tables.texts.c.id.in_(old)),
        )
        return sum(batch.connection.execute(step).rowcount for step in steps)
