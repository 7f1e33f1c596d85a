"""On SQLite a row's identifier is the number that SQLite itself finds the row by.

`BIGINT` does not make it that (https://sqlite.org/lang_createtable.html#rowid): each of these tables had a hidden number, and
beside it an index that led from the identifier to it, so that a new row wrote two trees, and whoever looked for a row read two.
They are written anew, in the order of their identifiers, in the time and with the room that a copy of the store takes. A
PostgreSQL store stays as it is, and so do the columns: programs of before go on with either.
"""

import re

from alembic import op

revision = "0014"
down_revision = "0013"
compatible_from = "0012"
branch_labels = None
depends_on = None

TABLES = {
    "node_requests": "id",
    "subscribers": "id",
    "lines": "id",
    "subscriptions": "id",
    "choices": "id",
    "wallets": "subscriber_id",
    "accounts": "id",
    "transfers": "id",
    "sessions": "id",
    "usage": "id",
    "held_reports": "id",
    "outbox": "id",
    "texts": "id",
    "orders": "id",
    "sim_history": "id",
    "access_log": "id",
    "subscriber_history": "id",
}
"""Each table with its one identifier."""


def upgrade() -> None:
    """Put a table with the same columns and indexes in the place of each."""
    if op.get_bind().dialect.name == "sqlite":
        for table, identifier in TABLES.items():
            _rewrite(table, identifier)


def _rewrite(table: str, identifier: str) -> None:
    """Copy a table into one that differs in the type of its identifier alone; an index is made again as it was written."""
    connection = op.get_bind()
    schema = "SELECT sql FROM sqlite_master WHERE type = ? AND tbl_name = ? AND sql IS NOT NULL"
    (before,) = connection.exec_driver_sql(schema, ("table", table)).scalars()
    indexes = connection.exec_driver_sql(schema, ("index", table)).scalars().all()
    renamed = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE {table}_anew", before)
    made = re.sub(rf"(\s){identifier} BIGINT", rf"\1{identifier} INTEGER", renamed, count=1)
    if made in (before, renamed):
        raise RuntimeError(f"the table {table} is not as the steps before made it: {before}")
    connection.exec_driver_sql(made)
    connection.exec_driver_sql(f"INSERT INTO {table}_anew SELECT * FROM {table} ORDER BY {identifier}")  # noqa: S608  (names of ours)
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE {table}_anew RENAME TO {table}")
    for index in indexes:
        connection.exec_driver_sql(index)
