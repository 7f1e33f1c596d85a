"""Values of columns that are one of a few words, read as their enums: what no gateway of this version writes is named."""

from enum import StrEnum
from typing import TypeVar

from gateway.store.errors import RowUnknown

Word = TypeVar("Word", bound=StrEnum)


def member_of(kind: type[Word], word: str, table: str, row: object) -> Word:
    """Return the member of `kind` that a row of a table has; RowUnknown says which row has another, and what to do."""
    try:
        return kind(word)
    except ValueError:
        message = unknown(f"{kind.__name__} {word!r}", table, row)
        raise RowUnknown(message) from None


def unknown(what: str, table: str, row: object) -> str:
    """Say that a row has what this version does not know."""
    return (
        f"row {row} of {table} has {what}, which this version of the gateway does not know; nothing was changed: use the "
        "version that wrote it, or if somebody changed the row, put back what it was"
    )
