"""Statements of the hot path: written in SQLAlchemy Core, compiled once a dialect, then run with plain tuples.

Building and binding a Core statement for every batch costs more than the rows themselves; the text is the same each time,
so it is compiled at start and handed to the driver directly, whose own errors come out (`store.driver_errors` knows them).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Connection,
    Dialect,
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

_TYPES = {int: BigInteger, str: Text}


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
    """A statement that is run once for each of many tuples."""

    def run(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Run it for all rows with one executemany; none is fine."""
        if rows:
            _cursor(connection).executemany(self.text(connection.dialect), rows)


class Insert(_Writing):
    """Insert rows given as tuples in the order of the table's columns."""

    def __init__(self, table: Table) -> None:
        """Take the table; every row gives all its columns."""
        super().__init__()
        self._table = table

    def _compile(self, dialect: Dialect) -> str:
        names = [column.name for column in self._table.columns]
        compiled = self._table.insert().compile(dialect=dialect, column_keys=names)
        return _positional(str(compiled), compiled.positiontup, names)


class Update(_Writing):
    """Update rows by key with tuples: the new values first, then the key."""

    def __init__(self, table: Table, values: Sequence[str], key: Sequence[str]) -> None:
        """Name the columns that are set and those that find the row."""
        super().__init__()
        self._table, self._values, self._key = table, tuple(values), tuple(key)

    def _compile(self, dialect: Dialect) -> str:
        columns = self._table.columns
        condition = and_(*(columns[k] == bindparam(f"key_{k}", type_=columns[k].type) for k in self._key))
        values = {v: bindparam(f"new_{v}", type_=columns[v].type) for v in self._values}
        compiled = self._table.update().where(condition).values(values).compile(dialect=dialect)
        wanted = [f"new_{v}" for v in self._values] + [f"key_{k}" for k in self._key]
        return _positional(str(compiled), compiled.positiontup, wanted)


class Delete(_Writing):
    """Delete rows by key, given as tuples."""

    def __init__(self, table: Table, key: Sequence[str]) -> None:
        """Name the columns that find the row."""
        super().__init__()
        self._table, self._key = table, tuple(key)

    def _compile(self, dialect: Dialect) -> str:
        columns = self._table.columns
        condition = and_(*(columns[k] == bindparam(f"key_{k}", type_=columns[k].type) for k in self._key))
        compiled = self._table.delete().where(condition).compile(dialect=dialect)
        return _positional(str(compiled), compiled.positiontup, [f"key_{k}" for k in self._key])


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
        self._statement, self._among, self._key_type, self._lock = statement, among, key_type, lock

    def run(self, connection: Connection, keys: Iterable[int] | Iterable[str]) -> Sequence[tuple[Any, ...]]:
        """Read all rows as plain tuples; no keys, no rows and no round trip."""
        wanted = list(keys)
        if not wanted:
            return ()
        given: object = wanted if connection.dialect.name == "postgresql" else msgspec.json.encode(wanted).decode()
        cursor = _cursor(connection)
        cursor.execute(self.text(connection.dialect), (given,))
        return cursor.fetchall()

    def _compile(self, dialect: Dialect) -> str:
        if dialect.name == "postgresql":
            keys: ColumnElement[Any] = bindparam("keys", type_=ARRAY(_TYPES[self._key_type]))
            statement = self._statement.where(self._among == func.any(keys)).order_by(self._among)
            if self._lock is not None:
                statement = statement.with_for_update(of=self._lock)
        else:
            each = func.json_each(bindparam("keys", type_=Text)).table_valued(column("value"))
            statement = self._statement.where(self._among.in_(select(each.c.value)))
        compiled = statement.compile(dialect=dialect)
        return _positional(str(compiled), compiled.positiontup, ["keys"])


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
        cursor = _cursor(connection)
        cursor.execute(self.text(connection.dialect), (msgspec.json.encode(wanted).decode(),))
        return cursor.fetchall()

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
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.cursor()


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
