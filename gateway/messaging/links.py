"""The set of links to SMSCs: made from their routes, dialled, added, removed and stopped while texts go on."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from gateway.messaging.routing import Route, SmscLink
from protocols.errors import LocalProtocolError
from protocols.network import SOCKETS, Network
from protocols.smpp.client import Link, Request, Result
from protocols.smpp.node_events import LinkDown, LinkEvent
from protocols.smpp.transitions import CloseReason
from protocols.tap import Tap

LATELY = 600.0
"""Seconds for which the loss of a link is remembered."""


class Losses:
    """How often each link was lost lately: it was bound, and ended otherwise than in order."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lost: dict[str, deque[float]] = {}

    def record(self, event: LinkEvent, now: float) -> None:
        """Count an event if it is a loss."""
        if isinstance(event, LinkDown) and event.reason not in (CloseReason.STOPPED, CloseReason.LEFT):
            self._lost.setdefault(event.name, deque(maxlen=100)).append(now)

    def lately(self, now: float) -> dict[str, int]:
        """Count the losses of the last ten minutes, by link."""
        counted = {name: sum(at > now - LATELY for at in times) for name, times in self._lost.items()}
        return {name: count for name, count in counted.items() if count}


class LinkSet:
    """The links by name. What comes of each is handed on together with the link that it came by."""

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        on_request: Callable[[SmscLink, Request], None],
        on_result: Callable[[SmscLink, Result], None],
        on_ready: Callable[[], None],
        on_event: Callable[[LinkEvent], None],
        monotonic: Callable[[], float],
        random: Callable[[], float],
        network: Network = SOCKETS,
    ) -> None:
        """Take the routes, and who is told of requests, of results, of free places in a window, and of binds and drops."""
        self._on_request, self._on_result = on_request, on_result
        self._on_ready, self._on_event = on_ready, on_event
        self._monotonic, self._random, self._network = monotonic, random, network
        self._tap: Tap | None = None
        self._links = {route.config.name: self._make(route) for route in routes}

    def _make(self, route: Route) -> SmscLink:
        link = Link(
            route.config,
            on_request=lambda request: self._on_request(smsc_link, request),
            on_result=lambda result: self._on_result(smsc_link, result),
            on_ready=self._on_ready,
            on_event=self._on_event,
            clock=self._monotonic,
            random=self._random,
            network=self._network,
        )
        link.set_tap(self._tap)
        smsc_link = SmscLink(route, link)
        return smsc_link

    def __iter__(self) -> Iterator[SmscLink]:
        """Go through the links."""
        return iter(self._links.values())

    def get(self, name: str) -> SmscLink | None:
        """Return a link, None if there is none of that name."""
        return self._links.get(name)

    def by_name(self) -> Mapping[str, Link]:
        """Return the SMPP links by name."""
        return {name: smsc_link.link for name, smsc_link in self._links.items()}

    @property
    def unanswered(self) -> int:
        """How many requests are out on all links without an answer."""
        return sum(smsc_link.link.state().unanswered for smsc_link in self)

    def set_tap(self, tap: Tap | None) -> None:
        """Have each PDU of every link copied to a tap from now on, also of links to come; None ends it."""
        self._tap = tap
        for smsc_link in self:
            smsc_link.link.set_tap(tap)

    def start(self) -> None:
        """Dial all links."""
        for smsc_link in self:
            smsc_link.link.start()

    async def stop(self, deadline: float) -> None:
        """Take the answers to what is out within `deadline` seconds, and unbind."""
        await asyncio.gather(*(smsc_link.link.stop(deadline) for smsc_link in self))

    def add(self, route: Route) -> SmscLink:
        """Make one more link and dial it; LocalProtocolError if there is one of its name."""
        name = route.config.name
        if name in self._links:
            raise LocalProtocolError(f"there is a link {name} already", "smpp.link.known")
        smsc_link = self._links[name] = self._make(route)
        smsc_link.link.start()
        return smsc_link

    async def remove(self, name: str, deadline: float) -> None:
        """Give a link nothing new, take the answers to what is out within `deadline` seconds, unbind, and forget it."""
        smsc_link = self._links.pop(name, None)
        if smsc_link is None:
            raise LocalProtocolError(f"there is no link {name}", "smpp.link.unknown")
        await smsc_link.link.stop(deadline)
