"""Requests of one gateway to another by way of the store that they share: a row a request, with its answer in the same row.

Who asks puts a row in by its lane, and the node that it is for finds it: at once, by a notification (store.notifications), or
at its next look. It answers by its own lane, and who asked deletes the row. All times are those of one clock, the server's,
so that no gateway's own clock decides what is too late. What a row says is sealed by its writer; this module sees octets.
"""

from typing import ClassVar, Final

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from gateway.store.batch import Batch, Unit
from gateway.store.nodes import store_clock
from gateway.store.notifications import channel_of, listening_nodes
from gateway.store.tables import node_requests, nodes

MOST: Final = 64
"""Requests, and answers, that one look finds."""
MAX_REQUEST: Final = 64 * 1024
MAX_ANSWER: Final = 1024 * 1024
"""Octets, sealed."""
KEPT: Final = 60_000_000
"""Microseconds after a request's time for which its row is kept if nobody deletes it: whoever asked is gone."""


class KnownNode(msgspec.Struct, frozen=True):
    """A gateway on this store; `runs` is whether a process listens for it now (gateway.store.notifications)."""

    id: int
    name: str
    runs: bool


class Asked(msgspec.Struct, frozen=True):
    """A request that waits for this node's answer; `left` is how many microseconds whoever asked still waits."""

    id: int
    from_node: int
    body: bytes
    left: int


class Answered(msgspec.Struct, frozen=True):
    """An answer to a request of this node."""

    id: int
    to_node: int
    body: bytes


class Inbox(msgspec.Struct, frozen=True):
    """What one look finds for a node, the oldest first."""

    asked: list[Asked]
    answered: list[Answered]


class AskNode(Unit):
    """Ask another node; `within` is how many microseconds its answer is waited for."""

    alone: ClassVar[bool] = True

    id: int
    to_node: int
    within: int
    body: bytes

    def decide(self, batch: Batch) -> None:
        """Put the request down, and wake the node that it is for."""
        now = store_clock(batch.connection, batch.now)
        row = {"id": self.id, "from_node": batch.node.id, "to_node": self.to_node, "request": self.body}
        batch.connection.execute(insert(node_requests).values(**row, created_at=now, not_after=now + self.within))
        _wake(batch.connection, self.to_node)


class AnswerNode(Unit):
    """Answer a request that another node put down."""

    alone: ClassVar[bool] = True

    id: int
    from_node: int
    body: bytes

    def decide(self, batch: Batch) -> bool:
        """Put the answer beside the request, and wake who asked; False where nobody waits for it any more."""
        waiting = and_(
            node_requests.c.id == self.id,
            node_requests.c.from_node == self.from_node,
            node_requests.c.to_node == batch.node.id,
            node_requests.c.answered_at.is_(None),
        )
        answered = {"answer": self.body, "answered_at": store_clock(batch.connection, batch.now)}
        if batch.connection.execute(update(node_requests).where(waiting).values(answered)).rowcount != 1:
            return False
        _wake(batch.connection, self.from_node)
        return True


class CloseRequests(Unit):
    """Delete requests of this node whose answers were read, or are not waited for any more."""

    alone: ClassVar[bool] = True

    ids: list[int]

    def decide(self, batch: Batch) -> None:
        """Delete them."""
        own = (node_requests.c.id.in_(self.ids), node_requests.c.from_node == batch.node.id)
        batch.connection.execute(delete(node_requests).where(*own))


def look(connection: Connection, node: int, now: int) -> Inbox:
    """Find what waits for a node: requests for it that are in time, and answers to its own. `now` where there is no server."""
    table, moment = node_requests, store_clock(connection, now)
    left = (table.c.not_after - moment).label("left")
    mine = (table.c.to_node == node, table.c.answered_at.is_(None), table.c.not_after > moment)
    asked = select(table.c.id, table.c.from_node, table.c.request, left).where(*mine)
    answered = select(table.c.id, table.c.to_node, table.c.answer).where(
        table.c.from_node == node, table.c.answered_at.is_not(None)
    )
    in_order = (table.c.created_at, table.c.id)
    return Inbox(
        [Asked(*row) for row in connection.execute(asked.order_by(*in_order).limit(MOST))],
        [Answered(*row) for row in connection.execute(answered.order_by(*in_order).limit(MOST))],
    )


def known_nodes(connection: Connection) -> list[KnownNode]:
    """Give every gateway that ever entered this store and was not retired, the latest number of each name, by number."""
    latest = select(func.max(nodes.c.id).label("id"), nodes.c.name).where(nodes.c.retired == 0).group_by(nodes.c.name)
    found = sorted(connection.execute(latest).all(), key=lambda row: int(row.id))
    listening = listening_nodes(connection)
    return [KnownNode(row.id, row.name, row.id in listening) for row in found]


def sweep_requests(connection: Connection, now: int, limit: int) -> int:
    """Delete requests that whoever asked left behind; an SQLite file has one gateway, and none."""
    if connection.dialect.name == "sqlite":
        return 0
    over = node_requests.c.not_after < store_clock(connection, now) - KEPT
    due = select(node_requests.c.id).where(over).limit(limit).with_for_update(skip_locked=True)
    return connection.execute(delete(node_requests).where(node_requests.c.id.in_(due))).rowcount


def _wake(connection: Connection, node: int) -> None:
    """Tell a node, once this is committed, that something waits for it."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_notify(%s, '')", (channel_of(node),))
