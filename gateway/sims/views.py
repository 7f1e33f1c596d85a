"""Cards and orders as answers hold them: times RFC 3339, ids as text, keys never."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.events.times import Timestamp
from provisioning.orders import Kind, Mark, OrderState
from provisioning.sim_lifecycle import SimState, SuspendReason


class SimRow(msgspec.Struct, frozen=True):
    """A card as lists have it: its own number in full, for it is printed on it, and those of its line masked."""

    iccid: str
    state: SimState
    suspended_for: list[SuspendReason]
    imsi: str
    msisdn: str | None
    plan: str | None
    host: str | None
    observed: str
    observed_at: Timestamp | None
    order: str | None
    updated_at: Timestamp


class SimView(SimRow, frozen=True):
    """Everything of a card but its keys, its numbers in full."""

    eid: str | None
    keys: bool
    subscriber_id: str | None
    created_at: Timestamp
    free_at: Timestamp | None


class HistoryEntry(msgspec.Struct, frozen=True):
    """Something that happened to a card: what led to it, the states before and after, and who wanted it."""

    at: Timestamp
    trigger: str
    before: str
    after: str
    actor: str
    reason: str | None
    order: str | None
    amended: str | None


class OrderRow(msgspec.Struct, frozen=True):
    """An order as lists have it, the number masked."""

    id: str
    kind: Kind
    state: OrderState
    iccid: str
    msisdn: str | None
    host: str | None
    actor: str
    undoing: bool
    error: str | None
    created_at: Timestamp
    updated_at: Timestamp
    due_at: Timestamp | None


class StepView(msgspec.Struct, frozen=True):
    """A step of an order."""

    name: str
    mark: Mark
    attempts: int
    at: Timestamp | None
    error: str | None
    found: Annotated[
        str | None, Meta(description="what the host held of the card before this step; null: nothing, or not read")
    ]


class OrderView(OrderRow, frozen=True):
    """An order, what was asked for and each of its steps, but not for which cause."""

    plan: str | None
    reason: str | None
    new_iccid: str | None
    adopt: bool
    returning: bool
    steps: list[StepView]


class OrderStanding(msgspec.Struct, frozen=True):
    """How an order stands."""

    id: str
    state: OrderState
    error: str | None


class Difference(msgspec.Struct, frozen=True):
    """A card that its host holds otherwise than we intend; `repaired`: it was brought to it, and read back.

    `imsi` is there for a line that is not ours, in full: the host may know it by nothing else.
    """

    iccid: str
    host: str
    state: str
    wanted: str
    found: str
    repaired: bool = False
    imsi: str = ""


class UnreachableHost(msgspec.Struct, frozen=True):
    """A host that could not be compared, or not to the end, and why."""

    host: str
    detail: str


class Reconciliation(msgspec.Struct, frozen=True):
    """What was found: our cards that differ, lines of the hosts that are not ours, and the hosts that were not reached."""

    rows: list[Difference]
    strangers: list[Difference]
    unreachable: list[UnreachableHost]
