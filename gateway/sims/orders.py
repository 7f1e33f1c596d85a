"""Orders on disk, and what their progress does to the cards that they are about."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.sims.cards import Sim, SimRows
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.known_values import member_of
from gateway.store.statements import Insert, SelectAmong, Update
from gateway.store.tables import orders
from provisioning.orders import MOVES, Card, Kind, Moment, Order, OrderRequest, OrderState, StepLog

RETRIED = frozenset({Kind.ACTIVATE, Kind.SWAP, Kind.RENUMBER, Kind.REPLAN})
"""Kinds whose failed order keeps its cards until somebody retries or cancels it: they stand half done."""


_AMENDED = {Kind.RENUMBER: "msisdn", Kind.REPLAN: "plan"}
"""What a kind of order puts right of a card, for its history."""


class StoredOrder(msgspec.Struct):
    """An order among the rows of a batch."""

    order: Order
    fresh: bool = False
    changed: bool = False


_LOAD = SelectAmong(select(orders), orders.c.id, int, lock=orders)
_INSERT = Insert(orders)
_SAVE = Update(orders, ["node", "state", "request", "steps", "undoing", "due_at", "updated_at", "open"], ["id"])
_steps = msgspec.msgpack.Decoder(list[StepLog]).decode
_request = msgspec.msgpack.Decoder(OrderRequest).decode
_encode = msgspec.msgpack.Encoder().encode


class OrderRows(RowSet[int, StoredOrder]):
    """The orders that a batch touches, by id."""

    def load(self, connection: Connection, keys: set[int]) -> None:
        """Read and lock these orders."""
        for row in _LOAD.run(connection, sorted(keys)):
            self.rows[row[0]] = StoredOrder(from_row(row))

    def save(self, connection: Connection) -> None:
        """Write new and changed orders."""
        kept = [kept for kept in self.rows.values() if kept.changed]
        _INSERT.run(connection, [_row(each.order) for each in kept if each.fresh])
        _SAVE.run(connection, [_values(each.order) for each in kept if not each.fresh])


def from_row(row: Sequence[Any]) -> Order:
    """Make an order of its row."""
    order_id, node, kind, iccid, host, state, actor, request, steps, undoing, due_at, created_at, updated_at, _ = row
    return Order(
        order_id,
        node,
        member_of(Kind, kind, "orders", order_id),
        iccid,
        host,
        member_of(OrderState, state, "orders", order_id),
        actor,
        _request(request),
        _steps(steps),
        bool(undoing),
        due_at,
        created_at,
        updated_at,
    )


def _row(order: Order) -> tuple[Any, ...]:
    return (
        order.id,
        order.node,
        order.kind,
        order.iccid,
        order.host,
        order.state,
        order.actor,
        _encode(_kept_request(order)),
        _encode(order.steps),
        int(order.undoing),
        order.due_at,
        order.created_at,
        order.updated_at,
        int(order.open),
    )


def _values(order: Order) -> tuple[Any, ...]:
    request, steps = _encode(_kept_request(order)), _encode(order.steps)
    undoing, is_open = int(order.undoing), int(order.open)
    return (order.node, order.state, request, steps, undoing, order.due_at, order.updated_at, is_open, order.id)


def _kept_request(order: Order) -> OrderRequest:
    """Return what is written of the request: its cause, which is sealed, only while it is needed."""
    return order.request if keeps_cards(order) else msgspec.structs.replace(order.request, cause="")


def cause_owner(number: int) -> str:
    """Name the row of an order, for which the cause in its request is sealed."""
    return f"order/{number}"


def keeps_cards(order: Order) -> bool:
    """Return whether an order has its cards to itself still: it is open, or failed and waits for a person."""
    return order.open or (order.state is OrderState.FAILED and order.kind in RETRIED)


class CardUnit(Unit):
    """A unit on orders and the cards that they are about."""

    def sim(self, batch: Batch, order: Order, card: Card = Card.OWN) -> Sim:
        """Give one of the order's cards."""
        sim = batch.row_set(SimRows).get(order.iccid_of(card))
        if sim is None:
            raise LookupError(f"the {card} card of order {order.id} is not in the inventory")
        return sim

    def reach(self, batch: Batch, order: Order, moment: Moment | None) -> None:
        """Move the cards as the moment says; an order at its end lets go of them."""
        if moment is not None:
            reason = order.request.reason or ("adopt" if order.request.adopt else "")
            for card, trigger in MOVES.get((order.kind, moment), ()):
                moved = self.sim(batch, order, card)
                moved.move(batch, trigger, order.actor, reason, order.id, amended=_AMENDED.get(order.kind))
        held = keeps_cards(order)
        for iccid in cards_of(order):
            sim = batch.row_set(SimRows).get(iccid)
            wanted = order.id if held else None
            if sim is not None and sim.order_id in (order.id, None) and sim.order_id != wanted:
                sim.order_id = wanted
                sim.touch(batch.now)


class OrderUnit(CardUnit):
    """A unit on one order, named by its id: it has the order and its cards at hand."""

    touches: ClassVar[tuple[type, ...]] = (OrderRows, SimRows)

    order_id: int

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the order, then its cards."""
        if isinstance(row_set, OrderRows):
            return (self.order_id,)
        if isinstance(row_set, SimRows):
            kept = batch.row_set(OrderRows).get(self.order_id)
            return () if kept is None else cards_of(kept.order)
        return ()

    def order(self, batch: Batch) -> Order:
        """Return the order, to be written at the end; LookupError where there is none."""
        kept = batch.row_set(OrderRows).get(self.order_id)
        if kept is None:
            raise LookupError(f"there is no order {self.order_id}")
        kept.changed = True
        return kept.order


def cards_of(order: Order) -> tuple[str, ...]:
    """Return the ICCIDs that an order is about."""
    new = order.request.new_iccid
    return (order.iccid, new) if new else (order.iccid,)
