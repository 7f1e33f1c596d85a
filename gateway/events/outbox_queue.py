"""What waits in the outbox for the broker: read in order, marked when the broker has it, counted for the status page."""

from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from gateway.store.batch import Batch, Unit
from gateway.store.nodes import SPAN_BITS
from gateway.store.statements import Update
from gateway.store.tables import outbox

MAX_ROWS: Final = 200
MAX_BYTES: Final = 2_000_000
"""Bodies read at once, together; a single larger one is read alone."""


class WaitingRow(msgspec.Struct, frozen=True):
    """A row of the outbox on its way to the broker."""

    id: int
    topic: str
    body: bytes


class Backlog(msgspec.Struct, frozen=True):
    """How many rows of a node wait, and when the oldest of them was written (microseconds)."""

    waiting: int = 0
    oldest_at: int | None = None


def read_waiting(
    connection: Connection, node: int, *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES
) -> list[WaitingRow]:
    """Give a node's oldest waiting rows in the order of their writing: one at least, more within both limits."""
    columns = (outbox.c.id, func.length(outbox.c.body))
    sizes = select(*columns).where(*_waiting(node)).order_by(outbox.c.id).limit(max_rows)
    last, total = None, 0
    for number, size in connection.execute(sizes):
        total += size
        if last is not None and total > max_bytes:
            break
        last = number
    if last is None:
        return []
    chosen = select(outbox.c.id, outbox.c.topic, outbox.c.body).where(*_waiting(node), outbox.c.id <= last)
    return [WaitingRow(number, topic, body) for number, topic, body in connection.execute(chosen.order_by(outbox.c.id))]


def backlog(connection: Connection, node: int) -> Backlog:
    """Count what waits of a node; it reads an index of nothing but waiting rows."""
    oldest = select(outbox.c.created_at).where(*_waiting(node)).order_by(outbox.c.id).limit(1)
    return Backlog(
        connection.execute(select(func.count(outbox.c.id)).where(*_waiting(node))).scalar_one(),
        connection.execute(oldest).scalar_one_or_none(),
    )


_MARK = Update(outbox, ["published_at"], ["id"])


class MarkPublished(Unit):
    """Record that the broker has the rows of these numbers; doing it again only moves the time."""

    rows: list[int]

    def decide(self, batch: Batch) -> int:
        """Mark them and give their number."""
        _MARK.run(batch.connection, [(batch.now, number) for number in self.rows])
        return len(self.rows)


def _waiting(node: int) -> tuple[ColumnElement[bool], ...]:
    return (outbox.c.published_at.is_(None), outbox.c.id >= node << SPAN_BITS, outbox.c.id < (node + 1) << SPAN_BITS)
