"""The one way to print a result: a table that fits the terminal, or JSON."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final, TextIO

from gateway.cli.tables import cell, plain, write_pairs, write_rows

__all__ = ["complain", "discard", "emit", "emit_pages", "json_text", "plain"]
_NOT_ASCII: Final = re.compile(r"[^\n\x20-\x7e]")


def emit(result: object, *, as_json: bool, columns: Sequence[str] = ()) -> None:
    """Print a result: rows (a list) as a table, a Struct or mapping as its keys and values.

    `columns` are what is shown of each; JSON has all.
    """
    if as_json:
        _write_json(result)
        return
    import msgspec  # noqa: PLC0415  (`tpo --help` starts faster)

    plain_result: object = msgspec.to_builtins(result, builtin_types=(Decimal,), enc_hook=str)
    if isinstance(plain_result, Mapping):
        write_pairs(_chosen(plain_result, columns))
    elif isinstance(plain_result, Sequence) and not isinstance(plain_result, str):
        write_rows([_chosen(row, columns) for row in plain_result])
    else:
        sys.stdout.write(f"{cell(plain_result)}\n")


def emit_pages(pages: Iterable[Sequence[object]], *, as_json: bool, columns: Sequence[str] = ()) -> None:
    """Print the rows of many pages, each page as it comes: one JSON array, or a table a page."""
    if not as_json:
        shown = False
        for page in pages:
            if page or not shown:
                emit(page, as_json=False, columns=columns)
            shown = True
        return
    before = "[\n"
    for page in pages:
        for row in page:
            sys.stdout.write(before + textwrap.indent(json_text(row, indent=2), "  "))
            before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")


def _chosen(row: Mapping[str, object], columns: Sequence[str]) -> Mapping[str, object]:
    return {name: row[name] for name in columns} if columns else row


def complain(text: str) -> None:
    """Print for the person at the terminal, on standard error; where that cannot be written, nobody reads it."""
    try:
        sys.stderr.write("".join(f"{plain(line)}\n" for line in text.split("\n")))
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Let what a stream that cannot be written still holds go nowhere: the interpreter would complain of it at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def json_text(value: object, *, indent: int = 0) -> str:
    """Write a value as JSON whose characters steer no terminal, whoever wrote them: the others are escaped.

    Outside its texts JSON has ASCII alone, so that an escape is right wherever such a character stands.
    """
    import msgspec  # noqa: PLC0415  (as above)

    encoded = msgspec.json.encode(value, enc_hook=str)
    text = (msgspec.json.format(encoded, indent=indent) if indent else encoded).decode()
    keep = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return _NOT_ASCII.sub(lambda found: found[0] if keep and found[0].isprintable() else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def _write_json(result: object) -> None:
    sys.stdout.write(f"{json_text(result, indent=2)}\n")
