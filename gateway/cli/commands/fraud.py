"""`tpo fraud`: lines whose use passed a fraud limit, until somebody has looked at each."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.output import emit, emit_pages
from gateway.cli.pages import pages

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
BRIEF: Final = ("id", "state", "kind", "found_at", "number", "measured", "threshold", "currency", "barred")


@app.callback()
def _group() -> None:
    """Look at lines whose use passed a fraud limit (`fraud` in gateway.yaml), and clear each case.

    A line that a case bars is served nothing with a price until its case is cleared; emergency calls and free numbers go on.
    """


@app.command("list")
def list_cases(
    ctx: typer.Context,
    cleared: Annotated[bool, typer.Option("--all", help="Also those that were cleared.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the cases that wait for somebody, in the order in which they were found; numbers are masked.

    \b
    Examples:
      tpo fraud list
      tpo fraud list --all --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)

    with asking(context.of(ctx).client_settings) as ask:
        found = pages(ask, "fraud.list", {"all": cleared})
        emit_pages((page.rows for page in found), as_json=as_json, columns=BRIEF)


@app.command()
def clear(
    ctx: typer.Context,
    case: Annotated[str, typer.Argument(metavar="ID", help="As `tpo fraud list` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why: it is kept with the case.")],
    as_json: AsJson = False,
) -> None:
    """Clear a case that was looked at; the line's bar goes with it, unless another case bars it too.

    \b
    Examples:
      tpo fraud clear 1099511627790 --reason "a holiday, confirmed by call"
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.client import JsonObject  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("fraud.clear", {"id": case, "reason": reason}, JsonObject), as_json=as_json)
