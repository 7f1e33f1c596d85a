"""What `tpo sim`, `tpo order` and the HTTP interface ask of the running gateway: orders, and the comparison with the hosts."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.api import parameters, sim_inventory
from gateway.api.actions import ADMIN, OPERATOR, AsyncAction, Caller, Params, need
from gateway.api.answers import ImportedSims
from gateway.api.conversion import to_request
from gateway.api.order_requests import problem_of, read_kind, read_request
from gateway.api.problems import Problem, bad_request, draining, not_found
from gateway.api.requests import ImportSims, ShowOrder
from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.sims import queries
from gateway.sims.order_executor import OrderExecutor
from gateway.store.errors import StoreError
from provisioning.orders import Kind, Order, OrderRefused, OrderState

MAX_BULK = 1000
"""Rows of one call for many orders."""
SOCKET = "socket"
"""In whose name the keys of commands are kept: several people may go on with one bulk."""


class OrderActions:
    """What may be asked about SIMs and orders."""

    def __init__(self, context: GatewayContext, executor: OrderExecutor) -> None:
        """Take the open gateway and who carries orders out."""
        self._context, self._executor = context, executor

    def actions(self) -> dict[str, AsyncAction]:
        """Give every action by its name; those that only read are in `gateway.api.actions`."""
        return {
            "sim.import": AsyncAction(self._import, ADMIN),
            **{f"sim.{kind}": AsyncAction(_Ordering(self, kind), OPERATOR) for kind in _ORDERED},
            "sim.bulk": AsyncAction(self._bulk, ADMIN),
            "sim.reconcile": AsyncAction(self._reconcile, ADMIN),
            "order.retry": AsyncAction(self._retry, OPERATOR),
            "order.cancel": AsyncAction(self._cancel, OPERATOR),
        }

    async def order(
        self, client: str, key: str | None, kind: Kind, given: Mapping[str, Any], caller: Caller
    ) -> dict[str, Any]:
        """Accept an order: {order, state, repeated}; Problem says why not, and nothing has changed then.

        Taking over what a host holds already (`adopt`) is an admin's right.
        """
        if self._context.draining:
            raise draining()
        asked = read_request(kind, given, self._context.settings, caller.name)
        if asked.request.adopt:
            need(caller.role, ADMIN)
        outcome = await self._executor.accept(client, key, asked)
        if isinstance(outcome, OrderRefused):
            raise problem_of(outcome)
        state = str(OrderState.ACCEPTED)
        if outcome.repeated:
            state = (await self._states([outcome.order_id])).get(str(outcome.order_id), state)
        return {"order": str(outcome.order_id), "state": state, "repeated": outcome.repeated, "iccid": asked.iccid}

    async def show_order(self, order_id: str) -> queries.OrderView:
        """Tell an order with its steps."""
        return await asyncio.to_thread(sim_inventory.show_order, self._context, ShowOrder(order_id))

    async def _import(self, params: Params, caller: Caller) -> ImportedSims:
        request = to_request(params, ImportSims)
        return await asyncio.to_thread(sim_inventory.import_sims, self._context, request, caller.name)

    async def _bulk(self, params: Params, caller: Caller) -> dict[str, Any]:
        """Accept many orders, each by itself: {rows: [{kind, iccid, ..., key}]} -> {results}."""
        rows = params.get("rows")
        if not isinstance(rows, list) or len(rows) > MAX_BULK or not all(isinstance(row, dict) for row in rows):
            raise bad_request("bulk.rows", f"rows: give a list of at most {MAX_BULK} objects")
        return {"results": await asyncio.gather(*(self._row(row, caller) for row in rows))}

    async def _row(self, row: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        try:
            key = read_key(row.get("key"))
            asked = {name: value for name, value in row.items() if name not in ("kind", "key")}
            taken = await self.order(SOCKET, key, read_kind(row.get("kind")), asked, caller)
        except Problem as problem:
            return {"order": None, "state": None, "code": problem.code, "message": mask(problem.detail)}
        except StoreError as error:
            return {"order": None, "state": None, "code": error.code, "message": mask(str(error))}
        return {"order": taken["order"], "state": taken["state"], "code": None, "message": ""}

    async def _reconcile(self, params: Params, _caller: Caller) -> dict[str, Any]:
        """Compare settled cards with their hosts: {host, repair} -> {rows} of those that differ."""
        host = parameters.text_or_none(params, "host")
        known = [each.name for each in self._context.settings.provisioning.hosts]
        if host is not None and host not in known:
            there = ", ".join(known) or "none"
            raise not_found("host.unknown", f"there is no host {str(host)[:64]!r}; there are: {there}")
        differences = await self._executor.reconcile(host, repair=parameters.flag(params, "repair"))
        return {"rows": msgspec.to_builtins(differences)}

    async def _retry(self, params: Params, _caller: Caller) -> queries.OrderView:
        return await self._decided(await self._executor.retry(sim_inventory.order_id(to_request(params, ShowOrder).id)))

    async def _cancel(self, params: Params, _caller: Caller) -> queries.OrderView:
        return await self._decided(
            await self._executor.cancel(sim_inventory.order_id(to_request(params, ShowOrder).id))
        )

    async def _decided(self, outcome: Order | OrderRefused | None) -> queries.OrderView:
        if outcome is None:
            raise not_found("order.unknown", "there is no order with this id")
        if isinstance(outcome, OrderRefused):
            raise problem_of(outcome)
        return await self.show_order(str(outcome.id))

    async def _states(self, ids: list[int]) -> dict[str, str]:
        rows = await asyncio.to_thread(self._context.read, lambda connection: queries.order_states(connection, ids))
        return {row.id: row.state for row in rows}


_ORDERED = (Kind.ACTIVATE, Kind.SUSPEND, Kind.RESUME, Kind.SWAP, Kind.TERMINATE)


class _Ordering:
    """One kind of order as an action: {iccid, ..., key} -> {order, state, repeated}."""

    def __init__(self, sims: OrderActions, kind: Kind) -> None:
        """Take where orders are accepted, and of which kind these are."""
        self._sims, self._kind = sims, kind

    async def __call__(self, params: Params, caller: Caller) -> dict[str, Any]:
        """Accept the order."""
        asked = {name: value for name, value in params.items() if name != "key"}
        return await self._sims.order(SOCKET, read_key(params.get("key")), self._kind, asked, caller)


def read_key(key: object) -> str | None:
    """Read an idempotency key; None where there is none."""
    if key in (None, ""):
        return None
    if not isinstance(key, str) or len(key) > 255 or not key.isprintable():
        raise bad_request("order.key", "key: give a text of at most 255 printable characters")
    return key
