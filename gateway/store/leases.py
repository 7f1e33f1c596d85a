"""Leases: which gateway works on which rows of a store that several share, and how one takes over another's.

A row's *shard* is the number of the node that made it. Each node owns its own shard, and those that it adopted. On a server,
the first statement of each transaction of the lane renews the node's lease, and finds no row once another gateway has raised
its epoch: then it is *fenced*, and commits nothing any more. Since that statement keeps the row locked until the commit, and an
adopter takes no row that is locked, nothing is committed after an adoption (decision 030).

`renewed_at` is the server's clock in microseconds, for people to read; who is alive is decided by whether it changes. An SQLite
file has one writer, by its lock: there the lease holds for ever, and costs no statement.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection, select, update

from gateway.store.errors import StoreFenced
from gateway.store.nodes import Node, owned, store_clock
from gateway.store.statements import Asked, execute
from gateway.store.tables import nodes

MICROSECONDS: Final = 1_000_000
SAFE_SHARE: Final = 0.8
"""Of a lease: what is sent later than this after its last renewal might meet what an adopter sends."""
RENEW_SHARE: Final = 0.2
"""Of a lease: after so long without a transaction it is renewed for its own sake."""
_RENEW: Final = (
    "UPDATE nodes SET renewed_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint "
    "WHERE id = %s AND epoch = %s AND owner = id RETURNING id"
)


class Other(msgspec.Struct, frozen=True):
    """Another node that nobody has adopted: its number, name and epoch, its last renewal, how long its lease holds (us)."""

    node: int
    name: str
    epoch: int
    renewed_at: int
    lease: int


class NodeRow(msgspec.Struct, frozen=True):
    """A node as the store has it. `owner` is the number of the node that works on its rows; times are microseconds."""

    node: int
    name: str
    epoch: int
    owner: int
    owner_name: str
    renewed_at: int
    lease: int
    retired: bool
    age: int
    """Since its last renewal."""

    @property
    def live(self) -> bool:
        """Whether it owns itself and its lease holds, by the store's clock; one of before leases is not."""
        return self.owner == self.node and self.renewed_at > 0 and (not self.lease or self.age <= self.lease)


class Lease:
    """How long this process may still act on what it owns, by its own clock that never goes back; times in seconds."""

    def __init__(self, seconds: float) -> None:
        """Take how long it holds from each renewal on; 0: for ever."""
        self.seconds = seconds
        self._safe = seconds * SAFE_SHARE if seconds else float("inf")
        self._renewed = float("-inf") if seconds else 0.0
        self._steady_since = 0.0
        self.fenced = False
        """Another gateway has taken over, or another process of this name has started: nothing is committed any more."""

    @property
    def renewed_at(self) -> float | None:
        """When the latest committed transaction had asked for it; None before the first."""
        return self._renewed if self._renewed > float("-inf") else None

    def renewed(self, at: float) -> None:
        """A transaction that was committed had renewed it, at `at` or later."""
        if at - self._renewed >= self._safe:
            self._steady_since = at
        self._renewed = max(self._renewed, at)

    def holds(self, now: float) -> bool:
        """Whether nobody else can have taken over: to be asked before anything goes out that must not go out twice."""
        return not self.fenced and now - self._renewed < self._safe

    def due(self, now: float) -> bool:
        """Whether it is to be renewed for its own sake, as nothing was committed lately."""
        return now - self._renewed >= self.seconds * RENEW_SHARE

    def may_adopt(self, now: float) -> bool:
        """Whether it has held without a gap for its own length.

        Else this process has just started, or was cut off: so may others have been, by a restart of the server say, and they
        get the same time to come back before anybody takes them for dead.
        """
        return self.holds(now) and now - self._steady_since >= self.seconds


def ask(connection: Connection, node: Node) -> Asked | None:
    """Ask a server to renew a node's lease, as the first statement of a transaction; `check` says what came of it.

    None on a file, which has one writer.
    """
    if connection.dialect.name == "sqlite":
        return None
    return Asked(execute(connection, _RENEW, (node.id, node.epoch)))


