"""Actions about subscribers: imported, shown, listed and found, their top-ups, and the causes that they choose."""

from collections.abc import Iterator

import msgspec

from gateway.api.answers.rows import ChosenCauses, SubscriberPage
from gateway.api.answers.subscribers import ImportedRow, ImportedRows, ToppedUp
from gateway.api.callers import Caller
from gateway.api.line_numbers import subscriber_of
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests.fields import MAX_CHANNEL, MAX_PAGE, page_size
from gateway.api.requests.subscribers import (
    ChooseCause,
    FindSubscribers,
    ImportSubscribers,
    ListSubscribers,
    ShowSubscriber,
    TopUpSubscriber,
)
from gateway.balance import queries
from gateway.balance.changes import ChooseCauses, SubscriberUnknown
from gateway.balance.opening_balances import Enrol, Enrolled, RowInvalid, read_row
from gateway.balance.topups import Payment, PaymentRefused, TopUp
from gateway.charging.credit_control import ChargingPolicy
from gateway.charity.choices import ChoiceInvalid, parse
from gateway.charity.sealed_causes import Consent
from gateway.context import GatewayContext
from gateway.ledger.money import AmountInvalid, format_amount, parse_payable
from gateway.privacy.access import CAUSES
from gateway.privacy.masks import mask
from gateway.sims.policy import SimsPolicy
from gateway.store.errors import StoreError
from gateway.store.idempotency import KeyConflict
from gateway.subscribers.identifier_history import MSISDN
from gateway.subscribers.queries import find_tail
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import msisdn


def import_subscribers(context: GatewayContext, request: ImportSubscribers) -> ImportedRows:
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


def show_subscriber(context: GatewayContext, request: ShowSubscriber, caller: Caller) -> queries.SubscriberView:
    """Return a subscriber by any of its numbers; `causes` is None for who may not see them."""
    with context.reading() as connection:
        subscriber_id = subscriber_of(connection, request.number, context.settings.operator.country)
    may_see = CAUSES in caller.rights
    if may_see:
        context.record_access(caller.name, "subscriber.show", subscriber_id)
    with context.reading() as connection:
        terms = queries.Terms(context.policy(ChargingPolicy).tariff.plan_of, context.settings.taxes)
        seals = context.cause_seals if may_see else None
        return queries.show(connection, subscriber_id, context.clock(), terms, seals)


def top_up(context: GatewayContext, request: TopUpSubscriber, caller: Caller) -> ToppedUp:
    """Book money paid in; the same payment again books nothing.

    A reference is unique for its channel for ever: for the API's token that brings it, or for the command line.
    """
    limit = context.settings.charging.topup_limit
    try:
        number = msisdn(request.number, context.settings.operator.country)
        amount = parse_payable(request.amount, request.currency)
    except (IdentifierInvalid, AmountInvalid) as error:
        raise bad_request("topup.invalid", str(error)) from None
    if amount <= 0:
        raise bad_request("topup.invalid", "amount: a top-up is more than zero")
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


def choose_causes(context: GatewayContext, request: ChooseCause, caller: Caller) -> ChosenCauses:
    """Choose causes from now on; how the customer agreed is kept with the choice."""
    try:
        number = msisdn(request.number, context.settings.operator.country)
        shares = parse(request.causes, context.open_causes)
    except (IdentifierInvalid, ChoiceInvalid) as error:
        raise bad_request("cause.invalid", str(error)) from None
    consent = Consent((request.channel or caller.channel)[:MAX_CHANNEL], request.wording)
    result = context.lane.run(ChooseCauses(MSISDN, number, shares, consent))
    if isinstance(result, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(result))
    return ChosenCauses(str(result), queries.causes_of(shares))


def list_subscribers(context: GatewayContext, request: ListSubscribers) -> SubscriberPage:
    """Return a page of subscribers, their numbers masked, and nothing of their causes."""
    limit = page_size(request.limit, 20, MAX_PAGE)
    with context.reading() as connection:
        found = queries.rows_after(connection, request.after, limit, context.clock())
    rows = [
        msgspec.structs.replace(row, **{name: masked(getattr(row, name)) for name in ("msisdn", "imsi")})
        for row in found
    ]
    return SubscriberPage(rows, int(rows[-1].subscriber_id) if len(rows) == limit else None)


def find_subscribers(context: GatewayContext, request: FindSubscribers) -> SubscriberPage:
    """Return the subscribers who have a number that ends in these digits: 20 of them, where there are more."""
    with context.reading() as connection:
        found = find_tail(connection, request.tail, 20)
        return SubscriberPage(queries.rows_of(connection, found, context.clock()), None)


def masked(number: str | None) -> str | None:
    """Mask a number that may be missing."""
    return None if number is None else mask(number)


def _enrolled(result: Enrolled | StoreError) -> ImportedRow:
    if isinstance(result, StoreError):
        return ImportedRow("refused", None, f"{result.code}: {result}")
    number = None if result.subscriber_id is None else str(result.subscriber_id)
    return ImportedRow(result.outcome, number, mask(result.message))
