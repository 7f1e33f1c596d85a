"""The history of a subscriber: changes of its plan, its number and its terms, by whom and why."""

from sqlalchemy import Connection, select

from gateway.events.times import rfc3339
from gateway.store.batch import Batch
from gateway.store.tables import subscriber_history
from gateway.subscribers.views import SubscriberChange

NUMBER, PLAN, RENEWAL, CREDIT_LIMIT, FAMILY, REFUND = "number", "plan", "renewal", "limit", "family", "refund"
ERASED = "erased"
"""What may change."""
TAX_AREA, PRICES = "tax area", "prices"
"""Where the line is taxed; which version of its plan it has."""
LANGUAGE, BILLS = "language", "bills"
"""In which language its customer is written to; whether its bills are itemised."""


def record(
    batch: Batch,
    subscriber_id: int,
    change: str,
    values: tuple[str, str],
    actor: str,
    reason: str,
    order_id: int | None = None,
) -> None:
    """Write a change down, with the batch that makes it; `values` are those before and after it."""
    batch.add(subscriber_history, (batch.take_id(), subscriber_id, batch.now, change, *values, actor, reason, order_id))


def read(connection: Connection, subscriber_id: int) -> list[SubscriberChange]:
    """Return every change of a subscriber, the first one first."""
    rows = select(subscriber_history).where(subscriber_history.c.subscriber_id == subscriber_id)
    return [
        SubscriberChange(
            rfc3339(row.at),
            row.change,
            row.before,
            row.after,
            row.actor,
            row.reason,
            None if row.order_id is None else str(row.order_id),
        )
        for row in connection.execute(rows.order_by(subscriber_history.c.at, subscriber_history.c.id))
    ]
