"""CSV files of operators: read row by row with the number of each line, and handed to the gateway in chunks."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import typer

from gateway.api.answers import ImportedRows, ImportedSims
from gateway.cli.client import Ask
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.output import complain, emit

Imported = TypeVar("Imported", ImportedRows, ImportedSims)
HEADER: Final = "mend the first line of the file; the command's --help names the columns"
SHOWN: Final = 20
"""Rows at fault that are named on the terminal; --json names all."""
TAKEN: Final = ("created", "unchanged")
OUTCOMES: Final = (*TAKEN, "differs", "refused")


class Row(NamedTuple):
    """One row; `line` is where it stands in the file, the names of its columns are in small letters."""

    line: int
    values: dict[str, str]


Check = Callable[[Row], str]
"""What is looked at before a row is handed on: gives why it is refused, or nothing."""


def read_rows(file: Path, required: Sequence[str], known: Sequence[str] = ()) -> Iterator[Row]:
    """Give the rows of a file; CommandFailed if it cannot be read or lacks a column.

    With `known`, a column of another name fails as well: a misspelt one would be left out silently.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, strict=True)
            reader.fieldnames = names = [name.strip().lower() for name in reader.fieldnames or ()]
            _check_header(file, names, required, known)
            for row in reader:
                values = {name: text for name, text in row.items() if isinstance(name, str) and isinstance(text, str)}
                if any("\0" in text for text in values.values()):
                    where = f"{file}:{reader.line_num}"
                    raise CommandFailed("the file has U+0000 in a row", where=where, to_do="save it as text in UTF-8")
                yield Row(reader.line_num, values)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        to_do = "give a CSV file in UTF-8 that you may read"
        raise CommandFailed(f"the file cannot be read: {reason}", where=str(file), to_do=to_do) from None


def _check_header(file: Path, names: Sequence[str], required: Sequence[str], known: Sequence[str]) -> None:
    where = f"{file}:1"
    if missing := [name for name in required if name not in names]:
        raise CommandFailed(f"the file has no column {', '.join(missing)}", where=where, to_do=HEADER)
    if len(set(names)) < len(names):
        raise CommandFailed("the file has two columns of the same name", where=where, to_do=HEADER)
    # How many and not which: where the header is left out, these are numbers of customers.
    if known and (others := len(set(names) - set(known))):
        raise CommandFailed(f"{others} of the file's columns are none of {', '.join(known)}", where=where, to_do=HEADER)


class RowReport(NamedTuple):
    """What became of a row of a file, and why it was not taken or what is to be said of it."""

    line: int
    outcome: str
    message: str


class ImportReport(NamedTuple):
    """A count of each outcome, then the rows at fault and those with a warning."""

    counts: dict[str, int]
    faults: list[RowReport]
    warnings: list[RowReport]


def import_rows(
    ask: Ask,
    action: str,
    kind: type[Imported],
    file: Path,
    *,
    required: Sequence[str],
    chunk: int,
    check: Check | None = None,
) -> ImportReport:
    """Have a file taken in by an import action, whose answer is a `kind`."""
    report = ImportReport(dict.fromkeys(OUTCOMES, 0), [], [])
    rows = read_rows(file, required)
    while some := list(islice(rows, chunk)):
        for row in _handed_on(ask, action, kind, some, check):
            report.counts[row.outcome] += 1
            if row.outcome not in TAKEN:
                report.faults.append(row)
            elif row.message:
                report.warnings.append(row)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{sum(report.counts.values())} rows ")
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    return report


def _handed_on(
    ask: Ask, action: str, kind: type[Imported], rows: list[Row], check: Check | None
) -> Iterator[RowReport]:
    """Ask for the rows that pass the check, and give what became of each."""
    passed = []
    for row in rows:
        if check is not None and (message := check(row)):
            yield RowReport(row.line, "refused", message)
        else:
            passed.append(row)
    if not passed:
        return
    params = {"rows": [row.values for row in passed], "first_line": passed[0].line}
    for row, result in zip(passed, ask(action, params, kind).results, strict=True):
        yield RowReport(row.line, result.outcome, result.message)


def conclude(report: ImportReport, file: Path, *, as_json: bool) -> None:
    """Print what `import_rows` found; exits with 75 if some rows were not taken, 1 if none were."""
    counts, faults, warnings = report
    if as_json:
        rows = {"faults": [each._asdict() for each in faults], "warnings": [each._asdict() for each in warnings]}
        emit({**counts, **rows}, as_json=True)
    else:
        emit(counts, as_json=False)
        _name_lines(file, faults)
        _name_lines(file, warnings)
    if faults:
        raise typer.Exit(ExitCode.PARTLY_DONE if any(counts[name] for name in TAKEN) else ExitCode.FAILED)


def _name_lines(file: Path, found: list[RowReport]) -> None:
    for each in found[:SHOWN]:
        complain(f"{file}:{each.line}: {each.outcome}: {each.message}")
    if len(found) > SHOWN:
        complain(f"... and {len(found) - SHOWN} more; --json names all")
