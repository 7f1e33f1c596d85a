"""What `tpo sim` and `tpo order` ask of the store alone, whether the gateway runs or not: the import, and what is known."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from gateway.api import parameters
from gateway.api.problems import bad_request, not_found
from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.sims import queries
from gateway.sims.bulk_import import Imported, ImportSim, Reader
from gateway.store.errors import StoreError
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import iccid
from provisioning.orders import OrderState
from provisioning.sim_lifecycle import SimState

MAX_ROWS = 5000
"""Rows of one import call."""
MAX_PAGE = 1000
"""Rows of one page of a list."""
Params = Mapping[str, Any]


def import_sims(context: GatewayContext, params: Params, actor: str = "") -> dict[str, Any]:
    """Take cards in, each row by itself: {rows: [{iccid, imsi, ki, opc, eid}]} -> {results: [{outcome, message}]}.

    `actor` is who history names; without one it is this process's user.
    """
    rows = params.get("rows")
    if not isinstance(rows, list) or len(rows) > MAX_ROWS or not all(map(is_row, rows)):
        raise bad_request("import.rows", f"rows: give a list of at most {MAX_ROWS} objects of texts")
    first = parameters.whole(params, "first_line", 1, parameters.MAX_ID)
    reader, hosts = Reader(context.sealer), context.settings.provisioning.host_of
    results: list[Imported | None] = []
    units = []
    for line, row in enumerate(rows, first):
        try:
            checked = reader.read(line, {name: text or "" for name, text in row.items()})
        except IdentifierInvalid as error:
            results.append(Imported("refused", str(error)))
        else:
            results.append(None)
            units.append(ImportSim(checked, context.sealer, hosts, actor or f"local:{os.getuid()}"))
    done = iter(context.run_all(units))
    return {"results": [_told(next(done) if result is None else result) for result in results]}


def list_sims(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Tell of cards in the order of their ICCIDs: {after, limit, state} -> {rows, next}; `next` is None on the last page."""
    limit, state = parameters.limit(params, 20, MAX_PAGE), _state(params, [str(state) for state in SimState])
    after = parameters.text_or_none(params, "after") or ""
    rows = context.read(lambda connection: queries.list_sims(connection, after, limit, state))
    return {"rows": rows, "next": rows[-1]["iccid"] if len(rows) == limit else None}


def show_sim(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Tell a card: {iccid}."""
    return _card(context, params, queries.show_sim)


def sim_history(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Tell what happened to a card: {iccid} -> {iccid, rows}."""

    def look(connection: Connection, card: str) -> dict[str, Any] | None:
        known = queries.show_sim(connection, card)
        return None if known is None else {"iccid": card, "rows": queries.history(connection, card)}

    return _card(context, params, look)


def list_orders(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Tell of orders, the newest first: {limit, state} -> {rows}."""
    limit, state = parameters.limit(params, 20, MAX_PAGE), _state(params, [str(state) for state in OrderState])
    return {"rows": context.read(lambda connection: queries.list_orders(connection, limit, state))}


def show_order(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Tell an order with its steps: {id}."""
    number = order_id(params.get("id"))
    found: dict[str, Any] | None = context.read(lambda connection: queries.show_order(connection, number))
    if found is None:
        raise not_found("order.unknown", "there is no order with this id")
    return found


def order_states(context: GatewayContext, params: Params) -> dict[str, Any]:
    """Tell how many orders stand: {ids} -> {rows: [{id, state, error}]}; an unknown one is left out."""
    ids = params.get("ids")
    if not isinstance(ids, list) or len(ids) > MAX_PAGE:
        raise bad_request("order.ids", f"ids: give a list of at most {MAX_PAGE} ids")
    numbers = [order_id(text) for text in ids]
    return {"rows": context.read(lambda connection: queries.order_states(connection, numbers))}


def order_id(text: object) -> int:
    """Read an order's id; 0, which no order has, for what is none."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19 else 0


def _card(
    context: GatewayContext, params: Params, look: Callable[[Connection, str], dict[str, Any] | None]
) -> dict[str, Any]:
    try:
        card = iccid(parameters.text_or_none(params, "iccid") or "")
    except IdentifierInvalid as error:
        raise bad_request(error.code, str(error)) from None
    found: dict[str, Any] | None = context.read(lambda connection: look(connection, card))
    if found is None:
        raise not_found("sim.unknown", "this card is not in the inventory; take it in by `tpo sim import`")
    return found


def is_row(row: object) -> bool:
    """Tell whether this is a row of a CSV file as an import has it: texts by the names of their columns."""
    return isinstance(row, dict) and all(text is None or isinstance(text, str) for text in row.values())


def _told(result: Imported | StoreError) -> dict[str, Any]:
    if isinstance(result, StoreError):
        return {"outcome": "refused", "message": f"{result.code}: {mask(str(result))}"}
    return {"outcome": result.outcome, "message": mask(result.message)}


def _state(params: Params, known: list[str]) -> str | None:
    state = params.get("state")
    if state is not None and state not in known:
        raise bad_request("params.state", f"state: give one of {', '.join(known)}")
    return state
