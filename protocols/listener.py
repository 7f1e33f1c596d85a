"""A listening socket that hands out each connection before anything is read from it, TLS included.

`loop.create_server` tells of a TLS connection only once its handshake is done, so nobody could count, or push out,
the handshakes that never end.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final

Listen = tuple[str, int, ssl.SSLContext | None]
"""Host, port (0: any) and, for TLS, a context."""
Accepted = Callable[[socket.socket, str, ssl.SSLContext | None], None]

_BACKLOG: Final = 512
_PAUSE: Final = 0.5
"""Seconds without accepting when the system has no room for another connection (EMFILE and its like)."""


class Listener:
    """One address that we listen on."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext | None, accepted: Accepted) -> None:
        self.port: int = sock.getsockname()[1]
        self._socket = sock
        self._task = asyncio.get_running_loop().create_task(self._run(tls, accepted))

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None, accepted: Accepted) -> "Listener":
        """Listen on the first address of the host; OSError if that cannot be had."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        sock = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        sock.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        return cls(sock, tls, accepted)

    async def close(self) -> None:
        """Accept nothing more."""
        self._task.cancel()
        await asyncio.wait([self._task])  # the loop watches the socket until then
        self._socket.close()

    async def _run(self, tls: ssl.SSLContext | None, accepted: Accepted) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(self._socket)
            except OSError:
                await asyncio.sleep(_PAUSE)
                continue
            accepted(sock, address[0], tls)
            await asyncio.sleep(0)  # one connection a tick: a flood of them must not starve those that are open


class Listeners:
    """All addresses that one node or server listens on."""

    def __init__(self, listen: Sequence[Listen], accepted: Accepted) -> None:
        self._listen = listen
        self._accepted = accepted
        self._open: list[Listener] = []

    @property
    def ports(self) -> list[int]:
        """The ports that are listened on, in the order of `listen`."""
        return [listener.port for listener in self._open]

    async def open(self) -> None:
        """Listen. OSError if a port cannot be had; nothing is left open then."""
        try:
            for host, port, tls in self._listen:
                self._open.append(await Listener.open(host, port, tls, self._accepted))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Accept nothing more."""
        for listener in self._open:
            await listener.close()
