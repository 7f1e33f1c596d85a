"""A node's place among the gateways on one store: its number, its range of identifiers, its Origin-State-Id.

Identifiers are 64-bit integers: the node's number above 40 bits of counting. A node takes them in blocks that it writes
down before it uses them, so that an identifier is never given twice, also not after a crash.
"""

from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, func, insert, literal, literal_column, select, text, update

from gateway.store.errors import StoreReplaced
from gateway.store.tables import marks, nodes

_SERVER_CLOCK: Final[ColumnElement[int]] = literal_column("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
SPAN_BITS = 40
BLOCK = 1 << 20
ENTERING: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('tpo-nodes', 0))")
"""Held while a gateway enters a server's store: of two that take a new number at once, each takes its own."""
STARTS = "starts"
"""The mark that counts a node's starts."""
PROGRAM = "program"
"""The mark of which version of the tables a node's program was made for when it was started last."""
SKIPPED = "skipped"
"""The mark (node 0) of how many identifiers restores skipped: a node that entered in a lost time gave out as many at most, and
whoever gets its number after the restore begins above them."""


class Node(msgspec.Struct):
    """This process among its peers; `next_id` and `ceiling` bound the identifiers that it may give out now."""

    id: int
    name: str
    origin_state_id: int
    starts: int
    """How often this node has been started on this store, this time included."""
    next_id: int
    ceiling: int
    epoch: int = 0
    """Of its lease (store.leases): another process of the same name, or an adopter, has a greater one."""
    owned: tuple[int, ...] = ()
    """The shards that it works on: those it adopted, then its own."""
    adopter: str = ""
    """Who has what was this name's before, where it got a new number now."""

    def take_id(self) -> int:
        """Give a fresh identifier; the lane has made sure that the block suffices."""
        value = self.next_id
        self.next_id = value + 1
        return value


def enter(
    connection: Connection, name: str, now: int, lease: int = 0, *, alone: bool = False, program: str = "0"
) -> Node:
    """Register this process start: the node's number, a fresh block of identifiers, one start more, the next epoch.

    `now` and `lease` are in microseconds; `program` is the version of the tables that the program was made for (schema.head).
    A node whose number was adopted meanwhile takes a new one (decision 030); in a store that one process alone can have open
    (`alone`) it has its own again, as nobody else can be working on it. The Origin-State-Id is the Unix second in which the
    name first entered the store: sessions live as long as the store does, and a client may drop its own for a greater value
    (RFC 6733 §8.16).
    """
    if connection.dialect.name == "postgresql":
        connection.execute(ENTERING)
    latest = select(nodes).where(nodes.c.name == name).order_by(nodes.c.id.desc()).limit(1).with_for_update()
    row = connection.execute(latest).one_or_none()
    before = row
    if row is None or (row.owner != row.id and not alone):
        row = _new_number(connection, name, now, row)
    starts = _value(connection, before.id if before is not None else row.id, STARTS) + 1
    _mark(connection, row.id, STARTS, starts)
    _mark(connection, row.id, PROGRAM, int(program))
    at = store_clock(connection, now)
    entered = {"epoch": row.epoch + 1, "renewed_at": at, "lease": lease, "retired": 0, "owner": row.id}
    connection.execute(update(nodes).where(nodes.c.id == row.id).values(entered))
    node = Node(
        id=row.id,
        name=name,
        origin_state_id=row.origin_state_id,
        starts=starts,
        next_id=row.next_id,
        ceiling=row.next_id,
        epoch=row.epoch + 1,
        owned=owned(connection, row.id),
        adopter=_name_of(connection, before.owner) if before is not None and before.id != row.id else "",
    )
    extend(connection, node)
    return node


