"""What the commands ask for, by name: the daemon serves these on its Unix socket, and a command of a stopped gateway calls
them itself. Each takes the open gateway and a JSON object, and gives a JSON value or raises Problem."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.api import parameters, sim_inventory
from gateway.api.parameters import MAX_ID
from gateway.api.problems import Problem, bad_request, conflict, not_found
from gateway.balance.opening_balances import Enrol, Enrolled, RowInvalid, read_row
from gateway.balance.topups import Payment, PaymentRefused, TopUp
from gateway.charging import review, usage_export
from gateway.charity.choices import ChoiceInvalid, parse
from gateway.charity.policies import recompute
from gateway.context import GatewayContext
from gateway.events import queries as events_reading
from gateway.events.times import rfc3339
from gateway.ledger import balances, check, journal
from gateway.ledger.money import AmountInvalid, format_amount, parse_amount
from gateway.privacy.access import CAUSES
from gateway.privacy.masks import mask
from gateway.store.errors import StoreError
from gateway.store.idempotency import KeyConflict
from gateway.subscribers import queries
from gateway.subscribers.changes import ChooseCauses, SubscriberUnknown
from gateway.subscribers.identifier_history import MSISDN
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import msisdn

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
ROLES = (VIEWER, OPERATOR, ADMIN)
MAX_ROWS = 5000
"""Rows of one import call, and of one page of a report."""
Params = Mapping[str, Any]
COMMAND_LINE = "tpo"
"""The channel of payments that people book by `tpo`: two of them who enter the same payment enter it once."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as history names it, its role, what it may do besides (privacy.access), and by which channel it pays in."""

    name: str
    role: str
    rights: frozenset[str] = frozenset()
    channel: str = COMMAND_LINE


class Action(msgspec.Struct, frozen=True):
    """Something that can be asked for, and the least role that may ask."""

    run: Callable[[GatewayContext, Params], Any]
    role: str


class CallerAction(msgspec.Struct, frozen=True):
    """Something that depends on who asks, such as on the right to see causes: `run` also gets the caller."""

    run: Callable[[GatewayContext, Params, Caller], Any]
    role: str


class AsyncAction(msgspec.Struct, frozen=True):
    """Something that only the running gateway does, in its event loop; `run` also gets who asks."""

    run: Callable[[Params, Caller], Awaitable[Any]]
    role: str


def need(role: str, least: str) -> None:
    """Refuse whoever may not do this."""
    if ROLES.index(role) < ROLES.index(least):
        raise Problem(HTTPStatus.FORBIDDEN, "action.forbidden", f"this needs the role {least}, yours is {role}")


def perform(action: Action | CallerAction, context: GatewayContext, params: Params, caller: Caller) -> Any:  # noqa: ANN401  (its answer)
    """Run an action for whoever asks; Problem where it may not."""
    need(caller.role, action.role)
    return action.run(context, params, caller) if isinstance(action, CallerAction) else action.run(context, params)


