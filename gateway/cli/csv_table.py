"""CSV files as people export them: octets become rows of text, or a sentence that says at which line they cannot.

Everything is checked before the first row is given: encoding, separator, quotes, names of columns, width of each row.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from gateway.settings.problems import did_you_mean

SEPARATORS: Final = ",;\t|"
MAX_OCTETS: Final = 256 << 20
"""Far above the largest file: a line for each of a million customers has 100 octets."""
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OTHER_FORMATS: Final = {
    b"PK\x03\x04": "a workbook of a spreadsheet, or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "a workbook of an old spreadsheet",
    b"\x1f\x8b": "compressed (gzip)",
    b"%PDF": "a PDF",
}
"""How files begin that are given for CSV."""
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?[\t ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
"""The first line of a file for spreadsheets: what separates the columns."""
_WORD: Final = re.compile(r"(?:[^\W\d]|[ .-]){1,23}[0-9]?")
"""What reads like a column's name. Where the header is missing there may be a number or a key, which is not shown."""


class Row(NamedTuple):
    """One row; `line` is where it stands in the file, the names of its columns are in small letters."""

    line: int
    values: dict[str, str]


class CsvInvalid(ValueError):
    """The file cannot be read as a table: why, at which line (0: none), and what mends it."""

    def __init__(self, line: int, what: str, to_do: str) -> None:
        super().__init__(what)
        self.line, self.what, self.to_do = line, what, to_do


class CsvTable:
    """A checked file; iterating gives its rows, those of blank cells left out. It may be iterated again."""

    def __init__(self, octets: bytes, required: Sequence[str], known: Sequence[str]) -> None:
        """Check the whole file; CsvInvalid says where it fails. `known` are all names that a column may have."""
        self._text = _decode(octets)
        self._lines_above = 0
        found = _SEPARATOR_LINE.match(self._text)
        if found is not None:
            self._separator = found.group(1)
            self._text, self._lines_above = self._text[found.end() :], 1
        else:
            self._separator = _separator(self._text, known)
        self._columns: tuple[str, ...] = ()
        self.count = self._check(required, known)

    def __iter__(self) -> Iterator[Row]:
        records = self._records()
        next(records)
        for line, cells in records:
            yield Row(line, dict(zip(self._columns, cells, strict=False)))

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Return the records that are not blank, each with its line."""
        text = io.StringIO(self._text, newline="")
        reader = csv.reader(text, delimiter=self._separator, strict=True, skipinitialspace=True)
        while True:
            begins = reader.line_num + 1 + self._lines_above
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise CsvInvalid(
                    begins,
                    f"a row cannot be read: {error}",
                    'look for a quotation mark that is not closed, or not doubled inside ("")',
                ) from None
            if cells is None:
                return
            if any(map(str.strip, cells)):
                yield reader.line_num + self._lines_above, cells

    def _check(self, required: Sequence[str], known: Sequence[str]) -> int:
        records = self._records()
        line, header = next(records, (0, []))
        if not header:
            what = f"the file is empty: it has no column {', '.join(required)}"
            raise CsvInvalid(0, what, f"its first line names the columns: {', '.join(known)}")
        width = len(header)
        header = [name.strip() for name in header]
        while not header[-1]:
            header.pop()
        self._columns = tuple(name.lower() for name in header)
        self._check_names(line, required, known)
        count = 0
        for line, cells in records:
            if len(cells) != width:
                raise CsvInvalid(
                    line,
                    f"the row has {len(cells)} fields, the header {width}",
                    "compare the row with the header; a value with a separator in it stands in quotation marks",
                )
            if any(map(str.strip, cells[len(self._columns) :])):
                raise CsvInvalid(line, "the row has a value in a column without a name", "name the column, or empty it")
            count += 1
        return count

    def _check_names(self, line: int, required: Sequence[str], known: Sequence[str]) -> None:
        to_do = f"mend the first line of the file; the columns are {', '.join(known)}"
        if len(set(self._columns)) < len(self._columns):
            raise CsvInvalid(line, "the file has two columns of the same name", to_do)
        if any(name in known for name in self._columns) and (
            missing := [name for name in required if name not in self._columns]
        ):
            raise CsvInvalid(line, f"the file has no column {', '.join(missing)}", to_do)
        others = [(number, name) for number, name in enumerate(self._columns, 1) if name not in known]
        if len(others) == len(self._columns):
            raise CsvInvalid(
                line, f"the first line names no columns: the file has no column {', '.join(required)}", to_do
            )
        for number, name in others:
            what = f"there is no column `{name}`{did_you_mean(name, known)}"
            raise CsvInvalid(line, what if _WORD.fullmatch(name) else f"column {number} has a name that is none", to_do)


def _decode(octets: bytes) -> str:
    other = next((name for start, name in _OTHER_FORMATS.items() if octets.startswith(start)), "")
    if other:
        raise CsvInvalid(0, f"the file is no CSV but {other}", "unpack it, or export the sheet as CSV in UTF-8")
    bom, encoding = next(((bom, name) for bom, name in _BOMS if octets.startswith(bom)), (b"", _guess(octets)))
    try:
        text = octets[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        before = octets[len(bom) : len(bom) + error.start].decode(encoding, "replace")
        if encoding == "utf-8":
            octet = error.object[error.start]
            what = (
                f"the file cannot be read: its octet 0x{octet:02X} is no UTF-8, but looks like Latin-1 or Windows-1252"
            )
        else:
            what = f"the file cannot be read: it begins like {encoding.upper()}, and is none here"
        raise CsvInvalid(_line_of(before), what, "save the file as CSV in UTF-8") from None
    if (place := text.find("\0")) >= 0:
        raise CsvInvalid(_line_of(text[:place]), "the file has U+0000 in a row", "save it as text in UTF-8")
    return text


def _guess(octets: bytes) -> str:
    """Return the encoding of a file without a byte order mark: every other octet of UTF-16 is 0 where text is ASCII."""
    head = octets[:256]
    evens, odds = head[::2], head[1::2]
    if odds and odds.count(0) * 2 > len(odds) and not evens.count(0):
        return "utf-16-le"
    if evens and evens.count(0) * 2 > len(evens) and not odds.count(0):
        return "utf-16-be"
    return "utf-8"


def _line_of(text: str) -> int:
    """Return the number of the line that comes behind this text."""
    return 1 + len(re.findall(r"\r\n|\r|\n", text))


def _separator(text: str, known: Sequence[str]) -> str:
    """Find what separates the columns: what makes most known names of the header."""
    lines = re.split(r"[\r\n]+", text.lstrip()[:4096], maxsplit=1)

    def names(separator: str) -> tuple[int, int]:
        cells = [cell.strip(' "\t').lower() for cell in lines[0].split(separator)]
        return sum(cell in known for cell in cells), len(cells)

    return max(SEPARATORS, key=names)
