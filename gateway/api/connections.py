"""HTTP connections as strangers may use them: what one may take of us, and an answer in our own words if it is no HTTP."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.api.problems import Problem, bad_request
from gateway.api.web_requests import SERVER, problem_response
from protocols.connection_table import ConnectionTable, Eviction
from protocols.limits import ConnectionLimits
from protocols.listener import Listeners
from protocols.network import SOCKETS, Accepted

LIMITS: Final[Mapping[str, bool | float]] = {
    "auto_decompress": False,  # a body of a kilobyte may unpack to a gigabyte, and does so before anybody asks for it
    "lingering_time": 1.0,  # seconds for which the rest of a refused body is read and dropped, so that the answer arrives
    "keepalive_timeout": 20.0,  # seconds for a request's whole header, and between two requests
    "max_line_size": 8190,
    "max_field_size": 8190,
    "max_headers": 64,
}
"""As `aiohttp.web.RequestHandler` names them; octets where nothing else is said."""
CONNECTIONS: Final = ConnectionLimits(half_open=128, half_open_per_address=64)
"""Of the TCP port; half-open is what has not sent the whole header of its first request."""
LOCAL_CONNECTIONS: Final = ConnectionLimits(connections_per_address=1024, half_open=128, half_open_per_address=128)
"""Of the Unix socket, whose other ends have no addresses to tell them apart by."""
SHUTDOWN_SECONDS: Final = 2.0


class Connection(web.RequestHandler):
    """One connection; aiohttp would write a traceback into the log for each stranger that speaks no HTTP.

    Args:
        connections: the table that it is in: half-open until the head of a request is whole.
    """

    __slots__ = ("_connections", "_evicted", "_half_open")

    def __init__(self, manager: web.Server, connections: ConnectionTable["Connection"]) -> None:
        quiet = logging.getLogger("gateway.http")
        quiet.disabled = True
        # aiohttp's types leave out what it documents; the access log would hold numbers.
        super().__init__(manager, loop=asyncio.get_running_loop(), logger=quiet, access_log=None, **LIMITS)  # type: ignore[arg-type]
        self._connections = connections
        self._half_open = True
        self._evicted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless it has been evicted meanwhile."""
        super().connection_made(transport)
        if self._evicted:
            self.force_close()

    def data_received(self, data: bytes) -> None:
        """Octets have come."""
        super().data_received(data)
        if self._half_open and self._request_count:
            self._half_open = False
            self._connections.leave_half_open(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The transport is gone."""
        super().connection_lost(exc)
        self._connections.discard(self)

    @property
    def is_idle(self) -> bool:
        """Whether it has been answered all that it asked, and asks nothing."""
        return not self._half_open and not self._evicted and self._waiter is not None and not self._waiter.done()

    def evict(self) -> None:
        """Close at once, without a word."""
        self._evicted = True
        self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Refuse what is no request, or tell that an answer could not be made; the connection ends with it."""
        del request, exc, message  # a parser's words, and what it was given
        if status == HTTPStatus.BAD_REQUEST:
            most = LIMITS["max_line_size"]
            detail = (
                f"this is no HTTP request that can be read: send HTTP/1.1, each line of its head below {most} octets"
            )
            found = bad_request("http.400", detail)
        else:
            found = Problem(HTTPStatus(status), f"http.{status}", "the gateway could not answer: look how things stand")
        response = problem_response(found)
        response.headers["Server"] = SERVER
        response.force_close()
        return response


class Listener:
    """Serves an application at one place: a TCP port, or a socket that is bound already."""

    def __init__(self, app: web.Application) -> None:
        """Take what is served; nothing is bound before `on_port` or `on_socket`."""
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
        self._listeners: Listeners[Connection] | None = None
        self._making: set[asyncio.Task[None]] = set()

    async def on_port(self, host: str, port: int) -> int:
        """Listen on every address of the host, and give the port; OSError names what is taken."""
        listeners = await self._begin(CONNECTIONS)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        await listeners.open([(name, port, None) for name in dict.fromkeys(str(address[0]) for *_, address in found)])
        return listeners.ports[0]

    async def on_socket(self, bound: socket.socket) -> None:
        """Listen on a Unix socket."""
        listeners = await self._begin(LOCAL_CONNECTIONS)
        listeners.listen(bound)

    async def close(self) -> None:
        """Take no more connections, finish the requests at hand, close all."""
        if self._listeners is not None:
            await self._listeners.close()
        if self._making:
            await asyncio.wait(self._making)
        await self._runner.cleanup()

    async def _begin(self, limits: ConnectionLimits) -> Listeners[Connection]:
        await self._runner.setup()
        header_deadline = LIMITS["keepalive_timeout"]
        self._listeners = Listeners(
            limits,
            header_deadline,
            accept=self._accept,
            refuse=lambda _address, _why: None,
            evict=_evict,
            idle=self._idle,
        )
        return self._listeners

    def _idle(self) -> list[Connection]:
        return [each for each in self._listeners.connections if each.is_idle] if self._listeners is not None else []

    def _accept(self, accepted: Accepted, _address: str, _tls: ssl.SSLContext | None) -> Connection:
        assert self._runner.server is not None
        assert self._listeners is not None
        connection = Connection(self._runner.server, self._listeners.connections)
        making = asyncio.get_running_loop().create_task(self._make(connection, accepted))
        self._making.add(making)
        making.add_done_callback(self._making.discard)
        return connection

    async def _make(self, connection: Connection, accepted: Accepted) -> None:
        try:
            await SOCKETS.take(connection, accepted, None)
        except OSError:  # it has gone already
            accepted.close()
            assert self._listeners is not None
            self._listeners.connections.discard(connection)


def _evict(connection: Connection, _eviction: Eviction) -> None:
    connection.evict()
