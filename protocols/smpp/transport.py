"""One transport connection of SMPP: hands what its `Session` has to tell to a link or a server, and takes PDUs from it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from protocols.errors import LocalProtocolError
from protocols.network import SOCKETS, Network, limit_unacknowledged
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Closed, Doubt, Doubtful, Event, MessageRefused, Ready, Received, Responded, Throttled
from protocols.smpp.limits import Limits
from protocols.smpp.messages import RESPONSES, Pdu
from protocols.smpp.node_events import Counters, HandlerFailed, LinkThrottled, MessageRejected
from protocols.smpp.session import Session
from protocols.smpp.transitions import CloseReason, SessionState
from protocols.stream import Stream

QUIET_SECONDS = 60.0
"""How long no short pause is told after one that was."""
TICK = 0.01
"""Seconds that may lie between a refusal and its being told."""

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


class Connection(Stream[Session]):
    """One transport connection, with its `Session`.

    Args:
        address: of the peer, where it is known.
        counters: that go on from an earlier connection of the same link.
        name: of the link; that of an ESME is known once it binds.
    """

    protocol = "smpp"
    sending_moves_deadline = True  # a request begins its response timer

    def __init__(
        self,
        owner: Owner,
        session: Session,
        limits: Limits,
        clock: Callable[[], float],
        address: str = "",
        counters: Counters | None = None,
        name: str = "",
        network: Network = SOCKETS,
    ) -> None:
        super().__init__(session, limits, clock, network)
        self.address = address
        self.secure = False
        self.doubtful = 0
        """Requests that the end of the session made doubtful."""
        self.name = name
        """Of the link, or the system_id that an ESME came with."""
        self.counters = counters or Counters()
        self._owner = owner
        self._limits = limits
        self._pumping = False
        self._ended = False
        self._reported_pause = 0.0

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

    # What the owner calls

    def unbind(self, patience: float | None = None) -> None:
        """Leave in order, within `patience` seconds."""
        now = self._clock()
        self.session.unbind(now, patience)
        self.pump(now)

    def pump(self, now: float) -> None:
        """Report to the owner what happened, send what there is to send, set the timer."""
        if self._pumping:  # a callback made something happen: it is told in its turn
            return
        self._pumping = True
        try:
            while events := self.session.events():
                for event in events:
                    self._handle(event, now)
        finally:
            self._pumping = False
        self._follow_up(now, self._ended)

    def call(self, callback: Callable[[_T], None], argument: _T) -> bool:
        """Call the owner; False if that raised, which is told: its fault must not end the connection."""
        try:
            callback(argument)
        except Exception as error:  # noqa: BLE001 - the callback may raise anything
            self._owner.report(HandlerFailed(self.name, error))
            return False
        return True

    def evict(self, reason: CloseReason = CloseReason.ABANDONED, detail: str = "") -> None:
        """Close at once, without a word."""
        now = self._clock()
        self.session.cut_off(reason, now, detail)
        self.pump(now)
        self._drop(detail or reason.value)

    # Inside

    def _handle(self, event: Event, now: float) -> None:
        if type(event) is Received:
            self._request(event)
        elif type(event) is Responded or type(event) is Throttled or type(event) is Doubtful:
            self._result(event)
        elif type(event) is Ready:
            self.call(self._owner.ready, self)
        elif type(event) is MessageRefused:
            self.counters.refused += 1
            rejected = MessageRejected(
                self.name, event.command_id, event.command_status, event.reason, event.message, event.leaving
            )
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
            self._report_pause(result)
        elif type(result) is Responded:
            counters.responses_in += 1
            counters.errors_in += result.command_status != 0
            counters.late += result.late
            counters.response_seconds += result.elapsed
        try:
            self._owner.resulted(self, result)
        except Exception as error:  # noqa: BLE001 - as in call
            self._owner.report(HandlerFailed(self.name, error))

    def _report_pause(self, event: Throttled) -> None:
        """A pause is told once, and one that only keeps the rate that was found not more often than each minute."""
        now = self._clock()
        pause = event.retry_at - now
        if pause <= 0 or event.retry_at == self._reported_pause:
            return
        if pause >= self._limits.throttle_first - TICK or now >= self._reported_pause + QUIET_SECONDS:
            self._reported_pause = event.retry_at
            self._owner.report(LinkThrottled(self.name, event.command_status, pause))

    # What `Stream` asks

    def _made(self, transport: asyncio.Transport) -> None:
        self.address = self.remote[0] or self.address
        self.secure = transport.get_extra_info("ssl_object") is not None
        limit_unacknowledged(transport, self._limits.enquire_link + self._limits.response_timeout)

    def _tap_name(self) -> str:
        return self.name

    def _slow_reader(self) -> None:
        self.evict(CloseReason.SLOW_READER)

    def _lost(self, detail: str) -> None:
        self._owner.gone(self, detail)
