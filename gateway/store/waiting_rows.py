"""What waits in a node's shards to be worked on: open texts, open orders, events for the broker."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from gateway.store.nodes import in_shard
from gateway.store.tables import orders, outbox, texts


class WaitingRows(msgspec.Struct, frozen=True):
    """How many rows wait."""

    texts: int = 0
    orders: int = 0
    events: int = 0


def is_waited_for(connection: Connection, shards: Iterable[int], *, events: bool) -> bool:
    """Whether anything waits in these shards; events count where there is a broker for them (`events`)."""
    wanted: list[tuple[ColumnElement[bool], ...]] = []
    for shard in shards:
        wanted.append((texts.c.final == 0, *in_shard(texts.c.id, shard)))
        wanted.append((orders.c.open == 1, orders.c.node == shard))
        if events:
            wanted.append((outbox.c.published_at.is_(None), *in_shard(outbox.c.id, shard)))
    return any(connection.execute(select(1).where(*each).limit(1)).one_or_none() for each in wanted)


def count_waiting(connection: Connection, shards: Sequence[int]) -> WaitingRows:
    """Count what waits in these shards."""
    return WaitingRows(
        sum(_count(connection, texts.c.final == 0, *in_shard(texts.c.id, shard)) for shard in shards),
        sum(_count(connection, orders.c.open == 1, orders.c.node == shard) for shard in shards),
        sum(_count(connection, outbox.c.published_at.is_(None), *in_shard(outbox.c.id, shard)) for shard in shards),
    )


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).where(*conditions)).scalar_one()
