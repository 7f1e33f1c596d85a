"""A node's place among the gateways on one store: its number, its range of identifiers, its Origin-State-Id.

Identifiers are 64-bit integers: the node's number above 40 bits of counting. A node takes them in blocks that it writes
down before it uses them, so that an identifier is never given twice, also not after a crash.
"""

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from gateway.store.errors import StoreReplaced
from gateway.store.tables import marks, nodes

SPAN_BITS = 40
BLOCK = 1 << 20
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

    def take_id(self) -> int:
        """Give a fresh identifier; the lane has made sure that the block suffices."""
        value = self.next_id
        self.next_id = value + 1
        return value


def enter(connection: Connection, name: str, now: int, program: str = "0") -> Node:
    """Register this process start: the node's number, a fresh block of identifiers, one start more.

    `now` is in microseconds; `program` is the version of the tables that the program was made for (schema.head).
    The Origin-State-Id is the Unix second in which the node first entered the store: sessions live as long as the store does,
    and a client may drop its own for a greater value (RFC 6733 §8.16).
    """
    row = connection.execute(select(nodes).where(nodes.c.name == name).with_for_update()).one_or_none()
    if row is None:
        number = (connection.execute(select(func.max(nodes.c.id))).scalar() or 0) + 1
        row_next, state = (number << SPAN_BITS) + _value(connection, 0, SKIPPED), now // 1_000_000
        connection.execute(insert(nodes).values(id=number, name=name, next_id=row_next, origin_state_id=state))
    else:
        number, row_next, state = row.id, row.next_id, row.origin_state_id
    starts = _value(connection, number, STARTS) + 1
    _mark(connection, number, STARTS, starts)
    _mark(connection, number, PROGRAM, int(program))
    node = Node(id=number, name=name, origin_state_id=state, starts=starts, next_id=row_next, ceiling=row_next)
    extend(connection, node)
    return node


def _value(connection: Connection, number: int, name: str) -> int:
    mark = select(marks.c.value).where(marks.c.node == number, marks.c.name == name)
    return connection.execute(mark).scalar_one_or_none() or 0


def _mark(connection: Connection, number: int, name: str, value: int) -> None:
    mark = (marks.c.node == number, marks.c.name == name)
    if not connection.execute(update(marks).where(*mark).values(value=value)).rowcount:
        connection.execute(insert(marks).values(node=number, name=name, value=value))


def extend(connection: Connection, node: Node) -> None:
    """Write down the next block of identifiers before any of it is used."""
    node.ceiling += BLOCK
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
