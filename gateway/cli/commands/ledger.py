"""`tpo ledger`: the books, and the proof that they are right."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.filters import Number, Since, Until, chosen
from gateway.cli.output import complain, emit, emit_pages
from gateway.cli.pages import pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.cli.client import Ask
    from gateway.ledger.export.pages import ExportPage

BRIEF: Final = ("id", "at", "kind", "debit", "credit", "amount", "currency", "reference")
"""What the journal shows of an entry; --json has the chain of each: record, base, policy, share."""
TOTALS: Final = ("step", "service", "currency", "count", "octets", "seconds", "units", "amount")
SEALS: Final = ("node", "day", "sequence", "head", "signature")
TAX: Final = ("account", "of", "percent", "currency", "gross", "net", "tax")
MONTHS: Final = ("month", "table", "part", "kind", "currency", "rows", "amount")
BALANCES: Final = 20_000
MAX_SEALS: Final = 64 << 20
"""Octets of a file of seals: a quarter of a million days of gateways."""
"""Accounts of one page: each page reads the whole journal."""
Account = Annotated[str, typer.Option(help="Only this account, such as revenue or wallet:1099511627790.")]
WithCauses = Annotated[
    bool, typer.Option("--with-causes", help="Name the causes (needs the right to see them; it is noted).")
]


class Format(StrEnum):
    """Programs that read an export."""

    BEANCOUNT = "beancount"
    HLEDGER = "hledger"
    CSV = "csv"


app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def _group() -> None:
    """Read and prove the books: check, seals, balances, journal, totals, tax, export, months."""


@app.command()
def check(
    ctx: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Compute sealed months again, too.")] = False,
    seals: Annotated[Path | None, typer.Option(help="Seals that were kept elsewhere, one a line.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove the books: each row is as it was booked, entries sum to zero, balances equal the journal, each price its version.

    A row that was changed, deleted, doubled or invented is named by its number. What was cut off at the end shows against the
    seals that left the house. Months in sealed files are computed again where a row of theirs is not as it was, or by --full.
    A stopped gateway's check shows how far it has come. Exits with 1 if anything does not add up.

    \b
    Examples:
      tpo ledger check
      tpo ledger check --full
      tpo ledger check --seals /mnt/auditor/seals.jsonl
      tpo ledger check --json
    """
    from gateway.api.answers.rows import BooksChecked  # noqa: PLC0415  (as below)
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)

    with asking(context.of(ctx).client_settings) as ask:
        report = ask("ledger.check", {"full": full, "seals": _seals(seals)}, BooksChecked)
    if as_json:
        emit(report, as_json=True)
    else:
        for finding in report.findings:
            complain(f"{finding.check}: {finding.detail}")
        verdict = "the books are right" if report.ok else "the books are WRONG"
        sys.stdout.write(
            f"{verdict}: {report.entries} entries, {report.wallets} wallets, {report.accruals} accruals recomputed\n"
        )
        for plan, count in sorted(report.unknown.items()):
            sys.stdout.write(
                f"{count:,} records of {plan} are of an unknown version of it: they are older than versions\n"
            )
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED)


def _seals(file: Path | None) -> list[dict[str, object]]:
    from gateway.ledger.seals import read_lines  # noqa: PLC0415  (as above)
    from gateway.store.named_files import read_named  # noqa: PLC0415  (as above)

    if file is None:
        return []
    try:
        lines = read_named(file, MAX_SEALS).splitlines()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}", to_do="give the file of seals") from None
    found = read_lines(lines)
    if not lines:
        raise CommandFailed(f"{file} is empty: no seal would be compared", to_do="give the file as it was kept")
    if len(found) != len(lines):
        raise CommandFailed(
            f"{file} has {len(lines)} lines, of which {len(found)} are seals", to_do="give the file as it was kept"
        )
    return [msgspec.structs.asdict(seal) for seal in found]


@app.command()
def balances(
    ctx: typer.Context,
    account: Account = "",
    number: Number = "",
    since: Since = None,
    until: Until = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The most accounts to show.")] = None,
    with_causes: WithCauses = False,
    as_json: AsJson = False,
) -> None:
    """Show what each account stands at; a wallet's account is wallet:SUBSCRIBER_ID. Who may not see causes sees them as one.

    With --until it is what the account stood at then, with --since what was booked from then on; causes are one then, unless
    --with-causes asks for them.

    \b
    Examples:
      tpo ledger balances
      tpo ledger balances --account revenue --since 2026-11-01 --until 2026-12-01
      tpo ledger balances --number 447700900123 --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    params = {"account": account, "causes": with_causes, **chosen(number, since, until)}
    with asking(context.of(ctx).client_settings) as ask:
        found = pages(ask, "ledger.balances", params, limit=limit, page=BALANCES)
        emit_pages((page.rows for page in found), as_json=as_json)


@app.command()
def journal(
    ctx: typer.Context,
    after: Annotated[int, typer.Option(min=0, help="Show entries numbered above this.")] = 0,
    account: Account = "",
    number: Number = "",
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=5000, help="The most entries to show.")] = 100,
    with_causes: WithCauses = False,
    as_json: AsJson = False,
) -> None:
    """Show entries of the journal in the order in which they were booked; what causes are owed is one account, `causes`.

    \b
    Examples:
      tpo ledger journal --limit 20
      tpo ledger journal --number 447700900123 --since 2026-11-01
      tpo ledger journal --account revenue --limit 1000
      tpo ledger journal --after 1099511627790 --json
      tpo ledger journal --with-causes
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.client import Listing  # noqa: PLC0415  (as above)

    params = {"after": after, "limit": limit, "causes": with_causes, "account": account, **chosen(number, since, until)}
    with asking(context.of(ctx).client_settings) as ask:
        page = ask("ledger.journal", params, Listing)
    emit({"rows": page.rows, "next": page.next} if as_json else page.rows, as_json=as_json, columns=BRIEF)
    if page.next is not None and not as_json:
        complain(f"tpo: there may be more; go on by --after {page.next}")


