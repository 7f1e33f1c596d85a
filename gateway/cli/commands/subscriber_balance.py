"""`tpo subscriber`, what is about a line's balance: allowances, renewals, add-ons, credit, debt; and erasing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.output import emit

Number = Annotated[str, typer.Argument(help="MSISDN in international form.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in your own words; it stands in the history.")]
Reference = Annotated[str, typer.Option(help="A reference of your own; the same one again does nothing new.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command("allowances")(allowances)
    app.command("renewal")(renewal)
    app.command("add-on")(add_on)
    app.command("credit")(credit)
    app.command("limit")(limit)
    app.command("family")(family)
    app.command("erase")(erase)
    app.command("tax-area")(tax_area)
    app.command("agree")(agree)
    app.command("preferences")(preferences)


def allowances(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Show what is left of a line's bundles, add-ons and credits, and whether its bundle is renewed.

    The one that ends soonest is used first. Octets, seconds and texts are whole numbers, money is in major units.

    \b
    Examples:
      tpo subscriber allowances 447700900123
      tpo subscriber allowances 447700900123 --json
    """
    from gateway.api.answers.lines import Allowances  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("subscriber.allowances", {"number": number}, Allowances)
    emit(found if as_json else found.rows, as_json=as_json)
    if not as_json:
        emit(found.terms, as_json=False)


