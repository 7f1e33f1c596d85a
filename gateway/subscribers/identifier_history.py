"""Numbers over time: which MSISDN, IMSI or ICCID was whose at which moment."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection, and_, select

from gateway.store.batch import Batch, RowSet
from gateway.store.statements import SelectAmong, Update
from gateway.store.tables import families, lines

MSISDN, IMSI, ICCID = "msisdn", "imsi", "iccid"
NOBODY: Final = 0
"""Whose a number was whose last customer was erased: it stays in quarantine all the same."""


class IdentifierPeriod(msgspec.Struct, frozen=True, gc=False):
    """A number's belonging to a subscriber from `valid_from` until before `valid_to` (microseconds; None = still).

    `payer_id` is whose wallet pays for the subscriber too, at most `cap` micro-units a month (balance.families).
    """

    kind: str
    value: str
    subscriber_id: int
    valid_from: int
    valid_to: int | None
    payer_id: int | None = None
    cap: int | None = None


class Family(msgspec.Struct, frozen=True):
    """Who pays for a line beside its own wallet, and at most how much a month (micro-units; None: no cap)."""

    payer_id: int
    cap: int | None


_COLUMNS = (lines.c.kind, lines.c.value, lines.c.subscriber_id, lines.c.valid_from, lines.c.valid_to)
_FAMILY = and_(families.c.member_id == lines.c.subscriber_id, families.c.until.is_(None))
_LOAD = SelectAmong(
    select(*_COLUMNS, families.c.payer_id, families.c.cap).join_from(lines, families, _FAMILY, isouter=True),
    lines.c.value,
    str,
)


_END = Update(lines, ["valid_to"], ["kind", "value", "subscriber_id", "valid_from"])


class IdentifierRows(RowSet[str, tuple[IdentifierPeriod, ...]]):
    """The lines of the numbers that a batch names, by number."""

    kept = 65_536
    reads = (lines, families)

    def __init__(self) -> None:
        """Start empty; nothing has ended."""
        super().__init__()
        self._ended: list[IdentifierPeriod] = []
        self._families: dict[int, Family] = {}

    def ask(self, connection: Connection, keys: set[str]) -> Callable[[], None]:
        """Read every belonging of these numbers."""
        asked = _LOAD.ask(connection, keys)

        def take() -> None:
            for row in asked.rows():
                value = row[1]
                self.rows[value] = self.settled[value] = (*self.rows.get(value, ()), IdentifierPeriod(*row))
                if row[5] is not None:
                    self._families[row[2]] = Family(row[5], row[6])

        return take

    def restore(self, rows: Mapping[str, tuple[IdentifierPeriod, ...]]) -> None:
        """Put in the lines of numbers."""
        self.rows.update(rows)
        for each in rows.values():
            for line in each:
                if line.payer_id is not None:
                    self._families[line.subscriber_id] = Family(line.payer_id, line.cap)

    def owner(self, kind: str, value: str, at: int) -> int | None:
        """Return the subscriber to whom a number belonged at a time; the first owner also before that."""
        first: IdentifierPeriod | None = None
        for line in self.rows.get(value, ()):
            if line.kind != kind or line.subscriber_id == NOBODY:
                continue
            if line.valid_from <= at and (line.valid_to is None or at < line.valid_to):
                return line.subscriber_id
            if first is None or line.valid_from < first.valid_from:
                first = line
        return first.subscriber_id if first is not None and at < first.valid_from else None

    def family_of(self, subscriber_id: int) -> Family | None:
        """Return who pays for a subscriber beside its own wallet, as far as one of the batch's numbers is the subscriber's."""
        return self._families.get(subscriber_id)

    def current(self, kind: str, value: str) -> IdentifierPeriod | None:
        """Return the belonging of a number that has not ended."""
        return next((line for line in self.rows.get(value, ()) if line.kind == kind and line.valid_to is None), None)

    def left_at(self, kind: str, value: str) -> int | None:
        """Return the moment when a number was last let go; None if it never was."""
        return max(
            (line.valid_to for line in self.rows.get(value, ()) if line.kind == kind and line.valid_to), default=None
        )

    def begin(self, batch: Batch, kind: str, value: str, subscriber_id: int) -> None:
        """Let a number belong to a subscriber from now on."""
        line = IdentifierPeriod(kind, value, subscriber_id, batch.now, None)
        batch.add(lines, (batch.take_id(), *msgspec.structs.astuple(line)[: len(_COLUMNS)]))
        self.rows[value] = (*self.rows.get(value, ()), line)

    def end(self, kind: str, value: str, at: int) -> None:
        """Let a number belong to nobody from a moment on; nothing happens if it does already."""
        line = self.current(kind, value)
        if line is not None:
            ended = msgspec.structs.replace(line, valid_to=at)
            self.rows[value] = self.settled[value] = tuple(
                ended if known is line else known for known in self.rows[value]
            )
            self._ended.append(ended)

    def save(self, connection: Connection) -> None:
        """Write down what has ended; what begins is appended after it."""
        _END.run(connection, [(e.valid_to, e.kind, e.value, e.subscriber_id, e.valid_from) for e in self._ended])
