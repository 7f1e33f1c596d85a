"""Numbers over time: which MSISDN, IMSI or ICCID was whose at which moment."""

from typing import ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.store.batch import Shelf
from gateway.store.statements import SelectAmong
from gateway.store.tables import lines

MSISDN, IMSI, ICCID = "msisdn", "imsi", "iccid"


class Line(msgspec.Struct, frozen=True):
    """A number's belonging to a subscriber from `valid_from` until before `valid_to` (microseconds; None = still)."""

    kind: str
    value: str
    subscriber_id: int
    valid_from: int
    valid_to: int | None


_LOAD = SelectAmong(
    select(lines.c.kind, lines.c.value, lines.c.subscriber_id, lines.c.valid_from, lines.c.valid_to), lines.c.value, str
)


class LineShelf(Shelf[str, list[Line]]):
    """The lines of the numbers that a batch names, by number."""

    rank: ClassVar[int] = 10

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read every belonging of these numbers."""
        for row in _LOAD.run(connection, keys):
            self.rows.setdefault(row[1], []).append(Line(*row))

    def owner(self, kind: str, value: str, at: int) -> int | None:
        """Give the subscriber to whom a number belonged at a time; the first owner also before that."""
        known = [line for line in self.rows.get(value, ()) if line.kind == kind]
        for line in known:
            if line.valid_from <= at and (line.valid_to is None or at < line.valid_to):
                return line.subscriber_id
        first = min(known, key=lambda line: line.valid_from, default=None)
        return first.subscriber_id if first is not None and at < first.valid_from else None
