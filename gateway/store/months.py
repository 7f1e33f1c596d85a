"""The months by which a server's largest tables are partitioned: `transfers` by the time of booking, `usage` by that of use.

PostgreSQL only (its manual, §5.11); on SQLite each is one table. A month is a calendar month in UTC. Beside its months a table
has two partitions more, so that a row of any time has a place: `before`, for what is older than its first month, and the
default, for what no month is there for: those to come when a clock is ahead. A partition has its own primary key; there is none
over all of them, since that would have to contain the time, and could not be had without building an index over every row.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, MetaData, Table, func, select, text

from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import transfers, usage

MONTHLY: Final[dict[Table, Column[Any]]] = {transfers: transfers.c.at, usage: usage.c.event_at}
"""The tables that are partitioned, and by what."""
MICROSECONDS: Final = 1_000_000
_BOUND: Final = re.compile(r"FOR VALUES FROM \((?:MINVALUE|'(-?\d+)')\) TO \('(-?\d+)'\)")
_PARTITIONS: Final = text(
    "SELECT child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bound "
    "FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
    "WHERE inhparent = to_regclass(CAST(:table AS text)) ORDER BY child.relname"
)


class Partition(msgspec.Struct, frozen=True):
    """A part of a table: its rows are from `since` until before `until`, UTC microseconds.

    What is older than the first month has no `since`, the default partition has neither.
    """

    name: str
    since: int | None
    until: int | None

    @property
    def is_month(self) -> bool:
        """Whether it goes as a whole when all its rows are due."""
        return self.since is not None

    def has(self, at: int) -> bool:
        """Whether rows of a time belong into it, and not into the default partition."""
        return self.until is not None and at < self.until and (self.since is None or self.since <= at)


def partitions(connection: Connection, table: Table) -> list[Partition]:
    """Give a table's partitions; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    return [_partition(row.name, row.bound) for row in connection.execute(_PARTITIONS, {"table": table.name})]


def _partition(name: str, bound: str) -> Partition:
    found = _BOUND.fullmatch(bound)
    since, until = found.groups() if found else (None, None)
    return Partition(name, None if since is None else int(since), None if until is None else int(until))


def is_begun(there: list[Partition]) -> bool:
    """Tell whether a table's months have begun: before that all of it is its default partition."""
    return any(each.until is not None for each in there)


def outside_months(connection: Connection, table: Table) -> list[Table]:
    """Give where rows are swept one by one: what lies in no month of a server's table, or the whole table."""
    if connection.dialect.name != "postgresql":
        return [table]
    return [
        table.to_metadata(MetaData(), name=each.name) for each in partitions(connection, table) if not each.is_month
    ]


def before_name(table: Table) -> str:
    """Name the partition of what is older than the first month."""
    return f"{table.name}_before"


def default_name(table: Table) -> str:
    """Name the partition of what no other one is there for."""
    return f"{table.name}_default"


def month_name(table: Table, start: int) -> str:
    """Name the partition of a month by its first moment: `usage_2026_12`."""
    return f"{table.name}_{_date(start):%Y_%m}"


def month_start(at: int) -> int:
    """Give the first moment of a time's month, UTC microseconds."""
    return _micros(_date(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def following(start: int) -> int:
    """Give the first moment of the month after one that begins at `start`."""
    date = _date(start)
    return _micros(date.replace(year=date.year + date.month // 12, month=date.month % 12 + 1))


def period_name(start: int) -> str:
    """Name a month by its first moment: `2026-12`."""
    return f"{_date(start):%Y-%m}"


def first_since(connection: Connection, node: int, at: int) -> int:
    """Find where a node's journal reaches a moment: its identifiers grow with time, so halving finds it."""
    entry = transfers.c
    low, ceiling = node << SPAN_BITS, (node + 1) << SPAN_BITS
    last = connection.execute(select(func.max(entry.id)).where(entry.id >= low, entry.id < ceiling)).scalar()
    high = low if last is None else int(last) + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            select(entry.id, entry.at).where(entry.id >= middle, entry.id < high).order_by(entry.id).limit(1)
        ).one_or_none()
        if row is None or row.at >= at:
            high = middle
        else:
            low = row.id + 1
    return low


def _date(at: int) -> datetime:
    return datetime.fromtimestamp(at // MICROSECONDS, UTC)


def _micros(date: datetime) -> int:
    return int(date.timestamp()) * MICROSECONDS
