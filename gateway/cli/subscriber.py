"""`tpo subscriber`: bring lines in, show them, top them up, choose their causes."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli import invocation
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.invocation import AsJson
from gateway.cli.output import complain, emit

CHUNK: Final = 2000
SHOWN: Final = 20
"""Rows at fault that are named on the terminal; --json names all."""
REQUIRED: Final = ("msisdn", "imsi", "iccid", "plan")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Number = Annotated[str, typer.Argument(help="MSISDN in international form; `show` also takes an IMSI or ICCID.")]


@app.callback()
def _group() -> None:
    """Subscribers: import, show, top up, choose causes."""


@app.command("import")
def import_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV: msisdn, imsi, iccid, plan, cause, balance.")],
    as_json: AsJson = False,
) -> None:
    """Import lines that are already live on the host; run again, unchanged rows pass and differing ones are reported.

    The opening balance is booked once a line. Exits with 75 if some rows were not taken, 1 if none were.

    \b
    Examples:
      tpo subscriber import lines.csv
      tpo subscriber import lines.csv --json
    """
    from gateway.cli.asking import asking  # noqa: PLC0415  (`tpo --help` starts faster)

    counts = dict.fromkeys(("created", "unchanged", "differs", "refused"), 0)
    faults: list[dict[str, Any]] = []
    with asking(invocation.of(ctx).settings) as ask:
        for first, rows in _chunks(file):
            for line, result in enumerate(ask("subscriber.import", {"rows": rows})["results"], start=first):
                counts[result["outcome"]] += 1
                if result["message"]:
                    faults.append({"line": line, "outcome": result["outcome"], "message": result["message"]})
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{sum(counts.values())} rows ")
    if as_json:
        emit({**counts, "faults": faults}, as_json=True)
    else:
        emit(counts, as_json=False)
        for fault in faults[:SHOWN]:
            complain(f"{file}:{fault['line']}: {fault['outcome']}: {fault['message']}")
        if len(faults) > SHOWN:
            complain(f"... and {len(faults) - SHOWN} more; --json names all")
    if faults:
        raise typer.Exit(ExitCode.PARTLY_DONE if counts["created"] + counts["unchanged"] else ExitCode.FAILED)


def _chunks(file: Path) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """Give the file's rows in chunks, each with the line number of its first row."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, strict=True)
            missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
            if missing:
                raise CommandFailed(f"the file has no column {', '.join(missing)}", where=f"{file}:1")
            line = 2
            while rows := list(islice(reader, CHUNK)):
                yield (
                    line,
                    [
                        {name: value for name, value in row.items() if isinstance(name, str) and isinstance(value, str)}
                        for row in rows
                    ],
                )
                line += len(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandFailed(f"the file cannot be read: {error}", where=str(file)) from None


@app.command()
def show(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Show a subscriber: numbers, plan, balance, causes.

    \b
    Examples:
      tpo subscriber show 447700900123
      tpo subscriber show 234150000000001 --json
    """
    _ask(ctx, "subscriber.show", {"number": number}, as_json=as_json)


@app.command()
def topup(
    ctx: typer.Context,
    number: Number,
    amount: Annotated[str, typer.Argument(help="In major units, such as 10.00.")],
    reference: Annotated[str, typer.Option(help="The payment's own reference; the same one again books nothing.")],
    as_json: AsJson = False,
) -> None:
    """Book money that a customer paid in, once a reference.

    \b
    Examples:
      tpo subscriber topup 447700900123 10.00 --reference shop-4711
    """
    _ask(ctx, "subscriber.topup", {"number": number, "amount": amount, "reference": reference}, as_json=as_json)


@app.command()
def cause(
    ctx: typer.Context,
    number: Number,
    causes: Annotated[list[str], typer.Argument(help="CAUSE, or several as CAUSE=PERCENT that add up to 100.")],
    as_json: AsJson = False,
) -> None:
    """Choose the causes that the tenth of this line goes to from now on.

    \b
    Examples:
      tpo subscriber cause 447700900123 wateraid
      tpo subscriber cause 447700900123 wateraid=60 wwf=40
    """
    _ask(ctx, "subscriber.cause", {"number": number, "causes": causes}, as_json=as_json)


def _ask(ctx: typer.Context, action: str, params: dict[str, Any], *, as_json: bool) -> None:
    from gateway.cli.asking import asking  # noqa: PLC0415  (`tpo --help` starts faster)

    with asking(invocation.of(ctx).settings) as ask:
        emit(ask(action, params), as_json=as_json)
