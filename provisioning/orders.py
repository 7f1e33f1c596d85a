"""An order as a saga: what is done to a line step by step, how it is undone, and what to do next. Pure.

Each step is written down before it is sent, with what the host held before, and is done when reading back shows what was
wanted. A host that refuses turns the order round: what was read before each step is given back, the last first; what an
order did not create it never deletes. A host that cannot be reached, or never shows it, or declines without a reason that
lasts, is asked again under the same call id, later and later. A host that still declines after `DECLINES` tries has refused;
after `ATTEMPTS` the order has failed: a person retries it, and it goes on where it stands. Some steps cannot be taken
back; beyond one, a refusal is a failure as well.
"""

from enum import StrEnum
from typing import Final

import msgspec

from provisioning.errors import ProvisioningError
from provisioning.hosts.interface import Access, Condition
from provisioning.hosts.ownership import Claim
from provisioning.sim_lifecycle import Trigger

ATTEMPTS: Final = 12
"""How often a step is tried until a person has to look at it."""
DECLINES: Final = 7
"""How often a step is tried that the host declines, until that counts as a refusal: for a minute."""
FIRST_DELAY: Final = 1_000_000
LAST_DELAY: Final = 300_000_000
"""Microseconds until a step is tried again, doubled each time up to the last."""
ERROR_SIZE: Final = 200
"""Characters kept of why a step did not succeed."""


class OrderRefused(ProvisioningError):
    """An order that cannot be accepted, retried or cancelled as things stand."""

    code = "order.refused"


class Kind(StrEnum):
    """What an order is for."""

    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RESUME = "resume"
    SWAP = "swap"
    TERMINATE = "terminate"
    RENUMBER = "renumber"
    """The line gets another number."""
    REPLAN = "replan"
    """The line gets another plan."""
    RETIRE = "retire"
    """Opened by the gateway when a card's quarantine is over."""


class OrderState(StrEnum):
    """How an order stands; the last four are final, but a failed order can be retried or cancelled."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    COMPENSATED = "compensated"
    CANCELLED = "cancelled"


class Mark(StrEnum):
    """How a step stands."""

    WAITING = "waiting"
    SENT = "sent"
    DONE = "done"
    UNDONE = "undone"


class Card(StrEnum):
    """Which card of an order is meant: the line's own, or the one that a swap puts in its place."""

    OWN = "own"
    NEW = "new"


class Wanted(msgspec.Struct, frozen=True):
    """A condition as a step wants it; `numbered`: with the line's MSISDN."""

    access: Access
    numbered: bool

    def condition(self, msisdn: str) -> Condition:
        """Return the condition for a line's number."""
        return Condition(self.access, msisdn if self.numbered else None)


class HostStep(msgspec.Struct, frozen=True, tag=True):
    """The host is brought to a condition. `claim` is what it may hold of the card before; `undo`: that can be given back."""

    name: str
    card: Card
    wanted: Wanted
    claim: Claim
    undo: bool = False


class GatewayStep(msgspec.Struct, frozen=True, tag=True):
    """Something that the gateway does itself. `final`: it cannot be taken back."""

    name: str
    final: bool = False


Step = HostStep | GatewayStep

_GONE, _SILENT = Wanted(Access.ABSENT, numbered=False), Wanted(Access.BARRED, numbered=False)
_BARRED, _OPEN = Wanted(Access.BARRED, numbered=True), Wanted(Access.OPEN, numbered=True)

