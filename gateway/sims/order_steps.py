"""What the order executor writes down of an order's steps, and what a person decides of it, each as a unit."""

from collections.abc import Callable

from gateway.sims.cards import UNKNOWN, SimRows
from gateway.sims.orders import OrderUnit
from gateway.store.batch import Batch
from provisioning.hosts.interface import HostReading
from provisioning.orders import (
    Card,
    HostStep,
    Moment,
    Move,
    Order,
    OrderRefused,
    OrderState,
    begin,
    cancel,
    decline,
    postpone,
    refuse,
    retry,
    succeed,
)
from provisioning.sim_lifecycle import SimState


class BeginStep(OrderUnit):
    """A step is about to be sent: written down first, with what the host held before.

    `before` is that, sealed, None where it could not be read; `found` says it in words.
    """

    move: Move
    before: bytes | None = None
    found: str = ""

    def decide(self, batch: Batch) -> Order | None:
        """Return the order; None if it was cancelled or turned round meanwhile."""
        order = self.order(batch)
        if not order.open or order.undoing != self.move.undo:
            return None
        self.reach(batch, order, begin(order, self.move, batch.now, self.before, self.found))
        return order


class EndStep(OrderUnit):
    """Reading back showed what was wanted, or a step of the gateway is done, for which there is no `reading`."""

    move: Move
    reading: HostReading | None = None

    def decide(self, batch: Batch) -> Order:
        """Return the order as it goes on."""
        order, step = self.order(batch), self.move.step
        if not order.open:
            return order  # it was cancelled meanwhile, and came to its end by that
        if self.reading is not None and isinstance(step, HostStep):
            self.sim(batch, order, step.card).see(self.reading.condition.access, batch.now)
        self.finish(batch, order, self.move)
        return order

    def finish(self, batch: Batch, order: Order, move: Move) -> None:
        """Mark the step and, after the last one, the order."""
        moment = succeed(order, move, batch.now)
        self.reach(batch, order, moment)
        if moment is Moment.COMPENSATED:
            let_go(batch, order)


class RefuseStep(OrderUnit):
    """The host said no: `error` is its reason, masked; `untouched`: the card is somebody else's there."""

    move: Move
    error: str
    untouched: bool = False

    def decide(self, batch: Batch) -> Order:
        """Return the order, turned round or failed."""
        order = self.order(batch)
        if not order.open:
            return order
        moment = refuse(order, self.move, self.error, batch.now, untouched=self.untouched)
        self.reach(batch, order, moment)
        if moment is Moment.COMPENSATED:
            let_go(batch, order)
        return order


class DeclineStep(OrderUnit):
    """The host said no for a reason that may pass: `error` is what it said, masked."""

    move: Move
    error: str

    def decide(self, batch: Batch) -> Order:
        """Return the order, due later, turned round or failed."""
        order = self.order(batch)
        if not order.open:
            return order
        moment = decline(order, self.move, self.error, batch.now)
        self.reach(batch, order, moment)
        if moment is Moment.COMPENSATED:
            let_go(batch, order)
        return order


class PostponeStep(OrderUnit):
    """The host could not be reached, or did not show what was wanted; `after`: the microseconds that it asked for."""

    move: Move
    error: str
    after: int | None = None

    def decide(self, batch: Batch) -> Order:
        """Return the order, due later or failed."""
        order = self.order(batch)
        if order.open:
            self.reach(batch, order, postpone(order, self.move, self.error, batch.now, self.after))
        return order


class RetryOrder(OrderUnit):
    """A person wants a failed order to go on."""

    def decide(self, batch: Batch) -> Order | OrderRefused | None:
        """Return the order, None if there is none, or why it cannot go on."""
        return _decided(self, batch, retry)


class CancelOrder(OrderUnit):
    """A person wants an order not to be done."""

    def decide(self, batch: Batch) -> Order | OrderRefused | None:
        """Return the order, None if there is none, or why it cannot be taken back."""
        return _decided(self, batch, cancel)


def _decided(
    unit: OrderUnit, batch: Batch, change: Callable[[Order, int], Moment | None]
) -> Order | OrderRefused | None:
    try:
        order = unit.order(batch)
    except LookupError:
        return None
    sim = unit.sim(batch, order)
    if sim.order_id not in (None, order.id):
        return OrderRefused("another order works on this card now", "order.busy")
    # An order that fails lets go of its card at that moment. Later and earlier say nothing: clocks go back.
    if order.state is OrderState.FAILED and sim.order_id is None and sim.updated_at != order.updated_at:
        return OrderRefused("another order has changed the card since this one failed: give a new order", "order.stale")
    try:
        moment = change(order, batch.now)
    except OrderRefused as refusal:
        return refusal
    unit.reach(batch, order, moment)
    if moment in (Moment.CANCELLED, Moment.COMPENSATED):
        let_go(batch, order)
    return order


def let_go(batch: Batch, order: Order) -> None:
    """Free what was promised to a card that did not become a line after all."""
    for card in Card:
        sim = batch.row_set(SimRows).get(order.iccid_of(card))
        if sim is not None and sim.state is SimState.IN_STOCK:
            sim.msisdn, sim.plan, sim.host, sim.observed = None, "", "", UNKNOWN
            sim.touch(batch.now)
