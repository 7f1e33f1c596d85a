"""What waits in the outbox for the broker: read in order, marked when the broker has it, counted for the status page."""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from gateway.store.batch import Batch, Unit
from gateway.store.nodes import in_shard
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
    """How many rows of a node's shards wait, and when the oldest of them was written (microseconds)."""

    waiting: int = 0
    oldest_at: int | None = None


def read_waiting(
    connection: Connection, shards: Iterable[int], *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES
) -> list[WaitingRow]:
    """Return the oldest waiting rows of the first shard that has any, in the order of their writing.

    One at least, more within both limits. Shards that were adopted come before one's own, and so does what they tell of a
    subject before what this node has told since.
    """
    found = (_read_shard(connection, shard, max_rows, max_bytes) for shard in shards)
    return next((rows for rows in found if rows), [])


def _read_shard(connection: Connection, shard: int, max_rows: int, max_bytes: int) -> list[WaitingRow]:
    columns = (outbox.c.id, func.length(outbox.c.body))
    sizes = select(*columns).where(*_waiting(shard)).order_by(outbox.c.id).limit(max_rows)
    last, total = None, 0
    for number, size in connection.execute(sizes):
        total += size
        if last is not None and total > max_bytes:
            break
        last = number
    if last is None:
        return []
    chosen = select(outbox.c.id, outbox.c.topic, outbox.c.body).where(*_waiting(shard), outbox.c.id <= last)
    return [WaitingRow(number, topic, body) for number, topic, body in connection.execute(chosen.order_by(outbox.c.id))]


def backlog(connection: Connection, shards: Iterable[int]) -> Backlog:
    """Count what waits in a node's shards; it reads an index of nothing but waiting rows."""
    waiting = 0
    oldest: list[int] = []
    for shard in shards:
        waiting += connection.execute(select(func.count(outbox.c.id)).where(*_waiting(shard))).scalar_one()
        first = select(outbox.c.created_at).where(*_waiting(shard)).order_by(outbox.c.id).limit(1)
        oldest += connection.scalars(first)
    return Backlog(waiting, min(oldest, default=None))


_MARK = Update(outbox, ["published_at"], ["id"])


class MarkPublished(Unit):
    """Record that the broker has the rows of these numbers; doing it again only moves the time."""

    rows: list[int]

    def decide(self, batch: Batch) -> int:
        """Mark them and give their number."""
        _MARK.run(batch.connection, [(batch.now, number) for number in self.rows])
        return len(self.rows)


def _waiting(shard: int) -> tuple[ColumnElement[bool], ...]:
    return (outbox.c.published_at.is_(None), *in_shard(outbox.c.id, shard))