SAGAS: Final[dict[Kind, tuple[Step, ...]]] = {
    Kind.ACTIVATE: (
        HostStep("host.activate", Card.OWN, _OPEN, Claim.NEW, undo=True),
        GatewayStep("line.enable", final=True),
    ),
    Kind.SUSPEND: (
        GatewayStep("line.bar", final=True),
        HostStep("host.suspend", Card.OWN, _BARRED, Claim.LINE),
    ),
    Kind.RESUME: (
        HostStep("host.resume", Card.OWN, _OPEN, Claim.LINE, undo=True),
        GatewayStep("line.open", final=True),
    ),
    Kind.SWAP: (
        GatewayStep("line.notice"),
        HostStep("host.prepare", Card.NEW, _SILENT, Claim.NEW, undo=True),
        HostStep("host.release", Card.OWN, _SILENT, Claim.LINE, undo=True),
        HostStep("host.assign", Card.NEW, _OPEN, Claim.LINE, undo=True),
        GatewayStep("line.move", final=True),
    ),
    Kind.TERMINATE: (
        GatewayStep("line.close", final=True),
        HostStep("host.terminate", Card.OWN, _SILENT, Claim.LINE),
        GatewayStep("line.end", final=True),
    ),
    Kind.RENUMBER: (
        HostStep("host.renumber", Card.OWN, _OPEN, Claim.LINE, undo=True),
        GatewayStep("line.renumber", final=True),
    ),
    Kind.REPLAN: (
        HostStep("host.replan", Card.OWN, _OPEN, Claim.LINE, undo=True),
        GatewayStep("line.replan", final=True),
    ),
    Kind.RETIRE: (
        HostStep("host.delete", Card.OWN, _GONE, Claim.LEFT),
        GatewayStep("line.retire", final=True),
    ),
}
"""The steps of each kind of order, in their order."""


class Moment(StrEnum):
    """When an order moves a card in its life."""

    ACCEPTED = "accepted"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    COMPENSATED = "compensated"
    CANCELLED = "cancelled"


MOVES: Final[dict[tuple[Kind, Moment], tuple[tuple[Card, Trigger], ...]]] = {
    (Kind.ACTIVATE, Moment.ACCEPTED): ((Card.OWN, Trigger.RESERVE),),
    (Kind.ACTIVATE, Moment.BEGUN): ((Card.OWN, Trigger.BEGIN),),
    (Kind.ACTIVATE, Moment.DONE): ((Card.OWN, Trigger.ENABLED),),
    (Kind.ACTIVATE, Moment.FAILED): ((Card.OWN, Trigger.FAILED),),
    (Kind.ACTIVATE, Moment.COMPENSATED): ((Card.OWN, Trigger.UNDONE),),
    (Kind.ACTIVATE, Moment.CANCELLED): ((Card.OWN, Trigger.RELEASE),),
    (Kind.SUSPEND, Moment.ACCEPTED): ((Card.OWN, Trigger.SUSPEND),),
    (Kind.RESUME, Moment.DONE): ((Card.OWN, Trigger.RESUME),),
    (Kind.SWAP, Moment.ACCEPTED): ((Card.NEW, Trigger.RESERVE),),
    (Kind.SWAP, Moment.BEGUN): ((Card.NEW, Trigger.BEGIN),),
    (Kind.SWAP, Moment.DONE): ((Card.OWN, Trigger.REPLACED), (Card.NEW, Trigger.ENABLED)),
    (Kind.SWAP, Moment.FAILED): ((Card.NEW, Trigger.FAILED),),
    (Kind.SWAP, Moment.COMPENSATED): ((Card.NEW, Trigger.UNDONE),),
    (Kind.SWAP, Moment.CANCELLED): ((Card.NEW, Trigger.RELEASE),),
    (Kind.TERMINATE, Moment.ACCEPTED): ((Card.OWN, Trigger.TERMINATE),),
    (Kind.TERMINATE, Moment.DONE): ((Card.OWN, Trigger.ENDED),),
    (Kind.RENUMBER, Moment.DONE): ((Card.OWN, Trigger.AMEND),),
    (Kind.REPLAN, Moment.DONE): ((Card.OWN, Trigger.AMEND),),
    (Kind.RETIRE, Moment.DONE): ((Card.OWN, Trigger.RETIRE),),
}
"""Which card an order moves, at which moment, by which trigger of its life."""


class OrderRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was asked for; keys never stand here.

    `adopt`: what the host holds of the card already is taken over. `returning`: the number's last customer comes back for it,
    so that its quarantine is passed over. `effective`: when a plan begins, empty at once.
    """

    msisdn: str = ""
    plan: str = ""
    cause: str = ""
    reason: str = ""
    new_iccid: str = ""
    adopt: bool = False
    returning: bool = False
    effective: str = ""


class StepLog(msgspec.Struct):
    """What became of one step; `at` in microseconds. `note` is what the step has to remember of what it did.

    `before` is what the host held before the step was sent (interface.Holding), sealed, for it may have keys in it: empty
    where it held nothing, None while that was not read, and again once the order has come to its end. `found` tells the
    same to people, numbers masked, and stays.
    """

    name: str
    mark: Mark = Mark.WAITING
    attempts: int = 0
    at: int = 0
    error: str = ""
    note: str = ""
    found: str = ""
    before: bytes | None = None


class Order(msgspec.Struct):
    """One order; times in microseconds. `undoing`: it goes backwards. `due_at`: not to be touched before."""

    id: int
    node: int
    kind: Kind
    iccid: str
    host: str
    state: OrderState
    actor: str
    request: OrderRequest
    steps: list[StepLog]
    undoing: bool
    due_at: int
    created_at: int
    updated_at: int

    @property
    def open(self) -> bool:
        """Whether something of it is still to be done."""
        return self.state in (OrderState.ACCEPTED, OrderState.RUNNING)

    def iccid_of(self, card: Card) -> str:
        """Return the card that a step is about."""
        return self.request.new_iccid if card is Card.NEW else self.iccid


class Move(msgspec.Struct, frozen=True):
    """What to do next: step number `place`, forwards or back."""

    place: int
    step: Step
    undo: bool

    def call_id(self, order: Order) -> str:
        """Name this call: the same whenever it is tried again."""
        return f"{order.id}.{self.place}{'u' if self.undo else ''}"


def steps_of(kind: Kind, *, reasons_left: bool = False) -> list[StepLog]:
    """Return the steps of a new order; a resume that leaves other reasons touches no host."""
    saga = SAGAS[kind]
    if kind is Kind.RESUME and reasons_left:
        saga = saga[1:]
    return [StepLog(step.name) for step in saga]


def step_of(order: Order, place: int) -> Step:
    """Return the definition of a step of an order."""
    name = order.steps[place].name
    return next(step for step in SAGAS[order.kind] if step.name == name)


def next_move(order: Order) -> Move | None:
    """Return what is to be done next; None: the order has come to its end, see `ending`."""
    if not order.undoing:
        for place, log in enumerate(order.steps):
            if log.mark is not Mark.DONE:
                return Move(place, step_of(order, place), undo=False)
        return None
    for place in reversed(range(len(order.steps))):
        step = step_of(order, place)
        if order.steps[place].mark in (Mark.SENT, Mark.DONE) and isinstance(step, HostStep) and step.undo:
            return Move(place, step, undo=True)
    return None


def begin(order: Order, move: Move, now: int, before: bytes | None = None, found: str = "") -> Moment | None:
    """Write down that a step is about to be sent, and what the host held before; tells of the order's first step.

    Without knowing what the host held nothing is sent to it: an attempt to read that is counted, and no more.
    """
    log = order.steps[move.place]
    fresh = order.state is OrderState.ACCEPTED
    order.state, order.updated_at = OrderState.RUNNING, now
    order.due_at = min(order.due_at, now)  # by a clock that went back since it was still to wait, if we die meanwhile
    log.at, log.attempts = now, log.attempts + 1
    if before is not None and log.before is None:
        log.before, log.found = before, found
    if not move.undo and (isinstance(move.step, GatewayStep) or log.before is not None):
        log.mark = Mark.SENT
    return Moment.BEGUN if fresh else None


def succeed(order: Order, move: Move, now: int) -> Moment | None:
    """Write down that a step is done, or undone; tells of the order's end."""
    log = order.steps[move.place]
    log.mark, log.at, log.attempts = Mark.UNDONE if move.undo else Mark.DONE, now, 0
    if not move.undo:
        log.error = ""  # what kept it from being done is over; a step that is taken back keeps why
    order.updated_at, order.due_at = now, now
    if next_move(order) is not None:
        return None
    return _end(order, OrderState.COMPENSATED if order.undoing else OrderState.DONE)


