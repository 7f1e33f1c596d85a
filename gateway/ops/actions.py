"""What the commands ask for, by name: the daemon serves these on its Unix socket, and a command of a stopped gateway calls
them itself. Each takes the house and a JSON object, and gives a JSON value or raises Problem."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.charging import export
from gateway.charity.choices import ChoiceInvalid, parse
from gateway.charity.policies import recompute
from gateway.events import reading as events_reading
from gateway.events.times import rfc3339
from gateway.house import House
from gateway.ledger import balances, checking, journal
from gateway.ledger.money import AmountInvalid, format_amount, parse_amount
from gateway.ops import inventory
from gateway.ops.problems import Problem, bad_request, conflict, not_found
from gateway.privacy.access import CAUSES
from gateway.privacy.masks import mask
from gateway.store.errors import StoreError
from gateway.store.keys import KeyConflict
from gateway.subscribers import showing
from gateway.subscribers.changes import ChooseCauses, SubscriberUnknown, TopUp
from gateway.subscribers.enrolment import Enrol, Enrolled, RowInvalid, read_row
from gateway.subscribers.lines import MSISDN
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import msisdn

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
ROLES = (VIEWER, OPERATOR, ADMIN)
MAX_ROWS = 5000
"""Rows of one import call, and of one page of a report."""
Params = Mapping[str, Any]


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as history names it, its role, and what it may do besides (privacy.access)."""

    name: str
    role: str
    rights: frozenset[str] = frozenset()


class Action(msgspec.Struct, frozen=True):
    """Something that can be asked for, and the least role that may ask."""

    run: Callable[[House, Params], Any]
    role: str


class CausesAction(msgspec.Struct, frozen=True):
    """Something whose answer depends on the right to see causes: `run` also gets who asks."""

    run: Callable[[House, Params, Caller], Any]
    role: str


class AsyncAction(msgspec.Struct, frozen=True):
    """Something that only the running gateway does, in its event loop; `run` also gets who asks."""

    run: Callable[[Params, Caller], Awaitable[Any]]
    role: str


def need(role: str, least: str) -> None:
    """Refuse whoever may not do this."""
    if ROLES.index(role) < ROLES.index(least):
        raise Problem(HTTPStatus.FORBIDDEN, "action.forbidden", f"this needs the role {least}, yours is {role}")


def perform(action: Action | CausesAction, house: House, params: Params, caller: Caller) -> Any:  # noqa: ANN401  (its answer)
    """Run an action for whoever asks; Problem where it may not."""
    need(caller.role, action.role)
    return action.run(house, params, caller) if isinstance(action, CausesAction) else action.run(house, params)


def import_subscribers(house: House, params: Params) -> dict[str, Any]:
    """Import rows, each by itself: {rows: [{msisdn, imsi, ...}]} -> {results: [{outcome, message, subscriber_id}]}."""
    rows = params.get("rows")
    if not isinstance(rows, list) or len(rows) > MAX_ROWS or not all(isinstance(row, dict) for row in rows):
        raise bad_request("import.rows", f"rows: give a list of at most {MAX_ROWS} objects")
    plans, causes = house.settings.plans, house.open_causes
    results: list[Enrolled | None] = []
    units = []
    for row in rows:
        try:
            checked = read_row(row, plans, causes)
        except RowInvalid as error:
            results.append(Enrolled("refused", None, str(error)))
        else:
            results.append(None)
            units.append(Enrol(checked, plans[checked.plan].currency, house.books, house.digests))
    done = iter(house.run_all(units))
    return {"results": [_enrolled(next(done) if result is None else result) for result in results]}


def show_subscriber(house: House, params: Params, caller: Caller) -> dict[str, Any]:
    """Tell a subscriber by any of its numbers: {number}; `causes` is None for who may not see them."""
    number = _text(params, "number").lstrip("+")
    with house.reading() as connection:
        subscriber_id = showing.find(connection, number)
    if subscriber_id is None:
        raise not_found("subscriber.unknown", "no subscriber has this number now")
    may_see = CAUSES in caller.rights
    if may_see:
        house.note_look(caller.name, "subscriber.show", subscriber_id)
    with house.reading() as connection:
        found = showing.show(connection, subscriber_id, house.clock())
    return found if may_see else found | {"causes": None}


def top_up(house: House, params: Params) -> dict[str, Any]:
    """Book money paid in: {number, amount, reference}; the same reference again books nothing."""
    try:
        number, amount = msisdn(_text(params, "number")), parse_amount(_text(params, "amount"))
    except (IdentifierInvalid, AmountInvalid) as error:
        raise bad_request("topup.invalid", str(error)) from None
    if amount <= 0:
        raise bad_request("topup.invalid", "amount: a top-up is more than zero")
    reference = _text(params, "reference")
    result = house.lane.run(TopUp(MSISDN, number, amount, reference, house.books))
    if isinstance(result, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(result))
    if isinstance(result, KeyConflict):
        raise conflict("topup.reference", str(result))
    return {
        "subscriber_id": str(result.subscriber_id),
        "balance": format_amount(result.balance, result.currency),
        "currency": result.currency,
        "repeated": result.repeated,
    }


