"""Statements of the hot path: written in SQLAlchemy Core, compiled once a dialect, then run with plain tuples.

Building and binding a Core statement for every batch costs more than the rows themselves; the text is the same each time,
so it is compiled at start and handed to the driver directly.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Dialect,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    column,
    func,
    select,
)
from sqlalchemy.sql.elements import ColumnElement

type_of_keys = {int: BigInteger, str: Text}


class Insert:
    """Insert rows given as tuples in the order of the table's columns."""

    def __init__(self, table: Table) -> None:
        """Take the table; every row gives all its columns."""
        self._table = table
        self._text: dict[str, str] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert all rows with one executemany; none is fine."""
        if not rows:
            return
        name = connection.dialect.name
        text = self._text.get(name) or self._text.setdefault(name, self._compile(connection.dialect))
        connection.exec_driver_sql(text, list(rows))

    def _compile(self, dialect: Dialect) -> str:
        compiled = self._table.insert().compile(dialect=dialect, column_keys=[c.name for c in self._table.columns])
        return _positional(str(compiled), compiled.positiontup, [c.name for c in self._table.columns])


class Update:
    """Update rows by key with tuples: the new values first, then the key."""

    def __init__(self, table: Table, values: Sequence[str], key: Sequence[str]) -> None:
        """Name the columns that are set and those that find the row."""
        self._table, self._values, self._key = table, tuple(values), tuple(key)
        self._text: dict[str, str] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Update all rows with one executemany; none is fine."""
        if not rows:
            return
        name = connection.dialect.name
        text = self._text.get(name) or self._text.setdefault(name, self._compile(connection.dialect))
        connection.exec_driver_sql(text, list(rows))

    def _compile(self, dialect: Dialect) -> str:
        columns = self._table.columns
        condition = and_(*(columns[k] == bindparam(f"key_{k}", type_=columns[k].type) for k in self._key))
        values = {v: bindparam(f"new_{v}", type_=columns[v].type) for v in self._values}
        compiled = self._table.update().where(condition).values(values).compile(dialect=dialect)
        wanted = [f"new_{v}" for v in self._values] + [f"key_{k}" for k in self._key]
        return _positional(str(compiled), compiled.positiontup, wanted)


class SelectAmong:
    """Read the rows whose column is among a set of keys, in one statement whose text never changes.

    SQLite takes the set as a JSON array, PostgreSQL as an array. With `lock`, the rows are locked in the column's order,
    so that two gateways never wait for each other crosswise.
    """

    def __init__(
        self, statement: Select[Any], among: ColumnElement[Any], key_type: type, *, lock: Table | None = None
    ) -> None:
        """Take the select without its condition, the column to match, and the type of the keys (int or str)."""
        self._statement, self._among, self._key_type, self._lock = statement, among, key_type, lock
        self._text: dict[str, str] = {}

    def run(self, connection: Connection, keys: Iterable[int] | Iterable[str]) -> Sequence[tuple[Any, ...]]:
        """Read all rows as plain tuples; no keys, no rows and no round trip."""
        wanted = list(keys)
        if not wanted:
            return ()
        name = connection.dialect.name
        text = self._text.get(name) or self._text.setdefault(name, self._compile(connection.dialect))
        given: object = wanted if name == "postgresql" else msgspec.json.encode(wanted).decode()
        cursor = connection.exec_driver_sql(text, (given,)).cursor
        assert cursor is not None
        return cursor.fetchall()

    def _compile(self, dialect: Dialect) -> str:
        if dialect.name == "postgresql":
            keys: ColumnElement[Any] = bindparam("keys", type_=ARRAY(type_of_keys[self._key_type]))
            statement = self._statement.where(self._among == func.any(keys)).order_by(self._among)
            if self._lock is not None:
                statement = statement.with_for_update(of=self._lock)
        else:
            each = func.json_each(bindparam("keys", type_=Text)).table_valued(column("value"))
            statement = self._statement.where(self._among.in_(select(each.c.value)))
        compiled = statement.compile(dialect=dialect)
        return _positional(str(compiled), compiled.positiontup, ["keys"])


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
