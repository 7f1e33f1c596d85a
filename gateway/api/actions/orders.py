"""Actions of the running gateway about orders: accepting, repeating and cancelling them, and the comparison with the hosts."""

import asyncio

import msgspec

from gateway.api.action import AsyncAction, Params, RunningAction
from gateway.api.actions import line_changes, sims
from gateway.api.actions.order_fields import FIELDS, SOCKET, problem_of, read_key, read_kind, read_request
from gateway.api.answers.lines import LineChanged
from gateway.api.answers.orders import OrderRowsTaken, OrderRowTaken, OrderTaken
from gateway.api.answers.sims import ImportedSims
from gateway.api.callers import ADMIN, OPERATOR, Caller, need
from gateway.api.conversion import to_request
from gateway.api.problems import Problem, draining, not_found
from gateway.api.requests.lines import ChangeNumber, ChangePlan
from gateway.api.requests.orders import KeyedSimOrder, OrderMany, OrderRow, ShowOrder, SimOrder
from gateway.api.requests.sims import ImportSims, Reconcile
from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.sims import queries
from gateway.sims.order_executor import OrderExecutor
from gateway.sims.views import OrderView, Reconciliation
from gateway.store.async_submit import submit
from gateway.store.batch import Unit
from gateway.store.errors import StoreError
from provisioning.orders import Kind, Order, OrderRefused, OrderState


class OrderActions:
    """What may be asked about SIMs and orders."""

    def __init__(self, context: GatewayContext, executor: OrderExecutor) -> None:
        """Take the open gateway and who carries orders out."""
        self._context, self._executor = context, executor

    def actions(self) -> dict[str, RunningAction]:
        """Return every action by its name; those that only read are in `gateway.api.actions.table`."""
        return {
            "sim.import": AsyncAction(self._import, ADMIN, ImportSims),
            **{f"sim.{kind}": AsyncAction(_Ordering(self, kind), OPERATOR, KeyedSimOrder) for kind in _ORDERED},
            "subscriber.plan": AsyncAction(self._plan, OPERATOR, ChangePlan),
            "subscriber.number": AsyncAction(self._number, OPERATOR, ChangeNumber),
            "sim.bulk": AsyncAction(self._bulk, ADMIN, OrderMany),
            "sim.reconcile": AsyncAction(self._reconcile, ADMIN, Reconcile),
            "order.retry": AsyncAction(self._retry, OPERATOR, ShowOrder),
            "order.cancel": AsyncAction(self._cancel, OPERATOR, ShowOrder),
        }

    async def order(self, client: str, key: str | None, kind: Kind, given: SimOrder, caller: Caller) -> OrderTaken:
        """Accept an order; Problem says why not, and nothing has changed then.

        Taking over what a host holds already (`adopt`), and a number out of quarantine (`returning`), is an admin's right.
        """
        if self._context.draining:
            raise draining()
        asked = read_request(kind, given, self._context.settings, caller.name)
        if asked.request.adopt or asked.request.returning:
            need(caller.role, ADMIN)
        outcome = await self._executor.accept(client, key, asked)
        if isinstance(outcome, OrderRefused):
            raise problem_of(outcome)
        state = OrderState.ACCEPTED
        if outcome.repeated:
            state = (await self._states([outcome.order_id])).get(str(outcome.order_id), state)
        return OrderTaken(str(outcome.order_id), state, outcome.repeated, asked.iccid)

    async def show_order(self, order_id: str) -> OrderView:
        """Return an order with its steps."""
        return await self._context.in_thread(sims.show_order, self._context, ShowOrder(order_id))

    async def _import(self, request: ImportSims, caller: Caller) -> ImportedSims:
        return await self._context.in_thread(sims.import_sims, self._context, request, caller.name)

    async def _plan(self, request: ChangePlan, caller: Caller) -> LineChanged:
        """Change a line's plan, at its host first where it has one."""
        unit = line_changes.plan_unit(self._context, request, caller)
        order = SimOrder(plan=request.plan, reason=request.reason, effective=request.effective or None)
        return await self._change(unit, Kind.REPLAN, order, request.key, caller)

    async def _number(self, request: ChangeNumber, caller: Caller) -> LineChanged:
        """Change a line's number, at its host first where it has one; out of quarantine by an admin alone."""
        if request.returning:
            need(caller.role, ADMIN)
        unit = line_changes.number_unit(self._context, request, caller)
        order = SimOrder(msisdn=unit.msisdn, reason=request.reason, returning=request.returning)
        return await self._change(unit, Kind.RENUMBER, order, request.key, caller)

    async def _change(self, unit: Unit, kind: Kind, order: SimOrder, key: str, caller: Caller) -> LineChanged:
        outcome = line_changes.told(await submit(self._context.lane, unit))
        if isinstance(outcome, LineChanged):
            return outcome
        asked = msgspec.structs.replace(order, iccid=outcome.iccid)
        taken = await self.order(SOCKET, read_key(key), kind, asked, caller)
        return LineChanged(None, taken.order, taken.state)

    async def _bulk(self, request: OrderMany, caller: Caller) -> OrderRowsTaken:
        """Accept many orders, each by itself."""
        return OrderRowsTaken(await asyncio.gather(*(self._row(row, caller) for row in request.rows)))

    async def _row(self, row: Params, caller: Caller) -> OrderRowTaken:
        try:
            asked = to_request(row, OrderRow)
            taken = await self.order(SOCKET, read_key(asked.key), read_kind(asked.kind), asked, caller)
        except Problem as problem:
            return OrderRowTaken(None, None, problem.code, mask(problem.detail))
        except StoreError as error:
            return OrderRowTaken(None, None, error.code, mask(str(error)))
        return OrderRowTaken(taken.order, taken.state, None, "")

    async def _reconcile(self, request: Reconcile, _caller: Caller) -> Reconciliation:
        """Compare the inventory with the hosts, and tell what differs."""
        host = request.host or None
        known = [each.name for each in self._context.settings.provisioning.hosts]
        if host is not None and host not in known:
            there = ", ".join(known) or "none"
            raise not_found("host.unknown", f"there is no host {str(host)[:64]!r}; there are: {there}")
        return await self._executor.reconcile(host, repair=request.repair)

    async def _retry(self, request: ShowOrder, _caller: Caller) -> OrderView:
        return await self._decided(await self._executor.retry(sims.order_id(request.id)))

    async def _cancel(self, request: ShowOrder, _caller: Caller) -> OrderView:
        return await self._decided(await self._executor.cancel(sims.order_id(request.id)))

    async def _decided(self, outcome: Order | OrderRefused | None) -> OrderView:
        if outcome is None:
            raise not_found("order.unknown", "there is no order with this id")
        if isinstance(outcome, OrderRefused):
            raise problem_of(outcome)
        return await self.show_order(str(outcome.id))

    async def _states(self, ids: list[int]) -> dict[str, OrderState]:
        rows = await self._context.read_async(lambda connection: queries.order_states(connection, ids))
        return {row.id: row.state for row in rows}


_ORDERED = tuple(FIELDS)


class _Ordering:
    """One kind of order as an action."""

    def __init__(self, sims: OrderActions, kind: Kind) -> None:
        """Take where orders are accepted, and of which kind these are."""
        self._sims, self._kind = sims, kind

    async def __call__(self, request: KeyedSimOrder, caller: Caller) -> OrderTaken:
        """Accept the order."""
        return await self._sims.order(SOCKET, read_key(request.key), self._kind, request, caller)
