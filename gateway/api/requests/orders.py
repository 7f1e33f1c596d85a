"""Requests about orders for SIMs, one by one and in bulk."""

from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import MAX_PAGE, MAX_TEXT, Limit, MaybeText, Time
from provisioning.orders import OrderState

MAX_BULK: Final = 1000
"""Rows of one call for many orders."""
OrderText = (
    Annotated[str, Meta(max_length=MAX_TEXT, extra=refused_as("order.field", "a text of at most 255 characters"))]
    | None
)
"""A text of an order; an empty one says as much as none."""
OrderFlag = Annotated[bool | Literal[""] | None, Meta(extra=refused_as("order.field", "true or false"))]
KINDS: Final = "one of activate, suspend, resume, swap, terminate, renumber, replan"


class ListOrders(msgspec.Struct, frozen=True):
    """Orders in a state, or in any, the newest first; those of one card or number, and those accepted in that time."""

    limit: Limit = None
    state: Annotated[OrderState, Meta(extra=refused_as("params.state"))] | None = None
    number: MaybeText = ""
    since: Time | None = None
    until: Time | None = None


class ShowOrder(msgspec.Struct, frozen=True):
    """An order by its id; what is no id names no order."""

    id: MaybeText = ""


class OrderStates(msgspec.Struct, frozen=True):
    """Orders by their ids."""

    ids: Annotated[
        list[str], Meta(max_length=MAX_PAGE, extra=refused_as("order.ids", f"a list of at most {MAX_PAGE} ids"))
    ]


class SimOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked of a card; which fields a kind of order needs is for `gateway.api.actions.order_fields` to say."""

    OBJECT_CODE: ClassVar[str] = "order.field"

    iccid: OrderText = None
    msisdn: OrderText = None
    plan: OrderText = None
    cause: OrderText = None
    reason: OrderText = None
    new_iccid: OrderText = None
    effective: OrderText = None
    adopt: OrderFlag = None
    returning: OrderFlag = None


class KeyedSimOrder(SimOrder, frozen=True, kw_only=True):
    """An order with what a repeated request repeats: its idempotency key."""

    key: (
        Annotated[
            str, Meta(max_length=MAX_TEXT, extra=refused_as("order.key", "a text of at most 255 printable characters"))
        ]
        | None
    ) = None


class OrderRow(KeyedSimOrder, frozen=True, kw_only=True):
    """One of many orders; it also says its kind."""

    kind: (
        Annotated[
            str,
            Meta(extra=refused_as("order.kind", KINDS)),
        ]
        | None
    ) = None


class OrderMany(msgspec.Struct, frozen=True):
    """Many orders; each row is read by itself, as `OrderRow`."""

    rows: Annotated[
        list[dict[str, object]],
        Meta(max_length=MAX_BULK, extra=refused_as("bulk.rows", f"a list of at most {MAX_BULK} objects")),
    ]
