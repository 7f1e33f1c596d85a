"""One transport connection of Diameter: hands what its `Peer` has to tell to the node, and takes answers from it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from protocols.diameter.events import Closed, Event, Received, Shed
from protocols.diameter.identity import certificate_names
from protocols.diameter.limits import Limits
from protocols.diameter.peer_table import Access, Counters
from protocols.diameter.session import Peer
from protocols.diameter.transitions import CloseReason
from protocols.network import SOCKETS, Network
from protocols.stream import Stream
from protocols.tap import NOWHERE


class Owner(Protocol):
    """The node, as a connection sees it."""

    def made(self, connection: "Connection") -> None:
        """The transport of a connection is there."""

    def received(self, connection: "Connection", event: Received, now: float) -> None:
        """An application's message has come."""

    def shed(self, connection: "Connection", event: Shed, now: float) -> None:
        """Requests have come that are to be refused."""

    def happened(self, connection: "Connection", event: Event, now: float) -> None:
        """Something else has."""

    def gone(self, connection: "Connection", detail: str) -> None:
        """Nothing is left of the connection."""


class Connection(Stream[Peer]):
    """One transport connection, with its `Peer` as `session`."""

    protocol = "diameter"
    sending_moves_deadline = False

    def __init__(
        self,
        owner: Owner,
        session: Peer,
        limits: Limits,
        clock: Callable[[], float],
        address: str = "",
        network: Network = SOCKETS,
    ) -> None:
        super().__init__(session, limits, clock, network)
        self.identity = ""
        """Of the configured peer, once it is known."""
        self.relay = False
        self.counters = Counters()
        self.access = Access(address)
        self._owner = owner

    # What the node calls

    def send_answer(self, message: bytes, *, rejected: bool) -> None:
        """Send an answer with the others of this tick; counted as dropped if the connection is gone."""
        if not self.session.send_answer(message, self._clock()):
            self.counters.dropped += 1
            return
        self.counters.answers_out += 1
        if rejected:
            self.counters.rejected += 1
        self.flush_soon()

    def send_refusals(self, messages: list[bytes]) -> None:
        """Send the answers to requests that were shed."""
        if self.session.send_refusals(messages):
            self.counters.answers_out += len(messages)
            self.counters.rejected += len(messages)
            self.flush_soon()
        else:
            self.counters.dropped += len(messages)

    def pump(self, now: float) -> None:
        """Report to the owner what happened, send what there is to send, set the timer."""
        owner = self._owner
        closed = False
        for event in self.session.events():
            if type(event) is Received:
                owner.received(self, event, now)
            elif type(event) is Shed:
                owner.shed(self, event, now)
            else:
                owner.happened(self, event, now)
                closed = closed or type(event) is Closed
        self._follow_up(now, closed)

    def evict(self, detail: str, reason: CloseReason = CloseReason.ABANDONED) -> None:
        """Close at once, without a word."""
        now = self._clock()
        self.session.abandon(reason, now)
        self.pump(now)
        self._drop(detail)

    # What `Stream` asks

    def _made(self, transport: asyncio.Transport) -> None:
        if self.remote is not NOWHERE:
            secure = transport.get_extra_info("ssl_object") is not None
            certificate = transport.get_extra_info("peercert") if secure else None
            self.access = Access(self.remote[0], secure, certificate_names(certificate) if certificate else None)
        self._owner.made(self)

    def _tap_name(self) -> str:
        claimed = self.session.capabilities.origin_host if self.session.capabilities else ""
        return self.identity or claimed

    def _slow_reader(self) -> None:
        now = self._clock()
        self.session.cut_off(CloseReason.SLOW_READER, now)
        self.pump(now)
        self._drop()

    def _lost(self, detail: str) -> None:
        self._owner.gone(self, detail)
