"""Statements of the hot path: written in SQLAlchemy Core, compiled once a dialect, then run with plain tuples.

Building and binding a Core statement for every batch costs more than the rows themselves; the text is the same each time,
so it is compiled at start and handed to the driver directly, whose own errors come out (`store.driver_errors` knows them).
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    Connection,
    Dialect,
    RootTransaction,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.elements import ColumnElement

from gateway.store.array_literals import array_of, literals

if TYPE_CHECKING:
    from gateway.store.server_pipeline import Sent, ServerPipeline

_TYPES = {int: BigInteger, str: Text}
_NOBODY_WAITS: Final = nullcontext()
ROWS_AT_ONCE: Final = (16, 4)
"""How many rows SQLite inserts by one statement: few lengths, since it keeps each prepared."""
PIPELINE: Final = "pipeline"
"""Where a connection keeps (`info`) what sends a server several statements together."""
WRITTEN: Final = "written"
"""Where a connection keeps (`info`) whom it calls with the name of each table that a statement of here writes to."""


class _Prepared:
    """A statement's text by dialect, compiled when it is first needed."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def text(self, dialect: Dialect) -> str:
        """Give the text for a dialect."""
        found = self._texts.get(dialect.name)
        if found is None:
            found = self._texts[dialect.name] = self._compile(dialect)
        return found

    def _compile(self, dialect: Dialect) -> str:
        raise NotImplementedError


