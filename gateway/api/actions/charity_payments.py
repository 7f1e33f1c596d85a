"""Actions by which causes are paid: months confirmed, payment files made and approved, what the bank says of them."""

import binascii
from base64 import b64decode, b64encode
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from gateway.api.actions.charity_months import confirm, today
from gateway.api.answers.charity import (
    BankAccountShown,
    BankDetails,
    BankDetailsRow,
    BankDetailsRows,
    MonthConfirmed,
    PaymentsSettled,
    PayoutFile,
    PayoutMade,
    PayoutSkipped,
    StandingRow,
)
from gateway.api.callers import Caller, need_causes
from gateway.api.json_values import read_value
from gateway.api.problems import Problem, bad_request, conflict, not_found
from gateway.api.requests import charity as requests
from gateway.api.requests.fields import DAY_WANTED, Nothing
from gateway.bank import camt, pain002
from gateway.bank.accounts import AccountInvalid, BankAccount, checked
from gateway.bank.xml import BankFileInvalid
from gateway.charity import bank_details, payouts
from gateway.charity.ageing import is_due, runs, waiting
from gateway.charity.bank_details import ApproveDetails, DetailsRefused, ProposeDetails
from gateway.charity.bank_matching import SettleFile, Statements, said_by_report, said_by_statements
from gateway.charity.causes import obstacle
from gateway.charity.confirmation import read_standings
from gateway.charity.payouts import ApprovePayout, MakePayout, Payee, Payout, PayoutRefused
from gateway.charity.receipts import Senders, known_campaigns
from gateway.charity.register import read_register
from gateway.context import GatewayContext
from gateway.events.times import rfc3339
from gateway.ledger.money import format_amount
from gateway.settings.sections.charity import CharityAccount


def record_look(context: GatewayContext, caller: Caller, action: str, subscriber_id: int | None = None) -> None:
    """Refuse whoever may not see what single causes are owed, and write down who looks."""
    need_causes(caller)
    context.record_access(caller.name, action, subscriber_id)


def confirm_month(context: GatewayContext, request: requests.ConfirmMonth, caller: Caller) -> MonthConfirmed:
    """Confirm what customers have paid for; of a month that was confirmed only what may be paid is looked at again."""
    record_look(context, caller, "charity.confirm")
    done = confirm(context, request.period)
    return MonthConfirmed(request.period, not done, _standings(context))


def _standings(context: GatewayContext) -> list[StandingRow]:
    with context.reading() as connection:
        found = read_standings(connection)
        waits = {each.account: each for each in waiting(connection, context.settings.causes, today(context))}
    rows = []
    for account, standing in sorted(found.items()):
        states = (standing.confirmed, standing.payable, standing.instructed, standing.paid)
        confirmed, payable, instructed, paid = (format_amount(amount, account.currency) for amount in states)
        wait = waits.get(account)
        rows.append(
            StandingRow(
                stream=account.stream.value,
                cause=account.cause,
                currency=account.currency,
                confirmed=confirmed,
                payable=payable,
                instructed=instructed,
                paid=paid,
                oldest=wait.oldest if wait else "",
                days=wait.days if wait else None,
                agreed=wait.agreed if wait else None,
            )
        )
    return rows


def make_payout(context: GatewayContext, request: requests.MakePayout, caller: Caller) -> PayoutMade:
    """Confirm the month where nobody did, and make a payment file for each currency that causes are paid in."""
    record_look(context, caller, "charity.payout")
    if request.day < today(context) or not is_day(request.day):
        raise bad_request("charity.day", f"day: give the one on which the bank is to pay, today or later, {DAY_WANTED}")
    if not context.settings.charity.accounts:
        raise conflict("payout.account", "charity.accounts names no account that causes are paid from")
    confirm(context, request.period)
    files, skipped = [], []
    for account in context.settings.charity.accounts:
        payees, refused = _payees(context, request.period, account.currency)
        payer = account.bank_account
        terms = (account.format, account.company, payer, request.day, caller.name, payees)
        made: Payout = context.lane.run(MakePayout(request.period, account.currency, *terms))
        if made.id:
            told = {"payout": made.id, "payments": len(made.payments), "currency": account.currency, "by": caller.name}
            context.log("charity.payout.made", told)
            files.append(_file(context, made, account, request.period))
        found = [(each.stream, each.cause, each.amount, each.why) for each in made.skipped] + refused
        skipped += [
            PayoutSkipped(stream, cause, account.currency, format_amount(amount, account.currency), why)
            for stream, cause, amount, why in found
        ]
    return PayoutMade(request.period, files, skipped)


