"""`tpo sms`: send a text, and see what became of it."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.filters import Since, Until, chosen
from gateway.cli.output import emit

BRIEF: Final = ("id", "state", "from", "to", "link", "accepted_at", "updated_at", "error", "maybe_double")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def _group() -> None:
    """Send texts and see what became of them: send, show, list. The gateway has to run."""


@app.command()
def send(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="The words; long texts go in several parts.")],
    sender: Annotated[str, typer.Option("--from", help="A subscriber's number (who pays), a short code, or a name.")],
    to: Annotated[str, typer.Option("--to", help="The receiver's number, country code first.")],
    reference: Annotated[str | None, typer.Option(help="Your own; the same one again sends nothing.")] = None,
    as_json: AsJson = False,
) -> None:
    """Accept a text for sending; it is on disk when this returns, and goes out as soon as a link has room.

    \b
    Examples:
      tpo sms send --from 70070 --to 447700900101 "Thank you!"
      tpo sms send --from 447700900101 --to 447700900102 --reference a1 "See you at six" --json
    """
    from gateway.cli.client import JsonObject, call  # noqa: PLC0415  (`tpo --help` starts faster)

    params = {"from": sender, "to": to, "text": text}
    if reference is not None:
        params["reference"] = reference
    emit(call(context.of(ctx).client_settings, "sms.send", params, JsonObject), as_json=as_json)


@app.command()
def show(
    ctx: typer.Context,
    text_id: Annotated[str, typer.Argument(metavar="ID", help="The text's id, as `tpo sms list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show a text and each of its parts.

    \b
    Examples:
      tpo sms show 1099511627790
    """
    from gateway.cli.client import JsonObject, call  # noqa: PLC0415  (as above)

    emit(call(context.of(ctx).client_settings, "sms.show", {"id": text_id}, JsonObject), as_json=as_json)


@app.command("list")
def list_texts(
    ctx: typer.Context,
    state: Annotated[
        str | None,
        typer.Option(
            help="Only texts in this state, such as doubtful.",
            autocompletion=completion.one_of(*completion.TEXT_STATES),
        ),
    ] = None,
    number: Annotated[str, typer.Option(help="Only texts from or to this number, short code or name.")] = "",
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most texts to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the latest texts, newest first; --since and --until go by when they were accepted.

    \b
    Examples:
      tpo sms list
      tpo sms list --state doubtful --json
      tpo sms list --number 447700900101 --since 2026-11-01
    """
    from gateway.cli.client import Listing, call  # noqa: PLC0415  (as above)

    params = {"limit": limit, "state": state, **chosen(number, since, until)}
    found = call(context.of(ctx).client_settings, "sms.list", params, Listing)
    emit(found.rows, as_json=as_json, columns=BRIEF)
