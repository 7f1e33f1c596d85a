"""Leases: which gateway works on which rows of a store that several share, and how one takes over another's.

A row's *shard* is the number of the node that made it. Each node owns its own shard, and those that it adopted. On a server,
the first statement of each transaction of the lane renews the node's lease, and finds no row once another gateway has raised
its epoch: then it is *fenced*, and commits nothing any more. Since that statement keeps the row locked until the commit, an
adopter waits for what is being committed, and nothing is committed after it.

Times are microseconds of the server's clock, so that no gateway's own clock decides who is alive. An SQLite file has one
writer, by its lock: there the lease holds for ever, and costs no statement.
"""

from typing import Final

import msgspec
from sqlalchemy import Connection, literal_column, select, update
from sqlalchemy.sql.elements import ColumnElement

from gateway.store.errors import StoreFenced
from gateway.store.nodes import SERVER_CLOCK, Node
from gateway.store.tables import nodes

MICROSECONDS: Final = 1_000_000
SAFE_SHARE: Final = 0.8
"""Of a lease: what is sent later than this after its last renewal might meet what an adopter sends."""
_RENEW: Final = (
    "UPDATE nodes SET renewed_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint "
    "WHERE id = %s AND epoch = %s AND owner = id"
)


class Lapsed(msgspec.Struct, frozen=True):
    """A node whose lease is over and that nobody has adopted: its number, name and epoch, and for how many seconds."""

    node: int
    name: str
    epoch: int
    since: float


class NodeRow(msgspec.Struct, frozen=True):
    """A node as the store has it. `owner` is the name of the node that works on its rows; times are microseconds."""

    node: int
    name: str
    epoch: int
    owner: int
    owner_name: str
    renewed_at: int
    lease: int
    age: int
    """Since its last renewal."""

    @property
    def live(self) -> bool:
        """Whether it owns itself and its lease holds."""
        return self.owner == self.node and (not self.lease or self.age <= self.lease)


class Lease:
    """How long this process may still act on what it owns, by its own clock that never goes back."""

    def __init__(self, seconds: float) -> None:
        """Take how long it holds from each renewal on; 0: for ever."""
        self._safe = seconds * SAFE_SHARE if seconds else float("inf")
        self._renewed = float("-inf") if seconds else 0.0
        self.fenced = False
        """Another gateway has taken over, or another process of this name has started: nothing is committed any more."""

    def renewed(self, at: float) -> None:
        """A transaction that was committed had renewed it, at `at` (seconds) or later."""
        self._renewed = max(self._renewed, at)

    def holds(self, now: float) -> bool:
        """Whether nobody else can have taken over: to be asked before anything goes out that must not go out twice."""
        return not self.fenced and now - self._renewed < self._safe


def begin(connection: Connection, node: Node) -> None:
    """Renew a node's lease, as the first statement of a transaction on a server; StoreFenced if it is another's.

    Nothing is committed by a transaction that this was raised in.
    """
    if connection.dialect.name == "sqlite":
        return
    if connection.exec_driver_sql(_RENEW, (node.id, node.epoch)).rowcount != 1:
        raise StoreFenced(
            f"node {node.name} (number {node.id}, epoch {node.epoch}) was adopted by another gateway, or started again"
        )


def clock(connection: Connection, now: int) -> ColumnElement[int]:
    """Give the store's clock as an expression: the server's, or `now` where there is none."""
    return SERVER_CLOCK if connection.dialect.name == "postgresql" else literal_column(str(int(now)))


def lapsed(connection: Connection, but: int) -> list[Lapsed]:
    """Find nodes, but for one, whose lease is over and that nobody has adopted."""
    if connection.dialect.name == "sqlite":
        return []
    age = (SERVER_CLOCK - nodes.c.renewed_at).label("age")
    found = select(nodes.c.id, nodes.c.name, nodes.c.epoch, age).where(*_ownerless(but)).order_by(nodes.c.id)
    return [Lapsed(row.id, row.name, row.epoch, row.age / MICROSECONDS) for row in connection.execute(found)]


def _ownerless(but: int) -> tuple[ColumnElement[bool], ...]:
    over = SERVER_CLOCK - nodes.c.renewed_at > nodes.c.lease
    return (nodes.c.owner == nodes.c.id, nodes.c.id != but, nodes.c.lease > 0, over)


def adopt(connection: Connection, node: int, epoch: int, adopter: int, *, force: bool = False) -> tuple[int, ...]:
    """Take a node's shards over, if it is still at this epoch and its lease is over, or by `force`.

    Gives the shards that came with it, none where another gateway was quicker or the node is alive.
    """
    mine = (nodes.c.id == node, nodes.c.epoch == epoch, nodes.c.owner == node, nodes.c.id != adopter)
    over = () if force or connection.dialect.name == "sqlite" else _ownerless(adopter)
    taken = update(nodes).where(*mine, *over).values(epoch=nodes.c.epoch + 1, owner=adopter)
    if connection.execute(taken).rowcount != 1:
        return ()
    before = connection.scalars(select(nodes.c.id).where(nodes.c.owner == node).order_by(nodes.c.id)).all()
    connection.execute(update(nodes).where(nodes.c.owner == node).values(owner=adopter))
    return (*before, node)


def retire(connection: Connection, name: str) -> int:
    """Say of the nodes of a name that were adopted that they will not come back; gives how many there were."""
    gone = (nodes.c.name == name, nodes.c.owner != nodes.c.id, nodes.c.retired == 0)
    return connection.execute(update(nodes).where(*gone).values(retired=1)).rowcount


def end_backends(connection: Connection, node: int) -> int:
    """End what the server runs for a node, so that no transaction of it holds a row; gives how many there were.

    A server's error is raised where the role may not do so (it may with those of its own).
    """
    if connection.dialect.name == "sqlite":
        return 0
    activity = (
        "pg_stat_activity WHERE application_name LIKE %s AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    ended = connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM {activity}", (f"tpo/{node}/%",))  # noqa: S608 - as above
    return len(ended.all())


def all_nodes(connection: Connection, now: int) -> list[NodeRow]:
    """Give every node that was not retired, by number."""
    owners = nodes.alias("owners")
    age = (clock(connection, now) - nodes.c.renewed_at).label("age")
    columns = (nodes.c.id, nodes.c.name, nodes.c.epoch, nodes.c.owner, owners.c.name.label("owner_name"))
    rest = (nodes.c.renewed_at, nodes.c.lease, age)
    joined = nodes.join(owners, owners.c.id == nodes.c.owner)
    found = select(*columns, *rest).select_from(joined).where(nodes.c.retired == 0).order_by(nodes.c.id)
    return [NodeRow(*row) for row in connection.execute(found)]