def resume(connection: Connection, node: Node) -> None:
    """Go on as a node whose lane has died: pass over the identifiers that it may have given out.

    The row is locked, so what that lane was committing at a server has come to its end by then. StoreReplaced where this is not
    the store that was entered.
    """
    row = select(nodes.c.name, nodes.c.next_id).where(nodes.c.id == node.id).with_for_update()
    found = connection.execute(row).one_or_none()
    if found is None or found.name != node.name or found.next_id < node.ceiling:
        raise StoreReplaced(f"node {node.name} did not enter this store, or entered it later")
    node.next_id = node.ceiling = found.next_id


def _new_number(connection: Connection, name: str, now: int, before: Row[Any] | None) -> Row[Any]:
    number = (connection.execute(select(func.max(nodes.c.id))).scalar() or 0) + 1
    state = now // 1_000_000 if before is None else before.origin_state_id
    first = (number << SPAN_BITS) + _value(connection, 0, SKIPPED)
    lease = {"epoch": 0, "renewed_at": 0, "lease": 0, "owner": number, "retired": 0}
    row = {"id": number, "name": name, "next_id": first, "origin_state_id": state, **lease}
    connection.execute(update(nodes).where(nodes.c.name == name).values(retired=1))
    connection.execute(insert(nodes).values(row))
    return connection.execute(select(nodes).where(nodes.c.id == number)).one()


def latest_number(connection: Connection, number: int) -> int:
    """Give the number that the node of this one has now, after somebody may have adopted what it had."""
    name = select(nodes.c.name).where(nodes.c.id == number).scalar_subquery()
    return int(connection.execute(select(func.max(nodes.c.id)).where(nodes.c.name == name)).scalar_one())


def _name_of(connection: Connection, number: int) -> str:
    return str(connection.execute(select(nodes.c.name).where(nodes.c.id == number)).scalar_one())


def owned(connection: Connection, node: int) -> tuple[int, ...]:
    """Name the shards that a node owns: those it adopted, the oldest first, then its own."""
    adopted = select(nodes.c.id).where(nodes.c.owner == node, nodes.c.id != node).order_by(nodes.c.id)
    return (*connection.scalars(adopted), node)


def store_clock(connection: Connection, now: int) -> ColumnElement[int]:
    """Give the clock that all gateways on a store share, in UTC microseconds: the server's, or `now` where there is none."""
    return _SERVER_CLOCK if connection.dialect.name == "postgresql" else literal(now)


def in_shard(column: ColumnElement[int], shard: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Give the conditions by which an identifier is one of a shard's: of those that this node gave out."""
    return column >= shard << SPAN_BITS, column < (shard + 1) << SPAN_BITS


def _value(connection: Connection, number: int, name: str) -> int:
    mark = select(marks.c.value).where(marks.c.node == number, marks.c.name == name)
    return connection.execute(mark).scalar_one_or_none() or 0


def _mark(connection: Connection, number: int, name: str, value: int) -> None:
    mark = (marks.c.node == number, marks.c.name == name)
    if not connection.execute(update(marks).where(*mark).values(value=value)).rowcount:
        connection.execute(insert(marks).values(node=number, name=name, value=value))


def extend(connection: Connection, node: Node) -> None:
    """Write down the next block of identifiers before any of it is used.

    Batches that failed may have used up more than the block that was written down with them: that is passed over.
    """
    node.ceiling = max(node.ceiling, node.next_id) + BLOCK
    connection.execute(update(nodes).where(nodes.c.id == node.id).values(next_id=node.ceiling))


def verify(connection: Connection, node: Node) -> None:
    """Make sure that a store which is connected to again is the one that was entered, and no older copy of it.

    Raises StoreReplaced: else identifiers that were given out already would be given out once more.
    """
    row = connection.execute(select(nodes.c.name, nodes.c.next_id).where(nodes.c.id == node.id)).one_or_none()
    if row is None or row.name != node.name or row.next_id < node.ceiling:
        raise StoreReplaced(
            f"node {node.name} did not enter this store, or entered it later: another one, or an old copy"
        )