class _Writing(_Prepared):
    """A statement that writes a row for each of many tuples.

    SQLite runs it once for each row, or for some rows of an insert; a server gets one statement with an array for each column,
    and joins them with `unnest`.
    """

    def __init__(self, table: Table, columns: Sequence[str], key: Sequence[str] = ()) -> None:
        """Take the table, the columns that the tuples give, in order, and which of them find the row."""
        super().__init__()
        self._table = table
        self._columns = [table.columns[name] for name in columns]
        self._writers = [array_of(column)[1] for column in self._columns]
        self._key = tuple(key)

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write all rows; none is fine. Of two with the same key the last one counts."""
        if not rows:
            return
        dialect = connection.dialect
        if dialect.name == "postgresql":
            _execute(connection, self.text(dialect), self.arrays(rows))
        else:
            self._run_here(_cursor(connection), self.text(dialect), rows)
        written = connection.info.get(WRITTEN)
        if written is not None:
            written(self._table.name)

    def _run_here(self, cursor: DBAPICursor, text: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run the statement in this process, once for each row."""
        cursor.executemany(text, rows)

    def arrays(self, rows: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
        """Give what a server gets of rows: an array for each column."""
        return literals(self._last_of_each(rows), self._writers)

    def _last_of_each(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """Leave out what a later row would overwrite: one statement changes a row once, and does not say by which of two."""
        keyed = len(self._key)
        return list({row[-keyed:]: row for row in rows}.values()) if keyed and len(rows) > 1 else rows

    def _arrays(self, dialect: Dialect) -> str:
        """Give the rows as a table `given`, its columns named as the tuples have them."""
        names = ", ".join(self._given(dialect))
        arrays = ", ".join(f"%s::{array_of(column)[0]}" for column in self._columns)
        return f"unnest({arrays}) AS given ({names})"

    def _given(self, dialect: Dialect) -> list[str]:
        quote = dialect.identifier_preparer.quote
        return [quote(column.name) for column in self._columns]

    def _found(self, dialect: Dialect) -> str:
        quote, table = dialect.identifier_preparer.quote, self._table.name
        return " AND ".join(f"{quote(table)}.{quote(name)} = given.{quote(name)}" for name in self._key)


class Insert(_Writing):
    """Insert rows given as tuples in the order of the table's columns: every row gives all of them."""

    def __init__(self, table: Table) -> None:
        """Take the table."""
        super().__init__(table, [column.name for column in table.columns])
        self._longer: dict[int, str] = {}
        """The text for so many rows at once, by their number."""

    def _run_here(self, cursor: DBAPICursor, text: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows at once, which takes a third less a row and gives way to fewer threads, and the rest one by one."""
        done = 0
        for size in ROWS_AT_ONCE:
            for _ in range((len(rows) - done) // size):
                cursor.execute(self._longer_text(text, size), tuple(chain.from_iterable(rows[done : done + size])))
                done += size
        if done < len(rows):
            cursor.executemany(text, rows[done:])

    def _longer_text(self, text: str, size: int) -> str:
        found = self._longer.get(size)
        if found is None:
            row = text.rpartition(" VALUES ")[2]
            found = self._longer[size] = text + f", {row}" * (size - 1)
        return found

    def _compile(self, dialect: Dialect) -> str:
        names = [column.name for column in self._table.columns]
        if dialect.name == "postgresql":
            table, listed = dialect.identifier_preparer.format_table(self._table), ", ".join(self._given(dialect))
            return f"INSERT INTO {table} ({listed}) SELECT * FROM {self._arrays(dialect)}"  # noqa: S608  (names of ours)
        compiled = self._table.insert().compile(dialect=dialect, column_keys=names)
        return _positional(str(compiled), compiled.positiontup, names)


class Inserts(dict[str, Insert]):
    """Inserts by table name, made at first use."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        """Take the tables that there are."""
        super().__init__()
        self._tables = tables
        self._joined: dict[tuple[str, ...], str] = {}

    def __missing__(self, name: str) -> Insert:
        """Make the insert of a table."""
        statement = self[name] = Insert(self._tables[name])
        return statement

    def run(self, connection: Connection, rows: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        """Insert rows into several tables, given by table name; a server gets one statement for all of them."""
        if connection.dialect.name != "postgresql" or len(rows) < 2:
            for name, each in rows.items():
                self[name].run(connection, each)
            return
        given = [array for name, each in rows.items() for array in self[name].arrays(each)]
        _execute(connection, self._text(tuple(rows), connection.dialect), given)

    def _text(self, names: tuple[str, ...], dialect: Dialect) -> str:
        found = self._joined.get(names)
        if found is None:
            *others, last = [self[name].text(dialect) for name in names]
            parts = ", ".join(f"part_{i} AS ({text})" for i, text in enumerate(others))
            found = self._joined[names] = f"WITH {parts} {last}"
        return found


class Update(_Writing):
    """Update rows by key with tuples: the new values first, then the key."""

    def __init__(self, table: Table, values: Sequence[str], key: Sequence[str]) -> None:
        """Name the columns that are set and those that find the row."""
        super().__init__(table, [*values, *key], key)
        self._values = tuple(values)

    def _compile(self, dialect: Dialect) -> str:
        columns = self._table.columns
        if dialect.name == "postgresql":
            quote = dialect.identifier_preparer.quote
            new = ", ".join(f"{quote(name)} = given.{quote(name)}" for name in self._values)
            table, found = dialect.identifier_preparer.format_table(self._table), self._found(dialect)
            return f"UPDATE {table} SET {new} FROM {self._arrays(dialect)} WHERE {found}"  # noqa: S608  (names of ours)
        condition = and_(*(columns[k] == bindparam(f"key_{k}", type_=columns[k].type) for k in self._key))
        values = {v: bindparam(f"new_{v}", type_=columns[v].type) for v in self._values}
        compiled = self._table.update().where(condition).values(values).compile(dialect=dialect)
        wanted = [f"new_{v}" for v in self._values] + [f"key_{k}" for k in self._key]
        return _positional(str(compiled), compiled.positiontup, wanted)


class Delete(_Writing):
    """Delete rows by key, given as tuples."""

    def __init__(self, table: Table, key: Sequence[str]) -> None:
        """Name the columns that find the row."""
        super().__init__(table, key, key)

    def _compile(self, dialect: Dialect) -> str:
        columns = self._table.columns
        if dialect.name == "postgresql":
            table, found = dialect.identifier_preparer.format_table(self._table), self._found(dialect)
            return f"DELETE FROM {table} USING {self._arrays(dialect)} WHERE {found}"  # noqa: S608  (names of ours)
        condition = and_(*(columns[k] == bindparam(f"key_{k}", type_=columns[k].type) for k in self._key))
        compiled = self._table.delete().where(condition).compile(dialect=dialect)
        return _positional(str(compiled), compiled.positiontup, [f"key_{k}" for k in self._key])


class Fetching(Protocol):
    """What gives the rows of a statement: a driver's cursor, or what was sent in a pipeline."""

    def fetchall(self) -> Sequence[Any]:
        """Give all rows as plain tuples."""


class Asked:
    """A query that is on its way: within `pipelined` the server works on it, and on others, until its rows are wanted."""

    def __init__(self, cursor: Fetching | None) -> None:
        """Take what gives its rows; None where nothing was asked."""
        self._cursor = cursor
        self._rows: Sequence[tuple[Any, ...]] = ()

    def rows(self) -> Sequence[tuple[Any, ...]]:
        """Give all rows as plain tuples."""
        if self._cursor is not None:
            self._rows, self._cursor = self._cursor.fetchall(), None
        return self._rows


class SelectAmong(_Prepared):
    """Read the rows whose column is among a set of keys, in one statement whose text never changes.

    SQLite takes the set as a JSON array, PostgreSQL as an array. With `lock`, the rows are locked in the column's order,
    so that two gateways never wait for each other crosswise.
    """

    def __init__(
        self, statement: Select[Any], among: ColumnElement[Any], key_type: type, *, lock: Table | None = None
    ) -> None:
        """Take the select without its condition, the column to match, and the type of the keys (int or str)."""
        super().__init__()
        self._statement, self._among, self._lock = statement, among, lock
        keys: Column[Any] = Column("keys", _TYPES[key_type])
        self._key_type, self._write = keys.type, array_of(keys)[1]

    def run(self, connection: Connection, keys: Iterable[int] | Iterable[str]) -> Sequence[tuple[Any, ...]]:
        """Read all rows as plain tuples; no keys, no rows and no round trip."""
        return self.ask(connection, keys).rows()

    def ask(self, connection: Connection, keys: Iterable[int] | Iterable[str]) -> Asked:
        """Send the query, and take its rows later; no keys, no round trip."""
        wanted = list(keys)
        if not wanted:
            return Asked(None)
        on_server = connection.dialect.name == "postgresql"
        given = self._write(wanted) if on_server else msgspec.json.encode(wanted).decode()
        return Asked(_execute(connection, self.text(connection.dialect), (given,)))

    def _compile(self, dialect: Dialect) -> str:
        if dialect.name == "postgresql":
            keys: ColumnElement[Any] = cast(bindparam("keys", type_=Text), ARRAY(self._key_type))
            statement = self._statement.where(self._among == func.any(keys)).order_by(self._among)
            if self._lock is not None:
                statement = statement.with_for_update(of=self._lock)
        else:
            each = func.json_each(bindparam("keys", type_=Text)).table_valued(column("value"))
            statement = self._statement.where(self._among.in_(select(each.c.value)))
        compiled = statement.compile(dialect=dialect)
        return _positional(str(compiled), compiled.positiontup, ["keys"])


def pipelined(connection: Connection) -> AbstractContextManager[object]:
    """Have statements of here sent to a server together; one that fails does so at the end, or when rows are taken.

    Within the block SQLAlchemy cannot use the connection. A block in another is a part of that. SQLite has nobody to wait for.
    """
    if connection.dialect.name != "postgresql":
        return _NOBODY_WAITS
    pipeline: ServerPipeline | None = connection.info.get(PIPELINE)
    if pipeline is None:
        from gateway.store import server_pipeline  # noqa: PLC0415  (psycopg is there only where PostgreSQL is used)

        driver: Any = connection.connection.driver_connection
        pipeline = connection.info[PIPELINE] = server_pipeline.ServerPipeline(driver)
    return _NOBODY_WAITS if pipeline.is_open else pipeline


def execute(connection: Connection, text: str, values: Sequence[str | int] = ()) -> Fetching:
    """Have the driver run a statement, its values in the place of each `%s`; in a pipeline it is only sent."""
    pipeline: ServerPipeline | None = connection.info.get(PIPELINE)
    if pipeline is not None and pipeline.is_open:
        return pipeline.send(text, values)
    cursor = connection.connection.cursor()
    cursor.execute(text, values)
    return cursor


def begin_sending(connection: Connection) -> None:
    """Let a server begin with what was gathered in the pipeline that is open."""
    pipeline: ServerPipeline | None = connection.info.get(PIPELINE)
    if pipeline is not None and pipeline.is_open:
        pipeline.begin_sending()


class Commit:
    """The COMMIT of a transaction: a server gets it together with the statements before it, in a pipeline."""

    def __init__(self, transaction: RootTransaction) -> None:
        """Take the transaction; nothing is sent yet."""
        self._transaction = transaction
        self._begun = False
        self._pipeline: ServerPipeline | None = None
        self._sent: Sent | None = None

    def send(self) -> None:
        """Let it go with what is gathered."""
        self._begun = True
        self._pipeline = self._transaction.connection.info.get(PIPELINE)
        if self._pipeline is not None and self._pipeline.is_open:
            self._sent = self._pipeline.send("COMMIT")

    def finish(self) -> None:
        """Commit, where that is not done yet."""
        self._transaction.commit()

    @property
    def may_be_done(self) -> bool:
        """Whether, after an error, the transaction may be committed for all that is known here."""
        if self._pipeline is None or self._sent is None:
            return self._begun
        return not self._pipeline.is_left_out(self._sent)


def _execute(connection: Connection, text: str, values: Sequence[str | int]) -> Fetching:
    _begin(connection)
    return execute(connection, text, values)


class SelectPairs(_Prepared):
    """Read the rows whose two columns are among a set of pairs of texts, in one statement whose text never changes.

    Each pair finds its row by an index that begins with both columns, which the second one alone would not.
    """

    def __init__(self, statement: Select[Any], first: ColumnElement[Any], second: ColumnElement[Any]) -> None:
        """Take the select without its condition, and the columns to match."""
        super().__init__()
        self._statement, self._columns = statement, tuple_(first, second)

    def run(self, connection: Connection, pairs: Iterable[tuple[str, str]]) -> Sequence[tuple[Any, ...]]:
        """Read all rows as plain tuples; no pairs, no rows and no round trip."""
        wanted = sorted(pairs)
        if not wanted:
            return ()
        return _execute(connection, self.text(connection.dialect), (msgspec.json.encode(wanted).decode(),)).fetchall()

    def _compile(self, dialect: Dialect) -> str:
        given = bindparam("pairs", type_=Text)
        elements = (
            func.json_array_elements(cast(given, JSON)) if dialect.name == "postgresql" else func.json_each(given)
        )
        each = elements.table_valued(column("value", JSON)).c.value
        pair = select(each.op("->>")(literal_column("0")), each.op("->>")(literal_column("1")))
        compiled = self._statement.where(self._columns.in_(pair)).compile(dialect=dialect)
        return _positional(str(compiled), compiled.positiontup, ["pairs"])


def _cursor(connection: Connection) -> DBAPICursor:
    """Give a cursor of the driver, in a transaction that is SQLAlchemy's."""
    _begin(connection)
    return connection.connection.cursor()


def _begin(connection: Connection) -> None:
    if not connection.in_transaction():
        connection.begin()


def _positional(text: str, positions: Sequence[str] | None, wanted: Sequence[str]) -> str:
    """Check that the compiled text takes its parameters in the order in which the tuples give them."""
    if positions is None:  # a named style: %(name)s, each once
        named: Mapping[str, int] = {name: text.index(f"%({name})s") for name in wanted}
        order = sorted(wanted, key=named.__getitem__)
        for name in wanted:
            text = text.replace(f"%({name})s", "%s")
        positions = order
    if list(positions) != list(wanted):
        raise RuntimeError(f"the statement takes {list(positions)}, its rows give {list(wanted)}: {text}")
    return text