def refuse(order: Order, move: Move, error: str, now: int, *, untouched: bool = False) -> Moment | None:
    """The host said no: turn round, or give up where something cannot be taken back.

    `untouched`: it holds the card for somebody else, so that there is nothing of ours to take back.
    """
    _note(order, move, error, now)
    if untouched and not move.undo:
        log = order.steps[move.place]
        log.mark, log.before, log.found = Mark.WAITING, None, ""
    if move.undo or not can_undo(order):
        return _give_up(order)
    order.undoing = True
    order.steps[move.place].attempts = 0
    if next_move(order) is None:
        return _end(order, OrderState.COMPENSATED)
    return None


def postpone(order: Order, move: Move, error: str, now: int, after: int | None = None) -> Moment | None:
    """The host could not be reached, or did not show it: try again later; `after`: microseconds that it asked for."""
    _note(order, move, error, now)
    attempts = order.steps[move.place].attempts
    if attempts >= ATTEMPTS:
        return _give_up(order)
    order.due_at = now + max(after or 0, min(LAST_DELAY, FIRST_DELAY << max(attempts - 1, 0)))
    return None


def decline(order: Order, move: Move, error: str, now: int) -> Moment | None:
    """The host said no for a reason that may pass: try again later and, where it stays at that, take it for a refusal.

    What cannot be taken back anyway is tried as often as with a host that cannot be reached.
    """
    if not move.undo and can_undo(order) and order.steps[move.place].attempts >= DECLINES:
        return refuse(order, move, error, now)
    return postpone(order, move, error, now)


def retry(order: Order, now: int) -> Moment | None:
    """A person wants a failed order to go on where it stands; an order that waits is tried now."""
    if order.state not in (OrderState.FAILED, OrderState.ACCEPTED, OrderState.RUNNING):
        raise OrderRefused(f"the order is {order.state}: {_NOT_RETRIED[order.state]}", "order.state")
    again = order.state is OrderState.FAILED
    for log in order.steps:
        log.attempts = 0
    if again:
        order.state = OrderState.RUNNING
    order.due_at = order.updated_at = now
    return Moment.BEGUN if again else None


_NOT_RETRIED: Final = {
    OrderState.DONE: "there is nothing to retry",
    OrderState.COMPENSATED: "all of it was taken back, so give it again; a bulk gives its rows again by the same command",
    OrderState.CANCELLED: "it was taken back before it began, so give it again",
}


def cancel(order: Order, now: int) -> Moment | None:
    """A person wants it undone: at once if nothing was sent, by compensation if all of it can be taken back."""
    if order.state is OrderState.ACCEPTED:
        if (order.kind, Moment.ACCEPTED) in MOVES and (order.kind, Moment.CANCELLED) not in MOVES:
            raise OrderRefused(f"an order to {order.kind} holds from the moment it is accepted", "order.state")
        order.state, order.updated_at = OrderState.CANCELLED, now
        return Moment.CANCELLED
    if order.state not in (OrderState.RUNNING, OrderState.FAILED) or order.undoing or not can_undo(order):
        stands = "goes back already" if order.undoing else f"is {order.state}, and its steps cannot all be taken back"
        raise OrderRefused(f"the order {stands}", "order.state")
    again = order.state is OrderState.FAILED
    order.undoing, order.state, order.due_at, order.updated_at = True, OrderState.RUNNING, now, now
    for log in order.steps:
        log.attempts = 0
    if next_move(order) is None:
        return _end(order, OrderState.COMPENSATED)
    return Moment.BEGUN if again else None


def can_undo(order: Order) -> bool:
    """Whether every step that was sent so far can be taken back; a step of the gateway has its effect once it is sent."""
    for place, log in enumerate(order.steps):
        if log.mark in (Mark.WAITING, Mark.UNDONE):
            continue
        step = step_of(order, place)
        if step.final if isinstance(step, GatewayStep) else not step.undo:
            return False
    return True


def _note(order: Order, move: Move, error: str, now: int) -> None:
    log = order.steps[move.place]
    log.at, log.error, order.updated_at = now, error[:ERROR_SIZE], now


def _end(order: Order, state: OrderState) -> Moment:
    """Bring an order to its end; what hosts held before is needed no more."""
    order.state = state
    for log in order.steps:
        log.before = None
    return Moment.COMPENSATED if state is OrderState.COMPENSATED else Moment.DONE


def _give_up(order: Order) -> Moment:
    order.state = OrderState.FAILED
    return Moment.FAILED
