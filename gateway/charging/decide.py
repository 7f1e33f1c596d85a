"""The decision on a charging request: `decide(state, request, now) -> answer, entries, usage`. Pure.

Usage is charged before anything is granted; a new grant replaces what was left of the old one (TS 32.299 §6.3.8); a grant
never takes a wallet below zero, reported usage may. A session that the gateway does not know is rebuilt if its subscriber
is known and usage is reported: UNKNOWN_SESSION is only said where nothing was charged.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from gateway.balance.allowance_entries import AllowanceEntry
from gateway.balance.profiles import Profile
from gateway.balance.spending import Spending
from gateway.balance.usage import ACTIVE, UsageRecord
from gateway.balance.wallets import Wallet
from gateway.charging.held_reports import (
    EXCESS,
    FOREIGN_SESSION,
    NO_PRICE,
    NO_SUBSCRIBER,
    UNPRICED,
    HeldReport,
    reports_of,
)
from gateway.charging.outcome import ItemOutcome, Outcome
from gateway.charging.quota import CreditControlRun, Quota
from gateway.charging.request import EVENT, INITIAL, TERMINATION, UPDATE, ChargingRequest, Enquiry, Item, Traffic
from gateway.charging.session import Session, give_back_covered
from gateway.charging.tariff import Tariff
from gateway.ledger.entries import Entry
from gateway.rating.plans import FREE, Plan

PLENTY: Final = 1 << 62
"""Micro-units in a wallet where what it could not pay for is not what is asked."""


class Decision(msgspec.Struct):
    """What to answer and what to book. `session` is None where nothing changed, so that nothing need be remembered."""

    outcome: Outcome
    message: str = ""
    items: list[ItemOutcome] = []
    session: Session | None = None
    entries: list[Entry] = []
    usage: list[UsageRecord] = []
    grants: list[AllowanceEntry] = []
    alarms: list[str] = []
    held: list[HeldReport] = []
    """Reported units that are neither charged nor lost: somebody has to look at them."""
    validity: int = 0
    """How long the quota holds (seconds) where that is less than the terms say; else 0."""
    tariff_change: int = 0
    """When granted units begin to cost something else (microseconds); 0 where they do not."""
    limited: str = ""
    """The limit of the customer's, if one, and not the wallet, kept something from being served or billed."""
    enough: bool | None = None
    cost: int | None = None
    """The answer to an enquiry: whether the wallet can pay, or the price in micro-units."""
    currency: str = ""


class ChargingState(msgspec.Struct):
    """What a request is decided on: the session if it is known, and the subscriber's wallet and profile if they are."""

    session: Session | None
    wallet: Wallet | None
    profile: Profile | None
    own_line: bool = False
    """Whether the number that is called is another line of ours."""


def decide(
    state: ChargingState, request: ChargingRequest, tariff: Tariff, now: int, node: int, take_id: Callable[[], int]
) -> Decision:
    """Decide a request that was not answered before; `now` in microseconds, `node` is this gateway's number."""
    session, wallet, profile = state.session, state.wallet, state.profile
    event = request.request_type == EVENT
    emergency = request.traffic is Traffic.EMERGENCY or (
        session is not None and session.traffic == Traffic.EMERGENCY and not event
    )
    if session is None and request.request_type in (UPDATE, TERMINATION) and not (request.reports_usage or emergency):
        refusal = Decision(Outcome.UNKNOWN_SESSION, "the session is not known, and no usage was reported")
        if request.request_type == TERMINATION and wallet is not None:
            refusal.session = _open(request, wallet, now, node, take_id())  # its beginning may have been overtaken
            refusal.session.terminated, refusal.session.last_number = True, request.request_number
            refusal.session.close(now)
        return refusal
    if session is not None and not session.is_of(request.origin_host):
        refusal = Decision(Outcome.UNKNOWN_SESSION, "no session of this Origin-Host")
        return _held_back(refusal, request, FOREIGN_SESSION, "charging.session.foreign")
    if wallet is None or profile is None:
        if emergency:
            return _help_anybody(request, tariff)
        return _held_back(
            Decision(Outcome.UNKNOWN_SUBSCRIBER, "no subscriber has this Subscription-Id"), request, NO_SUBSCRIBER
        )
    begins = session is None and request.request_type in (INITIAL, EVENT)
    if wallet.status != ACTIVE and begins and not emergency and not request.reports_usage:
        return Decision(Outcome.SERVICE_DENIED, "the subscriber may not be served now")
    plan = tariff.plan_of(profile, request.as_of)
    if plan is None or plan.currency != wallet.currency:
        if not emergency:
            refusal = Decision(Outcome.RATING_FAILED, "the subscriber's plan has no price here")
            return _held_back(refusal, request, NO_PRICE, "charging.plan.unknown")
        plan = Plan("", "", wallet.currency, FREE, FREE, FREE)
    network = request.network or (session.network if session is not None else "")
    if plan.prices(network) is None and not emergency:
        refusal = Decision(Outcome.RATING_FAILED, "the subscriber's plan has no price in this network")
        return _held_back(refusal, request, NO_PRICE, "charging.network.unpriced")
    if request.enquiry:
        session, wallet = None, copy.deepcopy(wallet)
    if session is None:
        session = _open(request, wallet, now, node, take_id())
    own_line = state.own_line
    run = CreditControlRun(request, session, wallet, profile, plan, tariff, now, take_id, own_line=own_line)
    return _enquire(run) if request.enquiry else _serve(run, node)


