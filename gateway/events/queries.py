"""Reading the outbox: the latest events, for people to look at."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from gateway.events.times import rfc3339
from gateway.store.nodes import SPAN_BITS, in_shard
from gateway.store.tables import nodes, outbox


class OutboxEvent(msgspec.Struct, frozen=True):
    """An event, the number and topic of its outbox row (which may hold many), when it was written and published (RFC 3339)."""

    id: int
    topic: str
    written_at: str
    published_at: str | None
    event: dict[str, object]


def recent(connection: Connection, limit: int, after_id: int | None = None) -> list[OutboxEvent]:
    """Return events in the order in which they were written: the latest `limit`, or those of the rows after `after_id`.

    After a row, whole rows are given until there are `limit` events, and only rows of the node that wrote it; 0 stands
    before every row.
    """
    found = _latest(connection, limit) if after_id is None else _following(connection, limit, after_id)
    return found[-limit:] if after_id is None else found


def _latest(connection: Connection, limit: int) -> list[OutboxEvent]:
    """Read each node's last rows, since identifiers only tell the order within a node."""
    found = []
    for (node,) in connection.execute(select(nodes.c.id)):
        own = in_shard(outbox.c.id, node)
        taken = 0
        for row in connection.execute(select(outbox).where(*own).order_by(outbox.c.id.desc()).limit(limit)):
            events = _events(row)
            found.append((row.created_at, row.id, events))
            taken += len(events)
            if taken >= limit:
                break
    return [event for _, _, events in sorted(found, key=lambda entry: entry[:2]) for event in events]


def _following(connection: Connection, limit: int, after_id: int) -> list[OutboxEvent]:
    wanted = [outbox.c.id > after_id]
    if after_id >> SPAN_BITS:
        wanted.append(outbox.c.id < ((after_id >> SPAN_BITS) + 1) << SPAN_BITS)
    found: list[OutboxEvent] = []
    for row in connection.execute(select(outbox).where(*wanted).order_by(outbox.c.id).limit(limit)):
        found += _events(row)
        if len(found) >= limit:
            break
    return found


def _events(row: Row[Any]) -> list[OutboxEvent]:
    content = msgspec.json.decode(row.body, type=dict[str, object] | list[dict[str, object]])
    published = None if row.published_at is None else rfc3339(row.published_at)
    events = content if isinstance(content, list) else [content]
    return [OutboxEvent(row.id, row.topic, rfc3339(row.created_at), published, event) for event in events]
