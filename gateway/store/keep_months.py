"""Making the months of a server's tables before they begin, and dropping those that are due; charging waits for neither.

Each change takes its locks for a moment only, gives way to a report that reads the table, and is tried again at one of the next
turns; meanwhile the default partition takes every row, so that nothing ever fails to be booked. Of the gateways on a store one
makes the changes, under the lock that migrations take.
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Final

import msgspec
from sqlalchemy import Connection, Table, select, text

from gateway.store.batch import Batch, Unit
from gateway.store.months import (
    MICROSECONDS,
    MONTHLY,
    default_name,
    following,
    is_begun,
    month_name,
    month_start,
    partitions,
)
from gateway.store.nodes import SPAN_BITS, store_clock
from gateway.store.partitioning import (
    PATIENCE,
    attempt,
    begin,
    bound_of,
    drop,
    drop_bound,
    has_rows,
    is_first,
    make_month,
    size_of,
)
from gateway.store.releases import release_usage, sealed_usage
from gateway.store.tables import nodes, usage

AHEAD: Final = 2
"""Months that are there before they begin."""
SMALL: Final = 64 << 20
"""Octets of a default partition that may be read under a lock: a fifth of a second."""
DAY: Final = 86_400 * MICROSECONDS


class MonthsKept(msgspec.Struct, frozen=True):
    """What a turn did, and what it found.

    Attributes:
        made, dropped: partitions of months.
        strays: default partitions with rows, of months that no partition is there for.
        waiting: tables that are too large to get months by themselves (store.division).
        busy: tables and partitions that somebody read, or that belong to another user; they are tried again.
    """

    made: list[str] = []
    dropped: list[str] = []
    strays: list[str] = []
    waiting: list[str] = []
    busy: list[str] = []


class KeepMonths(Unit):
    """Make the months that come, and drop those of usage that are past their retention, in seconds from the time of use."""

    alone: ClassVar[bool] = True

    usage_seconds: int

    def decide(self, batch: Batch) -> MonthsKept:
        """Tell what was done: nothing on SQLite, or where another gateway is at it."""
        kept, connection = MonthsKept(), batch.connection
        if connection.dialect.name == "postgresql" and is_first(connection):
            connection.execute(text(PATIENCE))
            for table in MONTHLY:
                _keep(connection, table, batch.now, kept)
            now = min(
                batch.now, connection.scalars(select(store_clock(connection, batch.now))).one()
            )  # one clock that is ahead is not enough to drop anything
            release_usage(batch, now - self.usage_seconds * MICROSECONDS)
            _drop_due(connection, usage, now - self.usage_seconds * MICROSECONDS, kept)
        return kept


def _keep(connection: Connection, table: Table, now: int, kept: MonthsKept) -> None:
    there = partitions(connection, table)
    if not there or (not is_begun(there) and not _begin(connection, table, now, kept)):
        return  # not partitioned, by a later program; or not yet
    there, start = partitions(connection, table), month_start(now)
    for _ in range(AHEAD + 1):
        if not any(each.has(start) for each in there):
            name, make = month_name(table, start), partial(make_month, connection, table, start)
            (kept.made if attempt(connection, make) else kept.busy).append(name)
        start = following(start)
    if has_rows(connection, default_name(table)):
        kept.strays.append(default_name(table))


def _begin(connection: Connection, table: Table, now: int, kept: MonthsKept) -> bool:
    """Let the months begin if the server has proved where they may, or reads it in a moment; tells whether they did."""
    bound = bound_of(connection, table)
    if (bound is not None and bound.proved) or size_of(connection, default_name(table)) <= SMALL:
        if attempt(connection, partial(begin, connection, table, now)):
            return True
        kept.busy.append(str(table.name))
    else:
        kept.waiting.append(str(table.name))
    if bound is not None and now > bound.start - DAY:  # it would refuse what is booked from then on
        attempt(connection, partial(drop_bound, connection, table))
    return False


def _drop_due(connection: Connection, table: Table, before: int, kept: MonthsKept) -> None:
    sealed = sealed_usage(connection)
    for each in partitions(connection, table):
        if (
            each.is_month
            and each.until is not None
            and each.until <= before
            and _is_sealed(connection, each.name, sealed)
        ):
            gone = attempt(connection, partial(drop, connection, each.name))
            (kept.dropped if gone else kept.busy).append(each.name)


def _is_sealed(connection: Connection, partition: str, sealed: Mapping[int, int]) -> bool:
    """Tell whether a seal stands for each row of a partition; the last of each node is found by the index."""
    for node in connection.scalars(select(nodes.c.id)).all():
        last = text(f"SELECT max(id) FROM {partition} WHERE id >= :low AND id < :high")  # noqa: S608  (a name of ours)
        found = connection.scalar(last, {"low": node << SPAN_BITS, "high": (node + 1) << SPAN_BITS})
        if found is not None and found > sealed.get(node, 0):
            return False
    return True
