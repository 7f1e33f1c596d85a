"""The socket under one `Session`: octets in, octets out once a tick of the loop, one timer. No task for a PDU."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from protocols.errors import LocalProtocolError
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Closed, Doubt, Doubtful, Event, MessageRefused, Ready, Received, Responded, Throttled
from protocols.smpp.limits import Limits
from protocols.smpp.messages import RESPONSES, Pdu
from protocols.smpp.node_events import Counters, HandlerFailed, LinkThrottled, MessageRejected
from protocols.smpp.session import Session
from protocols.smpp.transitions import CloseReason, SessionState
from protocols.tap import NOWHERE, Captured, Tap, endpoint

Result = Responded | Throttled | Doubtful

_T = TypeVar("_T")


class Request:
    """A request of the peer: to be answered once, at any time, from the loop's own thread.

    An answer goes out on the connection that the request came by, or nowhere.
    """

    __slots__ = ("_answered", "connection", "message", "sequence_number")

    def __init__(self, connection: "Connection", sequence_number: int, message: Pdu) -> None:
        self.connection = connection
        self.sequence_number = sequence_number
        self.message = message
        self._answered = RESPONSES.get(message.command_id) is None  # an alert_notification is never answered

    def respond(self, message: Pdu | None = None, command_status: int = 0) -> bool:
        """Answer it, with an empty response if there is no `message`; False if the connection is gone.

        A second call does nothing and returns False. LocalProtocolError if the message does not fit the request.
        """
        if self._answered:
            return False
        response = message or RESPONSES[self.message.command_id]()
        sent = self.connection.respond(self.sequence_number, response, command_status)
        self._answered = True
        return sent

    def drop_connection(self, detail: str) -> None:
        """End the connection instead of answering: nobody knows what the answer would be, and the peer has to ask again."""
        self._answered = True
        self.connection.evict(detail=detail)


class Owner(Protocol):
    """The link or server, as a connection sees it."""

    def requested(self, request: Request) -> None:
        """The peer asks for something."""

    def resulted(self, connection: "Connection", result: Result) -> None:
        """This became of a request of ours."""

    def ready(self, connection: "Connection") -> None:
        """There is room for requests again."""

    def happened(self, connection: "Connection", event: Event, now: float) -> None:
        """Something else."""

    def report(self, event: LinkThrottled | MessageRejected | HandlerFailed) -> None:
        """Something for the log; HandlerFailed if `requested`, `resulted` or `ready` raised."""

    def gone(self, connection: "Connection", detail: str) -> None:
        """Nothing is left of the connection."""


class Connection(asyncio.Protocol):
    """One transport connection, with its `Session`.

    Args:
        address: of the peer, where it is known.
        counters: that go on from an earlier connection of the same link.
        name: of the link; that of an ESME is known once it binds.
    """

    def __init__(
        self,
        owner: Owner,
        session: Session,
        limits: Limits,
        clock: Callable[[], float],
        address: str = "",
        counters: Counters | None = None,
        name: str = "",
    ) -> None:
        self.session = session
        self.address = address
        self.local = self.remote = NOWHERE
        self.secure = False
        self.doubtful = 0
        """Requests that the end of the session made doubtful."""
        self.name = name
        """Of the link, or the system_id that an ESME came with."""
        self.counters = counters or Counters()
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
        self._pumping = False
        self._ended = False
        self._gone = False
        self._told_pause = 0.0

    @property
    def system_id(self) -> str:
        """The peer's, once it is bound."""
        return self.session.peer

    @property
    def state(self) -> SessionState:
        """Of the session."""
        return self.session.state

    @property
    def window_free(self) -> int:
        """How many requests may be sent now; the owner is told when 0 is over."""
        now = self._clock()
        free = self.session.room(now)
        if not free:
            self._arm(now)
        return free

    def send(self, message: Pdu, context: object = None) -> bool:
        """Send a request with the others of this tick; False if there is no room for it.

        LocalProtocolError if the session is bound otherwise, or a value does not fit its parameter.
        """
        now = self._clock()
        if not self.session.send(message, now, context):
            self._arm(now)
            return False
        self.counters.requests_out += 1
        self.flush_soon()
        return True

    def respond(self, sequence_number: int, message: Pdu, command_status: int = 0) -> bool:
        """Send a response with the others of this tick; False if the connection is gone. See `Request`."""
        now = self._clock()
        if not self.session.respond(sequence_number, message, now, command_status):
            self.counters.dropped += 1
            return False
        self.counters.responses_out += 1
        if self.session.bound_as is not self.session.state:  # that may have been the last one before the end
            self.pump(now)
        self.flush_soon()
        return True

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there, TLS included."""
        self._adopt(cast("asyncio.Transport", transport))
        if self._gone:  # given up while it was being made
            self._drop()
            return
        now = self._clock()
        self.session.connected(now)
        self.pump(now)

    def data_received(self, data: bytes) -> None:
        """Octets have come: all whole PDUs in them are handled now."""
        now = self._clock()
        self.session.receive(data, now)
        self.pump(now)

    def eof_received(self) -> None:
        """The peer will send no more; a session is of no use in one direction."""

    def pause_writing(self) -> None:
        """The peer does not read what we send: we neither send nor read, for a while."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.pause_reading()
        self.session.pause()
        if self._stall is None:
            self._stall = self._loop.call_later(self._limits.write_deadline, self._cut_slow_reader)

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        now = self._clock()
        self.session.resume(now)
        self.pump(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._end("" if exc is None else str(exc) or type(exc).__name__)

    # What the owner calls

    def unbind(self, patience: float | None = None) -> None:
        """Leave in order, within `patience` seconds."""
        now = self._clock()
        self.session.unbind(now, patience)
        self.pump(now)

    def set_tap(self, tap: Tap | None) -> None:
        """Have each PDU told from now on, or none any more."""
        self._tap = tap
        self.session.tap = None if tap is None else self._capture

    def flush_soon(self) -> None:
        """Send at the end of this tick of the loop what has been gathered until then."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def pump(self, now: float) -> None:
        """Tell the owner what happened, send what there is to send, set the timer."""
        if self._pumping:  # a callback made something happen: it is told in its turn
            return
        self._pumping = True
        try:
            while events := self.session.events():
                for event in events:
                    self._tell(event, now)
        finally:
            self._pumping = False
        if self._ended:
            self._close()
        elif not self.session.closed:
            if self.session.has_output:
                self.flush_soon()
            self._arm(now)

    def call(self, callback: Callable[[_T], None], argument: _T) -> bool:
        """Call the owner; False if that raised, which is told: its fault must not end the connection."""
        try:
            callback(argument)
        except Exception as error:  # noqa: BLE001 - the callback may raise anything
            self._owner.report(HandlerFailed(self.name, error))
            return False
        return True

    def fail(self, detail: str) -> None:
        """The connection could not be made."""
        self._end(detail)

    def evict(self, reason: CloseReason = CloseReason.ABANDONED, detail: str = "") -> None:
        """Close at once, without a word."""
        now = self._clock()
        self.session.cut_off(reason, now, detail)
        self.pump(now)
        self._drop(detail or reason.value)

    # Inside

    def _tell(self, event: Event, now: float) -> None:
        if type(event) is Received:
            self._request(event)
        elif type(event) is Responded or type(event) is Throttled or type(event) is Doubtful:
            self._result(event)
        elif type(event) is Ready:
            self.call(self._owner.ready, self)
        elif type(event) is MessageRefused:
            self.counters.refused += 1
            rejected = MessageRejected(self.name, event.command_id, event.command_status, event.reason, event.message)
            self._owner.report(rejected)
        else:
            self._ended = self._ended or type(event) is Closed
            self._owner.happened(self, event, now)

    def _request(self, event: Received) -> None:
        self.counters.requests_in += 1
        request = Request(self, event.sequence_number, event.message)
        if not self.call(self._owner.requested, request):
            with contextlib.suppress(LocalProtocolError):  # the handler had answered before it failed
                request.respond(None, CommandStatus.ESME_RX_T_APPN)

    def _result(self, result: Result) -> None:
        counters = self.counters
        if type(result) is Doubtful:
            counters.doubtful += 1
            self.doubtful += result.doubt is Doubt.LOST
        elif type(result) is Throttled:
            counters.throttled += 1
            counters.late += result.late
            self._tell_pause(result)
        elif type(result) is Responded:
            counters.responses_in += 1
            counters.errors_in += result.command_status != 0
            counters.late += result.late
            counters.response_seconds += result.elapsed
        try:
            self._owner.resulted(self, result)
        except Exception as error:  # noqa: BLE001 - as in call
            self._owner.report(HandlerFailed(self.name, error))

    def _tell_pause(self, event: Throttled) -> None:
        if event.retry_at != self._told_pause:
            self._told_pause = event.retry_at
            self._owner.report(LinkThrottled(self.name, event.command_status, event.retry_at - self._clock()))

    def _capture(self, outgoing: bool, message: bytes) -> None:  # noqa: FBT001 - see FrameTap
        if self._tap is not None:
            self._tap(Captured("smpp", self.name, self.local, self.remote, outgoing, message))

    def _adopt(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=self._limits.write_high_water)
        self.local = endpoint(transport.get_extra_info("sockname"))
        self.remote = endpoint(transport.get_extra_info("peername"))
        self.address = self.remote[0] or self.address
        self.secure = transport.get_extra_info("ssl_object") is not None
        connection = transport.get_extra_info("socket")
        if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            # Octets that nobody acknowledges end the connection earlier than the kernel's quarter of an hour.
            milliseconds = int(1000 * (self._limits.enquire_link + self._limits.response_timeout))
            with contextlib.suppress(OSError):  # the peer may be gone already, which is told in a moment
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def _flush(self) -> None:
        self._flush_due = False
        transport = self._transport
        if transport is None or transport.is_closing() or not self.session.has_output:
            return
        transport.write(self.session.data_to_send())
        if transport.get_write_buffer_size() > self._limits.write_buffer:
            self._cut_slow_reader()
        elif not self.session.closed:
            self._arm(self._clock())

    def _cut_slow_reader(self) -> None:
        self._stall = None
        self.evict(CloseReason.SLOW_READER)

    def _arm(self, now: float) -> None:
        """Let the timer ring not later than the session's deadline; one that rings too early is set again."""
        deadline = self.session.deadline()
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - now), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._clock()
        self.session.on_timer(now)
        self.pump(now)

    def _close(self) -> None:
        """Send the last words, then close; a peer that does not take them is cut off."""
        transport = self._transport
        if self._gone or transport is None or transport.is_closing():
            return
        last = self.session.data_to_send()
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
        self.session.connection_lost(now, detail)
        self.pump(now)
        self._owner.gone(self, detail)
