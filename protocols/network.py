"""The network as the protocols use it: connections out, connections in. A simulation gives its own."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from protocols.tap import endpoint

_BACKLOG: Final = 512
_PAUSE: Final = 0.5
"""Seconds without accepting when the system has no room for another connection (EMFILE and its like)."""


class Accepted(Protocol):
    """A connection that came in, before anything was read from it."""

    def close(self) -> None:
        """Give it up; nothing was taken of it."""


class ListeningSocket(Protocol):
    """One address that is listened on."""

    @property
    def port(self) -> int:
        """The port."""

    def stop_accepting(self) -> None:
        """Accept nothing more from now on; `close` follows."""

    async def close(self) -> None:
        """Accept nothing more, and free the address."""


class Network(Protocol):
    """Makes connections and listens. OSError where that cannot be (ssl.SSLError is one)."""

    async def connect(
        self, protocol: asyncio.Protocol, host: str, port: int, tls: ssl.SSLContext | None, server_hostname: str | None
    ) -> None:
        """Connect, TLS included, and tell the protocol of its transport. ValueError for what is no host name."""

    async def take(self, protocol: asyncio.Protocol, accepted: Accepted, tls: ssl.SSLContext | None) -> None:
        """Tell the protocol of the transport of a connection that came in, after the handshake of TLS."""

    async def listen(self, host: str, port: int, accept: Callable[[Accepted, str], None]) -> ListeningSocket:
        """Listen on the first address of the host (port 0: any); `accept` gets each connection and where it comes from."""


class Listener:
    """A socket that hands out each connection before anything is read from it, TLS included.

    `loop.create_server` tells of a TLS connection only once its handshake is done, so nobody could count, or push out,
    the handshakes that never end.
    """

    def __init__(self, sock: socket.socket, accept: Callable[[Accepted, str], None]) -> None:
        sock.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        sock.listen(_BACKLOG)
        self.port = endpoint(sock.getsockname())[1]
        self._socket = sock
        self._task = asyncio.get_running_loop().create_task(self._run(accept))

    def stop_accepting(self) -> None:
        """Accept nothing more from now on; `close` follows."""
        self._task.cancel()

    async def close(self) -> None:
        """Accept nothing more, and free the address."""
        self._task.cancel()
        await asyncio.wait([self._task])  # the loop watches the socket until then
        self._socket.close()

    async def _run(self, accept: Callable[[Accepted, str], None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(self._socket)
            except OSError:
                await asyncio.sleep(_PAUSE)
                continue
            accept(sock, address[0] if address else "")  # a Unix socket's other end has none
            await asyncio.sleep(0)  # one connection a tick: a flood of them must not starve those that are open


class Sockets:
    """The machine's own network."""

    async def connect(
        self, protocol: asyncio.Protocol, host: str, port: int, tls: ssl.SSLContext | None, server_hostname: str | None
    ) -> None:
        """Connect (`Network`)."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: protocol, host, port, ssl=tls, server_hostname=server_hostname)

    async def take(self, protocol: asyncio.Protocol, accepted: Accepted, tls: ssl.SSLContext | None) -> None:
        """Begin with a socket that was accepted (`Network`)."""
        assert isinstance(accepted, socket.socket)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, accepted, ssl=tls)

    async def listen(self, host: str, port: int, accept: Callable[[Accepted, str], None]) -> Listener:
        """Listen (`Network`)."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return Listener(socket.create_server(address[:2], family=family, backlog=_BACKLOG), accept)


SOCKETS: Final = Sockets()


def limit_unacknowledged(transport: asyncio.Transport, seconds: float) -> None:
    """End the connection once octets go unacknowledged for so long: earlier than the kernel's quarter of an hour."""
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):  # the peer may be gone already, which is told in a moment
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * seconds))
