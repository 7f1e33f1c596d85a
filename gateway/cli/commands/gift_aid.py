"""`tpo charity gift-aid`: declarations of natural persons, and the schedule by which one charity claims on their gifts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed
from gateway.cli.output import complain, emit

Number = Annotated[str, typer.Argument(help="MSISDN in international form.")]
Cause = Annotated[str, typer.Argument(help="The cause's id.", autocompletion=completion.causes)]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def _group() -> None:
    """Gift Aid on gifts (never on the tenth, which is the company's): declare, cancel, list, export."""


@app.command()
def declare(
    ctx: typer.Context,
    number: Number,
    cause: Cause,
    first_name: Annotated[str, typer.Option("--first", help="First name, or an initial.")],
    last_name: Annotated[str, typer.Option("--last", help="Last name.")],
    house: Annotated[str, typer.Option(help="House name or number of the home.")],
    postcode: Annotated[str, typer.Option(help="Of the home, such as S19 2BD; X outside the UK.")],
    channel: Annotated[str, typer.Option(help="How it reached us, such as form, app or call.")],
    wording: Annotated[str, typer.Option(help="The version of HMRC's words that the person agreed to.")],
    title: Annotated[str, typer.Option(help="At most 4 characters.")] = "",
    covers_from: Annotated[
        str, typer.Option("--from", help="The day from which gifts are covered, at most four years back; else today.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Keep a person's Gift Aid declaration for gifts of a line to a cause; another one to the same cause before ends.

    For a natural person who pays tax in the UK. What was declared by word of mouth holds once the person has it in writing.
    Name and address are sealed; they leave for that charity alone.

    \b
    Examples:
      tpo charity gift-aid declare 447700900123 wwf --first A --last Day --house 1 --postcode "S1 2BD" --channel app --wording 1
      tpo charity gift-aid declare 447700900123 wwf --first A --last Day --house 1 --postcode X --channel app --wording 1 --json
    """
    from gateway.api.answers.rows import GiftAidDeclaration  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    params = {
        "number": number,
        "cause": cause,
        "title": title,
        "first_name": first_name,
        "last_name": last_name,
        "house": house,
        "postcode": postcode,
        "channel": channel,
        "wording": wording,
        "covers_from": covers_from,
    }
    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("charity.gift-aid.declare", params, GiftAidDeclaration), as_json=as_json)


@app.command()
def cancel(ctx: typer.Context, number: Number, cause: Cause, as_json: AsJson = False) -> None:
    """End a declaration: gifts from now on are not claimed on.

    \b
    Examples:
      tpo charity gift-aid cancel 447700900123 wateraid
      tpo charity gift-aid cancel 447700900123 wateraid --json
    """
    from gateway.api.answers.rows import GiftAidCancelled  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("charity.gift-aid.cancel", {"number": number, "cause": cause}, GiftAidCancelled), as_json=as_json)


@app.command("list")
def list_(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """List a line's declarations, the newest first; whose and to whom, for who may see causes.

    \b
    Examples:
      tpo charity gift-aid list 447700900123
      tpo charity gift-aid list 447700900123 --json
    """
    from gateway.api.answers.rows import GiftAidDeclarations  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("charity.gift-aid.list", {"number": number}, GiftAidDeclarations).rows, as_json=as_json)


@app.command()
def export(
    ctx: typer.Context,
    cause: Cause,
    period: Annotated[str, typer.Argument(help="The month, such as 2026-11, on the operator's clock.")],
    out: Annotated[Path | None, typer.Option(help="A new file for it, readable by its owner alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the schedule of a month for one charity as CSV, in the order of HMRC's columns; that it was made is noted.

    It names people: hand it to that charity alone. Needs the right to see causes.

    \b
    Examples:
      tpo charity gift-aid export wateraid 2026-11 --out wateraid-2026-11.csv
      tpo charity gift-aid export wateraid 2026-11 --json
    """
    from gateway.api.answers.rows import GiftAidSchedule  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.csv_out import CsvOut  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("charity.gift-aid.export", {"cause": cause, "period": period}, GiftAidSchedule)
    if as_json:
        emit(found, as_json=True)
        return
    try:
        stream = (
            sys.stdout if out is None else os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
        )
    except OSError as error:
        raise CommandFailed(f"{out}: {error.strerror}") from None
    try:
        written = CsvOut(stream)
        for row in (found.columns, *found.rows):
            written.write(row)
    finally:
        if out is not None:
            stream.close()
    complain(f"{len(found.rows)} gifts; hand this to {cause} alone")
