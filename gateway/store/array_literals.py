"""Columns of rows as PostgreSQL's array literals, so that one statement writes many rows (`unnest`).

A literal has no type of its own: the statement says by a cast which array it is, so that its text, and what the server has
prepared for it, stay the same whatever the values are. A driver's own arrays are of the smallest integers that the values fit
in, and each mixture of them would be another statement.
Syntax: PostgreSQL's documentation, "Array Input and Output Syntax", and "bytea Hex Format".
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Integer, LargeBinary, String

_json: Final = msgspec.json.Encoder().encode
Writer = Callable[[Sequence[Any]], str]
"""Writes the values of a column, among them perhaps None, as a literal."""


def array_of(column: Column[Any]) -> tuple[str, Writer]:
    """Give the type of a column's array, and what writes its values; TypeError for a kind of column that no table has yet.

    Text has no length there, since a cast would cut what is longer than its column.
    """
    for kind, array in (
        (Integer, ("bigint[]", _numbers)),
        (String, ("text[]", _texts)),
        (LargeBinary, ("bytea[]", _octets)),
    ):
        if isinstance(column.type, kind):
            return array
    raise TypeError(f"no array is known of {column.table.name}.{column.name}: {column.type}")


def literals(rows: Sequence[tuple[Any, ...]], writers: Sequence[Writer]) -> tuple[str, ...]:
    """Give an array literal for each column of rows, whose values these write in order."""
    return tuple([write(values) for write, values in zip(writers, zip(*rows, strict=True), strict=True)])


def _numbers(values: Sequence[int | None]) -> str:
    """Write numbers as JSON does, which is the same but for the brackets, and faster."""
    return f"{{{_json(values)[1:-1].decode()}}}"


def _texts(values: Sequence[str | None]) -> str:
    """Write texts as JSON does where none has anything that JSON would write by an escape of its own."""
    written = _json(values)
    if b"\\" not in written:
        return f"{{{written[1:-1].decode()}}}"
    return "{" + ",".join(["NULL" if text is None else _quoted(text) for text in values]) + "}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _octets(values: Sequence[bytes | None]) -> str:
    return "{" + ",".join(["NULL" if octets is None else f'"\\\\x{octets.hex()}"' for octets in values]) + "}"
