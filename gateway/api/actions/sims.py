"""Actions about SIM cards and orders that need the store alone: the import, amendments, and what is known of them."""

import os
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from gateway.api.actions.order_fields import SOCKET, read_key, read_kind, read_request
from gateway.api.answers.orders import OrderRowChecked, OrderRowsChecked, Orders, OrderStates
from gateway.api.answers.sims import ImportedSim, ImportedSims, SimAmended, SimHistory, SimPage
from gateway.api.callers import Caller
from gateway.api.conversion import to_request
from gateway.api.line_numbers import named, owners_of
from gateway.api.problems import Problem, bad_request, conflict, not_found
from gateway.api.requests import orders as order_requests
from gateway.api.requests import sims as sim_requests
from gateway.api.requests.fields import MAX_PAGE, page_size
from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.sims import queries
from gateway.sims.accept_order import CheckOrder
from gateway.sims.amendments import Amended, AmendmentRefused, AmendSim, ScrapSim
from gateway.sims.bulk_import import Imported, ImportSim, Reader
from gateway.sims.views import OrderRow, OrderView, SimView
from gateway.store.errors import StoreError
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import eid, iccid, imsi, read_keys
from provisioning.orders import OrderRefused

Found = TypeVar("Found")


def import_sims(context: GatewayContext, request: sim_requests.ImportSims, actor: str = "") -> ImportedSims:
    """Take cards in, each row by itself.

    `actor` is who history names; without one it is this process's user.
    """
    reader = Reader(context.sealer, check_iccid=not request.accept_checksum)
    results: list[Imported | None] = []
    units = []
    for line, row in enumerate(request.rows, request.first_line):
        try:
            checked = reader.read(line, {name: text or "" for name, text in row.items()})
        except IdentifierInvalid as error:
            results.append(Imported("refused", str(error)))
        else:
            results.append(None)
            units.append(ImportSim(checked, actor or f"local:{os.getuid()}"))
    done = iter(context.run_all(units))
    return ImportedSims([_told(next(done) if result is None else result) for result in results])


def amend_sim(context: GatewayContext, request: sim_requests.AmendSim, caller: Caller) -> SimAmended:
    """Put a card's import right; Problem says why not, and nothing has changed then."""
    try:
        card = iccid(request.iccid)
        keys = read_keys({"ki": request.ki, "opc": request.opc})
        unit = AmendSim(
            card,
            caller.name,
            request.reason,
            imsi(request.imsi) if request.imsi else None,
            eid(request.eid) if request.eid else None,
            None if keys is None else context.sealer.seal(keys.pack(), card),
        )
    except IdentifierInvalid as error:
        raise bad_request(error.code, str(error)) from None
    if (unit.imsi, unit.eid, unit.sealed) == (None, None, None):
        raise bad_request("sim.amend", "give what is to be put right: imsi, eid, or ki and opc")
    return _amended(context, unit)


def scrap_sim(context: GatewayContext, request: sim_requests.ScrapSim, caller: Caller) -> SimAmended:
    """Destroy a card that never came into service."""
    try:
        card = iccid(request.iccid)
    except IdentifierInvalid as error:
        raise bad_request(error.code, str(error)) from None
    return _amended(context, ScrapSim(card, caller.name, request.reason))


def _amended(context: GatewayContext, unit: AmendSim | ScrapSim) -> SimAmended:
    outcome: Amended | AmendmentRefused = context.lane.run(unit)
    if isinstance(outcome, AmendmentRefused):
        raise (not_found if outcome.code == "sim.unknown" else conflict)(outcome.code, str(outcome))
    state = show_sim(context, sim_requests.ShowSim(unit.iccid)).state
    return SimAmended(unit.iccid, list(outcome.columns), state)


def check_orders(context: GatewayContext, request: order_requests.OrderMany) -> OrderRowsChecked:
    """Return which of many orders would be refused as things stand, each by itself; nothing is ordered."""
    results: list[OrderRowChecked | None] = []
    units = []
    for row in request.rows:
        try:
            asked = to_request(row, order_requests.OrderRow)
            checked = read_request(read_kind(asked.kind), asked, context.settings, "")
            units.append(CheckOrder(SOCKET, read_key(asked.key), checked))
        except Problem as problem:
            results.append(OrderRowChecked(problem.code, mask(problem.detail)))
        else:
            results.append(None)
    done = iter(context.run_all(units))
    return OrderRowsChecked([_checked(next(done)) if result is None else result for result in results])


def _checked(result: OrderRefused | StoreError | None) -> OrderRowChecked:
    return OrderRowChecked(None, "") if result is None else OrderRowChecked(result.code, mask(str(result)))


def list_sims(context: GatewayContext, request: sim_requests.ListSims) -> SimPage:
    """Return cards in the order of their ICCIDs."""
    limit = page_size(request.limit, 20, MAX_PAGE)
    rows = context.read(lambda connection: queries.list_sims(connection, request.after, limit, request.state))
    return SimPage(rows, rows[-1].iccid if len(rows) == limit else None)


def show_sim(context: GatewayContext, request: sim_requests.ShowSim) -> SimView:
    """Return a card."""
    return _card(context, request, queries.show_sim)


def sim_history(context: GatewayContext, request: sim_requests.ShowSim) -> SimHistory:
    """Return what happened to a card."""

    def look(connection: Connection, card: str) -> SimHistory | None:
        known = queries.show_sim(connection, card)
        return None if known is None else SimHistory(card, queries.history(connection, card))

    return _card(context, request, look)


def list_orders(context: GatewayContext, request: order_requests.ListOrders) -> Orders:
    """Return orders, the newest first."""
    limit, country = page_size(request.limit, 20, MAX_PAGE), context.settings.operator.country
    number = named(request.number, country)
    since, until = request.since, request.until

    def look(connection: Connection) -> list[OrderRow]:
        found = queries.list_orders(connection, limit, request.state, number=number, since=since, until=until)
        if number and not found and not queries.is_known(connection, number):
            owners_of(connection, request.number, country)
        return found

    return Orders(context.read(look))


def show_order(context: GatewayContext, request: order_requests.ShowOrder) -> OrderView:
    """Return an order with its steps."""
    number = order_id(request.id)
    found: OrderView | None = context.read(lambda connection: queries.show_order(connection, number))
    if found is None:
        raise not_found("order.unknown", "there is no order with this id")
    return found


def order_states(context: GatewayContext, request: order_requests.OrderStates) -> OrderStates:
    """Return how many orders stand; an unknown one is left out."""
    numbers = [order_id(text) for text in request.ids]
    return OrderStates(context.read(lambda connection: queries.order_states(connection, numbers)))


def order_id(text: str) -> int:
    """Read an order's id; 0, which no order has, for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _card(
    context: GatewayContext, request: sim_requests.ShowSim, look: Callable[[Connection, str], Found | None]
) -> Found:
    try:
        card = iccid(request.iccid)
    except IdentifierInvalid as error:
        raise bad_request(error.code, str(error)) from None
    found: Found | None = context.read(lambda connection: look(connection, card))
    if found is None:
        raise not_found("sim.unknown", "this card is not in the inventory; take it in by `tpo sim import`")
    return found


def _told(result: Imported | StoreError) -> ImportedSim:
    if isinstance(result, StoreError):
        return ImportedSim("refused", f"{result.code}: {mask(str(result))}")
    return ImportedSim(result.outcome, mask(result.message))
