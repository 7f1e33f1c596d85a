"""The store's rows that say which month stands in which file, and where these files are.

A month is cut by number, not by time: what a node numbered up to the last entry that it booked in the month. Numbers are given
out in the order of booking, so that nothing is ever added to a month that is over, whatever comes late and whatever the
clock did; and a charge, its usage and its accruals, which are numbered in one batch, are never cut apart.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, Table, select

from gateway.store.errors import StoreCorrupt
from gateway.store.tables import sealed_files, transfers, usage

FOLDER: Final = "sealed"
"""The folder of the files, beside the store. Copies of a store beside each other share it: a file's name tells its content."""
JOURNAL: Final = str(transfers.name)
USAGE: Final = str(usage.name)
TABLES: Final[dict[str, Table]] = {JOURNAL: transfers, USAGE: usage}
_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")
_PIECE: Final = 1 << 20
Range = tuple[int, int]
"""Numbers above the first, up to the second."""


class SealedFile(msgspec.Struct, frozen=True):
    """A file of a month: its rows when it was sealed.

    Attributes:
        content: JOURNAL or USAGE.
        ranges: the numbers that are the month's, by node; the same for both contents.
        amounts: what the entries moved, or the usage was priced, by currency, in micro-units.
        first_at, last_at: the times between which its entries were booked, or the use was; None where there are no rows.
        sha256: of the file's octets.
        removed_to: the store's own rows of the month are gone up to this number.
        removed_at: when the last of them was.
        dropped_at: when the file was given up, since all its usage was past retention.
    """

    period: str
    content: str
    file: str
    ranges: tuple[Range, ...]
    rows: int
    amounts: dict[str, int]
    first_at: int | None
    last_at: int | None
    octets: int
    sha256: str
    sealed_at: int = 0
    removed_to: int = -1
    removed_at: int | None = None
    dropped_at: int | None = None

    def overlaps(self, since: int | None, until: int | None) -> bool:
        """Tell whether it has rows from `since` until before `until`; None is unbounded."""
        if self.first_at is None or self.last_at is None:
            return False
        return (since is None or self.last_at >= since) and (until is None or self.first_at < until)

    def is_within(self, since: int | None, until: int | None) -> bool:
        """Tell whether all its rows are from `since` until before `until`."""
        if self.first_at is None or self.last_at is None:
            return True
        return (since is None or self.first_at >= since) and (until is None or self.last_at < until)


class SealedMonth(msgspec.Struct, frozen=True):
    """A month that stands in files."""

    journal: SealedFile
    usage: SealedFile

    @property
    def period(self) -> str:
        """The month, such as 2026-10."""
        return self.journal.period

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The numbers that are the month's, by node."""
        return self.journal.ranges

    @property
    def files(self) -> tuple[SealedFile, SealedFile]:
        """Both files."""
        return self.journal, self.usage

    def ends_above(self, number: int) -> bool:
        """Tell whether it may have rows numbered above one."""
        return any(last > number for _, last in self.ranges)

    def is_used_before(self, at: int) -> bool:
        """Tell whether all its use, and all that was booked of it, was before a time."""
        return self.journal.is_within(None, at) and self.usage.is_within(None, at)

    @property
    def is_removed(self) -> bool:
        """Whether the store has none of its rows any more."""
        return self.journal.removed_at is not None


def sealed_months(connection: Connection) -> list[SealedMonth]:
    """Give the months that stand in files, the oldest first; none on a server, or in a store of an older version."""
    if connection.dialect.name != "sqlite" or not _has_table(connection):
        return []
    rows = connection.execute(select(sealed_files).order_by(sealed_files.c.period, sealed_files.c.content)).mappings()
    found = [_file({str(name): value for name, value in row.items()}) for row in rows]
    by_period: dict[str, dict[str, SealedFile]] = {}
    for each in found:
        by_period.setdefault(each.period, {})[each.content] = each
    for period, files in by_period.items():
        if files.keys() != TABLES.keys():
            raise StoreCorrupt(
                f"sealed_files: of {period} it names the {', '.join(files)} alone: a row of it is missing"
            )
    return [SealedMonth(files[JOURNAL], files[USAGE]) for files in by_period.values()]


def kept_files(connection: Connection) -> list[SealedFile]:
    """Give the files that belong to a store, without those that were given up."""
    return [file for month in sealed_months(connection) for file in month.files if file.dropped_at is None]


def row_of(file: SealedFile) -> dict[str, object]:
    """Give the row of a file."""
    ranges, amounts = (msgspec.json.encode(value).decode() for value in (file.ranges, file.amounts))
    return msgspec.structs.asdict(file) | {"ranges": ranges, "amounts": amounts}


def _file(row: dict[str, object]) -> SealedFile:
    try:
        decoded = {name: msgspec.json.decode(str(row[name])) for name in ("ranges", "amounts")}
        return msgspec.convert({**row, **decoded}, SealedFile)
    except msgspec.MsgspecError as error:
        which = f"{row['content']} of {row['period']}"
        raise StoreCorrupt(f"sealed_files: what is noted of the file of {which} was changed: {error}") from None


def _has_table(connection: Connection) -> bool:
    there = "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?"
    return connection.exec_driver_sql(there, (str(sealed_files.name),)).one_or_none() is not None


def folder_of(store: Path) -> Path:
    """Give the folder of a store's sealed files, whether it is there or not."""
    return store.with_name(FOLDER)


def store_of(connection: Connection) -> Path:
    """Give the file of the SQLite store that a connection reads."""
    (_, _, file), *_ = connection.exec_driver_sql("PRAGMA database_list").all()
    return Path(file)


def is_in(ranges: Sequence[Range], number: str = "id") -> str:
    """Write the condition that a number is in one of some ranges, for SQLite."""
    return " OR ".join(f"({number} > {int(after)} AND {number} <= {int(last)})" for after, last in ranges) or "0"


def file_name(period: str, content: str, sha256: str) -> str:
    """Name a file: another content of the same month, such as after a restore, has another name.

    The digest stands there in letters alone: in a log a row of digits is taken for somebody's number.
    """
    return f"{period}-{'journal' if content == JOURNAL else content}-{sha256[:12].translate(_LETTERS)}.db"


def digest(file: Path) -> str:
    """Give the SHA-256 of a file's octets, in hexadecimal; OSError where it cannot be read."""
    found = hashlib.sha256()
    with file.open("rb") as octets:
        while piece := octets.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def damage(folder: Path, file: SealedFile, known: Iterable[SealedFile] = ()) -> str | None:
    """Say what is wrong with a file by its octets; None if it is the one that was sealed. `known` are others it may be."""
    path = folder / file.file
    try:
        found = digest(path)
    except FileNotFoundError:
        return f"{path} is missing: the {_words(file)}; put it back from a backup's folder `{FOLDER}`"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    if found == file.sha256:
        return None
    other = next((each for each in known if each.sha256 == found), None)
    what = "was changed" if other is None else f"has the content of {other.file}"
    return f"{path} {what} since it was sealed: its SHA-256 is {found[:12]}..., sealed was {file.sha256[:12]}..."


def _words(file: SealedFile) -> str:
    return f"{'journal' if file.content == JOURNAL else 'usage'} of {file.period}, {file.rows} rows"


def missing_columns(connection: sqlite3.Connection, content: str, schema: str = "main") -> list[str]:
    """Name the columns that the file of a month has not: it was sealed before they were there."""
    found = {row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({content})")}
    return [column.name for column in TABLES[content].columns if found and column.name not in found]
