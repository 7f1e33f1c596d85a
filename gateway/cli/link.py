"""`tpo link`: the links to the SMSCs."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.output import emit

BRIEF: Final = ("name", "state", "address", "waiting", "wanted", "suspended")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Name = Annotated[str, typer.Argument(help="The link's name in the configuration.", autocompletion=completion.links)]


@app.callback()
def _group() -> None:
    """See and steer the SMPP links to the message centres: list, show, up, down, suspend, resume. The gateway has to run."""


@app.command("list")
def list_links(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List all links and how they do.

    \b
    Examples:
      tpo link list
    """
    from gateway.cli.client import Listing, call  # noqa: PLC0415  (`tpo --help` starts faster)

    emit(call(context.of(ctx).client_settings, "link.list", {}, Listing).rows, as_json=as_json, columns=BRIEF)


@app.command()
def show(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show one link with its counters.

    \b
    Examples:
      tpo link show smsc-1
    """
    _order(ctx, name, None, as_json=as_json)


@app.command()
def up(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Dial now, and again for as long as it takes.

    \b
    Examples:
      tpo link up smsc-1
    """
    _order(ctx, name, "up", as_json=as_json)


@app.command()
def down(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Unbind in order, and stay away until `up`.

    \b
    Examples:
      tpo link down smsc-1
    """
    _order(ctx, name, "down", as_json=as_json)


@app.command()
def suspend(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Stay bound and send nothing; what comes in goes on.

    \b
    Examples:
      tpo link suspend smsc-1
    """
    _order(ctx, name, "suspend", as_json=as_json)


@app.command()
def resume(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Send again.

    \b
    Examples:
      tpo link resume smsc-1
    """
    _order(ctx, name, "resume", as_json=as_json)


def _order(ctx: typer.Context, name: str, order: str | None, *, as_json: bool) -> None:
    from gateway.cli.client import JsonObject, call  # noqa: PLC0415  (as above)

    params = {"name": name, "order": order}
    emit(call(context.of(ctx).client_settings, "link.show", params, JsonObject), as_json=as_json)
