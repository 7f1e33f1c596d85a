"""Writing a month into its file, in steps of bounded memory beside the write lane, and reading it back.

The rows of a month that is over do not change any more, so each step reads them in a transaction of its own: a long one would
keep the store's log from beginning anew. A file has its name only when it is whole, on the disk and read back; whoever is
killed before leaves a file that `remove_unfinished` takes away, and nothing in the store says that there is one.
"""

import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import Integer, Table

from gateway.store.backup import sync
from gateway.store.engine import storing
from gateway.store.errors import StoreUnavailable
from gateway.store.months import MONTHLY
from gateway.store.private_files import FILE
from gateway.store.sealed_months.next_month import MonthSpan
from gateway.store.sealed_months.records import (
    JOURNAL,
    TABLES,
    USAGE,
    Range,
    SealedFile,
    digest,
    file_name,
    folder_of,
    missing_columns,
)

STEP: Final = 10_000
"""Rows that one step copies or compares: some tens of milliseconds of a thread."""
PAGE_SIZE: Final = 16_384
RESERVE: Final = 10
"""The part of the store's size, a tenth, that has to stay free on the disk: the store itself must not run out of it."""
UNFINISHED: Final = ".unfinished"
FOLDER_MODE: Final = 0o700
AMOUNTS: Final = {JOURNAL: "amount", USAGE: "price"}
SUMS: Final = (
    "CREATE TABLE main.sums (account INTEGER NOT NULL, currency TEXT NOT NULL, amount INTEGER NOT NULL, "
    "PRIMARY KEY (account, currency)) WITHOUT ROWID"
)
"""The table of a journal's file that `sums.sums` describes: balances need not read its rows."""
_SUMMED: Final = """
    INSERT INTO sums SELECT account, currency, sum(amount) FROM (
        SELECT credit AS account, currency, amount FROM transfers WHERE id > :after AND id <= :last
        UNION ALL SELECT debit, currency, -amount FROM transfers WHERE id > :after AND id <= :last
    ) WHERE 1 GROUP BY account, currency
    ON CONFLICT (account, currency) DO UPDATE SET amount = amount + excluded.amount
"""


class _Walk:
    """The store's rows of a month, a step after the other in the order of their numbers."""

    def __init__(self, content: str, ranges: Sequence[Range]) -> None:
        """Begin before the first."""
        self._content, self._ranges, self._after = content, list(ranges), ranges[0][0]

    def next(self, connection: sqlite3.Connection) -> Range | None:
        """Give the numbers of the next step; None behind the last."""
        numbers = f"SELECT id FROM store.{self._content} WHERE id > ? AND id <= ? ORDER BY id LIMIT {STEP}"  # noqa: S608
        while self._ranges:
            after, end = self._after, self._ranges[0][1]
            (last,) = connection.execute(f"SELECT max(id) FROM ({numbers})", (after, end)).fetchone()  # noqa: S608
            if last is not None:
                self._after = last
                return after, last
            del self._ranges[0]
            self._after = self._ranges[0][0] if self._ranges else 0
        return None


