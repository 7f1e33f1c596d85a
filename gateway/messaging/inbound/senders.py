"""What is remembered of a number that texts us, for an hour: its latest texts, and when it was answered.

From the former a redelivery is known, from the latter how many automatic answers it got: both have to hold over a restart.
"""

import msgspec
from sqlalchemy import Connection, func, select

from gateway.messaging.inbound.redelivery import Delivery
from gateway.store.batch import RowSet
from gateway.store.statements import Insert, SelectAmong, Update
from gateway.store.tables import arrivals, nodes

HOUR = 3_600_000_000
"""Microseconds."""


class Sender(msgspec.Struct, array_like=True):
    """One number: its latest texts, when it was answered within the last hour, when an answer was last withheld and told of.

    Times in microseconds.
    """

    deliveries: list[Delivery] = []
    answered: list[int] = []
    limited_at: int = 0

    def answers_left(self, most: int, now: int) -> int:
        """Count the answers that it may still get of `most` in an hour."""
        self.answered[:] = [at for at in self.answered if at > now - HOUR]
        return most - len(self.answered)

    def limit(self, now: int) -> bool:
        """Note that an answer was withheld; tell whether this is the first one in an hour."""
        first = self.limited_at <= now - HOUR
        if first:
            self.limited_at = now
        return first


_LOAD = SelectAmong(select(arrivals.c.source, arrivals.c.remembered), arrivals.c.source, str, lock=arrivals)
_INSERT = Insert(arrivals)
_SAVE = Update(arrivals, ["node", "at", "remembered"], ["source"])
_decode = msgspec.msgpack.Decoder(Sender).decode
_encode = msgspec.msgpack.Encoder().encode


class SenderRows(RowSet[str, Sender]):
    """What is remembered of the numbers whose texts a batch takes, by number."""

    def __init__(self) -> None:
        """Start empty; nothing is changed."""
        super().__init__()
        self._stood: set[str] = set()
        self._changed: dict[str, tuple[int, int]] = {}

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read and lock what is remembered of these numbers."""
        for source, remembered in _LOAD.run(connection, sorted(keys)):
            self.rows[source] = _decode(remembered)
            self._stood.add(source)

    def change(self, source: str, node: int, now: int) -> Sender:
        """Return what is remembered of a number, to be changed; a text of it came to this node now."""
        self._changed[source] = (node, now)
        return self.rows.setdefault(source, Sender())

    def save(self, connection: Connection) -> None:
        """Write what changed."""
        new, old = [], []
        for source, (node, now) in self._changed.items():
            remembered = _encode(self.rows[source])
            if source in self._stood:
                old.append((node, now, remembered, source))
            else:
                new.append((source, node, now, remembered))
        _INSERT.run(connection, new)
        _SAVE.run(connection, old)


def last_arrival(connection: Connection, node: int) -> int | None:
    """Return the time of the last text that a node took, under any number of its name: it was alive then. None if none is
    remembered."""
    name = select(nodes.c.name).where(nodes.c.id == node).scalar_subquery()
    same = select(nodes.c.id).where(nodes.c.name == name)
    found: int | None = connection.execute(select(func.max(arrivals.c.at)).where(arrivals.c.node.in_(same))).scalar()
    return found
