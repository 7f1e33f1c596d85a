"""`tpo link`: the links to the SMSCs."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.node_rows import Node, for_people, shares_store, with_silent
from gateway.cli.output import emit

BRIEF: Final = ("name", "state", "address", "waiting", "wanted", "suspended")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Reason = Annotated[str | None, typer.Option("--reason", help="Why: it stands in the log, beside who asked for it.")]
Name = Annotated[str, typer.Argument(help="The link's name in the configuration.", autocompletion=completion.links)]


@app.callback()
def _group() -> None:
    """See and steer the SMPP links to the message centres: list, show, up, down, suspend, resume. The gateway has to run.

    Of several gateways on one store the one asked is meant if it has a link of the name, else the one that has it; --node
    names one.
    """


@app.command("list")
def list_links(ctx: typer.Context, node: Node = None, as_json: AsJson = False) -> None:
    """List all links of all gateways on the store and how they do; a gateway that gives no answer is a row that says so.

    \b
    Examples:
      tpo link list
      tpo link list --node ocs2.tpo.example
    """
    from msgspec import to_builtins  # noqa: PLC0415  (`tpo --help` starts faster)

    from gateway.api.answers.texts import Links, LinkView  # noqa: PLC0415  (as above)
    from gateway.cli.client import call  # noqa: PLC0415  (as above)

    settings = context.of(ctx).client_settings
    found = call(settings, "link.list", {"node": node}, Links)
    rows = with_silent(to_builtins(found.rows), found.silent, LinkView.__struct_fields__)
    emit(rows if as_json else for_people(rows, BRIEF, several=shares_store(settings)), as_json=as_json)


@app.command()
def show(ctx: typer.Context, name: Name, node: Node = None, as_json: AsJson = False) -> None:
    """Show one link with its counters.

    \b
    Examples:
      tpo link show smsc-1
      tpo link show smsc-1 --node ocs2.tpo.example
    """
    _order(ctx, name, None, node, as_json=as_json)


@app.command()
def up(ctx: typer.Context, name: Name, reason: Reason = None, node: Node = None, as_json: AsJson = False) -> None:
    """Dial now, and again for as long as it takes.

    \b
    Examples:
      tpo link up smsc-1
      tpo link up smsc-1 --reason "their maintenance is over"
    """
    _order(ctx, name, "up", node, reason, as_json=as_json)


@app.command()
def down(ctx: typer.Context, name: Name, reason: Reason = None, node: Node = None, as_json: AsJson = False) -> None:
    """Unbind in order, and stay away until `up`.

    \b
    Examples:
      tpo link down smsc-1
      tpo link down smsc-1 --reason "the SMSC is moved, change 4711"
    """
    _order(ctx, name, "down", node, reason, as_json=as_json)


@app.command()
def suspend(ctx: typer.Context, name: Name, reason: Reason = None, node: Node = None, as_json: AsJson = False) -> None:
    """Stay bound and send nothing; what comes in goes on.

    \b
    Examples:
      tpo link suspend smsc-1
      tpo link suspend smsc-1 --reason "texts come twice"
    """
    _order(ctx, name, "suspend", node, reason, as_json=as_json)


@app.command()
def resume(ctx: typer.Context, name: Name, reason: Reason = None, node: Node = None, as_json: AsJson = False) -> None:
    """Send again.

    \b
    Examples:
      tpo link resume smsc-1
      tpo link resume smsc-1 --reason "mended at their side"
    """
    _order(ctx, name, "resume", node, reason, as_json=as_json)


def _order(
    ctx: typer.Context, name: str, order: str | None, node: str | None, reason: str | None = None, *, as_json: bool
) -> None:
    from gateway.cli.client import JsonObject, call  # noqa: PLC0415  (as above)

    params = {"name": name, "order": order, "node": node}
    if reason is not None:  # a gateway of before knows of none
        params["reason"] = reason
    emit(call(context.of(ctx).client_settings, "link.show", params, JsonObject), as_json=as_json)
