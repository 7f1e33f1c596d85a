"""`tpo subscriber`: bring lines in, show them, top them up, choose their causes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.commands import subscriber_balance, subscriber_gifts
from gateway.cli.context import AsJson
from gateway.cli.output import complain, emit, emit_pages
from gateway.cli.pages import pages

CHUNK: Final = 2000
PAGE: Final = 1000
"""Lines that the gateway lists in one answer."""
REQUIRED: Final = ("msisdn", "imsi", "iccid", "plan")
COLUMNS: Final = (*REQUIRED, "cause", "balance", "language", "bills")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
AcceptChecksum = Annotated[
    bool,
    typer.Option(
        "--accept-checksum",
        help="Take ICCIDs whose check digit is wrong or left out, and those that look rounded; else such rows are refused.",
    ),
]
subscriber_balance.add_to(app)
subscriber_gifts.add_to(app)
Number = Annotated[str, typer.Argument(help="MSISDN in international form; `show` also takes an IMSI or ICCID.")]

Why = Annotated[str, typer.Option("--reason", help="Why, in your own words; it stands in the history.")]
Key = Annotated[str, typer.Option(help="Idempotency key of your own; the same one again orders nothing new.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show the steps until an order has come to its end.")]


class When(StrEnum):
    """When a plan begins."""

    NOW = "now"
    RENEWAL = "renewal"


@app.callback()
def _group() -> None:
    """Work on customers' lines: import, list, find, show, top up, choose causes, change plan and number."""


@app.command("import")
def import_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV: msisdn, imsi, iccid, plan; and cause, balance, language, bills.")],
    accept_checksum: AcceptChecksum = False,
    as_json: AsJson = False,
) -> None:
    """Import lines that are already live on the host; run again, unchanged rows pass and differing ones are reported.

    The opening balance is booked once a line. `language` is that of bills and notices (en, es, fr), `bills` itemised or
    unitemised; both may be left out, or empty. The file is checked whole before anything is booked; separated by `,` `;` or
    tabs, in UTF-8 or UTF-16. Exits with 75 if some rows were not taken, 1 if none were.

    \b
    Examples:
      tpo subscriber import lines.csv
      tpo subscriber import lines.csv --json
      tpo subscriber import lines-of-another-issuer.csv --accept-checksum
    """
    from gateway.api.answers.subscribers import ImportedRows  # noqa: PLC0415  (as below)
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.csv_rows import conclude, import_rows  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        report = import_rows(
            ask,
            "subscriber.import",
            ImportedRows,
            file,
            required=REQUIRED,
            known=COLUMNS,
            chunk=CHUNK,
            accept_checksum=accept_checksum,
        )
    conclude(report, file, as_json=as_json)


