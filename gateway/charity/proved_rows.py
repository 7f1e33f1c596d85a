"""Changes of rows that are proved: what a row says afterwards goes into the chain with the change."""

from typing import Any

from sqlalchemy import Row, Table, update

from gateway.store.batch import Batch


def change(batch: Batch, table: Table, row: Row[Any], **values: object) -> None:
    """Change a row, given as it was read whole."""
    batch.connection.execute(update(table).where(table.c.id == row.id).values(values))
    batch.prove(table, tuple({**row._mapping, **values}.values()))  # noqa: SLF001  (SQLAlchemy's own public name)
