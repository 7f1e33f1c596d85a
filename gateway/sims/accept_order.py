"""Accepting an order: checked against the card and the number as they are, committed under its idempotency key."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import select

from gateway.charity.sealed_causes import CauseSeals
from gateway.sims.cards import HolderRows, Sim, SimRows
from gateway.sims.orders import CardUnit, OrderRows, StoredOrder, cards_of, cause_owner
from gateway.sims.policy import SimsPolicy
from gateway.store.batch import Batch, RowSet
from gateway.store.idempotency import Digests, KeptResult, KeyRows
from gateway.store.tables import orders
from gateway.subscribers.identifier_history import MSISDN, IdentifierRows
from provisioning.errors import MoveInvalid
from provisioning.orders import Card, Kind, Moment, Order, OrderRefused, OrderRequest, OrderState, steps_of
from provisioning.sim_lifecycle import SimState, SuspendReason, resumed, suspended_for

SCOPE = "order"


class Asked(msgspec.Struct, frozen=True):
    """A checked request: what to do to which card. `actor` is who asks, as history tells it."""

    kind: Kind
    iccid: str
    request: OrderRequest
    actor: str

    def digest(self, digests: Digests) -> str:
        """Return a digest by which this request is told from another under the same key."""
        told = msgspec.structs.asdict(self.request)
        flags = [name for name in ("adopt", "returning") if told.pop(name)]
        effective = told.pop("effective")  # later than digests that are kept
        return digests(self.kind, self.iccid, *told.values(), *flags, *([effective] if effective else []))


def _sealed(request: OrderRequest, seals: CauseSeals, number: int) -> OrderRequest:
    """Return a request as it is written down: its cause is sealed, as it would stand beside the number."""
    return msgspec.structs.replace(request, cause=seals.seal_text(request.cause, cause_owner(number)))


class Taken(msgspec.Struct, frozen=True):
    """The order that a request became; `repeated` if its key was used before for the same."""

    order_id: int
    repeated: bool = False


class AcceptOrder(CardUnit):
    """The acceptance of one order; `key` is unique in the scope of `client`."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, KeyRows, OrderRows, SimRows, HolderRows)

    client: str
    key: str | None
    asked: Asked

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the key, the cards and the number."""
        asked = self.asked
        if isinstance(row_set, KeyRows):
            return ((self._scope, self.key),) if self.key else ()
        if isinstance(row_set, SimRows):
            return (asked.iccid, asked.request.new_iccid) if asked.request.new_iccid else (asked.iccid,)
        if isinstance(row_set, (IdentifierRows, HolderRows)):
            return (asked.request.msisdn,) if asked.request.msisdn else ()
        return ()

    @property
    def _scope(self) -> str:
        return f"{SCOPE}:{self.client}"

    def decide(self, batch: Batch) -> Taken | OrderRefused:
        """Open the order, or say why not; nothing has changed then."""
        keys, scope = batch.row_set(KeyRows), self._scope
        digest = self.asked.digest(batch.policy(Digests))
        kept = keys.find(scope, self.key) if self.key else None
        if kept is not None:
            if kept.digest != digest:
                return OrderRefused("this idempotency key was used before for another order", "order.key")
            return Taken(int(kept.result), repeated=True)
        try:
            order = self._open(batch)
        except OrderRefused as refusal:
            return refusal
        except MoveInvalid as refusal:
            return OrderRefused(str(refusal), "sim.state")
        if self.key:
            keys.keep(batch, scope, self.key, KeptResult(digest, str(order.id).encode()))
        return Taken(order.id)

    def _check(self, batch: Batch) -> tuple[Sim, str, bool]:
        """Return the card, the host and whether a resume leaves reasons; OrderRefused says why the order cannot be."""
        sim = self._free_card(batch, self.asked.iccid)
        return sim, *_PREPARE[self.asked.kind](self, batch, sim)

    def _open(self, batch: Batch) -> Order:
        sim, host, reasons_left = self._check(batch)
        number = batch.take_id()
        order = Order(
            id=number,
            node=batch.node.id,
            kind=self.asked.kind,
            iccid=sim.iccid,
            host=host,
            state=OrderState.ACCEPTED,
            actor=self.asked.actor,
            request=_sealed(self.asked.request, batch.policy(CauseSeals), number),
            steps=steps_of(self.asked.kind, reasons_left=reasons_left),
            undoing=False,
            due_at=batch.now,
            created_at=batch.now,
            updated_at=batch.now,
        )
        self.reach(batch, order, Moment.ACCEPTED)
        batch.row_set(OrderRows).rows[order.id] = StoredOrder(order, fresh=True, changed=True)
        self._settle_in(batch, order)
        return order

    def _free_card(self, batch: Batch, iccid: str) -> Sim:
        sim = batch.row_set(SimRows).get(iccid)
        if sim is None:
            raise OrderRefused("this card is not in the inventory; take it in by `tpo sim import`", "sim.unknown")
        if sim.order_id is not None:
            to_do = "`tpo sim show` names it; wait for it, or cancel it"
            raise OrderRefused(f"another order works on this card; {to_do}", "order.busy")
        return sim

    def _activate(self, batch: Batch, sim: Sim) -> tuple[str, bool]:
        request = self.asked.request
        host = batch.policy(SimsPolicy).hosts.get(request.plan)
        if host is None:
            raise OrderRefused(f"no host serves the plan {request.plan!r}; see provisioning.hosts", "order.plan")
        _check_state(sim, SimState.IN_STOCK)
        _check_country(batch, host, request.msisdn, sim.imsi)
        check_number(batch, request.msisdn, returning=request.returning)
        return host, False

    def _renumber(self, batch: Batch, sim: Sim) -> tuple[str, bool]:
        _check_state(sim, SimState.ACTIVE)
        _check_host(sim)
        _check_country(batch, sim.host, self.asked.request.msisdn, "")
        check_number(batch, self.asked.request.msisdn, returning=self.asked.request.returning)
        return sim.host, False

    def _replan(self, batch: Batch, sim: Sim) -> tuple[str, bool]:
        _check_state(sim, SimState.ACTIVE)
        _check_host(sim)
        policy, plan = batch.policy(SimsPolicy), self.asked.request.plan
        if plan == sim.plan:
            raise OrderRefused(f"the line has the plan {plan!r} already", "order.plan")
        if policy.hosts.get(plan) != sim.host:
            raise OrderRefused(f"the plan {plan!r} is not served by the line's host {sim.host!r}", "order.plan")
        if policy.currencies.get(plan) != policy.currencies.get(sim.plan):
            raise OrderRefused(f"the plan {plan!r} is in another currency than the line's wallet", "order.plan")
        return sim.host, False

    def _suspend(self, batch: Batch, sim: Sim) -> tuple[str, bool]:  # noqa: ARG002  (one signature for all kinds)
        _check_state(sim, SimState.ACTIVE, SimState.SUSPENDED)
        return sim.host, False

    def _resume(self, batch: Batch, sim: Sim) -> tuple[str, bool]:  # noqa: ARG002  (as above)
        _check_state(sim, SimState.SUSPENDED)
        reason = SuspendReason(self.asked.request.reason)
        if reason not in sim.suspended_for:
            stands = ", ".join(sorted(sim.suspended_for))
            raise OrderRefused(f"the card is not suspended for {reason}, but for {stands}", "sim.reason")
        return sim.host, bool(resumed(sim.suspended_for, reason))

    def _swap(self, batch: Batch, sim: Sim) -> tuple[str, bool]:
        _check_state(sim, SimState.ACTIVE, SimState.SUSPENDED)
        if sim.suspended_for - {SuspendReason.LOST}:
            stands = ", ".join(sorted(sim.suspended_for))
            raise OrderRefused(
                f"the line is suspended for {stands}: resume it before its card is swapped", "sim.reason"
            )
        if self.asked.request.new_iccid == sim.iccid:
            raise OrderRefused("the new card is the old one", "sim.same")
        new = self._free_card(batch, self.asked.request.new_iccid)
        _check_state(new, SimState.IN_STOCK)
        _check_country(batch, sim.host, "", new.imsi)
        return sim.host, False

    def _terminate(self, batch: Batch, sim: Sim) -> tuple[str, bool]:  # noqa: ARG002  (as above)
        _check_state(sim, SimState.ACTIVE, SimState.SUSPENDED)
        return sim.host, False

    def _retire(self, batch: Batch, sim: Sim) -> tuple[str, bool]:
        _check_state(sim, SimState.QUARANTINED)
        if sim.free_at is None or sim.free_at > batch.now:
            raise OrderRefused("the card's quarantine is not over", "sim.quarantine")
        return sim.host, False

    def _settle_in(self, batch: Batch, order: Order) -> None:
        """Write on the cards what the order means for them from now on."""
        sim, request = self.sim(batch, order), order.request
        if order.kind is Kind.ACTIVATE:
            sim.msisdn, sim.plan, sim.host = request.msisdn, request.plan, order.host
            batch.row_set(HolderRows).rows[request.msisdn] = sim.iccid
        elif order.kind is Kind.SUSPEND:
            sim.suspended_for = suspended_for(sim.suspended_for, SuspendReason(request.reason))
        elif order.kind is Kind.SWAP:
            new = self.sim(batch, order, Card.NEW)
            new.plan, new.host = sim.plan, sim.host
        for iccid in cards_of(order):
            batch.row_set(SimRows).rows[iccid].order_id = order.id


class CheckOrder(AcceptOrder):
    """Whether an order would be accepted now; nothing is written."""

    def decide(self, batch: Batch) -> OrderRefused | None:  # type: ignore[override]  # there is no order to tell of
        """Say why it would not be."""
        kept = batch.row_set(KeyRows).find(self._scope, self.key) if self.key else None
        if kept is not None and kept.digest != self.asked.digest(batch.policy(Digests)):
            return OrderRefused("this idempotency key was used before for another order", "order.key")
        if kept is not None and not self._was_taken_back(batch, int(kept.result)):
            return None
        try:
            self._check(batch)
        except OrderRefused as refusal:
            return refusal
        return None

    def _was_taken_back(self, batch: Batch, order_id: int) -> bool:
        state = batch.connection.execute(select(orders.c.state).where(orders.c.id == order_id)).scalar()
        return state == OrderState.COMPENSATED


_PREPARE = {
    Kind.ACTIVATE: AcceptOrder._activate,  # noqa: SLF001  (the class's own table)
    Kind.SUSPEND: AcceptOrder._suspend,  # noqa: SLF001  (as above)
    Kind.RESUME: AcceptOrder._resume,  # noqa: SLF001  (as above)
    Kind.SWAP: AcceptOrder._swap,  # noqa: SLF001  (as above)
    Kind.TERMINATE: AcceptOrder._terminate,  # noqa: SLF001  (as above)
    Kind.RENUMBER: AcceptOrder._renumber,  # noqa: SLF001  (as above)
    Kind.REPLAN: AcceptOrder._replan,  # noqa: SLF001  (as above)
    Kind.RETIRE: AcceptOrder._retire,  # noqa: SLF001  (as above)
}
"""What each kind checks: it gives the host, and whether a resume leaves reasons."""


def check_number(batch: Batch, msisdn: str, *, returning: bool) -> None:
    """Refuse a number that a line has, or is promised, or that is in quarantine unless its last customer comes back for it."""
    lines = batch.row_set(IdentifierRows)
    if batch.row_set(HolderRows).get(msisdn) is not None or lines.current(MSISDN, msisdn) is not None:
        raise OrderRefused("the number belongs to another line, or is promised to one", "order.msisdn")
    left_at, quarantine = lines.left_at(MSISDN, msisdn), batch.policy(SimsPolicy).quarantine
    waits = left_at is not None and left_at + quarantine > batch.now
    if left_at is not None and waits and not returning:
        days = (left_at + quarantine - batch.now) // 86_400_000_000 + 1
        to_do = "only its last customer may have it back, by an admin's order with `returning` and a reason"
        raise OrderRefused(f"the number is in quarantine for {days} more days; {to_do}", "order.quarantine")
    if returning and not waits:
        raise OrderRefused("the number is in no quarantine: order it without `returning`", "order.returning")


def _check_host(sim: Sim) -> None:
    if not sim.host:
        raise OrderRefused("the card's line has no host that could be told", "order.host")


def _check_country(batch: Batch, host: str, msisdn: str, imsi: str) -> None:
    foreign = batch.policy(SimsPolicy).foreign(host, msisdn, imsi)
    if foreign:
        raise OrderRefused(foreign, "order.country")


def _check_state(sim: Sim, *allowed: SimState) -> None:
    if sim.state not in allowed:
        raise OrderRefused(f"the card is {sim.state}; this needs one that is {' or '.join(allowed)}", "sim.state")
