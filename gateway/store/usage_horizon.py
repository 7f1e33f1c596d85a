"""Up to when usage may be gone, as its retention is over: what is held against all usage since then has to know."""

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from gateway.store.tables import marks

SWEPT_TO: Final = "usage.swept_to"
"""The store's mark (node 0) of the time of use (microseconds) before which records may be gone."""


def swept_to(connection: Connection) -> int:
    """Give the time (microseconds) before which records may be gone; 0 where none ever went."""
    return connection.execute(select(marks.c.value).where(marks.c.node == 0, marks.c.name == SWEPT_TO)).scalar() or 0


def note_swept(connection: Connection, before: int) -> None:
    """Write down, in the transaction that removes them, that records from before a time go."""
    if swept_to(connection) >= before:
        return
    connection.execute(delete(marks).where(marks.c.node == 0, marks.c.name == SWEPT_TO))
    connection.execute(insert(marks).values(node=0, name=SWEPT_TO, value=before))
