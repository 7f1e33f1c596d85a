"""Actions about a line's balance: its allowances, renewals, add-ons, credit, and how far it may go below zero."""

from gateway.api.answers.lines import (
    AddOnTaken,
    AllowanceRow,
    Allowances,
    CreditGiven,
    FamilyOf,
    LinePrices,
    LineTaxArea,
    LineTerms,
)
from gateway.api.answers.usage import UsageRefunded
from gateway.api.callers import Caller
from gateway.api.line_numbers import currency_of, number, subscriber_of
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests import lines as line_requests
from gateway.api.requests import usage as usage_requests
from gateway.api.requests.fields import MAX_ID
from gateway.api.requests.subscribers import ShowSubscriber
from gateway.balance.allowances import MONEY, Allowance
from gateway.balance.changes import SubscriberUnknown
from gateway.balance.families import FamilyRefused, SetPayer
from gateway.balance.line_terms import SetCreditLimit, SetRenewal, TermsSet
from gateway.balance.promotions import GivePromotion
from gateway.balance.refunds import RefundRefused, RefundUsage, charged
from gateway.balance.tax_areas import SetTaxArea
from gateway.balance.wallets import Wallet, read_wallet
from gateway.charging.add_ons import AddOnRefused, BuyAddOn
from gateway.charging.plan_changes import AgreeToPrices
from gateway.context import GatewayContext
from gateway.events.times import rfc3339
from gateway.ledger.money import AmountInvalid, format_amount, parse_payable
from gateway.store.idempotency import KeyConflict
from gateway.subscribers.identifier_history import MSISDN


def allowances(context: GatewayContext, request: ShowSubscriber) -> Allowances:
    """Return a line's allowances, the one that ends first before the others, and how its bundle is renewed."""
    with context.reading() as connection:
        subscriber_id = subscriber_of(connection, request.number, context.settings.operator.country)
        wallet = read_wallet(connection, subscriber_id)
    found = sorted(wallet.allowances, key=lambda each: (each.ends_at, each.id))
    terms = LineTerms(str(subscriber_id), *_terms(wallet))
    return Allowances([row for each in found for row in _rows(each, wallet.currency)], terms)


def renewal(context: GatewayContext, request: line_requests.SetRenewal, caller: Caller) -> LineTerms:
    """Note a customer's consent to renewals, or that it was withdrawn, and on which day of the month periods begin."""
    line, actor = number(request.number, context.settings.operator.country), caller.actor
    unit = SetRenewal(MSISDN, line, request.consent, request.billing_day, actor, request.reason)
    return _told(context.lane.run(unit))


def tax_area(context: GatewayContext, request: line_requests.SetTaxArea, caller: Caller) -> LineTaxArea:
    """Set where a line is taxed."""
    line, actor = number(request.number, context.settings.operator.country), caller.actor
    outcome = context.lane.run(SetTaxArea(MSISDN, line, request.state, request.zip, actor, request.reason))
    if isinstance(outcome, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(outcome))
    area = outcome.area
    known = any(area.state in each.added for each in context.settings.taxes.values())
    return LineTaxArea(str(outcome.subscriber_id), area.state, area.zip, rfc3339(outcome.valid_from), known)


def agree(context: GatewayContext, request: line_requests.AgreeToPrices, caller: Caller) -> LinePrices:
    """Note that a customer agreed to the prices of today."""
    line, actor = number(request.number, context.settings.operator.country), caller.actor
    outcome = context.lane.run(AgreeToPrices(MSISDN, line, actor, request.reason))
    if isinstance(outcome, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(outcome))
    return LinePrices(str(outcome.subscriber_id), outcome.plan, outcome.before, outcome.version)


def credit_limit(context: GatewayContext, request: line_requests.SetCreditLimit, caller: Caller) -> LineTerms:
    """Set how far a line may go below zero."""
    line, actor = number(request.number, context.settings.operator.country), caller.actor
    amount = _amount(request.amount, currency_of(context, line))
    limit = context.settings.charging.wallet_limit
    if amount > limit:
        raise bad_request(
            "limit.invalid", "amount: a credit limit is at most what a wallet may hold (charging.wallet_limit)"
        )
    return _told(context.lane.run(SetCreditLimit(MSISDN, line, amount, actor, request.reason)))


def family(context: GatewayContext, request: line_requests.SetPayer, caller: Caller) -> FamilyOf:
    """Have another line's wallet pay for a line, or nobody's."""
    country, actor = context.settings.operator.country, caller.actor
    line, payer = number(request.number, country), number(request.payer, country) if request.payer else ""
    cap = _amount(request.cap, currency_of(context, line)) if request.cap else None
    outcome = context.lane.run(SetPayer(line, payer, cap, actor, request.reason))
    if isinstance(outcome, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(outcome))
    if isinstance(outcome, FamilyRefused):
        raise conflict(outcome.code, str(outcome))
    limit = None if outcome.cap is None else format_amount(outcome.cap, outcome.currency)
    paid_by = None if outcome.payer_id is None else str(outcome.payer_id)
    return FamilyOf(str(outcome.subscriber_id), paid_by, limit, outcome.currency)


