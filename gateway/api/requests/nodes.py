"""Requests about gateways themselves: their status and events, draining one, taking over from one."""

from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import Limit, Number, Text

LONGEST_DRAIN: Final = 86_400
"""Seconds."""


class ListEvents(msgspec.Struct, frozen=True):
    """The latest events of the outbox, or those after the row `after`."""

    limit: Limit = None
    after: Number | None = None


class ShowStatus(msgspec.Struct, frozen=True):
    """How the gateway does, and `all` others on its store."""

    all: bool = False


class BeginDrain(msgspec.Struct, frozen=True):
    """The gateway is to leave: for how many seconds at most it waits for what runs."""

    NULL_IS_ABSENT: ClassVar[bool] = False

    timeout: Annotated[
        float, Meta(ge=0, le=LONGEST_DRAIN, extra=refused_as("drain.timeout", f"seconds, from 0 to {LONGEST_DRAIN}"))
    ] = 60


class NameNode(msgspec.Struct, frozen=True):
    """A gateway of the store, by its name (diameter.identity) or number."""

    node: Text


class AdoptNode(NameNode, frozen=True):
    """A gateway to take over from; by `force` also one that is alive."""

    force: bool = False
