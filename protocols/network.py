"""The network as the protocols use it: connections out, connections in. A simulation gives its own."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from protocols.descriptors import DESCRIPTORS, NO_ROOM
from protocols.tap import endpoint

_BACKLOG: Final = 512
_PAUSE: Final = 0.5
"""Seconds without accepting when nobody can be closed to make room for another connection (EMFILE and its like)."""
_TICKS: Final = 3


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
        """Give the protocol the transport of a connection that came in, after the handshake of TLS."""

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
            except OSError as error:
                if error.errno not in NO_ROOM or not await self._accept_by_reserve(accept):
                    await asyncio.sleep(_PAUSE)
                continue
            accept(sock, _host_of(address))
            await asyncio.sleep(0)  # one connection a tick: a flood of them must not starve those that are open

    async def _readable(self) -> None:
        """Wait until somebody connects: without a free descriptor accept fails before that, too."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._socket, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._socket)

    async def _accept_by_reserve(self, accept: Callable[[Accepted, str], None]) -> bool:
        """Take the next one in place of another, or close it at once; False where not even that can be done."""
        await self._readable()
        sock, host = None, ""
        if DESCRIPTORS.give_up_reserve():
            with contextlib.suppress(OSError):
                sock, address = self._socket.accept()
                host = _host_of(address)
        made_room = DESCRIPTORS.make_room()
        if sock is not None:
            sock.setblocking(False)  # noqa: FBT003 - as above
            accept(sock, host) if made_room else sock.close()
        for _ in range(_TICKS):  # what is being closed is closed in one of them
            DESCRIPTORS.hold_reserve()
            await asyncio.sleep(0)
        return sock is not None or made_room


def _host_of(address: object) -> str:
    """Return where a connection comes from; a Unix socket's other end has no address."""
    return str(address[0]) if isinstance(address, tuple) else ""


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