def _enquire(run: CreditControlRun) -> Decision:
    """Say what an event would come to (RFC 8506 §6.1, §6.2): it is debited on a wallet that nobody keeps."""
    request, wallet = run.request, run.wallet
    asks_price = request.enquiry is Enquiry.PRICE
    if asks_price:
        wallet.balance, wallet.spending = PLENTY, Spending()
    if not request.items or any(
        item.requested is None or run.has_no_price(item) or not run.could_be_wanted(item, item.requested)
        for item in request.items
    ):
        return Decision(Outcome.RATING_FAILED, "what is enquired about has no price")
    barred = wallet.spending.barred and any(run.pricing.base(item).ever_costs for item in request.items)
    enough = not barred and all(run.debit(item) is not None for item in request.items)
    if not asks_price:
        return Decision(Outcome.SUCCESS, enough=enough)
    if not enough:
        return Decision(Outcome.RATING_FAILED, "by law nobody may be charged that much at once")
    return Decision(Outcome.SUCCESS, cost=sum(record.price for record in run.usage), currency=wallet.currency)


def _held_back(refusal: Decision, request: ChargingRequest, reason: str, *alarms: str) -> Decision:
    """Refuse a request, and keep what it reports for whoever can find out whose it is."""
    refusal.held = reports_of(request, reason)
    refusal.alarms = [*alarms, *(["charging.report.unbooked"] if refusal.held else [])]
    return refusal


def _help_anybody(request: ChargingRequest, tariff: Tariff) -> Decision:
    """Let an emergency call through of which we know nothing else; there is nothing to charge, and so nothing to remember."""
    results = []
    for item in request.items:
        ended = item.requested is None or request.request_type == TERMINATION
        units = tariff.terms.wanted(request.service, item.requested or 0)
        results.append(_came_to(item, Outcome.SUCCESS, None if ended else Quota(units, final=False)))
    return Decision(_command_outcome(results), "", results)


def expire(session: Session, wallet: Wallet, now: int) -> None:
    """Close a session whose client fell silent and give back what it held (RFC 8506 §7, Tcc)."""
    for group in session.groups.values():
        for grant in group.grants.values():
            give_back_covered(grant, session.service, wallet)
        group.grants = {}
    wallet.hold(-session.reserved)
    session.reserved = 0
    session.close(now)


def _open(request: ChargingRequest, wallet: Wallet, now: int, node: int, session_key: int) -> Session:
    return Session(
        id=session_key,
        session_id=request.session_id,
        subscriber_id=wallet.subscriber_id,
        node=node,
        peer=request.peer,
        origin_host=request.origin_host,
        service=request.service,
        opened_at=now,
        updated_at=now,
        expires_at=0,
        closed_at=None,
        reserved=0,
        groups={},
        fresh=True,
        changed=True,
    )


