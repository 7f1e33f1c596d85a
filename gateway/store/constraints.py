"""Named CHECK constraints and partial unique indexes of a table that has rows already, on both stores.

They hold for what is written from now on; what was there before is proved by `ledger check`. No row is read or written for a
CHECK, so that a journal of ten million entries gets its constraints in a moment:

- PostgreSQL adds them NOT VALID (its manual, ALTER TABLE), and to each partition of a partitioned table with it.
- SQLite adds no CHECK to a table. Its manual ("Making Other Kinds Of Table Schema Changes", lang_altertable.html, §7) gives,
  beside copying the table, a way for changes that do not affect what is on the disk: the table's text in `sqlite_schema` is
  written anew under PRAGMA writable_schema, and the schema's number raised. It names taking a CHECK away; adding one changes
  as little on the disk, being a condition on what is written. `PRAGMA integrity_check` tells of rows from before it.

Whoever writes a table anew in a step (Alembic's batch_alter_table copies it) calls `set_checks` again: a copy has none.
A unique index reads the table once: some seconds for ten million rows, of which it has few (it is partial).
"""

import re
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

PREFIX: Final = "ck_"
_FIRST: Final = ", CONSTRAINT " + PREFIX
_NAMED: Final = re.compile(r"CONSTRAINT (ck_\w+) CHECK")
_CAST: Final = re.compile(r"::(character varying|\w+)(\[\])?")
_WORD: Final = re.compile(r"'[^']*'|\w+|[<>=]+")
_SPELLING: Final = frozenset({"IN", "=", "ANY", "ARRAY", "NOT", "VALID", "CHECK", "TRUE", "true", "INCLUDE"})
"""What a server writes otherwise, or leaves out: a list of values, the type of one, the signs of a whole condition."""


def set_checks(connection: Connection, table: str, checks: Mapping[str, str]) -> None:
    """Give a table these CHECKs, by name (`ck_<table>_...`), in place of those that it has; they are written as SQL."""
    if connection.dialect.name == "sqlite":
        _rewrite(connection, table, checks)
        return
    for name in check_names(connection, table):
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, condition in checks.items():
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")


def check_names(connection: Connection, table: str) -> set[str]:
    """Name the CHECKs of a table that were made here."""
    if connection.dialect.name == "sqlite":
        return set(_NAMED.findall(_text_of(connection, table)))
    found = text("SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(:table) AND contype = 'c'")
    return {name for name in connection.execute(found, {"table": table}).scalars() if name.startswith(PREFIX)}


def checks_of(connection: Connection, table: str) -> dict[str, str]:
    """Give the CHECKs of a table as the store has them; a server writes conditions in its own words."""
    if connection.dialect.name == "sqlite":
        _, _, added = _text_of(connection, table).rpartition(")")[0].partition(_FIRST)
        parts = f"{PREFIX}{added}".split(", CONSTRAINT ") if added else []
        return {name: condition[1:-1] for name, _, condition in (part.partition(" CHECK ") for part in parts)}
    found = text(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = to_regclass(:table) AND contype = 'c'"
    )
    rows = connection.execute(found, {"table": table})
    return {name: condition for name, condition in rows if name.startswith(PREFIX)}


def essence(condition: str) -> list[str]:
    """Return what of a condition is the same in the words of both stores: names, values and comparisons, in their order."""
    return [each for each in _WORD.findall(_CAST.sub("", condition)) if each not in _SPELLING]


def _text_of(connection: Connection, table: str) -> str:
    found = text("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = :table")
    return str(connection.execute(found, {"table": table}).scalar_one())


def _rewrite(connection: Connection, table: str, checks: Mapping[str, str]) -> None:
    """Put the CHECKs behind the columns, where SQLite leaves them when it adds a column."""
    columns, _, options = _text_of(connection, table).rpartition(")")
    columns = columns.partition(_FIRST)[0].rstrip()
    added = "".join(f", CONSTRAINT {name} CHECK ({condition})" for name, condition in checks.items())
    whole = {"table": table, "sql": f"{columns}{added}){options}"}
    (number,) = connection.exec_driver_sql("PRAGMA main.schema_version").one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    connection.execute(text("UPDATE main.sqlite_schema SET sql = :sql WHERE type = 'table' AND name = :table"), whole)
    connection.exec_driver_sql(f"PRAGMA main.schema_version={number + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")
    connection.exec_driver_sql(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608  (wrong words end the step here)


def unique_name(table: str) -> str:
    """Name the unique index of a table, or of a partition of one."""
    return f"uq_{table}_reference"


def set_unique(connection: Connection, table: str, columns: str, condition: str) -> bool:
    """Give a table, or each of its partitions, a partial unique index in place of the one that it has.

    Tells whether it could be made: not where rows are there already that it forbids, which `ledger check` names.
    """
    made = [_set_unique(connection, each, columns, condition) for each in _partitions(connection, table) or [table]]
    return all(made)


def _set_unique(connection: Connection, table: str, columns: str, condition: str) -> bool:
    name = unique_name(table)
    connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")
    doubled = f"SELECT 1 FROM {table} WHERE {condition} GROUP BY {columns} HAVING count(*) > 1 LIMIT 1"  # noqa: S608  (ours)
    if connection.exec_driver_sql(doubled).first() is not None:
        return False
    connection.exec_driver_sql(f"CREATE UNIQUE INDEX {name} ON {table} ({columns}) WHERE {condition}")
    return True


def without_unique(connection: Connection, table: str, columns: str, condition: str) -> list[str]:
    """Name the table, or those of its partitions, that lack the unique index, or have another one under its name."""
    wanted = essence(f"{columns} WHERE {condition}")
    return [each for each in _partitions(connection, table) or [table] if _index_of(connection, each) != wanted]


def _index_of(connection: Connection, table: str) -> list[str]:
    """Return what of the text of a table's unique index is the same on both stores; nothing where it has none."""
    on_file = "SELECT sql FROM main.sqlite_schema WHERE type = 'index' AND name = :name AND tbl_name = :table"
    on_server = (
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indexrelid = to_regclass(:name) AND indrelid = to_regclass(:table) AND indisvalid"
    )
    found = text(on_file if connection.dialect.name == "sqlite" else on_server)
    made = connection.execute(found, {"name": unique_name(table), "table": table}).scalar() or ""
    return essence(made.partition("(")[2]) if made.startswith("CREATE UNIQUE INDEX ") else []


def copy_unique(connection: Connection, partition: str, template: str) -> None:
    """Give a new partition the unique index that another one has, if any: a server's months are made one by one."""
    found = text("SELECT pg_get_indexdef(indexrelid, 0, true) FROM pg_index WHERE indexrelid = to_regclass(:name)")
    made = connection.execute(found, {"name": unique_name(template)}).scalar()
    if made is not None:
        schema_free = str(made).replace(f" {unique_name(template)} ", f" {unique_name(partition)} ", 1)
        connection.exec_driver_sql(re.sub(r" ON \S+ ", f" ON {partition} ", schema_free, count=1))


def _partitions(connection: Connection, table: str) -> list[str]:
    if connection.dialect.name != "postgresql":
        return []
    found = text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
        "WHERE inhparent = to_regclass(:table) ORDER BY child.relname"
    )
    return list(connection.execute(found, {"table": table}).scalars())
