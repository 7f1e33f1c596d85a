"""Reading cards and orders for `tpo sim`, `tpo order` and the HTTP interface."""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from msgspec import structs
from sqlalchemy import Connection, or_, select

from gateway.events.times import rfc3339
from gateway.privacy.masks import mask
from gateway.sims.cards import Sim
from gateway.sims.cards import from_row as sim_of
from gateway.sims.orders import from_row as order_of
from gateway.sims.views import HistoryEntry, OrderRow, OrderStanding, OrderView, SimRow, SimView, StepView
from gateway.store.tables import orders, sim_history, sims
from provisioning.orders import Order

FEW: Final = 500


def show_sim(connection: Connection, iccid: str) -> SimView | None:
    """Return everything of a card but its keys, its numbers in full; None if it is not in the inventory."""
    row = connection.execute(select(sims).where(sims.c.iccid == iccid)).one_or_none()
    if row is None:
        return None
    sim = sim_of(tuple(row))
    subscriber = None if sim.subscriber_id is None else str(sim.subscriber_id)
    listed = structs.asdict(_sim(sim)) | {"imsi": sim.imsi, "msisdn": sim.msisdn}
    return SimView(
        **listed,
        eid=sim.eid,
        keys=sim.keys is not None,
        subscriber_id=subscriber,
        created_at=rfc3339(sim.created_at),
        free_at=_time(sim.free_at),
    )


def list_sims(connection: Connection, after: str, limit: int, state: str | None = None) -> list[SimRow]:
    """Return the cards that follow the ICCID `after`, in the order of their ICCIDs."""
    found = select(sims).where(sims.c.iccid > after).order_by(sims.c.iccid).limit(limit)
    if state is not None:
        found = found.where(sims.c.state == str(state))
    return [_sim(sim_of(tuple(row))) for row in connection.execute(found)]


def history(connection: Connection, iccid: str) -> list[HistoryEntry]:
    """Return what happened to a card, the first thing first."""
    found = select(sim_history).where(sim_history.c.iccid == iccid).order_by(sim_history.c.at, sim_history.c.id)
    return [
        HistoryEntry(
            at=rfc3339(row.at),
            trigger=row.trigger,
            before=row.before,
            after=row.after,
            actor=row.actor,
            reason=row.reason or None,
            order=_id(row.order_id),
            amended=row.amended,
        )
        for row in connection.execute(found)
    ]


def show_order(connection: Connection, order_id: int) -> OrderView | None:
    """Return an order, what was asked for and each of its steps, but not for which cause; None if there is none."""
    row = connection.execute(select(orders).where(orders.c.id == order_id)).one_or_none()
    if row is None:
        return None
    order = order_of(tuple(row))
    request = order.request
    return OrderView(
        **structs.asdict(_order(order)),
        plan=request.plan or None,
        reason=request.reason or None,
        new_iccid=request.new_iccid or None,
        adopt=request.adopt,
        returning=request.returning,
        steps=_steps(order),
    )


def list_orders(
    connection: Connection,
    limit: int,
    state: str | None = None,
    *,
    number: str = "",
    since: int | None = None,
    until: int | None = None,
) -> list[OrderRow]:
    """Return the latest orders, the newest first: in a state, about a card or a number, accepted in that time."""
    found = select(orders).order_by(orders.c.id.desc())
    if state is not None:
        found = found.where(orders.c.state == str(state))
    if since is not None:
        found = found.where(orders.c.created_at >= since)
    if until is not None:
        found = found.where(orders.c.created_at < until)
    if not number:
        return [_order(order_of(tuple(row))) for row in connection.execute(found.limit(limit))]
    has = or_(sims.c.msisdn == number, sims.c.imsi == number, sims.c.iccid == number)
    about = {number, *connection.scalars(select(sims.c.iccid).where(has))}
    # What was asked for is packed in the row: orders are unpacked a few at a time.
    with connection.execute(found.execution_options(yield_per=FEW)) as rows:
        every = (order_of(tuple(row)) for row in rows)
        wanted = (order for order in every if about & {order.iccid, order.request.msisdn, order.request.new_iccid})
        return [_order(order) for order in islice(wanted, limit)]


def is_known(connection: Connection, number: str) -> bool:
    """Return whether a card has this ICCID, IMSI or number, or an order was ever about it."""
    own = sims.c
    has = or_(own.msisdn == number, own.imsi == number, own.iccid == number)
    card = connection.scalar(select(own.iccid).where(has).limit(1))
    return card is not None or bool(list_orders(connection, 1, number=number))


def order_states(connection: Connection, ids: Sequence[int]) -> list[OrderStanding]:
    """Return how orders stand, in the order of their ids; one that is not there is left out."""
    found = select(orders).where(orders.c.id.in_(ids)).order_by(orders.c.id)
    told = map(order_of, map(tuple, connection.execute(found)))
    return [OrderStanding(str(order.id), order.state, _error(order)) for order in told]


def _sim(sim: Sim) -> SimRow:
    return SimRow(
        iccid=sim.iccid,
        state=sim.state,
        suspended_for=sorted(sim.suspended_for),
        imsi=mask(sim.imsi),
        msisdn=None if sim.msisdn is None else mask(sim.msisdn),
        plan=sim.plan or None,
        host=sim.host or None,
        observed=sim.observed,
        observed_at=_time(sim.observed_at or None),
        order=_id(sim.order_id),
        updated_at=rfc3339(sim.updated_at),
    )


def _order(order: Order) -> OrderRow:
    return OrderRow(
        id=str(order.id),
        kind=order.kind,
        state=order.state,
        iccid=order.iccid,
        msisdn=mask(order.request.msisdn) or None,
        host=order.host or None,
        actor=order.actor,
        undoing=order.undoing,
        error=_error(order),
        created_at=rfc3339(order.created_at),
        updated_at=rfc3339(order.updated_at),
        due_at=rfc3339(order.due_at) if order.open else None,
    )


def _steps(order: Order) -> list[StepView]:
    return [
        StepView(
            name=log.name,
            mark=log.mark,
            attempts=log.attempts,
            at=_time(log.at or None),
            error=log.error or None,
            found=log.found or None,
        )
        for log in order.steps
    ]


def _error(order: Order) -> str | None:
    """Return why the order stands where it does: what its last step to fail said."""
    failed = [log for log in order.steps if log.error]
    return max(failed, key=lambda log: log.at).error if failed else None


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _id(number: int | None) -> str | None:
    return None if number is None else str(number)
