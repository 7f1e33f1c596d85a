"""`tpo order`: what was ordered for SIMs, how it stands, and what a person decides of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.filters import Since, Until, chosen
from gateway.cli.output import complain, emit
from provisioning.orders import OrderState

Answer = TypeVar("Answer")
BRIEF: Final = ("id", "kind", "state", "iccid", "host", "error", "actor", "updated_at")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Id = Annotated[str, typer.Argument(metavar="ID", help="The order's id, as `tpo order list` shows it.")]


@app.callback()
def _group() -> None:
    """See the orders for SIMs, have them tried again, take them back: list, show, retry, cancel."""


@app.command("list")
def list_orders(
    ctx: typer.Context,
    state: Annotated[OrderState | None, typer.Option(help="Only orders in this state.")] = None,
    number: Annotated[str, typer.Option(help="Only orders about this card (ICCID, IMSI) or number.")] = "",
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most orders to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the latest orders, newest first; --since and --until go by when they were accepted.

    \b
    Examples:
      tpo order list
      tpo order list --state failed
      tpo order list --number 447700900123 --since 2026-11-01
      tpo order list --limit 500 --json
    """
    from gateway.api.answers.orders import Orders  # noqa: PLC0415  (`tpo --help` starts faster)

    params = {"limit": limit, "state": state, **chosen(number, since, until)}
    rows = _read(ctx, "order.list", params, Orders).rows
    emit(rows, as_json=as_json, columns=BRIEF)


@app.command()
def show(ctx: typer.Context, order: Id, as_json: AsJson = False) -> None:
    """Show an order, and how each of its steps stands.

    \b
    Examples:
      tpo order show 1099511627790
      tpo order show 1099511627790 --json
    """
    from gateway.cli.follow_order import print_order  # noqa: PLC0415  (as above)
    from gateway.sims.views import OrderView  # noqa: PLC0415  (as above)

    print_order(_read(ctx, "order.show", {"id": order}, OrderView), as_json=as_json)


@app.command()
def retry(
    ctx: typer.Context,
    order: Id,
    wait: Annotated[bool, typer.Option("--wait", help="Show its steps until it has come to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a failed order go on where it stands, or one that waits for its next try be tried now.

    With --wait it exits with 0 if the order is done, 1 if it failed again or was taken back.

    \b
    Examples:
      tpo order retry 1099511627790
      tpo order retry 1099511627790 --wait
    """
    from gateway.cli.follow_order import finish, print_order  # noqa: PLC0415  (as above)
    from gateway.cli.retrying_client import RetryingClient  # noqa: PLC0415  (as above)
    from gateway.sims.views import OrderView  # noqa: PLC0415  (as above)

    ask = RetryingClient(context.of(ctx).client_settings, f"the order goes on by itself; `tpo order show {order}`")
    found = ask("order.retry", {"id": order}, OrderView)
    if wait:
        finish(ask, order, as_json=as_json)
        return
    print_order(found, as_json=as_json)
    if not as_json:
        complain(f"tpo: follow it with `tpo order show {order}`")


@app.command()
def cancel(ctx: typer.Context, order: Id, as_json: AsJson = False) -> None:
    """Take an order back: at once if nothing was sent yet, else step by step, if every step allows it.

    \b
    Examples:
      tpo order cancel 1099511627790
    """
    from gateway.cli.client import call  # noqa: PLC0415  (as above)
    from gateway.cli.follow_order import print_order  # noqa: PLC0415  (as above)
    from gateway.sims.views import OrderView  # noqa: PLC0415  (as above)

    found = call(context.of(ctx).client_settings, "order.cancel", {"id": order}, OrderView)
    print_order(found, as_json=as_json)


def _read(ctx: typer.Context, action: str, params: Mapping[str, object], kind: type[Answer]) -> Answer:
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        return ask(action, params, kind)
