"""A component: a part of the running gateway, as the daemon starts it, stops it, reloads it and asks how it does."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import IntEnum
from itertools import groupby
from typing import ClassVar

import msgspec
from prometheus_client.core import Metric

from gateway.background import Background
from gateway.context import GatewayContext
from gateway.messaging.queue.query_sm import QueryEvent
from gateway.messaging.text_events import TextEvent
from gateway.metrics.registry import Metrics
from gateway.settings import Settings
from gateway.settings.diff import Changes
from gateway.store.errors import StoreError
from protocols.diameter.node_events import NodeEvent
from protocols.smpp.node_events import LinkEvent
from protocols.tap import Tap

NetworkEvent = NodeEvent | LinkEvent | QueryEvent | TextEvent


class Stage(IntEnum):
    """When a component stops: the stages follow each other, the components of one stop together (decision 012)."""

    INITIATORS = 1
    """What begins something: timers, orders, reloads, traces."""
    CONNECTIONS = 2
    """Peers and links are left in order, while their last answers still go out."""
    WORKERS = 3
    """What still has to be delivered: events."""
    API = 4
    """Whoever asks is answered until here."""
    LANE = 5


class Services(msgspec.Struct, frozen=True):
    """What every component works with.

    Attributes:
        log: writes an event of the catalogue, and counts it if it is worse than information.
        on_network: takes what the protocols tell.
    """

    context: GatewayContext
    metrics: Metrics
    background: Background
    log: Callable[[str, Mapping[str, object]], None]
    on_network: Callable[[NetworkEvent], None]


class Change(msgspec.Struct, frozen=True):
    """A configuration that was loaded and checked, and what differs from the one in force."""

    settings: Settings
    changes: Changes


class Prepared(msgspec.Struct, frozen=True):
    """A change that one component is ready for (decision 013).

    Attributes:
        apply: takes it over: it neither waits nor fails, and those of all components run in one tick of the loop.
        reconnect: leaves what went and dials what came, afterwards.
    """

    apply: Callable[[], None]
    reconnect: Callable[[], Awaitable[object]] | None = None


class Component:
    """One component; a subclass says what concerns it."""

    name: ClassVar[str]
    stage: ClassVar[Stage]
    stop_seconds: ClassVar[float] = 12.0
    """How long its stopping may take, until the next stage begins without it."""

    async def start(self) -> None:
        """Begin; whatever is wrong is raised, and ends the start of the gateway."""

    async def stop(self) -> None:
        """Come to an end; it was started."""

    async def prepare(self, change: Change) -> Prepared | None:
        """Make ready for a change whatever can fail, without changing anything; None: it does not concern it."""
        del change
        return None

    def metrics(self) -> Iterable[Metric]:
        """Return its figures as they are now."""
        return ()

    def set_tap(self, tap: Tap | None) -> None:
        """Have each message that it exchanges with the network copied to a tap from now on, or none any more."""


async def stop_in_stages(components: Iterable[Component], log: Callable[[str, Mapping[str, object]], None]) -> None:
    """Stop components stage by stage; what one of them fails at, or takes too long for, keeps no other from its stop."""

    async def stop(component: Component) -> None:
        try:
            await asyncio.wait_for(component.stop(), component.stop_seconds)
        except (OSError, StoreError, TimeoutError) as error:
            log("daemon.stop.incomplete", {"detail": f"{component.name}: {error!r}"})

    for _, stage in groupby(sorted(components, key=_stage), key=_stage):
        await asyncio.gather(*map(stop, stage))


def _stage(component: Component) -> Stage:
    return component.stage