def is_day(text: str) -> bool:
    """Return whether a text is a day of the calendar: 2026-02-30 is none."""
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _payees(context: GatewayContext, period: str, currency: str) -> tuple[list[Payee], list[tuple[str, str, int, str]]]:
    """Return the causes that may be paid today in a currency, up to a month; of others what waits for them, and why it does."""
    day, causes = today(context), context.settings.causes
    with context.reading() as connection:
        register = read_register(connection)
        standings = read_standings(connection)
        waits = waiting(connection, causes, day)
    payees, refused = [], []
    for cause in causes.values():
        why = obstacle(cause, currency, day, register) or runs(cause, waits, period)
        if not why and cause.agreement:
            payees.append(Payee(cause.id, cause.agreement.threshold, is_due(cause, waits, day)))
            continue
        for account, standing in sorted(standings.items()):
            amount = standing.payable + standing.confirmed
            if (account.cause, account.currency) == (cause.id, currency) and amount:
                refused.append((account.stream.value, cause.id, amount, why))
    return payees, refused


def _file(context: GatewayContext, made: Payout, account: CharityAccount, period: str) -> PayoutFile:
    with context.reading() as connection:
        found = payouts.file_of(connection, context.sealer, made.sha256)
    assert found is not None
    state, content = found
    return PayoutFile(
        name=_name(period, account.currency, account.format, made.sha256),
        sha256=made.sha256,
        currency=account.currency,
        state=state,
        payments=len(made.payments),
        total=format_amount(sum(each.amount for each in made.payments), account.currency),
        content=b64encode(content).decode(),
    )


def _name(period: str, currency: str, form: str, sha256: str) -> str:
    """Name a payment file, so that no other one is written over it."""
    return f"payout-{period}-{currency}-{sha256[:8]}.{'ach' if form == 'nacha' else 'xml'}"


def approve_payout(context: GatewayContext, request: requests.NamePayout, caller: Caller) -> PayoutFile:
    """Instruct the payments of exactly this file, which somebody else made, and give it for the bank."""
    record_look(context, caller, "charity.payout.approve")
    _check_payees(context, request.sha256)
    result = context.lane.run(ApprovePayout(request.sha256, caller.name, today(context)))
    if isinstance(result, PayoutRefused):
        raise (not_found if result.code == "payout.unknown" else conflict)(result.code, result.why)
    context.log("charity.payout.approved", {"payout": result.id, "payments": len(result.payments), "by": caller.name})
    return _shown(context, request.sha256)


def _check_payees(context: GatewayContext, sha256: str) -> None:
    """Refuse a file with a cause that may not be paid any more: a register may have removed it since the file was made."""
    day, causes = today(context), context.settings.causes
    with context.reading() as connection:
        register = read_register(connection)
        payees = payouts.payees_of(connection, sha256)
    for cause, currency in payees:
        why = obstacle(causes.get(cause), currency, day, register)
        if why:
            raise conflict("payout.obstacle", f"{cause} may not be paid any more: {why}; make the file anew")


def show_payout(context: GatewayContext, request: requests.NamePayout, caller: Caller) -> PayoutFile:
    """Return a payment file again, as it was made."""
    record_look(context, caller, "charity.payout.show")
    return _shown(context, request.sha256)


def _shown(context: GatewayContext, sha256: str) -> PayoutFile:
    with context.reading() as connection:
        found = payouts.file_of(connection, context.sealer, sha256)
        head = payouts.head_of(connection, sha256)
    if found is None or head is None:
        raise not_found("payout.unknown", "no payment file has this hash")
    return PayoutFile(
        name=_name(head.period, head.currency, head.format, sha256),
        sha256=sha256,
        currency=head.currency,
        state=found[0],
        payments=head.payments,
        total=format_amount(head.total, head.currency),
        content=b64encode(found[1]).decode(),
    )


def settle_file(context: GatewayContext, request: requests.BankFile, caller: Caller) -> PaymentsSettled:
    """Read a statement (camt) or status report (pain.002) of the charity account's bank; what was read before moves nothing."""
    record_look(context, caller, "charity.paid")
    try:
        data = b64decode(request.file, validate=True)
    except (binascii.Error, ValueError):
        raise bad_request("charity.file", "file: give base64") from None
    said, days, receipts, others = _read(context, data)
    result = context.lane.run(SettleFile(said, days, receipts))
    unmatched = result.unmatched + others
    counts = {"paid": result.paid, "returned": result.returned, "rejected": result.rejected}
    counts["received"] = result.received
    context.log("charity.payments.settled", {**counts, "unmatched": len(unmatched), "by": caller.name})
    return PaymentsSettled(
        result.paid, result.returned, result.rejected, result.repeated, unmatched, received=result.received
    )


def _read(context: GatewayContext, data: bytes) -> Statements:
    """Read what a bank's file says, of either kind."""
    try:
        if b"pain.002.001" in data[:2000]:
            return Statements(said_by_report(pain002.read(data)), [], [], [])
        statements = camt.read(data)
    except BankFileInvalid as error:
        raise bad_request("bank.file", f"file: {error}") from None
    _check_account(context, statements)
    charity = context.settings.charity
    currencies = frozenset(account.currency for account in charity.accounts)
    senders = Senders(campaigns_of(context), charity.transfer_word, currencies)
    return said_by_statements(statements, senders, ZoneInfo(context.settings.operator.timezone))


