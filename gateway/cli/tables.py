"""Rows for people: as a table where they fit the terminal, else one record below the other; a pipe gets whole rows."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

WIDE: Final = 10_000
"""Columns where the output is no terminal: a pipe gets each row on one line, uncut."""
GAP: Final = 2
FOLDED: Final = 12
"""The narrowest that a column of words or names is folded to."""
MONEY: Final = ("balance", "reserved", "amount", "price")
"""Columns that take up the row's currency on a terminal."""
_AGES: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
Rows = Sequence[Mapping[str, object]]


def write_rows(rows: Rows) -> None:
    """Print rows on the standard output."""
    if not rows:
        sys.stdout.write("none\n")
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not sys.stdout.isatty():
        _draw({name: [cell(row.get(name)) for row in rows] for name in columns}, _numbers(rows, columns), WIDE)
        return
    width = shutil.get_terminal_size().columns
    told = _for_people(rows, columns)
    if _least(told) > width:
        told = {name: cells for name, cells in told.items() if set(cells) != {"-"}}
    if _least(told) > width:
        _write_records(told, len(rows), width)
    else:
        _draw(told, _numbers(rows, columns), width)


def write_pairs(pairs: Mapping[str, object]) -> None:
    """Print a mapping as its keys and values, the values folded beside their keys on a terminal."""
    told = {name: cell(value) for name, value in pairs.items()}
    if not sys.stdout.isatty():
        indent = max((len(name) for name in told), default=0)
        sys.stdout.writelines(f"{name:<{indent}}  {text}\n" for name, text in told.items())
        return
    now = time.time()
    for name, value in pairs.items():
        if age := _age(name, value, now):
            told[name] += f" ({age})"
    _write_folded(told, shutil.get_terminal_size().columns)


def cell(value: object) -> str:
    """One value as text on one line."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1 else f"{round(value, 3):g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={cell(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value) or "-"
    return plain(str(value))


def plain(text: str) -> str:
    """Return a text that cannot steer the terminal, whoever wrote it."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _for_people(rows: Rows, columns: Sequence[str]) -> dict[str, list[str]]:
    """Return each column's cells: times as ages, and money with its currency instead of a column for that."""
    now = time.time()
    money = [name for name in columns if name in MONEY]
    whole = "currency" in columns and bool(money)
    told: dict[str, list[str]] = {}
    for name in columns:
        if whole and name == "currency":
            continue
        texts = [_age(name, row.get(name), now) or cell(row.get(name)) for row in rows]
        if whole and name in money:
            texts = [
                f"{text} {cell(row['currency'])}" if row.get(name) is not None and row.get("currency") else text
                for text, row in zip(texts, rows, strict=True)
            ]
        told[name] = texts
    return told


def _age(name: str, value: object, now: float) -> str:
    """Return how long ago a time was (`3m ago`), or how far off it is; nothing for what is no time."""
    if not isinstance(value, str) or not (name in ("at", "since", "valid_until") or name.endswith("_at")):
        return ""
    try:
        seconds = now - datetime.fromisoformat(value).timestamp()
    except ValueError:
        return ""
    far = abs(seconds)
    for unit, letter in _AGES:
        if far >= unit:
            return f"{far // unit:.0f}{letter} ago" if seconds > 0 else f"in {far // unit:.0f}{letter}"
    return "now"


def _numbers(rows: Rows, columns: Sequence[str]) -> set[str]:
    return {
        name for name in columns if all(isinstance(row.get(name), int | float | Decimal | None) for row in rows)
    } | {name for name in columns if name in MONEY}


def _least(told: Mapping[str, list[str]]) -> int:
    """Return in how many columns of the terminal a table can be read: numbers whole, words and names folded."""
    return sum(max(_head(name), *map(_narrowest, told[name])) + GAP for name in told) - GAP


def _head(name: str) -> int:
    """Headers are folded between their words."""
    return max(len(word) for word in name.split("_"))


def _narrowest(text: str) -> int:
    return min(len(text), FOLDED) if any(sign in text for sign in " .:") and not text[:1].isdigit() else len(text)


def _draw(told: Mapping[str, list[str]], numbers: set[str], width: int) -> None:
    from rich.console import Console  # noqa: PLC0415  (a command that prints no table starts faster)
    from rich.table import Table  # noqa: PLC0415  (as above)
    from rich.text import Text  # noqa: PLC0415  (as above)

    style = "bold" if "NO_COLOR" not in os.environ else ""
    table = Table(box=None, pad_edge=False, header_style=style)
    for name, cells in told.items():
        head = name if width == WIDE else name.replace("_", " ")
        least = max(_head(name), *map(_narrowest, cells))
        justify: Literal["left", "right"] = "right" if name in numbers else "left"
        table.add_column(Text(head), overflow="fold", min_width=least, justify=justify)
    for row in zip(*told.values(), strict=True):
        table.add_row(*(Text(text) for text in row))
    Console(file=sys.stdout, width=width, highlight=False).print(table)


def _write_records(told: Mapping[str, list[str]], count: int, width: int) -> None:
    for number in range(count):
        if number:
            sys.stdout.write("\n")
        _write_folded({name: cells[number] for name, cells in told.items() if cells[number] != "-"}, width)


def _write_folded(told: Mapping[str, str], width: int) -> None:
    indent = max((len(name) for name in told), default=0) + GAP
    for name, text in told.items():
        lines = textwrap.wrap(text, max(width - indent, 1), break_on_hyphens=False) or [""]
        sys.stdout.write(f"{name:<{indent}}{lines[0]}\n")
        sys.stdout.writelines(f"{'':<{indent}}{line}\n" for line in lines[1:])
