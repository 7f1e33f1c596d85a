"""`tpo sim bulk`: a file of orders, each under a key of its own, so that the same command again goes on where it was."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import ExitCode
from gateway.cli.output import complain, emit

if TYPE_CHECKING:
    from gateway.cli.bulk_rows import Fault, OrderRow
    from gateway.cli.bulk_run import BulkRun
    from gateway.cli.client import Ask

REPORT_SECONDS: Final = 5.0
"""How often progress is told where there is no terminal."""
SHOWN: Final = 20
"""Rows at fault that are named on the terminal; the results file has all."""
_FAILURES: Final = ("failed", "compensated", "cancelled", "refused")
Show = Callable[["BulkRun"], None]


def bulk(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV: action, iccid, msisdn, plan, cause, reason, new_iccid.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Name every row that would be refused as things stand; order nothing.")
    ] = False,
    rate: Annotated[float, typer.Option(min=0, help="The most orders a second; 0: no limit.")] = 0,
    results: Annotated[
        Path | None, typer.Option(help="What became of each line goes here instead of FILE.results.csv.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Do not ask again about rows that the results file tells as done.")
    ] = False,
    batch: Annotated[
        str,
        typer.Option(help="A name of this bulk. Rows that were ordered before are ordered again under another one."),
    ] = "",
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="Take over what the host holds of the cards to activate already; without it such rows are refused.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Carry out a file of orders: activate (where no action is named), suspend, resume, swap, terminate.

    Each row has a key made of what it says: run the same command again after anything that went wrong, and rows that were
    ordered are followed, the others ordered, none twice. Orders that failed, or were taken back since the host refused, are
    tried again then; those that a person took back are not. Exits with 0 if all rows are done, 75 if some, 1 if none.

    \b
    Examples:
      tpo sim bulk lines.csv --dry-run
      tpo sim bulk lines.csv --rate 20
      tpo sim bulk lines.csv --rate 20 --resume
      tpo sim bulk unpaid.csv --batch 2026-11
      tpo sim bulk from-the-old-system.csv --adopt --rate 20
    """
    from gateway.cli.bulk_rows import COLUMNS, Checker  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.csv_rows import read_rows  # noqa: PLC0415  (as above)

    settings = context.of(ctx).client_settings
    order_rows, faults = Checker(settings, batch, adopt=adopt).check(read_rows(file, ("iccid",), COLUMNS))
    if dry_run:
        _dry_run(ctx, file, order_rows, faults, as_json=as_json)
    else:
        where = results or file.with_name(f"{file.name}.results.csv")
        _carry_out(ctx, file, where, order_rows, faults, rate=rate, go_on=resume, as_json=as_json)


def _dry_run(ctx: typer.Context, file: Path, order_rows: list[OrderRow], faults: list[Fault], *, as_json: bool) -> None:
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = sorted([*faults, *_refused(ask, order_rows)])
    summary = {
        "rows": len(order_rows) + len(faults),
        "good": len(order_rows) + len(faults) - len(found),
        "faults": len(found),
    }
    if as_json:
        emit({**summary, "faults": [fault._asdict() for fault in found]}, as_json=True)
    else:
        emit(summary, as_json=False)
        _name(file, found)
    if found:
        raise typer.Exit(ExitCode.PARTLY_DONE if summary["good"] else ExitCode.FAILED)


def _refused(ask: Ask, order_rows: list[OrderRow]) -> Iterator[Fault]:
    """Name the rows that the gateway would refuse as things stand."""
    from gateway.api.answers.orders import OrderRowsChecked  # noqa: PLC0415  (as above)
    from gateway.cli.bulk_rows import Fault  # noqa: PLC0415  (as above)
    from gateway.cli.bulk_run import CHUNK  # noqa: PLC0415  (as above)

    for start in range(0, len(order_rows), CHUNK):
        chunk = order_rows[start : start + CHUNK]
        checked = ask("sim.check", {"rows": [order_row.params for order_row in chunk]}, OrderRowsChecked).results
        for order_row, answer in zip(chunk, checked, strict=True):
            if answer.code is not None:
                yield Fault(order_row.line, order_row.iccid, f"{answer.code}: {answer.message}")


def _carry_out(
    ctx: typer.Context,
    file: Path,
    where: Path,
    order_rows: list[OrderRow],
    faults: list[Fault],
    *,
    rate: float,
    go_on: bool,
    as_json: bool,
) -> None:
    from gateway.cli.bulk_run import AGAIN, BulkRun, Results  # noqa: PLC0415  (as above)
    from gateway.cli.follow_order import DONE  # noqa: PLC0415  (as above)
    from gateway.cli.retrying_client import RetryingClient  # noqa: PLC0415  (as above)

    ask = RetryingClient(context.of(ctx).client_settings, AGAIN)
    with Results(where, go_on=go_on) as written:
        to_do = [order_row for order_row in order_rows if order_row.key not in written.done]
        for fault in faults:
            written.fault(fault)
        with _progress(len(to_do)) as show:
            run = BulkRun(ask, to_do, written, rate=rate, clock=time.monotonic, sleep=time.sleep, show=show)
            run.ended["refused"] += len(faults)
            run.ended[DONE] += len(order_rows) - len(to_do)
            interrupted = _run(run)
    summary = _summary(run, len(order_rows) + len(faults))
    emit({**summary, "results": str(where)}, as_json=as_json)
    if not as_json:
        _name(file, faults)
    if interrupted:
        complain(f"tpo: stopped; {len(run.open)} orders go on in the gateway; {AGAIN}")
    if interrupted or summary["done"] < summary["rows"]:
        raise typer.Exit(ExitCode.PARTLY_DONE if summary["done"] or interrupted else ExitCode.FAILED)


def _run(run: BulkRun) -> bool:
    """Carry it out; tells whether the person stopped it."""
    try:
        run.run()
    except KeyboardInterrupt:
        return True
    return False


def _summary(run: BulkRun, rows: int) -> dict[str, int]:
    ended = {name: run.ended[name] for name in ("done", *_FAILURES)}
    others = {name: count for name, count in run.ended.items() if name not in ended}
    left = {"open": len(run.open), "waiting": run.waiting} if run.open or run.waiting else {}
    return {"rows": rows, **ended, **others, **left}


def _name(file: Path, faults: list[Fault]) -> None:
    for fault in faults[:SHOWN]:
        complain(f"{file}:{fault.line}: {fault.message}")
    if len(faults) > SHOWN:
        complain(f"... and {len(faults) - SHOWN} more")


@contextmanager
def _progress(total: int) -> Iterator[Show]:
    """Show how far it is: a bar on a terminal, a line from time to time elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines(total, time.monotonic).show
        return
    from rich.console import Console  # noqa: PLC0415  (nothing is drawn elsewhere)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415  (as above)

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield lambda run: bar.update(task, completed=total - run.waiting - len(run.open), description=_told(run))


class _Lines:
    """Prints how far it is, every few seconds."""

    def __init__(self, total: int, clock: Callable[[], float]) -> None:
        self._total, self._clock, self._told_at = total, clock, clock()

    def show(self, run: BulkRun) -> None:
        """Report it if it is time."""
        now = self._clock()
        if now >= self._told_at + REPORT_SECONDS:
            self._told_at = now
            complain(f"{self._total - run.waiting - len(run.open)} of {self._total}: {_told(run)}")


def _told(run: BulkRun) -> str:
    failed = sum(run.ended[name] for name in _FAILURES)
    return f"{run.ended['done']} done, {failed} not, {len(run.open)} at work"
