"""Text that is none: SQLite keeps any octets as text, and its driver refuses each row that has such, without naming it.

Only another program writes them: whatever a gateway writes was checked where it came in. A server refuses them itself.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, String, Table

from gateway.store.errors import UnitPoisoned
from gateway.store.tables import accounts, contents, marks, metadata, nodes, sealed_files, transfers, usage, versions

NAMED: Final = 5
"""Rows that are named at most."""
_COLUMN: Final = re.compile(r"Could not decode to UTF-8 column '([^']*)'")
_FIRST: Final = (nodes, marks, sealed_files, accounts, versions, contents)
"""Tables that are read as a store is opened: they are looked through first, the largest last."""
_LAST: Final = (transfers, usage)


class NoText(NamedTuple):
    """A value that is no UTF-8: its table, the column, and the row by a number: a key of words may be a customer's own."""

    table: str
    column: str
    row: str

    def __str__(self) -> str:
        """Say where it is, and what to do about it."""
        return (
            f"{self.column} of the row of {self.table} with {self.row} is no UTF-8 text, so that nothing can read the row: "
            "another program wrote it; stop the gateway and write what it was, or put the store back from a backup"
        )


def column_of(error: UnitPoisoned) -> str | None:
    """Return the column at whose text a driver stumbled; None where it was not for text."""
    found = _COLUMN.search(str(error))
    return found.group(1) if found else None


def rows_without_text(connection: Connection, column: str, tables: Iterable[Table] = ()) -> list[NoText]:
    """Find the first rows of which a column of this name is no text, in some tables or in all; on SQLite."""
    raw: Any = connection.connection.dbapi_connection
    with _as_octets(raw):
        return list(islice(_found(raw, column, tuple(tables) or _in_order()), NAMED))


def rows_of_file(file: Path, column: str) -> list[NoText]:
    """Find them in a store that is not open; none where it cannot be read."""
    try:
        raw = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)
    except sqlite3.Error:
        return []
    try:
        raw.text_factory = bytes
        return list(islice(_found(raw, column, _in_order()), NAMED))
    except sqlite3.Error:
        return []
    finally:
        raw.close()


@contextmanager
def _as_octets(raw: Any) -> Iterator[None]:  # noqa: ANN401  (the driver's)
    before, raw.text_factory = raw.text_factory, bytes
    try:
        yield
    finally:
        raw.text_factory = before


def _in_order() -> tuple[Table, ...]:
    others = (table for table in metadata.sorted_tables if table not in _FIRST and table not in _LAST)
    return (*_FIRST, *others, *_LAST)


def _found(raw: Any, column: str, tables: Iterable[Table]) -> Iterator[NoText]:  # noqa: ANN401  (as above)
    for table in tables:
        if column not in table.columns or not isinstance(table.columns[column].type, String):
            continue
        number = _number_of(table)
        wanted = f'SELECT {number}, "{column}" FROM {table.name}'  # noqa: S608  (names of ours)
        for place, (row, value) in enumerate(raw.execute(wanted), 1):
            if isinstance(value, bytes) and not _is_text(value):
                yield NoText(
                    str(table.name), column, f"the {number} {row}" if row is not None else f"the place {place}"
                )


def _number_of(table: Table) -> str:
    """Name what numbers the rows of a table: SQLite's own number, an identifier, or nothing but their places by their key."""
    if table.dialect_options["sqlite"]["with_rowid"]:
        return "rowid"
    return "id" if "id" in table.columns else "NULL"


def _is_text(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True
