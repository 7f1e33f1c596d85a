"""What the write lane does about sealed months: the row that makes a file count, and the steps that rows leave the store by."""

from typing import ClassVar, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from gateway.store.append_only import SEALED, raise_mark
from gateway.store.batch import Batch, Unit
from gateway.store.nodes import SPAN_BITS
from gateway.store.releases import release_usage, sealed_usage
from gateway.store.schema import raise_oldest_writer
from gateway.store.sealed_months.records import TABLES, SealedFile, SealedMonth, row_of, sealed_months
from gateway.store.tables import sealed_files

LIMIT: Final = 250
"""Rows that one step deletes, as one of the sweeper: a few milliseconds of the lane."""
MICROSECONDS: Final = 1_000_000
SEALED_SINCE: Final = 13
"""The version of the tables whose program reads sealed months."""


class SealMonth(Unit):
    """Let a month's files count in place of the store's own rows, from this commit on."""

    alone: ClassVar[bool] = True

    files: list[SealedFile]

    def decide(self, batch: Batch) -> None:
        """Write their rows; a program that knows nothing of them may not write the store any more."""
        batch.connection.execute(insert(sealed_files), [row_of(file) for file in self.files])
        raise_oldest_writer(batch.connection, SEALED_SINCE)
        for _, last in self.files[0].ranges:
            raise_mark(batch.connection, last >> SPAN_BITS, SEALED, last)


class RemoveSealed(Unit):
    """One step: delete about `limit` rows, of a month whose files have them, from the store."""

    alone: ClassVar[bool] = True

    period: str
    limit: int = LIMIT

    def decide(self, batch: Batch) -> int:
        """Give the number of rows that went; 0 when nothing is left of the month."""
        month = _month(batch.connection, self.period)
        removed = 0
        for file in month.files:
            if removed < self.limit:
                removed += _remove(batch.connection, file, self.limit - removed)
        if not removed:
            _set(batch.connection, [self.period], removed_at=batch.now)
        return removed


class DropUsage(Unit):
    """Give up the files of usage of which all is past retention, in seconds from the time of use; their rows here stay.

    None goes before a seal stands for the last number in it.
    """

    alone: ClassVar[bool] = True

    usage_seconds: int

    def decide(self, batch: Batch) -> list[str]:
        """Name the files: nobody reads them from this commit on."""
        before = batch.now - self.usage_seconds * MICROSECONDS
        release_usage(batch, before)
        sealed = sealed_usage(batch.connection)
        due = [
            month.usage
            for month in sealed_months(batch.connection)
            if month.is_removed and month.usage.dropped_at is None and month.is_used_before(before)
            if all(last <= sealed.get(last >> SPAN_BITS, 0) for _, last in month.ranges)
        ]
        for file in due:
            key = (sealed_files.c.period == file.period, sealed_files.c.content == file.content)
            batch.connection.execute(update(sealed_files).where(*key).values(dropped_at=batch.now))
        return [file.file for file in due]


def _month(connection: Connection, period: str) -> SealedMonth:
    return next(month for month in sealed_months(connection) if month.period == period)


def _remove(connection: Connection, file: SealedFile, limit: int) -> int:
    """Delete the next rows of a content, in the order of their numbers."""
    table, removed, reached = TABLES[file.content], 0, file.removed_to
    for after, last in file.ranges:
        low = max(after, reached)
        if low >= last or removed >= limit:
            continue
        front = select(table.c.id).where(table.c.id > low, table.c.id <= last).order_by(table.c.id)
        end = connection.scalar(select(func.max(front.limit(limit - removed).subquery().c.id)))
        reached = last if end is None else end
        if end is not None:
            due = delete(table).where(table.c.id > low, table.c.id <= end)
            removed += connection.execute(due).rowcount
    key = (sealed_files.c.period == file.period, sealed_files.c.content == file.content)
    connection.execute(update(sealed_files).where(*key).values(removed_to=reached))
    return removed


def _set(connection: Connection, periods: list[str], removed_at: int) -> None:
    connection.execute(update(sealed_files).where(sealed_files.c.period.in_(periods)).values(removed_at=removed_at))
