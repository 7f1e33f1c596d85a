"""What the store can hold, to be asked at each door before anything is queued.

PostgreSQL holds no U+0000 in a text, nothing that UTF-8 has no form for (half of a surrogate pair), no more characters than
a column says, and no integer beyond 64 bits; its index of a text takes about 2,700 octets. One value that does not fit fails
the whole batch that it is in, so it is refused where it comes in, the same on SQLite, which would take some of it.
"""

from typing import Any, Final

from sqlalchemy import Column, String

LEAST_INTEGER: Final = -(1 << 63)
MOST_INTEGER: Final = (1 << 63) - 1
"""The range of BigInteger."""
LONGEST_INDEXED: Final = 1024
"""Characters of a text without a stated length that an index holds; each may take two octets of Latin-1 or four of others."""


def misfit(text: str, most: int | None = None) -> str | None:
    """Say why the store can't hold a text of at most `most` characters; None if it can."""
    if "\0" in text:
        return "holds U+0000"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "holds half of a surrogate pair"
    if most is not None and len(text) > most:
        return f"has {len(text)} characters, more than {most}"
    return None


def length_of(column: Column[Any]) -> int:
    """Give how many characters a column of the store takes."""
    kind = column.type
    length = kind.length if isinstance(kind, String) else None
    return LONGEST_INDEXED if length is None else length