@app.command("list")
def list_subscribers(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="The most lines to show.")] = 20,
    after: Annotated[int, typer.Option(min=0, help="Go on behind this subscriber_id.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List the lines in the order in which they came, with plan and balance; numbers are masked, causes are not shown.

    \b
    Examples:
      tpo subscriber list
      tpo subscriber list --limit 300000 --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)

    with asking(context.of(ctx).client_settings) as ask:
        found = pages(ask, "subscriber.list", {}, after=after, limit=limit, page=PAGE)
        emit_pages((page.rows for page in found), as_json=as_json)


@app.command()
def find(
    ctx: typer.Context,
    tail: Annotated[str, typer.Argument(help="The last digits, 3 at least, of an MSISDN, IMSI or ICCID.")],
    as_json: AsJson = False,
) -> None:
    """Find the lines that have a number which ends in these digits; 20 of them at most. Causes are not shown.

    \b
    Examples:
      tpo subscriber find 0123
      tpo subscriber find 900123 --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.client import Listing  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("subscriber.find", {"tail": tail}, Listing).rows, as_json=as_json)


@app.command()
def show(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Show a subscriber: numbers, plan, balance, causes.

    \b
    Examples:
      tpo subscriber show 447700900123
      tpo subscriber show 234150000000001 --json
    """
    _ask(ctx, "subscriber.show", {"number": number}, as_json=as_json)


@app.command()
def topup(
    ctx: typer.Context,
    number: Number,
    amount: Annotated[str, typer.Argument(help="In major units, such as 10.00.")],
    reference: Annotated[str, typer.Option(help="The payment's own reference; the same one again books nothing.")],
    currency: Annotated[
        str | None, typer.Option(help="What was paid in; it has to be the wallet's. Default: the operator's currency.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Book money that a customer paid in, once a reference.

    \b
    Examples:
      tpo subscriber topup 447700900123 10.00 --reference shop-4711
      tpo subscriber topup 12025550123 10.00 --currency USD --reference shop-4712
    """
    paid_in = currency or context.of(ctx).client_settings.operator.currency
    params = {"number": number, "amount": amount, "currency": paid_in, "reference": reference}
    _ask(ctx, "subscriber.topup", params, as_json=as_json)


@app.command()
def cause(
    ctx: typer.Context,
    number: Number,
    causes: Annotated[
        list[str],
        typer.Argument(help="CAUSE, or several as CAUSE=PERCENT that add up to 100.", autocompletion=completion.causes),
    ],
    channel: Annotated[str, typer.Option(help="How the customer agreed, such as call or app.")] = "",
    wording: Annotated[str, typer.Option(help="The version of what the customer was asked.")] = "",
    as_json: AsJson = False,
) -> None:
    """Choose the causes that the tenth of this line goes to from now on; how the customer agreed is kept with the choice.

    \b
    Examples:
      tpo subscriber cause 447700900123 wateraid
      tpo subscriber cause 447700900123 wateraid=60 wwf=40 --channel call --wording 2026-1
    """
    params = {"number": number, "causes": causes, "channel": channel, "wording": wording}
    _ask(ctx, "subscriber.cause", params, as_json=as_json)


@app.command()
def plan(
    ctx: typer.Context,
    number: Number,
    new_plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="The plan from now on.", autocompletion=completion.plans)
    ],
    reason: Why,
    at: Annotated[
        When, typer.Option(help="When it begins: now, or when the period that was paid for ends.")
    ] = When.NOW,
    pro_rata: Annotated[
        bool,
        typer.Option(
            "--pro-rata", help="Give back the bundle's price for the rest of its time; else it stays until it ends."
        ),
    ] = False,
    key: Key = "",
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Give a line another plan, now or at its renewal; what was used before is not priced again.

    A bundle that was sold stays the customer's until it ends, and is used first; with --pro-rata it ends at once, and its price
    for the rest of its time is given back to the micro-unit, with the tenth of it. A plan that waits for the renewal is called
    off by ordering the present one.

    A line that has a host is changed there first, by an order, while the gateway runs; --wait follows it, and the host is told
    at once in any case. Any other line is changed in our books alone. The plan has the wallet's currency, and the line's host.
    Who did it and why stands in its history.

    \b
    Examples:
      tpo subscriber plan 447700900123 bundle-gb --reason "imported with the wrong plan" --wait
      tpo subscriber plan 447700900123 payg-gb --reason "as asked by letter" --json
      tpo subscriber plan 447700900123 payg-gb --at renewal --reason "asked on 3 December"
      tpo subscriber plan 447700900123 payg-gb --pro-rata --reason "moved abroad"
    """
    if pro_rata and at is When.RENEWAL:
        raise typer.BadParameter("at the renewal nothing is left to give back", param_hint="--pro-rata")
    effective = "pro-rata" if pro_rata else ("renewal" if at is When.RENEWAL else "")
    params = {"number": number, "plan": new_plan, "reason": reason, "key": key, "effective": effective}
    _change(ctx, "subscriber.plan", params, wait=wait, as_json=as_json)


@app.command()
def number(
    ctx: typer.Context,
    number: Number,
    new_number: Annotated[str, typer.Argument(metavar="NEW", help="The number from now on, country code first.")],
    reason: Why,
    returning: Annotated[
        bool, typer.Option("--returning", help="NEW comes out of quarantine for its last customer. Admins only.")
    ] = False,
    key: Key = "",
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Give a line another number; the one that it had goes into quarantine.

    A line that has a host is changed there first, by an order, while the gateway runs; --wait follows it. Any other one is
    changed in our books at once. Who did it and why stands in its history.

    \b
    Examples:
      tpo subscriber number 447700900123 447700900124 --reason "mistyped at import" --wait
      tpo subscriber number 447700900124 447700900123 --reason "it was right after all" --returning --json
    """
    params = {"number": number, "msisdn": new_number, "reason": reason, "returning": returning, "key": key}
    _change(ctx, "subscriber.number", params, wait=wait, as_json=as_json)


@app.command("bill-limit")
def bill_limit(
    ctx: typer.Context,
    number: Number,
    decision: Annotated[
        str,
        typer.Argument(
            metavar="[AMOUNT|none|agree]",
            help="What the customer decided: a bill limit in major units (0 is one), none, or to go on beyond it this month.",
            show_default=False,
        ),
    ] = "",
    channel: Annotated[str, typer.Option(help="How the decision reached us, such as contract, call or app.")] = "",
    wording: Annotated[str, typer.Option(help="The version of what the customer was asked.")] = "",
    abroad: Annotated[
        bool, typer.Option("--abroad", help="With agree: beyond the cap abroad, not the bill limit.")
    ] = False,
    month: Annotated[str, typer.Option(help="For this month alone (2026-12), in place of the limit of all.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show a line's bill limit and the cap abroad, or keep what its customer decided, with who, when and how.

    The limit holds for what is charged in a calendar month beyond the price of the plan's own bundle; at it everything with a
    price stops, and emergency calls and free numbers go on. It is passed only where the customer agrees, after a notice.

    \b
    Examples:
      tpo subscriber bill-limit 447700900123
      tpo subscriber bill-limit 447700900123 20.00 --channel contract --wording 2026-1
      tpo subscriber bill-limit 447700900123 50.00 --month 2026-12 --channel call --wording 2026-1
      tpo subscriber bill-limit 447700900123 none --channel call --wording 2026-1
      tpo subscriber bill-limit 447700900123 agree --channel call --wording 2026-1 --json
    """
    if not decision:
        if channel or wording or abroad or month:
            message = "say what the customer decided: an amount, none or agree"
            raise typer.BadParameter(message, param_hint="[AMOUNT|none|agree]")
        _ask(ctx, "subscriber.bill-limits", {"number": number}, as_json=as_json)
        return
    if not (channel and wording):
        message = "say how the decision reached us, and in which words it was asked for"
        raise typer.BadParameter(message, param_hint="--channel --wording")
    words = {"none": "removed", "agree": "agreed"}
    params = {
        "number": number,
        "decision": words.get(decision, "set"),
        "amount": "" if decision in words else decision,
        "channel": channel,
        "wording": wording,
        "what": "abroad" if abroad else "bill",
        "period": month,
    }
    _ask(ctx, "subscriber.bill-limit", params, as_json=as_json)


@app.command()
def history(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Show the changes of a line's plan and number: what, when, by whom and why.

    \b
    Examples:
      tpo subscriber history 447700900123
      tpo subscriber history 447700900123 --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.client import Listing  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("subscriber.history", {"number": number}, Listing).rows, as_json=as_json)


def _change(ctx: typer.Context, action: str, params: Mapping[str, object], *, wait: bool, as_json: bool) -> None:
    """Change a line and, if that is wanted, follow the order that it takes."""
    from gateway.api.answers.lines import LineChanged  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.follow_order import finish  # noqa: PLC0415  (as above)
    from gateway.cli.retrying_client import RetryingClient  # noqa: PLC0415  (as above)

    settings = context.of(ctx)
    with asking(settings.settings) as ask:
        changed = ask(action, params, LineChanged)
    if changed.order is None or not wait:
        emit(changed, as_json=as_json)
        if changed.order is not None and not as_json:
            complain(f"tpo: follow it with `tpo order show {changed.order}`")
        return
    again = "the order goes on by itself; see it with `tpo order list`"
    finish(RetryingClient(settings.client_settings, again), changed.order, as_json=as_json)


def _ask(ctx: typer.Context, action: str, params: Mapping[str, object], *, as_json: bool) -> None:
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.client import JsonObject  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask(action, params, JsonObject), as_json=as_json)