@app.command()
def export(
    ctx: typer.Context,
    written: Annotated[Format, typer.Option("--format", help="Which program is to read it.")] = Format.BEANCOUNT,
    since: Since = None,
    until: Until = None,
    with_causes: WithCauses = False,
    as_json: AsJson = False,
) -> None:
    """Write the journal for another program: what was booked one by one, tenths as sums by month and cause.

    Every amount has six decimals, nothing is inferred, and every account's balance stands at the end, so that bean-check and
    hledger check refuse a file that is one micro-unit off. What causes are owed is one account, unless --with-causes asks for
    them, which an auditor's token has the right to.

    \b
    Examples:
      tpo ledger export > tpo.beancount
      tpo ledger export --format hledger --with-causes > tpo.journal
      tpo ledger export --format csv --since 2026-11-01 --until 2026-12-01
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.ledger.export.pages import ExportPage  # noqa: PLC0415  (as above)

    params = {"format": written.value, "causes": with_causes, **chosen("", since, until)}
    with asking(context.of(ctx).client_settings) as ask:
        texts = _texts(ask, params, ExportPage)
        if as_json:
            emit({"format": written.value, "text": "".join(texts)}, as_json=True)
        else:
            sys.stdout.writelines(texts)


def _texts(ask: Ask, params: dict[str, object], kind: type[ExportPage]) -> Iterator[str]:
    after: int | None = 0
    while after is not None:
        page = ask("ledger.export", {**params, "after": after}, kind)
        yield page.text
        after, params["until"] = page.next, page.until


@app.command()
def totals(
    ctx: typer.Context,
    period: Annotated[str, typer.Argument(help="The month, such as 2026-11, on the operator's clock.")],
    as_json: AsJson = False,
) -> None:
    """Show a month from what was reported to what the journal has: reported, rated, covered, priced, charged, booked.

    Exits with 1 if one step does not lead to the next.

    \b
    Examples:
      tpo ledger totals 2026-11
      tpo ledger totals 2026-11 --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.ledger.totals import Totals  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("ledger.totals", {"period": period}, Totals)
    emit(found if as_json else found.rows, as_json=as_json, columns=TOTALS)
    for difference in () if as_json else found.differences:
        complain(f"it does not add up: {difference}")
    if found.differences:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def seals(
    ctx: typer.Context,
    public_key: Annotated[bool, typer.Option("--public-key", help="Show the key alone, in hexadecimal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the seals of each day, and the public key (Ed25519) that proves them; docs/proof.md says how.

    \b
    Examples:
      tpo ledger seals
      tpo ledger seals --public-key
      tpo ledger seals --json
    """
    from gateway.api.answers.rows import Seals  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("ledger.seals", {}, Seals)
    if as_json:
        emit({"public_key": found.public_key} if public_key else found, as_json=True)
    elif public_key:
        sys.stdout.write(f"{found.public_key}\n")
    else:
        emit([msgspec.structs.asdict(seal) for seal in found.rows], as_json=False, columns=SEALS)
        sys.stdout.write(f"signed with the key whose public half is {found.public_key}\n")


@app.command()
def tax(
    ctx: typer.Context,
    period: Annotated[str, typer.Argument(help="The month, such as 2026-11, on the operator's clock.")],
    as_json: AsJson = False,
) -> None:
    """Show what a month owes of taxes within prices, by rate: what was charged and sold with tax, without, and the tax of it.

    A day is booked once it is over. What was given back is taken off, at the rate that it was charged at.

    \b
    Examples:
      tpo ledger tax 2026-11
      tpo ledger tax 2026-11 --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.ledger.tax_report import TaxReport  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("ledger.tax", {"period": period}, TaxReport)
    emit(found if as_json else found.rows, as_json=as_json, columns=TAX)
    if not as_json:
        complain(
            "no day of it is booked yet" if found.last_day is None else f"booked: {found.first_day} to {found.last_day}"
        )


@app.command()
def months(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show how many entries, and how much usage, each month has, by kind and service, and where in the store they stand.

    Months are in UTC. A store on PostgreSQL has a part a month, those to come too; usage goes by whole months. One on
    SQLite has months that are over in files beside it, if store.seal_after is set. It reads all of them, as the check does.

    \b
    Examples:
      tpo ledger months
      tpo ledger months --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.client import Listing  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        listing = ask("ledger.months", {}, Listing)
    emit({"rows": listing.rows} if as_json else listing.rows, as_json=as_json, columns=MONTHS)
