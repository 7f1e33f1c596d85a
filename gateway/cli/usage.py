"""`tpo usage`: the usage records, for the billing run and the auditors."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli import completing, invocation

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def _group() -> None:
    """Export the usage records, for billing and auditors."""


@app.command()
def export(
    ctx: typer.Context,
    start: Annotated[str | None, typer.Option("--from", help="Events from this time on (RFC 3339).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Events before this time (RFC 3339).")] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", help="csv, or json: one object a line.", autocompletion=completing.one_of("csv", "json")
        ),
    ] = "csv",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Write every usage record to the standard output, a row for each reported Used-Service-Unit.

    \b
    Examples:
      tpo usage export > usage.csv
      tpo usage export --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --format json
    """
    from gateway.cli.asking import asking  # noqa: PLC0415  (`tpo --help` starts faster)

    form = "json" if as_json else form
    if form not in ("csv", "json"):
        raise typer.BadParameter("give csv or json", param_hint="--format")
    params: dict[str, Any] = {"start": _time(start, "--from"), "end": _time(end, "--to"), "after": 0}
    with asking(invocation.of(ctx).settings) as ask:
        first = True
        while params["after"] is not None:
            page = ask("usage.export", params)
            _write(page, form, head=first)
            params["after"], first = page["next"], False


def _write(page: dict[str, Any], form: str, *, head: bool) -> None:
    if form == "json":
        import json  # noqa: PLC0415  (for this form only)

        sys.stdout.writelines(f"{json.dumps(row)}\n" for row in page["rows"])
        return
    writer = csv.DictWriter(sys.stdout, page["columns"], lineterminator="\n")
    if head:
        writer.writeheader()
    writer.writerows(page["rows"])


def _time(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no RFC 3339 time, such as 2026-11-01T00:00:00Z", param_hint=option
        ) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1_000_000)
