"""CSV files of operators, handed to the gateway in chunks: what became of each row, and in which line it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import typer

from gateway.api.answers.sims import ImportedSims
from gateway.api.answers.subscribers import ImportedRows
from gateway.cli.client import Ask
from gateway.cli.csv_table import MAX_OCTETS, CsvInvalid, CsvTable, Row
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.output import complain, emit
from gateway.cli.row_progress import row_progress
from gateway.store.named_files import open_named

Imported = TypeVar("Imported", ImportedRows, ImportedSims)
SHOWN: Final = 20
"""Rows at fault that are named on the terminal; --json names all."""
TAKEN: Final = ("created", "unchanged")
OUTCOMES: Final = (*TAKEN, "differs", "refused")


Check = Callable[[Row], str]
"""What is looked at before a row is handed on: gives why it is refused, or nothing."""


def read_rows(file: Path, required: Sequence[str], known: Sequence[str] = ()) -> CsvTable:
    """Read and check a whole file; CommandFailed says at which line it fails.

    `known` are the names that its columns may have, where there are more than those `required`.
    """
    try:
        with open_named(file) as octets:
            content = octets.read(MAX_OCTETS + 1)
    except OSError as error:
        what = f"the file cannot be read: {error.strerror or error}"
        raise CommandFailed(what, where=str(file), to_do="give a CSV file that you may read") from None
    if len(content) > MAX_OCTETS:
        what = f"the file has more than {MAX_OCTETS >> 20} MiB"
        raise CommandFailed(what, where=str(file), to_do="give it in parts, each with the header")
    try:
        return CsvTable(content, required, known or required)
    except CsvInvalid as error:
        where = f"{file}:{error.line}" if error.line else str(file)
        raise CommandFailed(f"{error.what}; nothing was taken", where=where, to_do=error.to_do) from None


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

    def add(self, row: RowReport) -> None:
        """Count what became of a row, and keep it if there is something to say."""
        self.counts[row.outcome] += 1
        if row.outcome not in TAKEN:
            self.faults.append(row)
        elif row.message:
            self.warnings.append(row)


def import_rows(
    ask: Ask,
    action: str,
    kind: type[Imported],
    file: Path,
    *,
    required: Sequence[str],
    known: Sequence[str],
    chunk: int,
    accept_checksum: bool,
    check: Check | None = None,
) -> ImportReport:
    """Have a file taken in by an import action, whose answer is a `kind`; nothing of a file that is not a table of these."""
    report = ImportReport(dict.fromkeys(OUTCOMES, 0), [], [])
    table = read_rows(file, required, known)
    rows = iter(table)
    with row_progress(table.count) as show:
        while some := list(islice(rows, chunk)):
            try:
                for row in _handed_on(ask, action, kind, some, check, accept_checksum=accept_checksum):
                    report.add(row)
            except CommandFailed as failure:
                raise _broken_off(report, file, some[0].line, failure) from None
            show(sum(report.counts.values()))
    return report


def _broken_off(report: ImportReport, file: Path, line: int, failure: CommandFailed) -> CommandFailed:
    """Say how far an import came that could not go on."""
    if not any(report.counts.values()):
        return failure
    told = ", ".join(f"{count} {name}" for name, count in report.counts.items() if count)
    return CommandFailed(
        f"{failure.what}; before that: {told}",
        where=f"{file}:{line}",
        to_do="run the same command again: rows that were taken are passed over, the rest follows",
        exit_code=ExitCode.PARTLY_DONE,
    )


def _handed_on(
    ask: Ask, action: str, kind: type[Imported], rows: list[Row], check: Check | None, *, accept_checksum: bool
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
    params = {"rows": [row.values for row in passed], "first_line": passed[0].line, "accept_checksum": accept_checksum}
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
