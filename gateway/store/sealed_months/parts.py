"""The journal and usage as reports read them: what stands in the store, and each sealed month, one after the other.

A part is a connection on which the tables `transfers` and `usage` are its rows alone, beside the store's other tables, so that
one query serves all; whoever reads adds up, or merges by number. SQLite attaches ten files at most, so years of months are no
view over all of them. A month counts by its files from the commit that names them on: what is not deleted from the store yet is
hidden there.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Row, Select, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import NullPool

from gateway.store.errors import StoreUnavailable
from gateway.store.sealed_months.records import (
    TABLES,
    SealedMonth,
    folder_of,
    is_in,
    missing_columns,
    sealed_months,
    store_of,
)

_NO_USAGE: Final = "CREATE TEMP TABLE usage ({})"


class Part:
    """A connection, and the month that it reads; `month` is None for the store itself."""

    def __init__(self, connection: Callable[[], Connection], month: SealedMonth | None) -> None:
        """Take how it is connected to: a sealed month is opened when it is first read."""
        self._connect, self.month = connection, month
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection; StoreUnavailable where a file is missing."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    @property
    def lowest(self) -> int:
        """A number that none of its rows is below; of the store itself, which is read first, 0."""
        return self.month.ranges[0][0] if self.month is not None else 0


Wanted = Callable[[SealedMonth], bool]


def every(_month: SealedMonth) -> bool:
    """Want each month."""
    return True


@contextmanager
def parts(connection: Connection, wanted: Wanted = every) -> Iterator[list[Part]]:
    """Give the parts of what a connection for reports sees: the sealed months that are wanted, then the store itself.

    In the block no such row is seen on the connection itself that stands in a file already.
    """
    months = sealed_months(connection)
    if not months:
        yield [Part(lambda: connection, None)]
        return
    store = store_of(connection)
    _hide(connection, [month for month in months if not month.is_removed])
    with ExitStack() as opened:
        cache: dict[Any, Any] = {}

        def part(month: SealedMonth) -> Part:
            return Part(lambda: opened.enter_context(_opened(store, month, cache)), month)

        yield [*(part(month) for month in months if wanted(month)), Part(lambda: connection, None)]


def _hide(connection: Connection, months: list[SealedMonth]) -> None:
    """Hide what the store still has of sealed months: a view of a connection's own goes before its tables.

    It goes with the transaction, or the connection. One for reports must be allowed to make it, for the moment.
    """
    if not months:
        return
    sealed = is_in([each for month in months for each in month.ranges])
    (query_only,) = connection.exec_driver_sql("PRAGMA query_only").one()
    connection.exec_driver_sql("PRAGMA query_only=OFF")
    for name in TABLES:
        rows = f"SELECT * FROM main.{name} WHERE NOT ({sealed})"  # noqa: S608  (names and numbers of ours)
        connection.exec_driver_sql(f"CREATE TEMP VIEW IF NOT EXISTS {name} AS {rows}")
    connection.exec_driver_sql(f"PRAGMA query_only={query_only}")


@contextmanager
def _opened(store: Path, month: SealedMonth, cache: dict[Any, Any]) -> Iterator[Connection]:
    engine = create_engine("sqlite://", poolclass=NullPool, creator=lambda: _connect(store, month))
    event.listen(engine, "handle_error", lambda found: _not_the_store(found, month))
    try:
        with engine.connect() as connection:
            connection.execution_options(compiled_cache=cache)  # statements are compiled once for all months
            yield connection
    finally:
        engine.dispose()


def _connect(store: Path, month: SealedMonth) -> sqlite3.Connection:
    """Open a month; behind its tables come the store's others, which are read as they are now."""
    journal, usage = (folder_of(store) / file.file for file in month.files)
    for file, known in zip((journal, usage), month.files, strict=True):
        if known.dropped_at is None and not file.exists():
            raise StoreUnavailable(
                f"{file} is missing: put it back from a backup; `tpo ledger check` names all of them"
            )
    connection = sqlite3.connect(_address(journal), uri=True, isolation_level=None, check_same_thread=False)
    if month.usage.dropped_at is None:
        connection.execute("ATTACH ? AS used", (_address(usage),))
    else:
        columns = ", ".join(column.name for column in TABLES["usage"].columns)
        connection.execute(_NO_USAGE.format(columns))
    connection.execute("ATTACH ? AS store", (f"file:{quote(str(store))}?mode=ro",))
    for name, schema in (("transfers", "main"), *((("usage", "used"),) if month.usage.dropped_at is None else ())):
        if missing := missing_columns(connection, name, schema):
            empty = ", ".join(f"NULL AS {column}" for column in missing)
            rows = f"SELECT *, {empty} FROM {schema}.{name}"  # noqa: S608  (names of ours)
            connection.execute(f"CREATE TEMP VIEW {name} AS {rows}")
    return connection


def _address(file: Path) -> str:
    return f"file:{quote(str(file))}?mode=ro&immutable=1"


def _not_the_store(found: ExceptionContext, month: SealedMonth) -> None:
    """A file that cannot be read is not the store itself: that goes on."""
    raise StoreUnavailable(f"the files of {month.period} cannot be read: {found.original_exception}") from None


def lowest_rows(found: Iterable[Part], wanted: Select[Any], limit: int) -> list[Row[Any]]:
    """Give the first rows of all parts in the order of their `id`, by which `wanted` sorts; what is not needed stays shut."""
    rows: list[Row[Any]] = []
    for part in sorted(found, key=lambda part: part.lowest):
        if len(rows) == limit and part.lowest >= rows[-1].id:
            break
        rows = sorted((*rows, *part.connection.execute(wanted.limit(limit))), key=lambda row: row.id)[:limit]
    return rows


def unreadable(part: Part) -> str | None:
    """Say why a part cannot be read through, if it cannot: it is missing, or its pages are damaged."""
    try:
        found: str = part.connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        for name in TABLES:
            part.connection.exec_driver_sql(f"SELECT max(id) FROM {name}").one()  # noqa: S608  (names of ours)
    except StoreUnavailable as error:
        return str(error)
    return None if found == "ok" else found