def add_on(context: GatewayContext, request: line_requests.BuyAddOn, caller: Caller) -> AddOnTaken:
    """Sell a line an add-on of its plan; the same reference again sells nothing."""
    line = number(request.number, context.settings.operator.country)
    outcome = context.lane.run(BuyAddOn(MSISDN, line, request.add_on, caller.channel, request.reference))
    if isinstance(outcome, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(outcome))
    if isinstance(outcome, AddOnRefused):
        raise conflict(outcome.code, str(outcome))
    if isinstance(outcome, KeyConflict):
        raise conflict("add_on.reference", str(outcome))
    price, balance = (format_amount(each, outcome.currency) for each in (outcome.price, outcome.balance))
    ends_at = rfc3339(outcome.ends_at)
    return AddOnTaken(str(outcome.subscriber_id), ends_at, price, balance, outcome.currency, outcome.repeated)


def give_credit(context: GatewayContext, request: line_requests.GiveCredit, caller: Caller) -> CreditGiven:
    """Return a line credit of the company that ends; no tenth accrues on what it pays."""
    line = number(request.number, context.settings.operator.country)
    amount = _amount(request.amount, request.currency)
    if not 0 < amount <= context.settings.charging.topup_limit:
        raise bad_request("credit.invalid", "amount: more than zero, and at most charging.topup_limit")
    unit = GivePromotion(MSISDN, line, amount, request.currency, request.days, caller.channel, request.reference)
    outcome = context.lane.run(unit)
    if isinstance(outcome, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(outcome))
    if isinstance(outcome, KeyConflict):
        raise conflict("credit.reference", str(outcome))
    balance, ends_at = format_amount(outcome.balance, outcome.currency), rfc3339(outcome.ends_at)
    return CreditGiven(str(outcome.subscriber_id), balance, outcome.currency, ends_at, outcome.repeated)


def refund(context: GatewayContext, request: usage_requests.RefundUsage, caller: Caller) -> UsageRefunded:
    """Give back the price of a usage record, its tenth, and what allowances covered of it, once."""
    record_id = int(request.record_id) if request.record_id.isascii() and request.record_id.isdecimal() else -1
    with context.reading() as connection:
        found = charged(connection, record_id) if 0 <= record_id < MAX_ID else None
    if found is None:
        raise not_found("usage.unknown", "there is no usage record of this number, or it is past its retention")
    outcome = context.lane.run(RefundUsage(found, caller.actor, request.reason))
    if isinstance(outcome, RefundRefused):
        raise conflict("usage.rerated", str(outcome))
    amount = format_amount(outcome.amount, outcome.currency)
    return UsageRefunded(
        str(record_id), str(outcome.subscriber_id), amount, outcome.currency, outcome.units, outcome.repeated
    )


def _amount(text: str, currency: str) -> int:
    try:
        amount = parse_payable(text, currency)
    except AmountInvalid as error:
        raise bad_request("credit.invalid", f"amount: {error}") from None
    if amount < 0:
        raise bad_request("credit.invalid", "amount: not below zero")
    return amount


def _told(outcome: TermsSet | SubscriberUnknown) -> LineTerms:
    if isinstance(outcome, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(outcome))
    renewal, limit = outcome.renewal, format_amount(outcome.credit_limit, outcome.currency)
    consent, due = (rfc3339(at) if at else None for at in (renewal.consent_at, renewal.next_at))
    return LineTerms(str(outcome.subscriber_id), renewal.billing_day or None, consent, due, limit, outcome.currency)


def _terms(wallet: Wallet) -> tuple[int | None, str | None, str | None, str, str]:
    renewal = wallet.renewal
    limit = format_amount(wallet.credit_limit, wallet.currency)
    if renewal is None:
        return None, None, None, limit, wallet.currency
    consent, due = (rfc3339(at) if at else None for at in (renewal.consent_at, renewal.next_at))
    return renewal.billing_day or None, consent, due, limit, wallet.currency


def _rows(allowance: Allowance, currency: str) -> list[AllowanceRow]:
    return [
        AllowanceRow(
            id=str(allowance.id),
            kind=allowance.kind,
            plan=allowance.plan or None,
            service=service,
            left=format_amount(units, currency) if service == MONEY else str(units),
            held=str(allowance.held.get(service, 0)),
            zones=[zone or "home" for zone in allowance.zones],
            ends_at=rfc3339(allowance.ends_at),
        )
        for service, units in allowance.left.items()
    ]