def choose_causes(house: House, params: Params) -> dict[str, Any]:
    """Choose causes from now on: {number, causes: [`cause` or `cause=percent`]}."""
    texts = params.get("causes")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise bad_request("cause.invalid", "causes: give a list of `cause` or `cause=percent`")
    try:
        number, shares = msisdn(_text(params, "number")), parse(texts, house.open_causes)
    except (IdentifierInvalid, ChoiceInvalid) as error:
        raise bad_request("cause.invalid", str(error)) from None
    result = house.lane.run(ChooseCauses(MSISDN, number, shares))
    if isinstance(result, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(result))
    return {
        "subscriber_id": str(result),
        "causes": [{"cause": share.cause, "percent": showing.percent(share.share)} for share in shares],
    }


def export_usage(house: House, params: Params) -> dict[str, Any]:
    """Give a page of usage records: {after, start, end} -> {columns, rows, next}; `next` is None on the last page."""
    after = int(params.get("after") or 0)
    with house.reading() as connection:
        rows = export.read(connection, after=after, limit=MAX_ROWS, start=params.get("start"), end=params.get("end"))
    last = int(rows[-1]["record_id"]) if len(rows) == MAX_ROWS else None
    return {"columns": list(export.COLUMNS), "rows": rows, "next": last}


def check_ledger(house: House, _params: Params) -> dict[str, Any]:
    """Prove the books: {ok, entries, wallets, accruals, findings}."""
    with house.reading() as connection:
        report = checking.check(connection, recompute)
    return {"ok": not report.findings, **msgspec.to_builtins(report)}


def list_balances(house: House, _params: Params, caller: Caller) -> dict[str, Any]:
    """Give every account's balance: {rows}; those of causes are one for who may not see them apart."""
    if CAUSES in caller.rights:
        house.note_look(caller.name, "ledger.balances")
    with house.reading() as connection:
        found = balances.balances(connection)
    if CAUSES not in caller.rights:
        found = balances.without_causes(found)
    rows = [
        {"account": b.account, "currency": b.currency, "balance": format_amount(b.balance, b.currency)} for b in found
    ]
    return {"rows": rows}


def read_journal(house: House, params: Params, caller: Caller) -> dict[str, Any]:
    """Give a page of the journal: {after, limit, causes} -> {rows, next}; the accounts of causes are named on request only.

    An entry's record and its neighbours tell whose it is, so that its cause needs the right to see causes.
    """
    limit, after = min(int(params.get("limit") or 100), MAX_ROWS), int(params.get("after") or 0)
    causes = params.get("causes") is True
    if causes:
        if CAUSES not in caller.rights:
            raise Problem(
                HTTPStatus.FORBIDDEN, "action.forbidden", f"this needs the right {CAUSES}, which you do not have"
            )
        house.note_look(caller.name, "ledger.journal")
    with house.reading() as connection:
        rows = journal.read(connection, after=after, limit=limit, causes=causes)
    for row in rows:
        row["at"], row["event_at"] = rfc3339(row["at"]), rfc3339(row["event_at"])
    return {"rows": rows, "next": rows[-1]["id"] if len(rows) == limit else None}


def list_events(house: House, params: Params) -> dict[str, Any]:
    """Give events of the outbox: {after, limit} -> {rows}."""
    limit = min(int(params.get("limit") or 20), MAX_ROWS)
    after = params.get("after")
    with house.reading() as connection:
        return {"rows": events_reading.recent(connection, limit, None if after is None else int(after))}


def _enrolled(result: Enrolled | StoreError) -> dict[str, Any]:
    if isinstance(result, StoreError):
        return {"outcome": "refused", "subscriber_id": None, "message": f"{result.code}: {result}"}
    number = None if result.subscriber_id is None else str(result.subscriber_id)
    return {"outcome": result.outcome, "subscriber_id": number, "message": mask(result.message)}


def _text(params: Params, name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise bad_request("params.text", f"{name}: give a text of 1 to 255 characters")
    return value


ACTIONS: dict[str, Action | CausesAction] = {
    "subscriber.import": Action(import_subscribers, ADMIN),
    "subscriber.show": CausesAction(show_subscriber, VIEWER),
    "subscriber.topup": Action(top_up, OPERATOR),
    "subscriber.cause": Action(choose_causes, OPERATOR),
    "sim.import": Action(inventory.import_sims, ADMIN),
    "sim.list": Action(inventory.list_sims, VIEWER),
    "sim.show": Action(inventory.show_sim, VIEWER),
    "sim.history": Action(inventory.sim_history, VIEWER),
    "order.list": Action(inventory.list_orders, VIEWER),
    "order.show": Action(inventory.show_order, VIEWER),
    "order.states": Action(inventory.order_states, VIEWER),
    "usage.export": Action(export_usage, OPERATOR),
    "ledger.check": Action(check_ledger, VIEWER),
    "ledger.balances": CausesAction(list_balances, VIEWER),
    "ledger.journal": CausesAction(read_journal, OPERATOR),
    "events.list": Action(list_events, VIEWER),
}
