"""`tpo notice`: the notices that customers were sent without asking."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.output import emit, emit_pages
from gateway.cli.pages import pages

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
PAGE: Final = 1000
"""Notices that the gateway lists in one answer."""
BRIEF: Final = ("id", "at", "number", "kind", "notice_class", "period", "state")


@app.callback()
def _group() -> None:
    """See which notices customers were sent: those that the law asks for, and courtesies."""


@app.command("list")
def list_notices(
    ctx: typer.Context,
    number: Annotated[str, typer.Option(help="Only those to the line with this MSISDN, IMSI or ICCID.")] = "",
    kind: Annotated[str, typer.Option(help="Only those of this kind.", autocompletion=completion.notice_kinds)] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="The most notices to show.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Go on behind this id.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List notices in the order in which they were written, and what became of each; numbers are masked.

    \b
    Examples:
      tpo notice list
      tpo notice list --number 447700900123 --kind bill_limit_reached
      tpo notice list --json --limit 10000
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)

    with asking(context.of(ctx).client_settings) as ask:
        wanted = {"number": number, "kind": kind or None}
        found = pages(ask, "notice.list", wanted, after=after, limit=limit, page=PAGE)
        emit_pages((page.rows for page in found), as_json=as_json, columns=BRIEF)


@app.command()
def kinds(
    ctx: typer.Context,
    language: Annotated[str, typer.Option(help="In which of notices.languages; left out, the operator's.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the kinds of notices: which the law asks for, by which rule, what each is sent once for, and its words.

    \b
    Examples:
      tpo notice kinds
      tpo notice kinds --language fr --json
    """
    from gateway.notices.kinds import KINDS  # noqa: PLC0415  (as above)

    section = context.of(ctx).client_settings.notices
    if language and language not in section.offered:
        raise typer.BadParameter(f"is none of {', '.join(section.offered)}", param_hint="--language")
    words = section.words[language or section.language]
    emit(
        [
            {
                "kind": str(kind),
                "class": str(row.notice_class),
                "source": row.source,
                "due": row.due,
                "once": row.once,
                "wording": words[kind],
            }
            for kind, row in KINDS.items()
        ],
        as_json=as_json,
    )
