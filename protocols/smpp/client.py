"""A link of ours to a message centre: one bound connection at a time, dialled again for as long as it is wanted.

The rules live in `session`; here they meet sockets. A link never logs: it tells `on_event`. All callbacks are called
from the loop, must not block, and may call the link. One that raises, `on_event` apart, is told and does no more harm.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from protocols.network import SOCKETS, Network
from protocols.smpp.events import BindRefused, Bound, Closed, Event
from protocols.smpp.limits import Limits
from protocols.smpp.messages import BindReceiver, BindTransceiver, BindTransmitter, Pdu
from protocols.smpp.node_events import (
    ConnectFailed,
    Counters,
    HandlerFailed,
    LinkDown,
    LinkEvent,
    LinkRefused,
    LinkState,
    LinkThrottled,
    LinkUp,
    MessageRejected,
    Undecodable,
)
from protocols.smpp.reconnect import Reconnect
from protocols.smpp.session import Session
from protocols.smpp.transitions import BOUND, CloseReason, SessionState
from protocols.smpp.transport import Connection, Request, Result
from protocols.stream import patience, wait_finished
from protocols.tap import Tap

__all__ = ["Limits", "Link", "LinkConfig", "LinkEvent", "LinkState", "Request", "Result"]

Bind = Literal["transceiver", "transmitter", "receiver"]

_BINDS: Final[dict[Bind, type[BindReceiver]]] = {
    "transceiver": BindTransceiver,
    "transmitter": BindTransmitter,
    "receiver": BindReceiver,
}


class LinkConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One link: where it goes and what it binds with.

    Attributes:
        tls: a client's context, with our own certificate if the message centre wants one; None: plain TCP.
        server_hostname: the name that the message centre's certificate has to carry; "": `host`.
        interface_version: 0x34, or 0x50.
        tlvs: whether optional parameters are sent; None: if the message centre says that it knows them.
    """

    name: str
    host: str
    port: int
    system_id: str
    password: str = ""
    system_type: str = ""
    bind: Bind = "transceiver"
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""
    tls: ssl.SSLContext | None = None
    server_hostname: str = ""
    tlvs: bool | None = None
    limits: Limits = Limits()

    def message(self) -> BindReceiver:
        """The bind request."""
        return _BINDS[self.bind](
            system_id=self.system_id,
            password=self.password,
            system_type=self.system_type,
            interface_version=self.interface_version,
            addr_ton=self.addr_ton,
            addr_npi=self.addr_npi,
            address_range=self.address_range,
        )


