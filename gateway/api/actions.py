"""What the commands ask for, by name: the daemon serves these on its Unix socket, and a command of a stopped gateway calls
them itself. Each takes the open gateway and its request type, and gives its answer type or raises Problem."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final, Generic, Protocol
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from gateway.api import (
    balance_actions,
    bill_actions,
    bill_requests,
    charity_account,
    charity_documents,
    charity_evidence,
    charity_payments,
    charity_reports,
    charity_requests,
    erasure_actions,
    fraud_cases,
    gift_actions,
    gift_aid_actions,
    ledger_seals,
    line_changes,
    line_limits,
    line_preferences,
    node_actions,
    payment_actions,
    plan_actions,
    requests,
    rerate_actions,
    sim_inventory,
)
from gateway.api.answers import (
    AccountBalance,
    AccountBalances,
    HeldReportDecided,
    ImportedRow,
    ImportedRows,
    ToppedUp,
)
from gateway.api.callers import Caller, need_causes
from gateway.api.conversion import Request, to_request
from gateway.api.line_numbers import named
from gateway.api.problems import Problem, bad_request, conflict, not_found
from gateway.api.requests import MAX_BALANCES, MAX_ID, MAX_PAGE, MAX_ROWS, Nothing, page_size
from gateway.api.row_answers import (
    BooksChecked,
    ChosenCauses,
    Events,
    HeldReportPage,
    JournalPage,
    Months,
    SubscriberPage,
    UsagePage,
)
from gateway.api.where import Where
from gateway.balance import queries
from gateway.balance.changes import ChooseCauses, SubscriberUnknown
from gateway.balance.check_due_times import wrong_due_times
from gateway.balance.check_spending import wrong_spending
from gateway.balance.opening_balances import Enrol, Enrolled, RowInvalid, read_row
from gateway.balance.topups import Payment, PaymentRefused, TopUp
from gateway.billing.check_bills import wrong_bills
from gateway.charging import review, usage_export
from gateway.charging.check_sessions import wrong_sessions
from gateway.charging.credit_control import ChargingPolicy
from gateway.charity.choices import ChoiceInvalid, parse
from gateway.charity.months import begin_of, end_of
from gateway.charity.policies import recompute
from gateway.charity.sealed_causes import Consent, read_all
from gateway.context import GatewayContext
from gateway.events import queries as events_reading
from gateway.ledger import balances, check, journal, months
from gateway.ledger.check_process import CheckProcess
from gateway.ledger.checks.examined import Finding, finish
from gateway.ledger.export.pages import ExportPage, Wanted, export
from gateway.ledger.money import AmountInvalid, digits_of, format_amount, is_payable, parse_amount
from gateway.ledger.seals import Seal, read_file
from gateway.ledger.tax_report import TaxReport, tax_report
from gateway.ledger.totals import Totals, totals
from gateway.privacy.access import CAUSES
from gateway.privacy.masks import mask
from gateway.sims.policy import SimsPolicy
from gateway.store.errors import StoreError
from gateway.store.idempotency import KeyConflict
from gateway.subscribers.identifier_history import MSISDN
from gateway.subscribers.queries import find, find_tail, owners
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import msisdn

VIEWER, OPERATOR, ADMIN, AUDITOR = "viewer", "operator", "admin", "auditor"
ROLES = (VIEWER, OPERATOR, ADMIN)
"""Each may do what those before it may. An auditor stands beside them: it reads the books and their proof, and nothing else."""
BOOKS, JOURNAL = f"{VIEWER} or {AUDITOR}", f"{OPERATOR} or {AUDITOR}"
"""What actions ask for that an auditor may do: sums and proofs, and single entries."""
_MAY: Final[Mapping[str, Collection[str]]] = {
    VIEWER: ROLES,
    OPERATOR: ROLES[1:],
    ADMIN: ROLES[2:],
    BOOKS: (*ROLES, AUDITOR),
    JOURNAL: (*ROLES[1:], AUDITOR),
}
Params = Mapping[str, object]
"""What is said with an action, as it came: JSON values by name."""


class StoreAction(Protocol):
    """What needs the open store alone, whatever its request type is."""

    @property
    def role(self) -> str:
        """The least role that may ask."""

    def perform(self, context: GatewayContext, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it for whoever asks; Problem where it may not, or `params` are not what the action is told."""


