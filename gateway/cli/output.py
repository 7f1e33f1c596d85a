"""The one way to print a result: a table that fits the terminal, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

WIDE: Final = 10_000
"""Columns where the output is no terminal: a pipe gets each row on one line, uncut."""


def emit(result: Any, *, as_json: bool) -> None:  # noqa: ANN401  (whatever a command reports)
    """Print a result: rows (a list of mappings) as a table, a mapping as its keys and values."""
    if as_json:
        _write_json(result)
    elif isinstance(result, Mapping):
        _write_pairs(result)
    elif isinstance(result, Sequence) and not isinstance(result, str):
        _write_rows(list(result))
    else:
        sys.stdout.write(f"{_cell(result)}\n")


def complain(text: str) -> None:
    """Print for the person at the terminal, on standard error."""
    sys.stderr.write(f"{text}\n")


def _write_json(result: Any) -> None:  # noqa: ANN401  (whatever a command reports)
    import msgspec  # noqa: PLC0415  (a command that prints no JSON starts faster)

    text = msgspec.json.format(msgspec.json.encode(result, enc_hook=str), indent=2)
    sys.stdout.write(f"{text.decode()}\n")


def _write_pairs(pairs: Mapping[str, Any]) -> None:
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        sys.stdout.write(f"{name:<{width}}  {_cell(value)}\n")


def _write_rows(rows: list[Mapping[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415  (a command that prints no table starts faster)
    from rich.table import Table  # noqa: PLC0415  (as above)
    from rich.text import Text  # noqa: PLC0415  (as above)

    if not rows:
        sys.stdout.write("none\n")
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        numbers = all(isinstance(row.get(name), int | float | Decimal | None) for row in rows)
        table.add_column(name, overflow="fold", justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    terminal = sys.stdout.isatty()
    Console(file=sys.stdout, width=None if terminal else WIDE, highlight=False).print(table)


def _cell(value: Any) -> str:  # noqa: ANN401  (any value of a report)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_cell(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value) or "-"
    return plain(str(value))


def plain(text: str) -> str:
    """Give a text that cannot steer the terminal, whoever wrote it."""
    return "".join(character if character.isprintable() else "�" for character in text)
