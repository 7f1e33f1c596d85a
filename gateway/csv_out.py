"""CSV as we write it: no cell is a formula to a spreadsheet, or steers a terminal."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import IO, Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, the full-width forms included."""
_NUMBER: Final = re.compile(r"-[0-9]+(\.[0-9]+)?", re.ASCII)
"""An amount below zero, which is meant to be one."""


class CsvOut:
    """Writes rows of cells to a stream."""

    def __init__(self, stream: IO[str]) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")

    def write(self, row: Iterable[object]) -> None:
        """Write a row; None is an empty cell."""
        self._writer.writerow(["" if value is None else safe(str(value)) for value in row])


def safe(text: str) -> str:
    """Write a cell so that it is text: an apostrophe before what begins like a formula, and control characters escaped."""
    quoted = text.startswith(FORMULA) and not _NUMBER.fullmatch(text)
    shown = text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return f"'{shown}" if quoted else shown
