"""What waits in a node's shards to be worked on: open texts, open orders, events for the broker, wallets that are due."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from gateway.store.nodes import in_shard, store_clock
from gateway.store.tables import orders, outbox, texts, wallets


class WaitingRows(msgspec.Struct, frozen=True):
    """How many rows wait."""

    texts: int = 0
    orders: int = 0
    events: int = 0


def kinds_waiting(connection: Connection, shards: Iterable[int]) -> frozenset[str]:
    """Name the kinds of rows that wait in these shards, as the fields of WaitingRows are named, and `wallets` that are due."""
    wanted: list[tuple[str, tuple[ColumnElement[bool], ...]]] = []
    for shard in shards:
        wanted.append(("texts", (texts.c.final == 0, texts.c.node == shard)))
        wanted.append(("orders", (orders.c.open == 1, orders.c.node == shard)))
        due = wallets.c.due_at <= store_clock(
            connection, 0
        )  # nobody takes over where the store has no clock of its own
        wanted.append(("wallets", (due, *in_shard(wallets.c.subscriber_id, shard))))
        wanted.append(("events", (outbox.c.published_at.is_(None), *in_shard(outbox.c.id, shard))))
    first = ((kind, select(1).where(*conditions).limit(1)) for kind, conditions in wanted)
    return frozenset(kind for kind, found in first if connection.execute(found).one_or_none())


def count_waiting(connection: Connection, shards: Sequence[int]) -> WaitingRows:
    """Count what waits in these shards."""
    return WaitingRows(
        sum(_count(connection, texts.c.final == 0, texts.c.node == shard) for shard in shards),
        sum(_count(connection, orders.c.open == 1, orders.c.node == shard) for shard in shards),
        sum(_count(connection, outbox.c.published_at.is_(None), *in_shard(outbox.c.id, shard)) for shard in shards),
    )


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).where(*conditions)).scalar_one()
