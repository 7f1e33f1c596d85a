"""Commands of `tpo charity` about the account that causes are paid from: what comes into it, and what it has to cover."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import ExitCode
from gateway.cli.output import complain, emit

CAMPAIGNS: Final = ("campaign", "matcher", "currency", "pledged", "matched", "received", "owed")
Reference = Annotated[
    str, typer.Option("--reference", help="What the payment is known by; booked once. The bank's own, if there is one.")
]
Day = Annotated[str, typer.Option("--day", help="The day on which the bank booked it, YYYY-MM-DD; today by itself.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (matched, transfer, cover):
        app.command()(command)


def matched(
    ctx: typer.Context,
    campaign: Annotated[str, typer.Option("--campaign", help="Book what the matcher of this campaign paid.")] = "",
    amount: Annotated[str, typer.Option("--amount", help="How much, such as 250.00.")] = "",
    reference: Reference = "",
    day: Day = "",
    back: Annotated[bool, typer.Option("--back", help="It was taken back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what each campaign pledged, matched, and was paid and owes; or book what a matcher paid into the charity account.

    `tpo charity paid` books by itself each line of a statement that names a campaign: do not book that here, too.

    \b
    Examples:
      tpo charity matched
      tpo charity matched --campaign winter-2026 --amount 250.00 --reference FT-118 --day 2026-12-04
      tpo charity matched --json
    """
    from gateway.api.answers.charity import CampaignRows, ReceiptBooked  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    if bool(campaign) != bool(amount) or bool(campaign) != bool(reference):
        raise typer.BadParameter("give all three, or none", param_hint="--campaign, --amount, --reference")
    with asking(context.of(ctx).client_settings) as ask:
        if campaign:
            params = {"campaign": campaign, "amount": amount, "reference": reference, "day": day, "back": back}
            emit(ask("charity.match-paid", params, ReceiptBooked), as_json=as_json)
            return
        found = ask("charity.matched", {}, CampaignRows)
    emit(found if as_json else found.rows, as_json=as_json, columns=CAMPAIGNS)


def transfer(
    ctx: typer.Context,
    amount: Annotated[
        str, typer.Argument(help="How much the company moved into the charity account, such as 1250.00.")
    ],
    reference: Annotated[str, typer.Option("--reference", help="What the transfer is known by; booked once.")],
    currency: Annotated[str, typer.Option(help="The currency of the account.")] = "GBP",
    day: Day = "",
    back: Annotated[bool, typer.Option("--back", help="The company took it out again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Book what the company moved into the charity account, where no statement tells of it: an account's first balance, say.

    `tpo charity paid` books by itself each line of a statement that has `charity.transfer_word`.

    \b
    Examples:
      tpo charity transfer 1250.00 --reference opening --day 2026-11-01
      tpo charity transfer 80.00 --reference FT-120 --back --json
    """
    from gateway.api.answers.charity import ReceiptBooked  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    params = {"amount": amount, "currency": currency, "reference": reference, "day": day, "back": back}
    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("charity.transfer", params, ReceiptBooked), as_json=as_json)


def cover(
    ctx: typer.Context,
    day: Annotated[str, typer.Argument(help="The day, YYYY-MM-DD: up to its end.")],
    as_json: AsJson = False,
) -> None:
    """Hold the charity account's balance, as its bank said it last, against what is payable, instructed, or given.

    Of gifts that wait still, what matchers owe is left out: that is theirs to pay. `booked` is the account by the books.
    Exits with 1 where the account does not cover what is needed, or the bank said nothing yet; with 75 where books and bank
    differ.

    \b
    Examples:
      tpo charity cover 2026-11-30
      tpo charity cover 2026-11-30 --json
    """
    from gateway.api.answers.charity import CoverRows  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("charity.cover", {"day": day}, CoverRows)
    emit(found if as_json else found.rows, as_json=as_json)
    if not all(row.covered for row in found.rows):
        raise typer.Exit(ExitCode.FAILED)
    apart = [row for row in found.rows if row.unbooked and row.unbooked.strip("-0.")]
    for row in apart:
        complain(
            f"{row.currency}: the bank has {row.unbooked} that no entry tells of: tpo charity paid, transfer, matched"
        )
    if apart:
        raise typer.Exit(ExitCode.PARTLY_DONE)
