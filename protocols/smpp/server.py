"""The message centre's side: listens, and carries requests between the ESMEs that bind and whoever serves them.

The rules live in `session`; here they meet sockets. A server never logs: it tells `on_event`. All callbacks are called
from the loop, must not block, and may call the connections. One that raises, `on_event` apart, is told and does no more
harm.
"""

import ssl
from collections.abc import Callable, Sequence

import msgspec

from protocols.connection_table import Eviction
from protocols.listener import Listen, Listeners
from protocols.network import SOCKETS, Accepted, Network
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import BindRequested, Bound, Closed, Event
from protocols.smpp.limits import Limits
from protocols.smpp.messages import BindReceiver
from protocols.smpp.node_events import (
    ClientDown,
    ClientRejected,
    ClientUp,
    HandlerFailed,
    LinkThrottled,
    MessageRejected,
    ServerEvent,
    Undecodable,
)
from protocols.smpp.session import Session
from protocols.smpp.transitions import CloseReason
from protocols.smpp.transport import Connection, Request, Result
from protocols.stream import patience, wait_finished

__all__ = ["BindAttempt", "Connection", "Limits", "Request", "Result", "Server", "ServerConfig", "ServerEvent"]


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Who the message centre is, and what it grants an ESME."""

    system_id: str
    interface_version: int = 0x34
    limits: Limits = Limits()


class BindAttempt(msgspec.Struct, frozen=True):
    """An ESME that wants to bind.

    Attributes:
        address: where it comes from; secure: by TLS.
        sessions: that are bound under the same system_id already.
    """

    message: BindReceiver
    address: str
    secure: bool
    sessions: int


class Server:
    """A message centre for any number of ESMEs.

    Args:
        listen: host, port (0: any) and, for TLS, a context.
        authenticate: says by a command_status whether an ESME may bind: 0 (ESME_ROK) lets it in.
        on_request: is given each request of an ESME; it, or whoever comes later, answers by `Request.respond`.
        on_result: is told what became of a request that was sent by `Connection.send`, as in `client.Link`.
        on_ready: this ESME has room for requests: it became bound, or a full window has a free slot.
        on_event: is told of ESMEs that come and go; it must not raise.
        clock: seconds, monotonic; network: what connections are accepted by.
    """

    def __init__(
        self,
        config: ServerConfig,
        listen: Sequence[Listen],
        *,
        authenticate: Callable[[BindAttempt], int],
        on_request: Callable[[Request], None],
        on_result: Callable[[Connection, Result], None],
        on_ready: Callable[[Connection], None],
        on_event: Callable[[ServerEvent], None],
        clock: Callable[[], float],
        network: Network = SOCKETS,
    ) -> None:
        self.config, self._network = config, network
        self._limits = config.limits
        self._authenticate = authenticate
        self._on_request = on_request
        self._on_result = on_result
        self._on_ready = on_ready
        self._on_event = on_event
        self._clock = clock
        self._listen = listen
        self._listeners = Listeners[Connection](
            self._limits,
            self._limits.session_init,
            accept=self._accept,
            refuse=self._refuse,
            evict=self._evict,
            network=network,
        )
        self._connections = self._listeners.connections
        self._bound: dict[Connection, None] = {}

    @property
    def ports(self) -> list[int]:
        """The ports that we listen on, in the order of `listen`."""
        return self._listeners.ports

    @property
    def clients(self) -> list[Connection]:
        """The connections of all ESMEs that are bound, the oldest first."""
        return list(self._bound)

    async def start(self) -> None:
        """Listen. OSError if a port cannot be had; nothing is left open then."""
        await self._listeners.open(self._listen)

    async def stop(self, deadline: float) -> None:
        """Leave all ESMEs in order, within `deadline` seconds: what is owed either way, unbind, end."""
        self._listeners.stop_accepting()
        for connection in list(self._connections):
            if connection.session.closed:  # its TLS handshake is under way, or its last words are
                connection.evict(detail="this server stops")
            else:
                connection.unbind(patience(deadline))
        await self._listeners.close()
        await wait_finished(self._connections, deadline, Connection.evict)

    # What connections call (`transport.Owner`)

    def requested(self, request: Request) -> None:
        """An ESME submits something."""
        self._on_request(request)

    def resulted(self, connection: Connection, result: Result) -> None:
        """This became of a request of ours."""
        self._on_result(connection, result)

    def ready(self, connection: Connection) -> None:
        """An ESME has room for requests again."""
        self._on_ready(connection)

    def happened(self, connection: Connection, event: Event, now: float) -> None:
        """Anything else that a connection has to tell."""
        match event:
            case BindRequested():
                self._decide(connection, event.message, now)
            case Bound():
                self._opened(connection, event)
            case Closed():
                self._closed(connection, event)

    def report(self, event: LinkThrottled | MessageRejected | HandlerFailed) -> None:
        """Something for the log."""
        self._on_event(event)

    def gone(self, connection: Connection, detail: str) -> None:
        """Nothing is left of a connection."""
        if connection in self._connections.half_open:  # it never got beyond TLS
            self._reject(connection, CloseReason.ABANDONED, detail)
        self._connections.discard(connection)

    # Inside

    def _accept(self, accepted: Accepted, address: str, tls: ssl.SSLContext | None) -> Connection:
        config = self.config
        session = Session(config.limits, system_id=config.system_id, interface_version=config.interface_version)
        connection = Connection(self, session, config.limits, self._clock, address, network=self._network)
        connection.take(accepted, tls)
        return connection

    def _refuse(self, address: str, detail: str) -> None:
        self._on_event(ClientRejected(address, "", CloseReason.CROWDED, detail))

    def _evict(self, connection: Connection, eviction: Eviction) -> None:
        if eviction is Eviction.LATE:
            connection.evict(CloseReason.SESSION_INIT)
        else:
            connection.evict(CloseReason.CROWDED, eviction.value)

    def _decide(self, connection: Connection, message: BindReceiver, now: float) -> None:
        same = sum(other.system_id == message.system_id for other in self._bound)
        connection.name = message.system_id
        try:
            status = self._authenticate(BindAttempt(message, connection.address, connection.secure, same))
        except Exception as error:  # noqa: BLE001 - who cannot be judged is not let in; it is told
            self._on_event(HandlerFailed(message.system_id, error))
            status = CommandStatus.ESME_RSYSERR
        if status:
            connection.session.refuse(status, now)
        else:
            connection.session.accept(now)

    def _opened(self, connection: Connection, event: Bound) -> None:
        self._connections.leave_half_open(connection)
        self._bound[connection] = None
        self._on_event(ClientUp(event.system_id, connection.address, event.state, event.interface_version))
        connection.call(self._on_ready, connection)

    def _closed(self, connection: Connection, event: Closed) -> None:
        self._connections.leave_half_open(connection)
        address, name = connection.address, connection.name
        if event.reason is CloseReason.FRAMING:
            self._on_event(Undecodable(name, address, event.detail, event.message))
        if connection in self._bound:
            del self._bound[connection]
            self._on_event(
                ClientDown(name, address, event.reason, event.detail, connection.doubtful, event.unanswered),
            )
        else:
            self._reject(connection, event.reason, event.detail)

    def _reject(self, connection: Connection, reason: CloseReason, detail: str) -> None:
        self._on_event(ClientRejected(connection.address, connection.name, reason, detail))
