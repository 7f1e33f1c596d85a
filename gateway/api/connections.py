"""HTTP connections as strangers may use them: what one may take of us, and an answer in our own words if it is no HTTP."""

import asyncio
import logging
import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.api.problems import Problem, bad_request
from gateway.api.web_requests import problem_response

LIMITS: Final[Mapping[str, bool | float]] = {
    "auto_decompress": False,  # a body of a kilobyte may unpack to a gigabyte, and does so before anybody asks for it
    "lingering_time": 1.0,  # seconds for which the rest of a refused body is read and dropped, so that the answer arrives
    "keepalive_timeout": 20.0,  # seconds for a request's whole header, and between two requests
    "max_line_size": 8190,
    "max_field_size": 8190,
    "max_headers": 64,
}
"""As `aiohttp.web.RequestHandler` names them; octets where nothing else is said."""
SHUTDOWN_SECONDS: Final = 2.0
BACKLOG: Final = 128


class Connection(web.RequestHandler):
    """One connection; aiohttp would write a traceback into the log for each stranger that speaks no HTTP."""

    __slots__ = ()

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
        response.force_close()
        return response


class Listener:
    """Serves an application at one place: a TCP port, or a socket that is bound already."""

    def __init__(self, app: web.Application) -> None:
        """Take what is served; nothing is bound before `on_port` or `on_socket`."""
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS)
        self._server: asyncio.Server | None = None

    async def on_port(self, host: str, port: int) -> int:
        """Listen, and give the port; OSError names what is taken."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, host, port, backlog=BACKLOG)
        return int(self._server.sockets[0].getsockname()[1])

    async def on_socket(self, bound: socket.socket) -> None:
        """Listen on a Unix socket."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._connection, sock=bound, backlog=BACKLOG)

    async def close(self) -> None:
        """Take no more connections, finish the requests at hand, close all."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _connection(self) -> Connection:
        manager = self._runner.server
        assert manager is not None
        quiet = logging.getLogger("gateway.http")
        quiet.disabled = True
        # aiohttp's types leave out what it documents; the access log would hold numbers.
        return Connection(manager, loop=asyncio.get_running_loop(), logger=quiet, access_log=None, **LIMITS)  # type: ignore[arg-type]
