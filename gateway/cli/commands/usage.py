"""`tpo usage`: the usage records, for the billing run and the auditors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.errors import ExitCode
from gateway.cli.filters import Number, moment, window
from gateway.cli.output import emit, emit_pages, json_text
from gateway.cli.pages import pages
from gateway.csv_out import CsvOut

if TYPE_CHECKING:
    from gateway.cli.client import Listing

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
review = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
app.add_typer(review, name="review")
BRIEF: Final = (
    "id",
    "state",
    "reason",
    "event_time",
    "msisdn",
    "service",
    "rating_group",
    "octets",
    "seconds",
    "units",
)
"""What a table shows of a held report; --json and the CSV have all of it."""


@app.callback()
def _group() -> None:
    """Export the usage records, price them anew; decide on reports that could not be booked."""


@app.command()
def refund(
    ctx: typer.Context,
    record: Annotated[str, typer.Argument(help="The record's number, as `tpo usage export` has it.")],
    reason: Annotated[str, typer.Option(help="Why, in your own words; it stands in the line's history.")],
    as_json: AsJson = False,
) -> None:
    """Give back the price of a usage record, the tenth of it, and what an allowance covered; each record once. Admins only.

    Each part returns to where it came from: units to their allowance, money to the wallet, or to the credit that paid.

    \b
    Examples:
      tpo usage refund 1099511627791 --reason "the call was cut off"
      tpo usage refund 1099511627791 --reason "wrongly reported by the host" --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.client import JsonObject  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("usage.refund", {"record_id": record, "reason": reason}, JsonObject), as_json=as_json)


@review.callback()
def _review() -> None:
    """Reports that could not have been used, or that nobody is known for: look at them, then book or drop each."""


@review.command("list")
def review_list(
    ctx: typer.Context,
    decided: Annotated[bool, typer.Option("--all", help="Also those that were booked or dropped.")] = False,
    form: Annotated[
        str, typer.Option("--format", help="table, or csv.", autocompletion=completion.one_of("table", "csv"))
    ] = "table",
    as_json: AsJson = False,
) -> None:
    """List the usage reports that wait for a decision, in the order in which they came; they are in no total.

    \b
    Examples:
      tpo usage review list
      tpo usage review list --all --format csv > held.csv
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)

    if form not in ("table", "csv"):
        raise typer.BadParameter("give table or csv", param_hint="--format")
    with asking(context.of(ctx).client_settings) as ask:
        found = pages(ask, "usage.review.list", {"all": decided})
        if form == "csv" and not as_json:
            for number, page in enumerate(found):
                _write(page, "csv", head=number == 0)
        else:
            emit_pages((page.rows for page in found), as_json=as_json, columns=BRIEF)


Report = Annotated[str, typer.Argument(metavar="ID", help="As `tpo usage review list` shows it.")]
Why = Annotated[str, typer.Option("--reason", help="Why: it is kept with the report.")]


@review.command("book")
def review_book(ctx: typer.Context, report: Report, reason: Why, as_json: AsJson = False) -> None:
    """Charge a held report as what it says, at the price and the choice of its own time.

    \b
    Examples:
      tpo usage review book 1099511627790 --reason "the PGW's operator confirmed it"
    """
    _decide(ctx, "usage.review.book", report, reason, as_json=as_json)


@review.command("drop")
def review_drop(ctx: typer.Context, report: Report, reason: Why, as_json: AsJson = False) -> None:
    """Book a held report nowhere; it is kept as evidence.

    \b
    Examples:
      tpo usage review drop 1099511627790 --reason "counter overflow, ticket 4711"
    """
    _decide(ctx, "usage.review.drop", report, reason, as_json=as_json)


def _decide(ctx: typer.Context, action: str, report: str, reason: str, *, as_json: bool) -> None:
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.client import JsonObject  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask(action, {"id": report, "reason": reason}, JsonObject), as_json=as_json)


@app.command()
def rerate(
    ctx: typer.Context,
    plan: Annotated[str, typer.Option(help="The plan whose usage had a wrong price.")],
    since: Annotated[str, typer.Option(help="Usage from this time on (RFC 3339, or a date: its begin in UTC).")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Price usage anew that an earlier version of its plan priced: by the version that is in force now.

    Put the plan right and reload first. What was charged is given back whole and charged anew, and so is the tenth, by the
    choice of the time of use; bundles that were sold, too. What caps count comes to the lesser of sum and cap again. Run again,
    it goes on where it stopped. What bundles cover stays.

    Exits with 75 where records had to be left as they are; `left` says how many, and why.

    \b
    Examples:
      tpo usage rerate --plan payg-gb --since 2026-11-01 --dry-run
      tpo usage rerate --plan payg-gb --since 2026-11-01T09:30:00Z --json
    """
    from gateway.cli.commands.rerate import rerate_all  # noqa: PLC0415  (`tpo --help` starts faster)

    wanted = {"plan": plan, "since": moment(since, "--since"), "dry_run": dry_run}
    result = rerate_all(context.of(ctx).client_settings, wanted)
    emit(result, as_json=as_json)
    if result.left:
        raise typer.Exit(ExitCode.PARTLY_DONE)


@app.command()
def export(
    ctx: typer.Context,
    number: Number = "",
    start: Annotated[
        str | None,
        typer.Option("--since", "--from", help="Events from this time on (RFC 3339, or a date: its begin in UTC)."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--until", "--to", help="Events before this time (RFC 3339, or a date: its begin in UTC)."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The most records to write.")] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", help="csv, or json: one object a line.", autocompletion=completion.one_of("csv", "json")
        ),
    ] = "csv",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Write usage records, all where nothing else is said, to the standard output: a row for each reported Used-Service-Unit.

    \b
    Examples:
      tpo usage export > usage.csv
      tpo usage export --number 447700900123 --since 2026-11-01
      tpo usage export --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z --format json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)

    form = "json" if as_json else form
    if form not in ("csv", "json"):
        raise typer.BadParameter("give csv or json", param_hint="--format")
    begin, before = window(start, end)
    wanted = {"start": begin, "end": before, "number": number}
    with asking(context.of(ctx).client_settings) as ask:
        for count, page in enumerate(pages(ask, "usage.export", wanted, limit=limit)):
            _write(page, form, head=count == 0)


def _write(page: Listing, form: str, *, head: bool) -> None:
    if form == "json":
        sys.stdout.writelines(f"{json_text(row)}\n" for row in page.rows)
        return
    out = CsvOut(sys.stdout)
    if head:
        out.write(page.columns)
    for row in page.rows:
        out.write(row.get(name) for name in page.columns)