class FileWriter:
    """One file of a month. `advance` until it tells that there is no more; then `finish` gives what is in it.

    Blocks; of one thread at a time. Raises OSError, StoreError; StoreUnavailable where the store has other rows than it.
    """

    @storing()
    def __init__(self, store: Path, span: MonthSpan, content: str) -> None:
        """Begin the file, anew if there is one that was not finished."""
        self._store, self._span, self._content, self._table = store, span, content, TABLES[content]
        self._folder = folder_of(store)
        self._partial = self._folder / f"{span.period}-{content}{UNFINISHED}"
        self._folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        self._partial.unlink(missing_ok=True)
        os.close(os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE))
        self._file = _connect(self._partial, "rw", store)
        self._columns = ", ".join(column.name for column in self._table.columns)
        self._walk = _Walk(content, span.ranges)
        self._comparison: Comparison | None = None
        self._reserve = store.stat().st_size // RESERVE
        self.rows = 0
        """How many were copied so far."""
        self._create()

    def _create(self) -> None:
        for pragma in (f"page_size={PAGE_SIZE}", "journal_mode=OFF", "synchronous=OFF"):
            self._file.execute(f"PRAGMA main.{pragma}")
        columns = ", ".join(_column(self._table, name) for name in self._columns.split(", "))
        self._file.execute(f"CREATE TABLE main.{self._content} ({columns})")
        self._file.execute("CREATE TABLE main.month (period TEXT, content TEXT, after INTEGER, last INTEGER)")
        known = [(self._span.period, self._content, *each) for each in self._span.ranges]
        self._file.executemany("INSERT INTO main.month VALUES (?, ?, ?, ?)", known)
        if self._content == JOURNAL:
            self._file.execute(SUMS)

    @storing()
    def advance(self) -> bool:
        """Copy or compare the next rows, and tell whether there is more to do."""
        if self._comparison is not None:
            return self._comparison.advance()
        step = self._walk.next(self._file)
        if step is not None:
            self._copy(*step)
        else:
            self._sync()
            self._comparison = Comparison(self._store, self._partial, self._content, self._span.ranges)
        return True

    @storing()
    def finish(self, now: int) -> SealedFile:
        """Give the file its name, and say what is in it; `now` in UTC microseconds."""
        rows, first, last, amounts = self._counted()
        if self._comparison is not None:
            self._comparison.close()
        sha256, period = digest(self._partial), self._span.period
        file = self._folder / file_name(period, self._content, sha256)
        self._partial.replace(file)
        sync(self._folder)
        sync(self._folder.parent)
        return SealedFile(
            period=period,
            content=self._content,
            file=file.name,
            ranges=self._span.ranges,
            rows=rows,
            amounts=amounts,
            first_at=first,
            last_at=last,
            octets=file.stat().st_size,
            sha256=sha256,
            sealed_at=now,
        )

    def abandon(self) -> None:
        """Let go of a file that cannot be finished, and of the disk that it takes."""
        self._file.close()
        if self._comparison is not None:
            self._comparison.close()
        self._partial.unlink(missing_ok=True)

    def _counted(self) -> tuple[int, int | None, int | None, dict[str, int]]:
        """Give what the file has: how many rows, of which times, and their amounts by currency."""
        time, amount = MONTHLY[self._table].name, AMOUNTS[self._content]
        columns = f"currency, count(*), min({time}), max({time}), sum({amount})"
        with closing(_connect(self._partial, "ro", self._store)) as file:
            found = file.execute(f"SELECT {columns} FROM main.{self._content} GROUP BY 1 ORDER BY 1").fetchall()  # noqa: S608
        firsts, lasts = [row[2] for row in found], [row[3] for row in found]
        amounts = {row[0]: row[4] for row in found}
        return sum(row[1] for row in found), min(firsts, default=None), max(lasts, default=None), amounts

    def _copy(self, after: int, last: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < self._reserve:
            raise StoreUnavailable(f"{self._folder}: {free} octets are free, and {self._reserve} have to stay so")
        wanted = f"FROM store.{self._content} WHERE id > :after AND id <= :last ORDER BY id"
        step = {"after": after, "last": last}
        insert = f"INSERT INTO main.{self._content} ({self._columns}) SELECT {self._columns} {wanted}"
        self.rows += self._file.execute(insert, step).rowcount
        if self._content == JOURNAL:
            self._file.execute(_SUMMED, step)

    def _sync(self) -> None:
        """Have what was written on the disk, and out of the system's memory, so that it is the disk that is read back."""
        self._file.close()
        sync(self._partial)
        descriptor = os.open(self._partial, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


class Comparison:
    """What the store has of a month, held against the month's file before it may be deleted.

    `advance` until it tells that there is no more. Raises StoreUnavailable where the store has a row that the file has not.
    """

    @storing()
    def __init__(self, store: Path, file: Path, content: str, ranges: Sequence[Range]) -> None:
        """Open both; StoreUnavailable where the file is missing."""
        if not file.exists():
            raise StoreUnavailable(f"{file} is missing")
        self._path, self._content, self._walk = file, content, _Walk(content, ranges)
        self._both = _connect(file, "ro", store)

    @storing()
    def advance(self) -> bool:
        """Compare the next rows, and tell whether there is more to do."""
        step = self._walk.next(self._both)
        if step is None:
            return False
        found = differing(self._both, self._content, *step)
        if found:
            where = f"{self._path}, or not as it is there"
            raise StoreUnavailable(f"{self._content} {found[0]} of the store is not in {where}: it stays")
        return True

    def close(self) -> None:
        """Let go of both."""
        self._both.close()


def differing(both: sqlite3.Connection, content: str, after: int, last: int) -> list[int]:
    """Give numbers of rows that the store has and the file has not, or not so, among those above one and up to another.

    Rows that the file alone has are no fault: usage past its retention leaves the store meanwhile.
    """
    columns = ", ".join(
        column.name for column in TABLES[content].columns if column.name not in missing_columns(both, content)
    )
    rows = f"SELECT {columns} FROM {{}}.{content} WHERE id > :after AND id <= :last"  # noqa: S608  (names of ours)
    wanted = f"SELECT id FROM ({rows.format('store')} EXCEPT {rows.format('main')}) ORDER BY id LIMIT 5"  # noqa: S608
    return [number for (number,) in both.execute(wanted, {"after": after, "last": last})]


def remove_unfinished(store: Path) -> list[str]:
    """Remove the files that somebody did not finish who was killed; gives their names."""
    found = sorted(folder_of(store).glob(f"*{UNFINISHED}*"))
    for file in found:
        file.unlink(missing_ok=True)
    return [file.name for file in found]


def _column(table: Table, name: str) -> str:
    column = table.columns[name]
    if name == "id":
        return "id INTEGER PRIMARY KEY"  # the row's own number in SQLite: no index beside the table
    kind = "INTEGER" if isinstance(column.type, Integer) else "TEXT"
    return f"{name} {kind}{'' if column.nullable else ' NOT NULL'}"


def _connect(file: Path, mode: str, store: Path) -> sqlite3.Connection:
    """Open a file of a month, with the store beside it, which is only read."""
    address = f"file:{quote(str(file))}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("ATTACH ? AS store", (f"file:{quote(str(store))}?mode=ro",))
    return connection
