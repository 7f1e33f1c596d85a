"""The socket under one `Peer`: octets in, octets out once a tick of the loop, one timer. No task for a request."""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol, cast

from protocols.diameter.codec import Header
from protocols.diameter.events import Closed, Event, Received
from protocols.diameter.identity import Limits, certificate_names
from protocols.diameter.peer_table import Access, Counters
from protocols.diameter.session import Peer
from protocols.diameter.transitions import CloseReason
from protocols.tap import NOWHERE, Captured, Tap, endpoint


class Owner(Protocol):
    """The node, as a connection sees it."""

    def made(self, connection: "Connection") -> None:
        """The transport of a connection is there."""

    def received(self, connection: "Connection", header: Header, frame: bytes, now: float) -> None:
        """An application's message has come."""

    def happened(self, connection: "Connection", event: Event, now: float) -> None:
        """Something else has."""

    def gone(self, connection: "Connection", detail: str) -> None:
        """Nothing is left of the connection."""


class Connection(asyncio.Protocol):
    """One transport connection, with its `Peer`."""

    def __init__(
        self,
        owner: Owner,
        peer: Peer,
        limits: Limits,
        clock: Callable[[], float],
        address: str = "",
    ) -> None:
        self.peer = peer
        self.identity = ""
        """Of the configured peer, once it is known."""
        self.relay = False
        self.outstanding = 0
        """Requests that were handed over and not answered yet; `Peer` counts those that still lie in a read, too."""
        self.counters = Counters()
        self.access = Access(address)
        self.local = self.remote = NOWHERE
        self.making: asyncio.Task[None] | None = None
        """What dials, or does the handshake of TLS, until the transport is there."""
        self.unclaimed: socket.socket | None = None
        """An accepted socket that `making` has not taken yet."""
        self._tap: Tap | None = None
        self._owner = owner
        self._limits = limits
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._flush_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._stall: asyncio.TimerHandle | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._gone = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there, TLS included."""
        self._adopt(cast("asyncio.Transport", transport))
        self._owner.made(self)
        if self._gone:  # given up while it was being made
            self._drop()
            return
        now = self._clock()
        self.peer.connected(now)
        self.pump(now)

    def data_received(self, data: bytes) -> None:
        """Octets have come: all whole messages in them are handled now."""
        now = self._clock()
        self.peer.receive(data, now)
        self.pump(now)

    def eof_received(self) -> None:
        """The peer will send no more; a Diameter connection is of no use in one direction."""

    def pause_writing(self) -> None:
        """The peer does not read what we send: we don't read either, for a while."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.pause_reading()
        self.peer.pause()
        self._stall = self._loop.call_later(self._limits.write_deadline, self._cut_slow_reader)

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        self.peer.resume(self._clock())

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._end("" if exc is None else str(exc) or type(exc).__name__)

    # What the node calls

    def send_answer(self, message: bytes, *, rejected: bool) -> None:
        """Send an answer with the others of this tick; counted as dropped if the connection is gone."""
        self.outstanding -= 1
        if not self.peer.send_answer(message, self._clock()):
            self.counters.dropped += 1
            return
        self.counters.answers_out += 1
        if rejected:
            self.counters.rejected += 1
        self.flush_soon()

    def set_tap(self, tap: Tap | None) -> None:
        """Have each message told from now on, or none any more."""
        self._tap = tap
        self.peer.tap = None if tap is None else self._capture

    def flush_soon(self) -> None:
        """Send at the end of this tick of the loop what has been gathered until then."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def pump(self, now: float) -> None:
        """Tell the owner what happened, send what there is to send, set the timer."""
        owner = self._owner
        closed = False
        for event in self.peer.events():
            if type(event) is Received:
                owner.received(self, event.header, event.frame, now)
            else:
                owner.happened(self, event, now)
                closed = closed or type(event) is Closed
        if closed:
            self._close()
        elif not self.peer.closed:
            if self.peer.has_output:
                self.flush_soon()
            self._arm(now)

    def fail(self, detail: str) -> None:
        """The connection could not be made."""
        self._end(detail)

    def evict(self, detail: str) -> None:
        """Close at once, without a word."""
        now = self._clock()
        self.peer.abandon(CloseReason.ABANDONED, now)
        self.pump(now)
        self._drop(detail)

    # Inside

    def _capture(self, outgoing: bool, message: bytes) -> None:  # noqa: FBT001 - see FrameTap
        if self._tap is not None:
            claimed = self.peer.capabilities.origin_host if self.peer.capabilities else ""
            self._tap(Captured("diameter", self.identity or claimed, self.local, self.remote, outgoing, message))

    def _adopt(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=self._limits.write_high_water)
        self.local = endpoint(transport.get_extra_info("sockname"))
        self.remote = endpoint(transport.get_extra_info("peername"))
        if self.remote is not NOWHERE:
            secure = transport.get_extra_info("ssl_object") is not None
            certificate = transport.get_extra_info("peercert") if secure else None
            self.access = Access(self.remote[0], secure, certificate_names(certificate) if certificate else None)

    def _flush(self) -> None:
        self._flush_due = False
        transport = self._transport
        if transport is None or transport.is_closing() or not self.peer.has_output:
            return
        transport.write(self.peer.data_to_send())
        if transport.get_write_buffer_size() > self._limits.write_buffer:
            self._cut_slow_reader()
        elif not self.peer.closed and self._timer is None:
            self._arm(self._clock())

    def _cut_slow_reader(self) -> None:
        self._stall = None
        now = self._clock()
        self.peer.cut_off(CloseReason.SLOW_READER, now)
        self.pump(now)
        self._drop()

    def _arm(self, now: float) -> None:
        """Let the timer ring not later than the peer's deadline; one that rings too early is set again."""
        deadline = self.peer.deadline()
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - now), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._clock()
        self.peer.on_timer(now)
        self.pump(now)

    def _close(self) -> None:
        """Send the last words, then close; a peer that does not take them is cut off."""
        if self._gone:
            return
        transport = self._transport
        if transport is None:
            self._drop()
            return
        if transport.is_closing():
            return
        last = self.peer.data_to_send()
        if last:
            transport.write(last)
        transport.close()
        if self._linger is None:
            self._linger = self._loop.call_later(self._limits.closing_deadline, self._drop)

    def _drop(self, detail: str = "") -> None:
        """Without waiting for anything."""
        if self._transport is not None:
            self._transport.abort()
            return
        if self.making is not None:
            self.making.cancel()
        if self.unclaimed is not None:
            self.unclaimed.close()
        self._end(detail)

    def _end(self, detail: str) -> None:
        """Forget everything; may be called again."""
        if self._gone:
            return
        self._gone = True
        for timer in (self._timer, self._stall, self._linger):
            if timer is not None:
                timer.cancel()
        now = self._clock()
        self.peer.connection_lost(now, detail)
        self.pump(now)
        self._owner.gone(self, detail)