def import_subscribers(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Import rows, each by itself: {rows: [{msisdn, imsi, ...}]} -> {results: [{outcome, message, subscriber_id}]}."""
    rows = params.get("rows")
    if not isinstance(rows, list) or len(rows) > MAX_ROWS or not all(map(sim_inventory.is_row, rows)):
        raise bad_request("import.rows", f"rows: give a list of at most {MAX_ROWS} objects of texts")
    plans, causes = context.settings.plans, context.open_causes
    results: list[Enrolled | None] = []
    units = []
    for row in rows:
        try:
            checked = read_row(row, plans, causes)
        except RowInvalid as error:
            results.append(Enrolled("refused", None, str(error)))
        else:
            results.append(None)
            units.append(Enrol(checked, plans[checked.plan].currency, context.books, context.digests))
    done = iter(context.run_all(units))
    return {"results": [_enrolled(next(done) if result is None else result) for result in results]}


def show_subscriber(context: GatewayContext, params: Params, caller: Caller) -> dict[str, Any]:
    """Tell a subscriber by any of its numbers: {number}; `causes` is None for who may not see them."""
    number = parameters.text(params, "number").lstrip("+")
    with context.reading() as connection:
        subscriber_id = queries.find(connection, number)
    if subscriber_id is None:
        raise not_found("subscriber.unknown", "no subscriber has this number now")
    may_see = CAUSES in caller.rights
    if may_see:
        context.record_access(caller.name, "subscriber.show", subscriber_id)
    with context.reading() as connection:
        found = queries.show(connection, subscriber_id, context.clock())
    return found if may_see else found | {"causes": None}


def top_up(context: GatewayContext, params: Params, caller: Caller) -> dict[str, Any]:
    """Book money paid in: {number, amount, currency, reference}; the same payment again books nothing.

    A reference is unique for its channel for ever: for the API's token that brings it, or for the command line.
    """
    limit = context.settings.charging.topup_limit
    try:
        number = msisdn(parameters.text(params, "number"))
        amount = parse_amount(parameters.text(params, "amount"))
    except (IdentifierInvalid, AmountInvalid) as error:
        raise bad_request("topup.invalid", str(error)) from None
    if amount <= 0:
        raise bad_request("topup.invalid", "amount: a top-up is more than zero")
    currency = parameters.text(params, "currency", 3)
    if amount > limit:
        most = f"{format_amount(limit, currency)} (charging.topup_limit)"
        raise bad_request("topup.invalid", f"amount: a top-up is at most {most}; book a larger payment in parts")
    payment = Payment(caller.channel, parameters.text(params, "reference"), amount, currency)
    key = parameters.text_or_none(params, "key")
    wallet_limit = context.settings.charging.wallet_limit
    result = context.lane.run(TopUp(number, payment, context.books, wallet_limit=wallet_limit, idempotency_key=key))
    if isinstance(result, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(result))
    if isinstance(result, PaymentRefused):
        raise conflict(result.code, str(result))
    if isinstance(result, KeyConflict):
        raise conflict("topup.reference", str(result))
    return {
        "subscriber_id": str(result.subscriber_id),
        "balance": format_amount(result.balance, result.currency),
        "currency": result.currency,
        "repeated": result.repeated,
    }


def choose_causes(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Choose causes from now on: {number, causes: [`cause` or `cause=percent`]}."""
    texts = params.get("causes")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise bad_request("cause.invalid", "causes: give a list of `cause` or `cause=percent`")
    try:
        number = msisdn(parameters.text(params, "number"))
        shares = parse(texts, context.open_causes)
    except (IdentifierInvalid, ChoiceInvalid) as error:
        raise bad_request("cause.invalid", str(error)) from None
    result = context.lane.run(ChooseCauses(MSISDN, number, shares))
    if isinstance(result, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(result))
    return {
        "subscriber_id": str(result),
        "causes": [{"cause": share.cause, "percent": queries.percent(share.share)} for share in shares],
    }


def export_usage(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Give a page of usage records: {after, start, end} -> {columns, rows, next}; `next` is None on the last page."""
    after = parameters.whole(params, "after", 0, MAX_ID)
    start, end = (parameters.time_or_none(params, name) for name in ("start", "end"))
    with context.reading() as connection:
        rows = usage_export.read(connection, after=after, limit=MAX_ROWS, start=start, end=end)
    last = int(rows[-1]["record_id"]) if len(rows) == MAX_ROWS else None
    return {"columns": list(usage_export.COLUMNS), "rows": rows, "next": last}


def list_held_reports(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Give a page of the usage reports that wait for a decision: {after, all} -> {columns, rows, next}."""
    after, decided = parameters.whole(params, "after", 0, MAX_ID), parameters.flag(params, "all")
    with context.reading() as connection:
        rows = review.read(connection, after=after, limit=MAX_ROWS, decided=decided)
    last = int(rows[-1]["id"]) if len(rows) == MAX_ROWS else None
    return {"columns": list(review.COLUMNS), "rows": rows, "next": last}


def book_held_report(context: GatewayContext, params: Params, caller: Caller) -> dict[str, Any]:
    """Charge a held report as what it says: {id, reason} -> {id, state, record_id, price, currency}."""
    report, note = _held_report(params)
    return _decided(report, context.lane.run(review.BookReport(report, caller.name, note, context.charging_policy())))


def drop_held_report(context: GatewayContext, params: Params, caller: Caller) -> dict[str, Any]:
    """Book a held report nowhere: {id, reason} -> {id, state, ...}."""
    report, note = _held_report(params)
    return _decided(report, context.lane.run(review.DropReport(report, caller.name, note)))


def _held_report(params: Params) -> tuple[int, str]:
    name = parameters.text(params, "id", 19)
    if not (name.isascii() and name.isdigit()) or int(name) > MAX_ID:
        raise bad_request("review.id", "id: give the number that `tpo usage review list` shows")
    return int(name), parameters.text(params, "reason")


def _decided(report: int, result: review.Decided | review.ReviewRefused) -> dict[str, Any]:
    if isinstance(result, review.ReviewRefused):
        raise (not_found if result.code == "review.unknown" else conflict)(result.code, str(result))
    booked = result.record_id is not None
    return {
        "id": str(report),
        "state": result.state,
        "record_id": str(result.record_id) if booked else None,
        "price": format_amount(result.price, result.currency) if booked else None,
        "currency": result.currency or None,
    }


def check_ledger(context: GatewayContext, _params: Params) -> dict[str, Any]:
    """Prove the books: {ok, entries, wallets, accruals, findings}."""
    with context.reading() as connection:
        report = check.check(connection, recompute)
    return {"ok": not report.findings, **msgspec.to_builtins(report)}


def list_balances(context: GatewayContext, _params: Params, caller: Caller) -> dict[str, Any]:
    """Give every account's balance: {rows}; those of causes are one for who may not see them apart."""
    if CAUSES in caller.rights:
        context.record_access(caller.name, "ledger.balances")
    with context.reading() as connection:
        found = balances.balances(connection)
    if CAUSES not in caller.rights:
        found = balances.without_causes(found)
    rows = [
        {"account": b.account, "currency": b.currency, "balance": format_amount(b.balance, b.currency)} for b in found
    ]
    return {"rows": rows}


def read_journal(context: GatewayContext, params: Params, caller: Caller) -> dict[str, Any]:
    """Give a page of the journal: {after, limit, causes} -> {rows, next}; the accounts of causes are named on request only.

    An entry's record and its neighbours tell whose it is, so that its cause needs the right to see causes.
    """
    limit, after = parameters.limit(params, 100, MAX_ROWS), parameters.whole(params, "after", 0, MAX_ID)
    causes = parameters.flag(params, "causes")
    if causes:
        if CAUSES not in caller.rights:
            raise Problem(
                HTTPStatus.FORBIDDEN, "action.forbidden", f"this needs the right {CAUSES}, which you do not have"
            )
        context.record_access(caller.name, "ledger.journal")
    with context.reading() as connection:
        rows = journal.read(connection, after=after, limit=limit, causes=causes)
    for row in rows:
        row["at"], row["event_at"] = rfc3339(row["at"]), rfc3339(row["event_at"])
    return {"rows": rows, "next": rows[-1]["id"] if len(rows) == limit else None}


def list_events(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Give events of the outbox: {after, limit} -> {rows}."""
    limit = parameters.limit(params, 20, MAX_ROWS)
    after = None if params.get("after") is None else parameters.whole(params, "after", 0, MAX_ID)
    with context.reading() as connection:
        return {"rows": events_reading.recent(connection, limit, after)}


def _enrolled(result: Enrolled | StoreError) -> dict[str, Any]:
    if isinstance(result, StoreError):
        return {"outcome": "refused", "subscriber_id": None, "message": f"{result.code}: {result}"}
    number = None if result.subscriber_id is None else str(result.subscriber_id)
    return {"outcome": result.outcome, "subscriber_id": number, "message": mask(result.message)}


ACTIONS: dict[str, Action | CallerAction] = {
    "subscriber.import": Action(import_subscribers, ADMIN),
    "subscriber.show": CallerAction(show_subscriber, VIEWER),
    "subscriber.topup": CallerAction(top_up, OPERATOR),
    "subscriber.cause": Action(choose_causes, OPERATOR),
    "sim.import": Action(sim_inventory.import_sims, ADMIN),
    "sim.list": Action(sim_inventory.list_sims, VIEWER),
    "sim.show": Action(sim_inventory.show_sim, VIEWER),
    "sim.history": Action(sim_inventory.sim_history, VIEWER),
    "order.list": Action(sim_inventory.list_orders, VIEWER),
    "order.show": Action(sim_inventory.show_order, VIEWER),
    "order.states": Action(sim_inventory.order_states, VIEWER),
    "usage.export": Action(export_usage, OPERATOR),
    "usage.review.list": Action(list_held_reports, OPERATOR),
    "usage.review.book": CallerAction(book_held_report, ADMIN),
    "usage.review.drop": CallerAction(drop_held_report, ADMIN),
    "ledger.check": Action(check_ledger, VIEWER),
    "ledger.balances": CallerAction(list_balances, VIEWER),
    "ledger.journal": CallerAction(read_journal, OPERATOR),
    "events.list": Action(list_events, VIEWER),
}
