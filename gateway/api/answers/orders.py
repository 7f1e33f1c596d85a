"""Answers about orders for SIMs, one by one and in bulk."""

import msgspec

from gateway.sims.views import OrderRow, OrderStanding
from provisioning.orders import Kind, OrderState


class Orders(msgspec.Struct, frozen=True):
    """Orders, the newest first."""

    rows: list[OrderRow]


class OrderStates(msgspec.Struct, frozen=True):
    """How orders stand."""

    rows: list[OrderStanding]


class OrderTaken(msgspec.Struct, frozen=True):
    """An order that was accepted, now or (`repeated`) before."""

    order: str
    state: OrderState
    repeated: bool
    iccid: str


class OrderRowTaken(msgspec.Struct, frozen=True):
    """What became of one of many orders: its id and state, or the code and words of its refusal."""

    order: str | None
    state: OrderState | None
    code: str | None
    message: str


class OrderRowsTaken(msgspec.Struct, frozen=True):
    """What became of each row, in their order."""

    results: list[OrderRowTaken]


class OrderRowChecked(msgspec.Struct, frozen=True):
    """Whether one of many orders would be accepted now: the code and words of its refusal, None where there is none."""

    code: str | None
    message: str


class OrderRowsChecked(msgspec.Struct, frozen=True):
    """How each row was checked, in their order."""

    results: list[OrderRowChecked]


class OrderTakenOverHttp(msgspec.Struct, frozen=True):
    """An order that was accepted, as `POST /v1/orders` tells it."""

    id: str
    state: OrderState
    kind: Kind
    iccid: str
