"""Actions about the books: the check, totals and taxes of months, balances, the journal and its export."""

from collections.abc import Callable, Iterable
from functools import partial
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from gateway.api.answers.ledger import AccountBalance, AccountBalances
from gateway.api.answers.rows import BooksChecked, JournalPage, Months, Seals
from gateway.api.callers import Caller, need_causes
from gateway.api.line_numbers import owners_of
from gateway.api.problems import bad_request, not_found
from gateway.api.requests.fields import MAX_ROWS, Nothing, page_size
from gateway.api.requests.ledger import MAX_BALANCES, CheckLedger, ExportJournal, ListBalances, ReadJournal, ShowTotals
from gateway.balance.check_due_times import wrong_due_times
from gateway.balance.check_spending import wrong_spending
from gateway.billing.check_bills import wrong_bills
from gateway.charging.check_held_reports import wrong_held_reports
from gateway.charging.check_sessions import wrong_sessions
from gateway.charging.credit_control import ChargingPolicy
from gateway.charity.check_bank import wrong_bank_rows
from gateway.charity.check_public_sums import wrong_public_sums
from gateway.charity.months import begin_of, end_of
from gateway.charity.policies import recompute
from gateway.charity.sealed_causes import read_all
from gateway.context import GatewayContext
from gateway.ledger import balances, check, journal, months
from gateway.ledger.check_process import CheckProcess
from gateway.ledger.checks.examined import Finding, finish
from gateway.ledger.export.pages import ExportPage, Wanted, export
from gateway.ledger.money import format_amount
from gateway.ledger.seals import Seal, SealKey, kept, read_file
from gateway.ledger.tax_report import TaxReport, tax_report
from gateway.ledger.totals import Totals, totals
from gateway.privacy.access import CAUSES


def check_ledger(context: GatewayContext, request: CheckLedger) -> BooksChecked:
    """Prove the books; seals are those of the gateway's own file, and those that come with the request."""
    try:
        seals = [*read_file(context.seals_file), *msgspec.convert(request.seals, list[Seal])]
    except msgspec.ValidationError as error:
        raise bad_request("ledger.seals", f"seals: {error}") from None
    beside = CheckProcess(context.settings.store.connect_url, context.evidence_key, seals)
    with context.reading() as connection:
        report = check.check(
            connection,
            recompute,
            context.evidence_key,
            seals,
            choices=partial(read_all, seals=context.cause_seals),
            full=request.full,
            progress=context.progress,
            beside=beside,
        )
        months = context.policy(ChargingPolicy).tariff.months
        others: dict[str, Callable[[], Iterable[Finding]]] = {
            "wrong_sessions": lambda: wrong_sessions(connection),
            "wrong_held_reports": lambda: wrong_held_reports(connection),
            "wrong_spending": lambda: wrong_spending(connection, months),
            "wrong_due_times": lambda: wrong_due_times(connection),
            "wrong_bills": lambda: wrong_bills(connection),
            "wrong_bank_rows": lambda: wrong_bank_rows(connection),
            "wrong_public_sums": lambda: wrong_public_sums(connection, context.cause_seals),
        }
        found = (finding for name, look in others.items() for finding in finish(name, [connection], look))
        findings = list(dict.fromkeys([*report.findings, *found]))
    return BooksChecked(not findings, report.entries, report.wallets, report.accruals, findings, report.unknown)


def list_months(context: GatewayContext, _request: Nothing) -> Months:
    """Return what is booked and used by month; causes are not told apart."""
    return Months(context.read(months.month_totals))


def list_balances(context: GatewayContext, request: ListBalances, caller: Caller) -> AccountBalances:
    """Return a page of the accounts' balances; those of causes are one for who may not see them apart."""
    if request.causes:
        need_causes(caller)
    in_time = request.since is not None or request.until is not None
    may_see = CAUSES in caller.rights and (request.causes or not in_time)
    if may_see:
        context.record_access(caller.name, "ledger.balances")
    limit = page_size(request.limit, MAX_BALANCES, MAX_BALANCES)
    with context.reading() as connection:
        only = _selection(connection, request, context.settings.operator.country, causes=may_see)
        page = balances.balances(connection, after=request.after, limit=limit, only=only)
    found = page.rows if may_see else balances.without_causes(page.rows)
    return AccountBalances(
        [AccountBalance(each.account, each.currency, format_amount(each.balance, each.currency)) for each in found],
        page.next,
    )


def _selection(
    connection: Connection, request: ListBalances | ReadJournal, country: str, *, causes: bool
) -> balances.Selection:
    """Return the entries that are asked for; without `causes` no account of a single cause has a name."""
    wanted: set[int] | None = None
    if request.account:
        wanted = set(balances.account_numbers(connection, request.account, causes=causes))
        if not wanted:
            raise not_found("account.unknown", "account: no account is shown under this name")
    if request.number:
        found = owners_of(connection, request.number, country)
        wanted = set(found) if wanted is None else wanted & set(found)
    return balances.Selection(None if wanted is None else sorted(wanted), request.since, request.until)


def read_journal(context: GatewayContext, request: ReadJournal, caller: Caller) -> JournalPage:
    """Return a page of the journal; the accounts of causes are named on request only.

    An entry's record and its neighbours tell whose it is, so that its cause needs the right to see causes.
    """
    limit = page_size(request.limit, 100, MAX_ROWS)
    if request.causes:
        need_causes(caller)
        context.record_access(caller.name, "ledger.journal")
    with context.reading() as connection:
        only = _selection(connection, request, context.settings.operator.country, causes=request.causes)
        rows = journal.read(connection, after=request.after, limit=limit, causes=request.causes, only=only)
    return JournalPage(rows, rows[-1].id if len(rows) == limit else None)


def show_totals(context: GatewayContext, request: ShowTotals) -> Totals:
    """Return the control totals of a month, by the operator's clock."""
    zone = ZoneInfo(context.settings.operator.timezone)
    since, until = begin_of(request.period, zone), end_of(request.period, zone)
    return context.read(lambda connection: totals(connection, request.period, since, until))


def show_tax(context: GatewayContext, request: ShowTotals) -> TaxReport:
    """Return what a month owes of taxes within prices, by the operator's clock."""
    zone = ZoneInfo(context.settings.operator.timezone)
    since, until = begin_of(request.period, zone), end_of(request.period, zone)
    return context.read(lambda connection: tax_report(connection, request.period, since, until))


def export_journal(context: GatewayContext, request: ExportJournal, caller: Caller) -> ExportPage:
    """Return a page of the journal in a format of other programs; what causes are owed apart needs the right to see it."""
    if request.causes:
        need_causes(caller)
        if not request.after:
            context.record_access(caller.name, "ledger.export")
    wanted = msgspec.convert(request, Wanted, from_attributes=True)
    with context.reading() as connection:
        return export(connection, wanted)


def list_seals(context: GatewayContext, _request: Nothing) -> Seals:
    """Return the seals of the store, and those that its file beside the privacy key has besides."""
    known = {(seal.node, seal.day): seal for seal in (*read_file(context.seals_file), *context.read(kept))}
    return Seals(SealKey(context.evidence_key).public, [known[place] for place in sorted(known)])
