"""The commands of `tpo charity` by which causes are paid."""

from __future__ import annotations

import os
import sys
from base64 import b64decode, b64encode
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.output import complain, emit

if TYPE_CHECKING:
    from gateway.api.answers.charity import PayoutFile

STANDING: Final = (
    "stream",
    "cause",
    "currency",
    "confirmed",
    "payable",
    "instructed",
    "paid",
    "oldest",
    "days",
    "agreed",
)
MAX_OCTETS: Final = 5 << 20
"""Of a bank's file, which is asked about whole."""
FILES: Final = ("file", "currency", "payments", "total", "state", "sha256")
Month = Annotated[str, typer.Argument(help="The month, such as 2026-11, on the operator's clock.")]
Out = Annotated[Path, typer.Option("--out", help="The folder that payment files are written to.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (confirm, payout, paid, bank):
        app.command()(command)


def confirm(ctx: typer.Context, period: Month, as_json: AsJson = False) -> None:
    """Confirm the tenths that customers have paid for, and show what is owed to each cause by state.

    A month is confirmed once, an hour after its end or later, in the order of months; done again it only shows. What a wallet
    owes makes its latest charges unpaid: their tenth waits for a later month.

    \b
    Examples:
      tpo charity confirm 2026-11
      tpo charity confirm 2026-11 --json
    """
    from gateway.api.answers.charity import MonthConfirmed  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("charity.confirm", {"period": period}, MonthConfirmed)
    emit(found if as_json else found.rows, as_json=as_json, columns=STANDING)


def payout(
    ctx: typer.Context,
    period: Month,
    approve: Annotated[
        str, typer.Option(metavar="HASH", help="Approve the file with this SHA-256, as another person.")
    ] = "",
    show: Annotated[str, typer.Option(metavar="HASH", help="Write the file with this SHA-256 again.")] = "",
    day: Annotated[
        str, typer.Option(help="The day on which the bank pays, YYYY-MM-DD; two days from now by itself.")
    ] = "",
    out: Out = Path(),
    as_json: AsJson = False,
) -> None:
    """Make the payment files to causes of a month, one a currency; or approve one, by its hash, as another person.

    The maker's file moves nothing. Whoever approves it gives the hash of exactly what they looked through: that file is written
    for the bank, and its payments are instructed. A file that is not approved is replaced by the next. Exits with 75 where
    something is payable and in no file.

    \b
    Examples:
      tpo charity payout 2026-11 --out /srv/payouts
      tpo charity payout 2026-11 --approve 5f70...e3 --out /srv/payouts
      tpo charity payout 2026-11 --show 5f70...e3 --json
    """
    from gateway.api.answers.charity import PayoutFile, PayoutMade  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    if approve and show:
        raise typer.BadParameter("give one of them", param_hint="--approve, --show")
    with asking(context.of(ctx).client_settings) as ask:
        if approve or show:
            action = "charity.payout.approve" if approve else "charity.payout.show"
            made = PayoutMade(period, [ask(action, {"sha256": approve or show}, PayoutFile)], [])
        else:
            made = ask("charity.payout", {"period": period, "day": day or _in_two_days()}, PayoutMade)
    rows = [_row(each, _write(out, each)) for each in made.files]
    if as_json:
        emit({"period": period, "files": rows, "skipped": made.skipped}, as_json=True)
    else:
        emit(rows, as_json=False, columns=FILES)
        for each in made.skipped:
            complain(f"not paid: {each.stream} of {each.cause}, {each.amount} {each.currency}: {each.why}")
    if made.skipped:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _row(file: PayoutFile, path: Path) -> dict[str, object]:
    return {
        "file": str(path),
        "currency": file.currency,
        "payments": file.payments,
        "total": file.total,
        "state": file.state,
        "sha256": file.sha256,
    }


def _write(folder: Path, file: PayoutFile) -> Path:
    """Write a payment file for its owner alone: it has bank details."""
    path = folder / file.name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(b64decode(file.content))
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}", to_do="give a folder by --out") from None
    return path


def _in_two_days() -> str:
    return (datetime.now(UTC) + timedelta(days=2)).date().isoformat()


def paid(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A statement (camt.053, camt.054) or a status report (pain.002).")],
    as_json: AsJson = False,
) -> None:
    """Read what the charity account's bank says: payments that were made, that came back, and that it refused.

    A line that names a matching campaign is what its matcher paid; one with `charity.transfer_word` is what the company
    moved. The same file, or line, again changes nothing. Exits with 75 where a line is none of these.

    \b
    Examples:
      tpo charity paid statement-2026-12-07.xml
      tpo charity paid rejected.xml --json
    """
    from gateway.api.answers.charity import PaymentsSettled  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    settings = context.of(ctx).client_settings
    content = b64encode(_read(file)).decode()
    with asking(settings) as ask:
        found = ask("charity.paid", {"file": content}, PaymentsSettled)
    emit(found, as_json=as_json)
    if found.unmatched:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _read(file: Path) -> bytes:
    from gateway.store.named_files import open_named  # noqa: PLC0415  (as above)

    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else open_named(file) as octets:
            content = octets.read(MAX_OCTETS + 1)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}", to_do="give a file that you may read") from None
    if len(content) > MAX_OCTETS:
        raise CommandFailed(f"{file} has more than {MAX_OCTETS >> 20} MiB", to_do="ask the bank for a file a day")
    return content


def bank(
    ctx: typer.Context,
    cause: Annotated[str, typer.Argument(help="The cause's id.")] = "",
    currency: Annotated[str, typer.Option(help="The currency that it is paid in.")] = "GBP",
    details: Annotated[
        Path | None,
        typer.Option("--details", help="A JSON file: name, sort_code and account, or iban, or routing; - reads it."),
    ] = None,
    approve: Annotated[
        int, typer.Option(metavar="ID", help="Approve the details of this number, as another person.")
    ] = 0,
    show: Annotated[int, typer.Option(metavar="ID", help="Show the account of this number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List bank details of causes; propose the account that one is paid to, or show and approve what somebody else proposed.

    The first account of a cause counts when it is approved, a change seven days after. Details are sealed, and are read from a
    file, so that no list of processes shows them.

    \b
    Examples:
      tpo charity bank wateraid --details wateraid.json
      tpo charity bank feeding-america --currency USD --details -
      tpo charity bank --show 1099511627790
      tpo charity bank --approve 1099511627790
    """
    from gateway.api.answers.charity import BankAccountShown, BankDetails, BankDetailsRows  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    if sum(map(bool, (approve, show, details))) > 1:
        raise typer.BadParameter("give one of them", param_hint="--details, --show, --approve")
    if bool(details) != bool(cause):
        raise typer.BadParameter("give a cause with --details", param_hint="CAUSE")
    with asking(context.of(ctx).client_settings) as ask:
        if details is not None:
            account = _read(details).decode(errors="replace")
            params = {"cause": cause, "currency": currency, "account": account}
            emit(ask("charity.bank", params, BankDetails), as_json=as_json)
        elif approve:
            emit(ask("charity.bank.approve", {"details": approve}, BankDetails), as_json=as_json)
        elif show:
            emit(ask("charity.bank.show", {"details": show}, BankAccountShown), as_json=as_json)
        else:
            found = ask("charity.bank.list", {}, BankDetailsRows)
            emit(found if as_json else found.rows, as_json=as_json)
