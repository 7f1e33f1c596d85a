"""Rows of long reports as the driver's own tuples: what SQLAlchemy makes of each would cost more than reading it.

Only for columns of whole numbers and text, which both drivers give as they are; a server's sums of whole numbers are Decimal.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Select

PAGE: Final = 5000
_STREAMED: Final = {"stream_results": True}


def plain_rows(connection: Connection, wanted: Select[Any]) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a select, a page at a time; its connection may read others meanwhile."""
    result = connection.execute(wanted, execution_options=_STREAMED)
    first = result.fetchone()  # SQLAlchemy has it already where rows are streamed
    if first is None:
        return
    yield tuple(first)
    cursor: Any = result.cursor
    try:
        while page := cursor.fetchmany(PAGE):
            yield from page
    finally:
        result.close()