def campaigns_of(context: GatewayContext) -> dict[str, str]:
    """Return the campaigns that may be paid for, with their currencies: those of the settings, and older ones of the books."""
    return context.read(known_campaigns) | {each.id: each.currency for each in context.settings.charity.matching}


def _check_account(context: GatewayContext, statements: list[camt.Statement]) -> None:
    """Refuse a statement of an account that causes are not paid from."""
    ours = [each.bank_account for each in context.settings.charity.accounts]
    for statement in statements:
        if not any(account.is_called(statement.account) for account in ours):
            raise conflict("bank.account", "file: it is of an account that charity.accounts does not have")


def propose_bank(context: GatewayContext, request: requests.ProposeBank, caller: Caller) -> BankDetails:
    """Write down an account that a cause is to be paid to."""
    record_look(context, caller, "charity.bank")
    if request.cause not in context.settings.causes:
        raise not_found("cause.unknown", "there is no such cause in the file")
    try:
        account = checked(msgspec.convert(read_value(request.account.encode(), "bank.details"), BankAccount))
    except AccountInvalid as error:
        raise bad_request("bank.details", f"account: {error}") from None
    except Problem as problem:
        raise bad_request("bank.details", f"account: {problem.detail}") from None
    except msgspec.ValidationError:
        names = ", ".join(field.name for field in msgspec.structs.fields(BankAccount))
        raise bad_request("bank.details", f"account: give a JSON object with texts of {names}") from None
    _check_paid_from(context, request.currency, account)
    sealed = bank_details.seal(context.sealer, request.cause, request.currency, account)
    return _details(
        context,
        caller,
        "proposed",
        context.lane.run(ProposeDetails(request.cause, request.currency, sealed, caller.name)),
    )


def _check_paid_from(context: GatewayContext, currency: str, account: BankAccount) -> None:
    """Refuse an account that no file of the charity account in this currency could pay, and one that is no cause's but ours."""
    ours = next((each for each in context.settings.charity.accounts if each.currency == currency), None)
    if ours is None:
        raise conflict("bank.currency", f"currency: charity.accounts has none in {currency} that it could be paid from")
    if not payouts.takes(ours.format, account):
        wanted = "a routing number and account" if ours.format == "nacha" else "a sort code and account, or an IBAN"
        raise bad_request("bank.details", f"account: causes are paid in {currency} by {ours.format}: give {wanted}")
    settings = context.settings
    for key, accounts in (("charity.accounts", settings.charity.accounts), ("bills.accounts", settings.bills.accounts)):
        if any(account.is_same(each.bank_account) for each in accounts):
            raise bad_request("bank.own", f"account: it is one of {key}, which are ours: give the cause's own")


def approve_bank(context: GatewayContext, request: requests.ApproveBank, caller: Caller) -> BankDetails:
    """Let bank details count that somebody else proposed."""
    record_look(context, caller, "charity.bank.approve")
    result = context.lane.run(ApproveDetails(request.details, caller.name))
    if isinstance(result, DetailsRefused):
        raise (not_found if result.code == "bank.unknown" else conflict)(result.code, result.why)
    return _details(context, caller, "approved", result)


def list_bank(context: GatewayContext, _request: Nothing, caller: Caller) -> BankDetailsRows:
    """Return which bank details there are, who stands for them, and from when on they count."""
    record_look(context, caller, "charity.bank.list")
    return BankDetailsRows(
        [
            BankDetailsRow(
                details=str(each.id),
                cause=each.cause,
                currency=each.currency,
                proposed_at=rfc3339(each.proposed_at),
                proposed_by=each.proposed_by,
                approved_by=each.approved_by,
                valid_from=None if each.valid_from is None else rfc3339(each.valid_from),
            )
            for each in context.read(bank_details.listed)
        ]
    )


def show_bank(context: GatewayContext, request: requests.ApproveBank, caller: Caller) -> BankAccountShown:
    """Show an account, so that whoever approves it can compare it with what the cause said."""
    record_look(context, caller, "charity.bank.show")
    found = context.read(lambda connection: bank_details.shown(connection, context.sealer, request.details))
    if found is None:
        raise not_found("bank.unknown", "there are no bank details of this number")
    cause, currency, account = found
    return BankAccountShown(str(request.details), cause, currency, **msgspec.structs.asdict(account))


def _details(context: GatewayContext, caller: Caller, step: str, found: bank_details.Details) -> BankDetails:
    told = {"details": found.id, "cause": found.cause, "currency": found.currency, "step": step, "by": caller.name}
    context.log("charity.bank.changed", told)
    valid_from = None if found.valid_from is None else rfc3339(found.valid_from)
    return BankDetails(str(found.id), found.cause, found.currency, valid_from)