class RunningAction(Protocol):
    """What only the running gateway does, in its event loop, whatever its request type is."""

    @property
    def role(self) -> str:
        """The least role that may ask."""

    async def perform(self, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it for whoever asks; Problem where it may not, or `params` are not what the action is told."""


class Action(msgspec.Struct, Generic[Request], frozen=True):
    """A StoreAction: what runs, the least role that may ask, and what is to be said with it."""

    run: Callable[[GatewayContext, Request], msgspec.Struct]
    role: str
    request: type[Request]

    def perform(self, context: GatewayContext, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it, as StoreAction says."""
        need(caller.role, self.role)
        return self.run(context, to_request(params, self.request))


class CallerAction(msgspec.Struct, Generic[Request], frozen=True):
    """A StoreAction that depends on who asks, such as on the right to see causes: `run` also gets the caller."""

    run: Callable[[GatewayContext, Request, Caller], msgspec.Struct]
    role: str
    request: type[Request]

    def perform(self, context: GatewayContext, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it, as StoreAction says."""
        need(caller.role, self.role)
        return self.run(context, to_request(params, self.request), caller)


class AsyncAction(msgspec.Struct, Generic[Request], frozen=True):
    """A RunningAction; `run` also gets who asks.

    `where` says which of several gateways on one store do it (gateway.api.action_routing); None: the one that was asked.
    """

    run: Callable[[Request, Caller], Awaitable[msgspec.Struct]]
    role: str
    request: type[Request]
    where: Where | None = None

    async def perform(self, params: Params, caller: Caller) -> msgspec.Struct:
        """Do it, as RunningAction says."""
        need(caller.role, self.role)
        return await self.run(to_request(params, self.request), caller)


def need(role: str, least: str) -> None:
    """Refuse whoever may not do this."""
    if role not in _MAY[least]:
        raise Problem(HTTPStatus.FORBIDDEN, "action.forbidden", f"this needs the role {least}, yours is {role}")


def import_subscribers(context: GatewayContext, request: requests.ImportSubscribers) -> ImportedRows:
    """Import rows, each by itself: while the lane works on some, the next are checked."""
    plans, causes, policy = context.settings.plans, context.open_causes, context.policy(SimsPolicy)
    country, languages = context.settings.operator.country, context.settings.notices.offered
    results: list[Enrolled | None] = []

    def checked_units() -> Iterator[Enrol]:
        for row in request.rows:
            try:
                checked = read_row(
                    row, plans, causes, country, languages=languages, check_iccid=not request.accept_checksum
                )
                if foreign := policy.foreign(policy.hosts.get(checked.plan, ""), checked.msisdn, checked.imsi):
                    raise RowInvalid(foreign)
            except RowInvalid as error:
                results.append(Enrolled("refused", None, str(error)))
            else:
                results.append(None)
                yield Enrol(checked, plans[checked.plan].currency)

    done = iter(context.run_all(checked_units()))
    return ImportedRows([_enrolled(next(done) if result is None else result) for result in results])


def show_subscriber(
    context: GatewayContext, request: requests.ShowSubscriber, caller: Caller
) -> queries.SubscriberView:
    """Tell a subscriber by any of its numbers; `causes` is None for who may not see them."""
    with context.reading() as connection:
        subscriber_id = find(connection, named(request.number, context.settings.operator.country))
    if subscriber_id is None:
        raise not_found("subscriber.unknown", "no subscriber has this number now")
    may_see = CAUSES in caller.rights
    if may_see:
        context.record_access(caller.name, "subscriber.show", subscriber_id)
    with context.reading() as connection:
        terms = queries.Terms(context.policy(ChargingPolicy).tariff.plan_of, context.settings.taxes)
        seals = context.cause_seals if may_see else None
        return queries.show(connection, subscriber_id, context.clock(), terms, seals)


def top_up(context: GatewayContext, request: requests.TopUpSubscriber, caller: Caller) -> ToppedUp:
    """Book money paid in; the same payment again books nothing.

    A reference is unique for its channel for ever: for the API's token that brings it, or for the command line.
    """
    limit = context.settings.charging.topup_limit
    try:
        number = msisdn(request.number, context.settings.operator.country)
        amount = parse_amount(request.amount)
    except (IdentifierInvalid, AmountInvalid) as error:
        raise bad_request("topup.invalid", str(error)) from None
    if amount <= 0:
        raise bad_request("topup.invalid", "amount: a top-up is more than zero")
    if not is_payable(amount, request.currency):
        digits = digits_of(request.currency)
        allowed = f"at most {digits} decimals" if digits else "no decimals"
        raise bad_request("topup.invalid", f"amount: {request.currency} has {allowed}")
    if amount > limit:
        most = f"{format_amount(limit, request.currency)} (charging.topup_limit)"
        raise bad_request("topup.invalid", f"amount: a top-up is at most {most}; book a larger payment in parts")
    payment = Payment(caller.channel, request.reference, amount, request.currency)
    key = request.key or None
    wallet_limit = context.settings.charging.wallet_limit
    result = context.lane.run(TopUp(MSISDN, number, payment, wallet_limit, key, context.settings.charging.credit.days))
    if isinstance(result, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(result))
    if isinstance(result, PaymentRefused):
        raise conflict(result.code, str(result))
    if isinstance(result, KeyConflict):
        raise conflict("topup.reference", str(result))
    balance = format_amount(result.balance, result.currency)
    return ToppedUp(str(result.subscriber_id), balance, result.currency, result.repeated)


def choose_causes(context: GatewayContext, request: requests.ChooseCause, caller: Caller) -> ChosenCauses:
    """Choose causes from now on; how the customer agreed is kept with the choice."""
    try:
        number = msisdn(request.number, context.settings.operator.country)
        shares = parse(request.causes, context.open_causes)
    except (IdentifierInvalid, ChoiceInvalid) as error:
        raise bad_request("cause.invalid", str(error)) from None
    consent = Consent((request.channel or caller.channel)[: requests.MAX_CHANNEL], request.wording)
    result = context.lane.run(ChooseCauses(MSISDN, number, shares, consent))
    if isinstance(result, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(result))
    return ChosenCauses(str(result), queries.causes_of(shares))


def export_usage(context: GatewayContext, request: requests.ExportUsage) -> UsagePage:
    """Give a page of usage records."""
    limit = page_size(request.limit, MAX_ROWS, MAX_ROWS)
    with context.reading() as connection:
        rows = usage_export.read(
            connection,
            after=request.after,
            limit=limit,
            start=request.start,
            end=request.end,
            number=named(request.number, context.settings.operator.country),
        )
    last = int(rows[-1].record_id) if len(rows) == limit else None
    return UsagePage(usage_export.COLUMNS, rows, last)


def list_held_reports(context: GatewayContext, request: requests.ListHeldReports) -> HeldReportPage:
    """Give a page of the usage reports that wait for a decision, or of all that were held."""
    with context.reading() as connection:
        rows = review.read(connection, after=request.after, limit=MAX_ROWS, decided=request.all)
    last = int(rows[-1].id) if len(rows) == MAX_ROWS else None
    return HeldReportPage(review.COLUMNS, rows, last)


def book_held_report(context: GatewayContext, request: requests.DecideHeldReport, caller: Caller) -> HeldReportDecided:
    """Charge a held report as what it says."""
    report, note = _report_id(request.id), request.reason
    return _decided(report, context.lane.run(review.BookReport(report, caller.name, note)))


def drop_held_report(context: GatewayContext, request: requests.DecideHeldReport, caller: Caller) -> HeldReportDecided:
    """Book a held report nowhere."""
    report = _report_id(request.id)
    return _decided(report, context.lane.run(review.DropReport(report, caller.name, request.reason)))


def _report_id(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_ID:
        raise bad_request("review.id", "id: give the number that `tpo usage review list` shows")
    return int(text)


def _decided(report: int, result: review.Decided | review.ReviewRefused) -> HeldReportDecided:
    if isinstance(result, review.ReviewRefused):
        raise (not_found if result.code == "review.unknown" else conflict)(result.code, str(result))
    booked = result.record_id is not None
    return HeldReportDecided(
        id=str(report),
        state=result.state,
        record_id=str(result.record_id) if booked else None,
        price=format_amount(result.price, result.currency) if booked else None,
        currency=result.currency or None,
    )


def check_ledger(context: GatewayContext, request: requests.CheckLedger) -> BooksChecked:
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
            "wrong_spending": lambda: wrong_spending(connection, months),
            "wrong_due_times": lambda: wrong_due_times(connection),
            "wrong_bills": lambda: wrong_bills(connection),
        }
        found = (finding for name, look in others.items() for finding in finish(name, [connection], look))
        findings = [*report.findings, *found]
    return BooksChecked(not findings, report.entries, report.wallets, report.accruals, findings, report.unknown)


def list_months(context: GatewayContext, _request: Nothing) -> Months:
    """Give what is booked and used by month; causes are not told apart."""
    return Months(context.read(months.month_totals))


def list_balances(context: GatewayContext, request: requests.ListBalances, caller: Caller) -> AccountBalances:
    """Give a page of the accounts' balances; those of causes are one for who may not see them apart."""
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
    connection: Connection, request: requests.ListBalances | requests.ReadJournal, country: str, *, causes: bool
) -> balances.Selection:
    """Give the entries that are asked for; without `causes` no account of a single cause has a name."""
    wanted: set[int] | None = None
    if request.account:
        wanted = set(balances.account_numbers(connection, request.account, causes=causes))
        if not wanted:
            raise not_found("account.unknown", "account: no account is shown under this name")
    if request.number:
        found = owners(connection, named(request.number, country))
        if not found:
            raise not_found("subscriber.unknown", "no subscriber has or had this number")
        wanted = set(found) if wanted is None else wanted & set(found)
    return balances.Selection(None if wanted is None else sorted(wanted), request.since, request.until)


def list_subscribers(context: GatewayContext, request: requests.ListSubscribers) -> SubscriberPage:
    """Give a page of subscribers, their numbers masked, and nothing of their causes."""
    limit = page_size(request.limit, 20, MAX_PAGE)
    with context.reading() as connection:
        found = queries.rows_after(connection, request.after, limit, context.clock())
    rows = [
        msgspec.structs.replace(row, **{name: masked(getattr(row, name)) for name in ("msisdn", "imsi")})
        for row in found
    ]
    return SubscriberPage(rows, int(rows[-1].subscriber_id) if len(rows) == limit else None)


def find_subscribers(context: GatewayContext, request: requests.FindSubscribers) -> SubscriberPage:
    """Give the subscribers who have a number that ends in these digits: 20 of them, where there are more."""
    with context.reading() as connection:
        found = find_tail(connection, request.tail, 20)
        return SubscriberPage(queries.rows_of(connection, found, context.clock()), None)


def masked(number: str | None) -> str | None:
    """Mask a number that may be missing."""
    return None if number is None else mask(number)


def read_journal(context: GatewayContext, request: requests.ReadJournal, caller: Caller) -> JournalPage:
    """Give a page of the journal; the accounts of causes are named on request only.

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


def show_totals(context: GatewayContext, request: requests.ShowTotals) -> Totals:
    """Give the control totals of a month, by the operator's clock."""
    zone = ZoneInfo(context.settings.operator.timezone)
    since, until = begin_of(request.period, zone), end_of(request.period, zone)
    return context.read(lambda connection: totals(connection, request.period, since, until))


def show_tax(context: GatewayContext, request: requests.ShowTotals) -> TaxReport:
    """Give what a month owes of taxes within prices, by the operator's clock."""
    zone = ZoneInfo(context.settings.operator.timezone)
    since, until = begin_of(request.period, zone), end_of(request.period, zone)
    return context.read(lambda connection: tax_report(connection, request.period, since, until))


def export_journal(context: GatewayContext, request: requests.ExportJournal, caller: Caller) -> ExportPage:
    """Give a page of the journal in a format of other programs; what causes are owed apart needs the right to see it."""
    if request.causes:
        need_causes(caller)
        if not request.after:
            context.record_access(caller.name, "ledger.export")
    wanted = msgspec.convert(request, Wanted, from_attributes=True)
    with context.reading() as connection:
        return export(connection, wanted)


def list_events(context: GatewayContext, request: requests.ListEvents) -> Events:
    """Give events of the outbox."""
    with context.reading() as connection:
        return Events(events_reading.recent(connection, page_size(request.limit, 20, MAX_ROWS), request.after))


def _enrolled(result: Enrolled | StoreError) -> ImportedRow:
    if isinstance(result, StoreError):
        return ImportedRow("refused", None, f"{result.code}: {result}")
    number = None if result.subscriber_id is None else str(result.subscriber_id)
    return ImportedRow(result.outcome, number, mask(result.message))


ACTIONS: dict[str, StoreAction] = {
    "subscriber.import": Action(import_subscribers, ADMIN, requests.ImportSubscribers),
    "charity.gift-aid.declare": CallerAction(gift_aid_actions.declare, OPERATOR, requests.DeclareGiftAid),
    "charity.gift-aid.cancel": Action(gift_aid_actions.cancel, OPERATOR, requests.CancelGiftAid),
    "charity.gift-aid.list": CallerAction(gift_aid_actions.declarations, OPERATOR, requests.ShowSubscriber),
    "charity.gift-aid.export": CallerAction(gift_aid_actions.export, ADMIN, requests.ExportGiftAid),
    "subscriber.gift": CallerAction(gift_actions.give, OPERATOR, requests.GiveGift),
    "subscriber.gift-withdraw": Action(gift_actions.withdraw, OPERATOR, requests.NamedGift),
    "subscriber.gifts": CallerAction(gift_actions.gifts, VIEWER, requests.ShowSubscriber),
    "subscriber.show": CallerAction(show_subscriber, VIEWER, requests.ShowSubscriber),
    "subscriber.list": Action(list_subscribers, VIEWER, requests.ListSubscribers),
    "subscriber.find": Action(find_subscribers, OPERATOR, requests.FindSubscribers),
    "subscriber.topup": CallerAction(top_up, OPERATOR, requests.TopUpSubscriber),
    "subscriber.cause": CallerAction(choose_causes, OPERATOR, requests.ChooseCause),
    "subscriber.allowances": Action(balance_actions.allowances, VIEWER, requests.ShowSubscriber),
    "subscriber.renewal": CallerAction(balance_actions.renewal, OPERATOR, requests.SetRenewal),
    "subscriber.limit": CallerAction(balance_actions.credit_limit, ADMIN, requests.SetCreditLimit),
    "subscriber.tax-area": CallerAction(balance_actions.tax_area, OPERATOR, requests.SetTaxArea),
    "subscriber.preferences": Action(line_preferences.show_preferences, VIEWER, requests.ShowSubscriber),
    "subscriber.prefer": CallerAction(line_preferences.set_preferences, OPERATOR, requests.SetPreferences),
    "subscriber.agree": CallerAction(balance_actions.agree, OPERATOR, requests.AgreeToPrices),
    "subscriber.family": CallerAction(balance_actions.family, OPERATOR, requests.SetPayer),
    "subscriber.add-on": CallerAction(balance_actions.add_on, OPERATOR, requests.BuyAddOn),
    "subscriber.credit": CallerAction(balance_actions.give_credit, ADMIN, requests.GiveCredit),
    "subscriber.erase": CallerAction(erasure_actions.erase, ADMIN, requests.EraseSubscriber),
    "sim.import": Action(sim_inventory.import_sims, ADMIN, requests.ImportSims),
    "subscriber.plan": CallerAction(line_changes.change_plan, OPERATOR, requests.ChangePlan),
    "subscriber.number": CallerAction(line_changes.change_number, OPERATOR, requests.ChangeNumber),
    "subscriber.history": Action(line_changes.history, VIEWER, requests.ShowSubscriber),
    "subscriber.bill-limit": CallerAction(line_limits.decide_limit, OPERATOR, requests.DecideLimit),
    "subscriber.bill-limits": Action(line_limits.show_limit, VIEWER, requests.ShowSubscriber),
    "fraud.list": Action(fraud_cases.list_cases, OPERATOR, requests.ListCases),
    "fraud.clear": CallerAction(fraud_cases.clear_case, OPERATOR, requests.DecideCase),
    "notice.list": Action(line_limits.list_notices, VIEWER, requests.ListNotices),
    "sim.amend": CallerAction(sim_inventory.amend_sim, ADMIN, requests.AmendSim),
    "sim.scrap": CallerAction(sim_inventory.scrap_sim, ADMIN, requests.ScrapSim),
    "sim.check": Action(sim_inventory.check_orders, ADMIN, requests.OrderMany),
    "sim.list": Action(sim_inventory.list_sims, VIEWER, requests.ListSims),
    "sim.show": Action(sim_inventory.show_sim, VIEWER, requests.ShowSim),
    "sim.history": Action(sim_inventory.sim_history, VIEWER, requests.ShowSim),
    "order.list": Action(sim_inventory.list_orders, VIEWER, requests.ListOrders),
    "order.show": Action(sim_inventory.show_order, VIEWER, requests.ShowOrder),
    "order.states": Action(sim_inventory.order_states, VIEWER, requests.OrderStates),
    "usage.export": Action(export_usage, OPERATOR, requests.ExportUsage),
    "usage.refund": CallerAction(balance_actions.refund, ADMIN, requests.RefundUsage),
    "usage.review.list": Action(list_held_reports, OPERATOR, requests.ListHeldReports),
    "usage.review.book": CallerAction(book_held_report, ADMIN, requests.DecideHeldReport),
    "usage.review.drop": CallerAction(drop_held_report, ADMIN, requests.DecideHeldReport),
    "usage.rerate": CallerAction(rerate_actions.rerate_usage, ADMIN, requests.RerateUsage),
    "charity.causes": Action(charity_reports.list_causes, VIEWER, Nothing),
    "charity.register": Action(charity_reports.import_register, ADMIN, charity_requests.ImportRegister),
    "charity.confirm": CallerAction(charity_payments.confirm_month, ADMIN, charity_requests.ConfirmMonth),
    "charity.payout": CallerAction(charity_payments.make_payout, ADMIN, charity_requests.MakePayout),
    "charity.payout.approve": CallerAction(charity_payments.approve_payout, OPERATOR, charity_requests.NamePayout),
    "charity.payout.show": CallerAction(charity_payments.show_payout, OPERATOR, charity_requests.NamePayout),
    "charity.paid": CallerAction(charity_payments.settle_file, ADMIN, charity_requests.BankFile),
    "charity.bank": CallerAction(charity_payments.propose_bank, ADMIN, charity_requests.ProposeBank),
    "charity.bank.list": CallerAction(charity_payments.list_bank, OPERATOR, Nothing),
    "charity.bank.show": CallerAction(charity_payments.show_bank, OPERATOR, charity_requests.ApproveBank),
    "charity.bank.approve": CallerAction(charity_payments.approve_bank, OPERATOR, charity_requests.ApproveBank),
    "charity.remittance": CallerAction(charity_reports.list_remittances, OPERATOR, charity_requests.Remittances),
    "charity.cover": CallerAction(charity_account.show_cover, OPERATOR, charity_requests.Cover),
    "charity.matched": CallerAction(charity_account.list_campaigns, OPERATOR, Nothing),
    "charity.match-paid": CallerAction(charity_account.book_match_paid, ADMIN, charity_requests.BookMatchPaid),
    "charity.transfer": CallerAction(charity_account.book_transfer, ADMIN, charity_requests.BookTransfer),
    "charity.report.document": CallerAction(charity_documents.report_document, VIEWER, charity_requests.ReportDocument),
    "charity.evidence": CallerAction(charity_evidence.evidence_of_bill, OPERATOR, charity_requests.BillEvidence),
    "charity.commitment": CallerAction(charity_evidence.commit_month, JOURNAL, charity_requests.CommitMonth),
    "charity.audit": CallerAction(charity_evidence.audit_month, JOURNAL, charity_requests.AuditSample),
    "charity.report": CallerAction(charity_reports.report, VIEWER, charity_requests.Report),
    "charity.profit-share": CallerAction(charity_reports.profit_share, ADMIN, charity_requests.ProfitShare),
    "plan.versions": Action(plan_actions.versions, VIEWER, requests.NamePlan),
    "plan.version": Action(plan_actions.version, VIEWER, requests.NamePlanVersion),
    "ledger.check": Action(check_ledger, BOOKS, requests.CheckLedger),
    "ledger.months": Action(list_months, BOOKS, Nothing),
    "ledger.balances": CallerAction(list_balances, BOOKS, requests.ListBalances),
    "ledger.totals": Action(show_totals, BOOKS, requests.ShowTotals),
    "ledger.tax": Action(show_tax, BOOKS, requests.ShowTotals),
    "ledger.seals": Action(ledger_seals.list_seals, BOOKS, Nothing),
    "ledger.export": CallerAction(export_journal, JOURNAL, requests.ExportJournal),
    "ledger.journal": CallerAction(read_journal, JOURNAL, requests.ReadJournal),
    "bill.preview": Action(bill_actions.preview_month, OPERATOR, bill_requests.PreviewMonth),
    "bill.close": CallerAction(bill_actions.close_month, ADMIN, bill_requests.BillMonth),
    "bill.closes": Action(bill_actions.list_closes, VIEWER, Nothing),
    "bill.reopen": CallerAction(bill_actions.reopen_month, ADMIN, bill_requests.ReopenClosedMonth),
    "bill.list": Action(bill_actions.list_bills, OPERATOR, bill_requests.ListBills),
    "bill.paid": CallerAction(payment_actions.book_lines, OPERATOR, bill_requests.PaidLines),
    "bill.pay": CallerAction(payment_actions.pay_bill, OPERATOR, bill_requests.PayBillOnce),
    "bill.overdue": Action(bill_actions.list_overdue, OPERATOR, bill_requests.ListOverdue),
    "bill.note": Action(bill_actions.show_note, OPERATOR, bill_requests.ShowNote),
    "bill.show": CallerAction(bill_actions.show_bill, OPERATOR, bill_requests.ShowBill),
    "node.list": Action(node_actions.list_nodes, VIEWER, Nothing),
    "node.adopt": Action(node_actions.adopt_node, ADMIN, requests.AdoptNode),
    "node.retire": Action(node_actions.retire_node, ADMIN, requests.NameNode),
    "events.list": Action(list_events, VIEWER, requests.ListEvents),
}