def erase(
    ctx: typer.Context,
    subscriber: Annotated[str, typer.Argument(help="A number that the line had, or the id that the books have.")],
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Forget who a customer was whose line has ended (UK GDPR article 17). Admins only; it cannot be undone.

    Numbers, choices, texts, notices, sessions, orders and gifts go; what was booked stays, with an id that leads to nobody.
    Gifts on which a charity claims Gift Aid, and the declarations, are kept, sealed, for seven years, and then go by
    themselves. Give no name as the reason: it stays, with the time and who asked.

    \b
    Examples:
      tpo subscriber erase 447700900123 --reason "request 17 of 1 December"
      tpo subscriber erase 1099511627776 --reason "request 18" --json
    """
    from gateway.api.answers.subscribers import SubscriberErased  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("subscriber.erase", {"subscriber": subscriber, "reason": reason}, SubscriberErased)
    kept = {f"kept {table}": count for table, count in found.kept.items()}
    emit(found if as_json else {"subscriber_id": found.subscriber_id, **found.rows, **kept}, as_json=as_json)


def renewal(
    ctx: typer.Context,
    number: Number,
    reason: Why,
    on: Annotated[
        bool | None,
        typer.Option(
            "--on/--off", help="The customer agreed to renewals, or does no more; left out: it stays as it is."
        ),
    ] = None,
    billing_day: Annotated[
        int, typer.Option(min=0, max=31, help="Day of the month on which periods begin; 0 leaves it.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Note whether a customer agreed that the bundle is renewed, and on which day its months begin.

    Without consent a bundle is sold again when something is used that it covers. In a month that is too short the last day
    stands for the billing day. What was paid for already stays as it is.

    \b
    Examples:
      tpo subscriber renewal 447700900123 --on --billing-day 1 --reason "signed on paper"
      tpo subscriber renewal 447700900123 --billing-day 15 --reason "gets paid on the 14th"
      tpo subscriber renewal 447700900123 --off --reason "as asked by phone" --json
    """
    if on is None and not billing_day:
        raise typer.BadParameter("give --on, --off or --billing-day")
    params = {"number": number, "consent": on, "billing_day": billing_day, "reason": reason}
    _ask(ctx, "subscriber.renewal", params, as_json=as_json)


def add_on(
    ctx: typer.Context,
    number: Number,
    name: Annotated[str, typer.Argument(metavar="ADD-ON", help="One of the add-ons of the line's plan.")],
    reference: Reference,
    as_json: AsJson = False,
) -> None:
    """Sell a line an add-on of its plan, once a reference; its tenth accrues on the sale.

    \b
    Examples:
      tpo subscriber add-on 447700900123 boost --reference app-4711
      tpo subscriber add-on 447700900123 europe --reference app-4712 --json
    """
    params = {"number": number, "add_on": name, "reference": reference}
    _ask(ctx, "subscriber.add-on", params, as_json=as_json)


def credit(
    ctx: typer.Context,
    number: Number,
    amount: Annotated[str, typer.Argument(help="In major units, such as 5.00.")],
    days: Annotated[int, typer.Option(min=1, max=3660, help="After so many days what is left of it ends.")],
    reference: Reference,
    currency: Annotated[
        str | None, typer.Option(help="It has to be the wallet's. Default: the operator's currency.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a line credit of the company, once a reference. Admins only.

    It pays before or after the customer's own money, as `charging.credit.promotions` says; no tenth accrues on what it pays,
    and no gift is made of it.

    \b
    Examples:
      tpo subscriber credit 447700900123 5.00 --days 30 --reference welcome-7
      tpo subscriber credit 12025550123 5.00 --days 30 --currency USD --reference welcome-8 --json
    """
    paid_in = currency or context.of(ctx).client_settings.operator.currency
    params = {"number": number, "amount": amount, "currency": paid_in, "days": days, "reference": reference}
    _ask(ctx, "subscriber.credit", params, as_json=as_json)


def limit(
    ctx: typer.Context,
    number: Number,
    amount: Annotated[str, typer.Argument(help="In major units, such as 50.00; 0 for a line that pays before.")],
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Set how far a line that pays at the end of the month may go below zero. Admins only.

    \b
    Examples:
      tpo subscriber limit 447700900123 50.00 --reason "contract of 1 December"
      tpo subscriber limit 447700900123 0 --reason "pays before from now on" --json
    """
    _ask(ctx, "subscriber.limit", {"number": number, "amount": amount, "reason": reason}, as_json=as_json)


def family(
    ctx: typer.Context,
    number: Number,
    reason: Why,
    payer: Annotated[
        str, typer.Option(help="MSISDN of the line whose wallet pays; left out: nobody's does any more.")
    ] = "",
    cap: Annotated[str, typer.Option(help="At most so much a calendar month, in major units; left out: no cap.")] = "",
    as_json: AsJson = False,
) -> None:
    """Have another line's wallet pay for a line, beside its own, up to a cap a month.

    The line's own money is used first. Its tenth goes to the causes that it chose, or else to those of the payer. Who is paid
    for pays for nobody.

    \b
    Examples:
      tpo subscriber family 447700900124 --payer 447700900123 --cap 20.00 --reason "family of four"
      tpo subscriber family 447700900124 --reason "has an own contract now" --json
    """
    if cap and not payer:
        raise typer.BadParameter("name the --payer too, whose wallet it is a cap of", param_hint="--cap")
    params = {"number": number, "payer": payer, "cap": cap, "reason": reason}
    _ask(ctx, "subscriber.family", params, as_json=as_json)


def tax_area(
    ctx: typer.Context,
    number: Number,
    state: Annotated[str, typer.Option(help="The state, two capital letters such as NY.")],
    zip_code: Annotated[str, typer.Option("--zip", help="The ZIP, five digits.")],
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Have a line taxed in a state and ZIP from now on, for plans to whose prices taxes are added.

    Without one, or in a state that the file of taxes does not name, its bills have no taxes, and `tpo subscriber show` says so.

    \b
    Examples:
      tpo subscriber tax-area 12125550123 --state NY --zip 10001 --reason "place of primary use, form of 1 December"
      tpo subscriber tax-area 12125550123 --state TX --zip 75001 --reason "moved" --json
    """
    params = {"number": number, "state": state, "zip": zip_code, "reason": reason}
    _ask(ctx, "subscriber.tax-area", params, as_json=as_json)


def preferences(
    ctx: typer.Context,
    number: Number,
    language: Annotated[
        str | None, typer.Option(help="The language of bills and notices: en, es or fr; empty: the operator's.")
    ] = None,
    itemised: Annotated[
        bool | None, typer.Option("--itemised/--unitemised", help="Whether bills tell of calls one by one.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, in your own words; it stands in the history.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show how a customer is written to, or keep what the customer asks for: the language, and bills without single calls.

    \b
    Examples:
      tpo subscriber preferences 447700900123
      tpo subscriber preferences 447700900123 --unitemised --reason "asked by letter of 3 December"
      tpo subscriber preferences 447700900123 --language fr --reason "asked by phone" --json
    """
    if language is None and itemised is None:
        if reason:
            raise typer.BadParameter("say what the customer asks for", param_hint="--language --itemised/--unitemised")
        _ask(ctx, "subscriber.preferences", {"number": number}, as_json=as_json)
        return
    params = {"number": number, "language": language, "itemised": itemised, "reason": reason}
    _ask(ctx, "subscriber.prefer", params, as_json=as_json)


def agree(ctx: typer.Context, number: Number, reason: Why, as_json: AsJson = False) -> None:
    """Note that a customer agreed to the prices of today, in place of an earlier version of the plan that the line keeps.

    It counts from now on, and is not taken back: the plan's earlier version is for who had it all the time.

    \b
    Examples:
      tpo subscriber agree 447700900123 --reason "agreed by text on 3 December"
      tpo subscriber agree 447700900123 --reason "signed the new terms" --json
    """
    _ask(ctx, "subscriber.agree", {"number": number, "reason": reason}, as_json=as_json)


def _ask(ctx: typer.Context, action: str, params: Mapping[str, object], *, as_json: bool) -> None:
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.client import JsonObject  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask(action, params, JsonObject), as_json=as_json)
