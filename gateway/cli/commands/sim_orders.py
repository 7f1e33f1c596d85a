"""The commands of `tpo sim` that order something of a card: activate, suspend, resume, swap, terminate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.output import complain, emit
from provisioning.sim_lifecycle import SuspendReason

Card = Annotated[str, typer.Argument(metavar="ICCID", help="The number that is printed on the card.")]
Key = Annotated[
    str | None,
    typer.Option(help="Idempotency key of your own; the same one again orders nothing and tells that order."),
]
Wait = Annotated[bool, typer.Option("--wait", help="Show the steps until the order has come to its end.")]
Adopt = Annotated[
    bool,
    typer.Option(
        "--adopt",
        help="Take over what the host holds of this card already; without it such an order is refused. Admins only.",
    ),
]
Note = Annotated[str | None, typer.Option("--reason", help="Words of your own, for the card's history.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group."""
    for command in (activate, suspend, resume, swap, terminate):
        app.command()(command)


def activate(
    ctx: typer.Context,
    iccid: Card,
    msisdn: Annotated[str, typer.Option(help="The number that the line gets, country code first.")],
    plan: Annotated[
        str, typer.Option(help="Its plan; the plan decides which host serves it.", autocompletion=completion.plans)
    ],
    cause: Annotated[
        str | None, typer.Option(help="Who gets the tenth of this line.", autocompletion=completion.causes)
    ] = None,
    adopt: Adopt = False,
    returning: Annotated[
        bool,
        typer.Option(
            "--returning", help="The number's last customer has it back from quarantine. Admins, with --reason."
        ),
    ] = False,
    reason: Note = None,
    key: Key = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Bring a card from the inventory into service: at the host, then as a line that can be charged and texted.

    What the host holds of the card or the number already is somebody's: the order is refused, and nothing there is touched.
    With --adopt the card's own line there becomes ours, whatever its number and keys; if the order fails, it gets them
    back. A number that another IMSI has is never taken. With --wait it exits with 0 if the line is active, 1 if the order
    failed or was taken back.

    \b
    Examples:
      tpo sim activate 8944100000000000013 --msisdn 447700900123 --plan payg-gb --wait
      tpo sim activate 8944100000000000013 --msisdn 447700900123 --plan payg-gb --cause wateraid --key shop-4711
      tpo sim activate 8944100000000000013 --msisdn 447700900123 --plan payg-gb --adopt --wait
      tpo sim activate 8944100000000000013 --msisdn 447700900123 --plan payg-gb --returning --reason "left by mistake"
    """
    params = {"iccid": iccid, "msisdn": msisdn, "plan": plan, "cause": cause, "adopt": adopt or None}
    params |= {"returning": returning or None, "reason": reason, "key": key}
    _place(ctx, "sim.activate", params, wait=wait, as_json=as_json)


def suspend(
    ctx: typer.Context,
    iccid: Card,
    reason: Annotated[SuspendReason, typer.Option(help="Why; it is added to the reasons that hold already.")],
    key: Key = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Bar a line at the host and stop its charging; it keeps its number.

    \b
    Examples:
      tpo sim suspend 8944100000000000013 --reason lost --wait
    """
    _place(ctx, "sim.suspend", {"iccid": iccid, "reason": reason, "key": key}, wait=wait, as_json=as_json)


def resume(
    ctx: typer.Context,
    iccid: Card,
    reason: Annotated[
        SuspendReason | None, typer.Option(help="The reason that is gone; not needed where only one holds.")
    ] = None,
    key: Key = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Take a reason for the suspension away; with the last one the line is in service again.

    \b
    Examples:
      tpo sim resume 8944100000000000013 --wait
      tpo sim resume 8944100000000000013 --reason credit
    """
    gone = _only_reason(ctx, iccid) if reason is None else reason
    _place(ctx, "sim.resume", {"iccid": iccid, "reason": gone, "key": key}, wait=wait, as_json=as_json)


def _only_reason(ctx: typer.Context, iccid: str) -> str:
    from gateway.cli.client import call  # noqa: PLC0415  (as above)
    from gateway.sims.views import SimView  # noqa: PLC0415  (as above)

    card = call(context.of(ctx).client_settings, "sim.show", {"iccid": iccid}, SimView)
    reasons = card.suspended_for
    if not reasons:
        raise CommandFailed(f"the card is {card.state}, and suspended for nothing", where=iccid)
    if len(reasons) > 1:
        what = f"the card is suspended for {' and '.join(reasons)}"
        raise CommandFailed(what, where=iccid, to_do="say which is gone by --reason", exit_code=ExitCode.USAGE)
    return reasons[0]


def swap(
    ctx: typer.Context,
    iccid: Card,
    new_iccid: Annotated[str, typer.Argument(metavar="NEW_ICCID", help="The card from stock that takes its place.")],
    reason: Note = None,
    key: Key = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Give a line another card; the old one is texted a notice first, and goes into quarantine.

    \b
    Examples:
      tpo sim swap 8944100000000000013 8944100000000000021 --wait
    """
    params = {"iccid": iccid, "new_iccid": new_iccid, "reason": reason, "key": key}
    _place(ctx, "sim.swap", params, wait=wait, as_json=as_json)


def terminate(
    ctx: typer.Context,
    iccid: Card,
    yes: Annotated[bool, typer.Option("--yes", help="It is meant: this cannot be taken back.")] = False,
    reason: Note = None,
    key: Key = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """End a line for good: its sessions, its service, its wallet; card and number go into quarantine.

    \b
    Examples:
      tpo sim terminate 8944100000000000013 --yes --wait
      tpo sim terminate 8944100000000000013 --yes --reason "moved abroad"
    """
    if not yes:
        what = "this ends the line for good; nothing was ordered"
        raise CommandFailed(what, where=iccid, to_do="add --yes if that is meant", exit_code=ExitCode.USAGE)
    _place(ctx, "sim.terminate", {"iccid": iccid, "reason": reason, "key": key}, wait=wait, as_json=as_json)


def _place(ctx: typer.Context, action: str, params: Mapping[str, object], *, wait: bool, as_json: bool) -> None:
    """Order something and, if that is wanted, follow the order to its end."""
    from gateway.api.answers.orders import OrderTaken  # noqa: PLC0415  (as above)
    from gateway.cli.follow_order import finish  # noqa: PLC0415  (as above)
    from gateway.cli.retrying_client import RetryingClient  # noqa: PLC0415  (as above)

    said = {name: value for name, value in params.items() if value is not None}
    ask = RetryingClient(context.of(ctx).client_settings, "the order goes on by itself; see it with `tpo order list`")
    taken = ask(action, said, OrderTaken)
    if wait:
        if taken.repeated and not as_json:
            complain(f"tpo: this key was used before, for order {taken.order}")
        finish(ask, taken.order, as_json=as_json)
        return
    emit(taken, as_json=as_json)
    if not as_json:
        complain(f"tpo: follow it with `tpo order show {taken.order}`")