class Link:
    """A link to a message centre.

    Args:
        on_request: is given each deliver_sm, data_sm and alert_notification; it, or whoever comes later, answers by
            `Request.respond`.
        on_result: is told once of each request of ours what became of it (`Responded`, `Throttled`, `Doubtful`), and
            once more of a doubtful one whose response came late. What is throttled is to be sent again first.
        on_ready: there is room for requests: the link became bound, a full window has a free slot, a pause is over.
        on_event: is told of the link's life; it must not raise.
        clock: seconds, monotonic; random: returns a float of [0, 1); network: what connections are made by.
    """

    def __init__(
        self,
        config: LinkConfig,
        *,
        on_request: Callable[[Request], None],
        on_result: Callable[[Result], None],
        on_ready: Callable[[], None],
        on_event: Callable[[LinkEvent], None],
        clock: Callable[[], float],
        random: Callable[[], float],
        network: Network = SOCKETS,
    ) -> None:
        self.config, self._network = config, network
        self._on_request = on_request
        self._on_result = on_result
        self._on_ready = on_ready
        self._on_event = on_event
        self._clock = clock
        self._reconnect = Reconnect(config.limits, random)
        self._counters = Counters()
        self._current: Connection | None = None
        self._connections: set[Connection] = set()
        self._dial_timer: asyncio.TimerHandle | None = None
        self._retry_at: float | None = None
        self._since = 0.0
        self._wanted = False
        self._suspended = False
        self._needs_a_person = False
        self._tap: Tap | None = None

    def start(self) -> None:
        """Begin to dial."""
        self._since = self._clock()
        self._wanted = True
        self._dial()

    async def stop(self, deadline: float) -> None:
        """Leave in order within `deadline` seconds: what is owed either way, unbind, end."""
        self.down(patience(deadline))
        await wait_finished(self._connections, deadline, Connection.evict)

    def up(self) -> None:
        """Dial now, and again for as long as it takes; whoever refused us is asked again at once."""
        self._wanted = True
        self._reconnect.forget()
        if self._current is None:
            self._dial()

    def down(self, patience: float | None = None) -> None:
        """Leave in order, and stay away."""
        self._wanted = False
        self._cancel_dial()
        connection = self._current
        if connection is None:
            return
        if connection.session.closed:
            connection.evict(detail="given up")
        else:
            connection.unbind(patience)

    def suspend(self) -> None:
        """Stay bound and send nothing; what comes in goes on."""
        self._suspended = True

    def resume(self) -> None:
        """Send again."""
        self._suspended = False
        if self._current is not None and self.window_free:
            self._current.call(self.ready, self._current)

    @property
    def bound(self) -> bool:
        """Requests may be sent, if there is room."""
        return self._current is not None and self._current.state in BOUND

    @property
    def away(self) -> str:
        """How the link was put away by its owner, in words; "": it was not."""
        return "suspended" if self._suspended else "" if self._wanted else "taken down"

    @property
    def available(self) -> bool:
        """Bound, not suspended, and not put off by the peer for longer than a moment."""
        if self._suspended or self._current is None or not self.bound:
            return False
        until = self._current.session.paused_until
        return until is None or until - self._clock() < self.config.limits.throttle_first / 2

    @property
    def window_free(self) -> int:
        """How many requests may be sent now; `on_ready` tells when 0 is over."""
        if self._suspended or self._current is None:
            return 0
        return self._current.window_free

    def submit(self, message: Pdu, context: object = None) -> bool:
        """Send a request with the others of this tick; False if there is no room for it now.

        LocalProtocolError if the link is bound for other requests, or a value does not fit its parameter.
        """
        if self._suspended or self._current is None:
            return False
        return self._current.send(message, context)

    def set_tap(self, tap: Tap | None) -> None:
        """Pass each PDU to a tap from now on, also of connections to come; None ends it."""
        self._tap = tap
        for connection in self._connections:
            connection.set_tap(tap)

    def state(self) -> LinkState:
        """The link as it is now."""
        connection = self._current
        session = connection.session if connection else None
        return LinkState(
            name=self.config.name,
            state=session.state if session else SessionState.CLOSED,
            since=self._since,
            address=connection.address if connection else "",
            system_id=session.peer if session else "",
            waiting=session.waiting if session else 0,
            unanswered=session.unanswered if session else 0,
            paused_until=session.paused_until if session else None,
            retry_at=self._retry_at,
            wanted=self._wanted,
            suspended=self._suspended,
            congestion_state=session.congestion_state if session else None,
            counters=self._counters,
        )

    # What connections call (`transport.Owner`)

    def requested(self, request: Request) -> None:
        """The message centre delivers something."""
        self._on_request(request)

    def resulted(self, _connection: Connection, result: Result) -> None:
        """This became of a request of ours."""
        self._on_result(result)

    def ready(self, connection: Connection) -> None:
        """There is room for requests again."""
        if connection is self._current and not self._suspended:
            self._on_ready()

    def happened(self, connection: Connection, event: Event, now: float) -> None:
        """Anything else that a connection has to tell."""
        match event:
            case Bound():
                self._reconnect.bound(now)
                self._since = now
                self._on_event(
                    LinkUp(
                        self.config.name,
                        connection.address,
                        event.system_id,
                        event.state,
                        event.interface_version,
                        event.takes_tlvs,
                    )
                )
                connection.call(self.ready, connection)
            case BindRefused():
                self._needs_a_person = event.needs_a_person
                self._on_event(LinkRefused(self.config.name, event.command_status, event.needs_a_person))
            case Closed():
                self._closed(connection, event, now)

    def report(self, event: LinkThrottled | MessageRejected | HandlerFailed) -> None:
        """Something for the log."""
        self._on_event(event)

    def gone(self, connection: Connection, detail: str) -> None:
        """Nothing is left of a connection."""
        if connection is self._current:  # it was never there
            now = self._clock()
            self._closed(connection, Closed(CloseReason.CONNECT_FAILED, detail), now)
        self._connections.discard(connection)

    # Inside

    def _closed(self, connection: Connection, event: Closed, now: float) -> None:
        """The session has ended; its transport may take a moment more."""
        name = self.config.name
        self._current = None
        if event.reason is CloseReason.FRAMING:
            self._on_event(Undecodable(name, connection.address, event.detail, event.message))
        if event.was_bound:
            self._since = now
            self._on_event(LinkDown(name, event.reason, event.detail, connection.doubtful, event.unanswered))
        elif event.reason is not CloseReason.REFUSED_BY_PEER:
            self._on_event(ConnectFailed(name, event.reason, event.detail))
        if self._wanted:
            self._retry_at = self._reconnect.lost(now, refused=self._needs_a_person)
            delay = max(0.0, self._retry_at - now)
            self._dial_timer = asyncio.get_running_loop().call_later(delay, self._dial)
        self._needs_a_person = False

    def _cancel_dial(self) -> None:
        if self._dial_timer is not None:
            self._dial_timer.cancel()
        self._dial_timer = self._retry_at = None

    def _dial(self) -> None:
        self._cancel_dial()
        session = Session(self.config.limits, bind=self.config.message(), tlvs=self.config.tlvs)
        connection = Connection(
            self,
            session,
            self.config.limits,
            self._clock,
            counters=self._counters,
            name=self.config.name,
            network=self._network,
        )
        connection.set_tap(self._tap)
        self._current = connection
        self._connections.add(connection)
        config = self.config
        server_hostname = config.server_hostname or config.host
        connection.dial(config.host, config.port, config.tls, server_hostname, config.limits.connect_deadline)