def _serve(case: CreditControlRun, node: int) -> Decision:
    request, session = case.request, case.session
    balance, begins, event = case.wallet.balance, session.last_number < 0, request.request_type == EVENT
    reports = [(item, case.review(item)) for item in request.items]
    case.sell_bundle(reports)
    for item, used in reports:
        if item.used:
            case.charge(item, used)
            case.release(item)
    results = [_answer_item(case, item) for item in request.items]
    case.undo_unused_sale()
    session.node, session.peer, session.realm = node, request.peer, request.realm
    if not event or begins:
        session.traffic, session.destination = case.pricing.traffic, case.pricing.destination
    session.network = case.pricing.network
    session.last_number = max(session.last_number, request.request_number)
    if request.request_type == TERMINATION or (event and begins):  # an event ends no session that it stands in
        case.release_all()
        session.terminated = True
    if session.terminated:
        session.close(case.now)
    else:
        session.touch(case.now, case.now + case.tariff.terms.supervision)
    alarms = ["charging.wallet.overdrawn"] if case.wallet.balance < -case.wallet.credit_limit <= balance else []
    if case.held or case.unpriced or case.absorbed:
        alarms += _alarms(case)
    return Decision(
        _command_outcome(results),
        "",
        results,
        session,
        case.entries,
        case.usage,
        case.grants,
        alarms,
        case.held,
        case.validity,
        case.tariff_change,
        case.limited,
    )


def _alarms(case: CreditControlRun) -> Iterator[str]:
    """Name what somebody has to look at in what was reported or asked for."""
    reasons = [report.reason for report in case.held]
    if EXCESS in reasons:
        yield "charging.report.held"
    if case.unpriced or UNPRICED in reasons:
        yield "charging.unit.unpriced"
    if case.absorbed:
        yield "charging.usage.absorbed"


def already_booked(request: ChargingRequest, session: Session) -> Decision:
    """Answer a final report that was booked under another number: nothing more comes of it."""
    session.last_number = max(session.last_number, request.request_number)
    session.changed = True
    return Decision(
        Outcome.SUCCESS,
        items=[_came_to(item, Outcome.SUCCESS) for item in request.items],
        session=session,
        alarms=["charging.termination.repeated"],
    )


def _answer_item(case: CreditControlRun, item: Item) -> ItemOutcome:
    """Decide on an item's quota, and remember whether its rating group stands still for want of money."""
    answer = _decide_item(case, item)
    if item.requested is not None or answer.code is Outcome.CREDIT_LIMIT_REACHED:
        group = case.session.group(item.rating_group)
        group.short = answer.code is Outcome.CREDIT_LIMIT_REACHED or answer.final
    return answer


def _decide_item(case: CreditControlRun, item: Item) -> ItemOutcome:
    kind = case.request.request_type
    if case.has_no_price(item) and kind != TERMINATION:
        return _came_to(item, Outcome.RATING_FAILED)
    over = case.session.terminated and kind != EVENT
    if over and item.requested is not None and case.pricing.traffic is not Traffic.EMERGENCY:
        return _came_to(item, Outcome.SERVICE_DENIED)  # success without units would let it go on unmetered
    if item.requested is None or over:
        return _came_to(item, _spent(case, item))
    if case.wallet.status != ACTIVE and case.pricing.traffic is not Traffic.EMERGENCY:
        return _came_to(item, Outcome.SERVICE_DENIED)
    if case.wallet.spending.barred and case.pricing.base(item).ever_costs:
        return _came_to(item, Outcome.SERVICE_DENIED)
    if kind == EVENT and not case.could_be_wanted(item, item.requested):
        return _came_to(item, Outcome.RATING_FAILED)
    quota = case.debit(item) if kind == EVENT else case.grant(item)
    if quota is None:
        return _came_to(item, Outcome.CREDIT_LIMIT_REACHED)
    return _came_to(item, Outcome.SUCCESS, quota)


def _spent(case: CreditControlRun, item: Item) -> Outcome:
    """Answer an item that only reports: a client in mid-session is told when its usage outran the wallet, or a limit."""
    outran = case.wallet.available < 0 or case.is_beyond
    overdrawn = bool(item.used) and outran and case.request.request_type == UPDATE
    return Outcome.CREDIT_LIMIT_REACHED if overdrawn else Outcome.SUCCESS


def _came_to(item: Item, code: Outcome, quota: Quota | None = None) -> ItemOutcome:
    granted, final = (None, False) if quota is None else (quota.units, quota.final)
    return ItemOutcome(code, item.rating_group, item.service_identifier, granted, final, item.command_level)


def _command_outcome(items: list[ItemOutcome]) -> Outcome:
    """Return the outcome of the whole request: success while each item speaks for itself, else that of the command level."""
    for item in items:
        if item.command_level:
            return item.code
    return Outcome.SUCCESS
