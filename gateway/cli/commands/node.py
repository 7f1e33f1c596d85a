"""`tpo node`: the gateways that share a store, and one taking over from another."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.output import emit

BRIEF: Final = ("name", "number", "state", "owner", "epoch", "renewed_at", "shards", "texts", "orders", "events")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Node = Annotated[str, typer.Argument(help="The gateway's diameter.identity, or its number.")]


@app.callback()
def _group() -> None:
    """See the gateways on one store, and have one take over from another: list, adopt, retire. The gateway has to run."""


@app.command("list")
def list_nodes(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the gateways on this store: who is alive, who works on whose rows, and how many wait.

    \b
    Examples:
      tpo node list
      tpo node list --json
    """
    from gateway.api.answers.nodes import Nodes  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.client import call  # noqa: PLC0415  (as above)

    rows = call(context.of(ctx).client_settings, "node.list", {}, Nodes).rows
    emit(rows, as_json=as_json, columns=BRIEF)


@app.command()
def adopt(
    ctx: typer.Context,
    node: Node,
    force: Annotated[bool, typer.Option("--force", help="Also from a gateway that is alive: it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Go on, at this gateway, with the texts, orders and events of another one.

    Refused while the other one gives signs of life. When it is back, it enters under a new number, with new work.

    \b
    Examples:
      tpo node adopt ocs2.tpo.example
      tpo node adopt ocs2.tpo.example --force --json
    """
    from gateway.api.answers.nodes import NodeAdopted  # noqa: PLC0415  (as above)
    from gateway.cli.client import call  # noqa: PLC0415  (as above)

    params = {"node": node, "force": force}
    emit(call(context.of(ctx).client_settings, "node.adopt", params, NodeAdopted), as_json=as_json)


@app.command()
def retire(ctx: typer.Context, node: Node, as_json: AsJson = False) -> None:
    """Give up a gateway that will never come back: what it had is this one's for good, and its name is free.

    Refused while it gives signs of life. Where another gateway has taken over already, that one keeps what it has.

    \b
    Examples:
      tpo node retire ocs2.tpo.example
      tpo node retire ocs2.tpo.example --json
    """
    from gateway.api.answers.nodes import NodeRetired  # noqa: PLC0415  (as above)
    from gateway.cli.client import call  # noqa: PLC0415  (as above)

    emit(call(context.of(ctx).client_settings, "node.retire", {"node": node}, NodeRetired), as_json=as_json)
