"""`tpo subscriber`, what is about a line's gifts: given, listed, and taken back while they are held."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.output import emit

Number = Annotated[str, typer.Argument(help="MSISDN in international form.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command("gift")(gift)
    app.command("gifts")(gifts)
    app.command("gift-withdraw")(gift_withdraw)


def gift(
    ctx: typer.Context,
    number: Number,
    cause: Annotated[str, typer.Argument(help="The cause's id.", autocompletion=completion.causes)],
    amount: Annotated[str, typer.Argument(help="In major units, such as 5.00.")],
    reference: Annotated[str, typer.Option(help="A reference of your own; the same one again gives nothing more.")],
    currency: Annotated[
        str | None, typer.Option(help="It has to be the wallet's. Default: the operator's currency.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give from a line's balance to a cause: all of it, without a fee.

    The gift is held first (charity.gift_window), so that the customer may take it back; once it is made nobody can.

    \b
    Examples:
      tpo subscriber gift 447700900123 wateraid 5.00 --reference app-4711
      tpo subscriber gift 447700900123 wateraid 5.00 --reference app-4711 --json
    """
    from gateway.api.answers.rows import GiftAnswer  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    given_in = currency or context.of(ctx).client_settings.operator.currency
    params = {"number": number, "cause": cause, "amount": amount, "currency": given_in, "reference": reference}
    with asking(context.of(ctx).client_settings) as ask:
        found = ask("subscriber.gift", params, GiftAnswer)
    emit(found if as_json else found.gift, as_json=as_json)


def gifts(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """List a line's gifts, the newest first; to which causes, for who may see that.

    \b
    Examples:
      tpo subscriber gifts 447700900123
      tpo subscriber gifts 447700900123 --json
    """
    from gateway.api.answers.rows import Gifts  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("subscriber.gifts", {"number": number}, Gifts).rows, as_json=as_json)


def gift_withdraw(
    ctx: typer.Context,
    number: Number,
    gift_id: Annotated[str, typer.Argument(metavar="GIFT", help="Its number, as `gifts` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Take back a gift that is held still; the money can be used again.

    \b
    Examples:
      tpo subscriber gift-withdraw 447700900123 1099511628805
      tpo subscriber gift-withdraw 447700900123 1099511628805 --json
    """
    from gateway.api.answers.rows import GiftAnswer  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("subscriber.gift-withdraw", {"number": number, "gift": gift_id}, GiftAnswer)
    emit(found if as_json else found.gift, as_json=as_json)