def check(node: Node, renewal: Asked | None) -> None:
    """StoreFenced if the lease is another's: nothing is committed by a transaction that this was raised in."""
    if renewal is not None and len(renewal.rows()) != 1:
        raise StoreFenced(
            f"node {node.name} (number {node.id}, epoch {node.epoch}) was adopted by another gateway, or started again"
        )


def others(connection: Connection, but: int) -> list[Other]:
    """Give the nodes, but for one, that nobody has adopted."""
    columns = (nodes.c.id, nodes.c.name, nodes.c.epoch, nodes.c.renewed_at, nodes.c.lease)
    found = select(*columns).where(nodes.c.owner == nodes.c.id, nodes.c.id != but).order_by(nodes.c.id)
    return [Other(*row) for row in connection.execute(found)]


class Sightings:
    """Since when, by the clock of whoever looks, each other node has not renewed its lease.

    A clock that steps, the server's or another gateway's, makes nobody look dead or alive: what is compared is whether the
    row has changed.
    """

    def __init__(self) -> None:
        """Nobody was seen yet."""
        self._seen: dict[int, tuple[int, int, float]] = {}

    def silent(self, found: Iterable[Other], now: float) -> list[Other]:
        """Take what was found at `now` (seconds); gives those that have not renewed for longer than their lease.

        One without a lease (of before leases, or of an SQLite file) is never silent.
        """
        seen = {}
        for other in found:
            before = self._seen.get(other.node)
            same = before is not None and before[:2] == (other.epoch, other.renewed_at)
            seen[other.node] = before if before is not None and same else (other.epoch, other.renewed_at, now)
        self._seen = seen
        return [each for each in found if each.lease and now - seen[each.node][2] > each.lease / MICROSECONDS]


def adopt(connection: Connection, node: int, epoch: int, renewed_at: int | None, adopter: int) -> tuple[int, ...]:
    """Take a node's shards over, if it is still at this epoch and has not renewed its lease since; None: even if it has.

    Gives the shards that came with it; none where another gateway was quicker, the node is alive, or a transaction of it has
    not ended yet: nobody waits for that here.
    """
    wanted = [nodes.c.id == node, nodes.c.epoch == epoch, nodes.c.owner == node, nodes.c.id != adopter]
    if renewed_at is not None:
        wanted.append(nodes.c.renewed_at == renewed_at)
    if connection.execute(select(nodes.c.id).where(*wanted).with_for_update(skip_locked=True)).one_or_none() is None:
        return ()
    shards = owned(connection, node)
    connection.execute(update(nodes).where(nodes.c.id == node).values(epoch=nodes.c.epoch + 1))
    connection.execute(update(nodes).where(nodes.c.owner == node).values(owner=adopter))
    return shards


def adopt_all(connection: Connection, adopter: int) -> None:
    """Take over every other node of a store that has one writer: no other can be alive."""
    for other in others(connection, adopter):
        adopt(connection, other.node, other.epoch, None, adopter)


def first_owner(connection: Connection) -> int | None:
    """Give the node that works on the first shard: what one gateway does for the whole store is its part."""
    return connection.execute(select(nodes.c.owner).order_by(nodes.c.id).limit(1)).scalar()


def retire(connection: Connection, name: str) -> int:
    """Say of the nodes of a name that were adopted that they will not come back; gives how many there were."""
    gone = (nodes.c.name == name, nodes.c.owner != nodes.c.id, nodes.c.retired == 0)
    return connection.execute(update(nodes).where(*gone).values(retired=1)).rowcount


def all_nodes(connection: Connection, now: int) -> list[NodeRow]:
    """Give every node that there ever was, by number; `now` is the time where the store has no clock of its own."""
    owners = nodes.alias("owners")
    age = (store_clock(connection, now) - nodes.c.renewed_at).label("age")
    columns = (nodes.c.id, nodes.c.name, nodes.c.epoch, nodes.c.owner, owners.c.name.label("owner_name"))
    rest = (nodes.c.renewed_at, nodes.c.lease, nodes.c.retired == 1, age)
    joined = nodes.join(owners, owners.c.id == nodes.c.owner)
    found = select(*columns, *rest).select_from(joined).order_by(nodes.c.id)
    return [NodeRow(*row) for row in connection.execute(found)]
