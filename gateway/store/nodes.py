"""A node's place among the gateways on one store: its number, its range of identifiers, its Origin-State-Id.

Identifiers are 64-bit integers: the node's number above 40 bits of counting. A node takes them in blocks that it writes
down before it uses them, so that an identifier is never given twice, also not after a crash.
"""

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from gateway.store.errors import StoreReplaced
from gateway.store.tables import nodes

SPAN_BITS = 40
BLOCK = 1 << 20


class Node(msgspec.Struct):
    """This process among its peers; `next_id` and `ceiling` bound the identifiers that it may give out now."""

    id: int
    name: str
    origin_state_id: int
    next_id: int
    ceiling: int

    def take_id(self) -> int:
        """Give a fresh identifier; the lane has made sure that the block suffices."""
        value = self.next_id
        self.next_id = value + 1
        return value


def enter(connection: Connection, name: str, now: int) -> Node:
    """Register this process start: the node's number, a fresh block of identifiers, a larger Origin-State-Id.

    `now` is in microseconds. The Origin-State-Id is the start's Unix second, and always more than at the start before
    (RFC 6733 §8.16).
    """
    row = connection.execute(select(nodes).where(nodes.c.name == name).with_for_update()).one_or_none()
    if row is None:
        number = (connection.execute(select(func.max(nodes.c.id))).scalar() or 0) + 1
        row_next, state = number << SPAN_BITS, 0
        connection.execute(insert(nodes).values(id=number, name=name, next_id=row_next, origin_state_id=0))
    else:
        number, row_next, state = row.id, row.next_id, row.origin_state_id
    state = max(state + 1, now // 1_000_000)
    node = Node(id=number, name=name, origin_state_id=state, next_id=row_next, ceiling=row_next)
    extend(connection, node)
    connection.execute(update(nodes).where(nodes.c.id == number).values(origin_state_id=state))
    return node


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
