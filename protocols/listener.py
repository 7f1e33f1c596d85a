"""Listening sockets that hand out each connection before anything is read from it, TLS included.

`loop.create_server` tells of a TLS connection only once its handshake is done, so nobody could count, or push out,
the handshakes that never end.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final, Generic

from protocols.connection_table import C, ConnectionTable, Eviction
from protocols.limits import ConnectionLimits
from protocols.tap import endpoint

Listen = tuple[str, int, ssl.SSLContext | None]
"""Host, port (0: any) and, for TLS, a context."""

_BACKLOG: Final = 512
_PAUSE: Final = 0.5
"""Seconds without accepting when the system has no room for another connection (EMFILE and its like)."""


class Listener:
    """One address that we listen on."""

    def __init__(self, sock: socket.socket, accepted: Callable[[socket.socket, str], None]) -> None:
        self.port = endpoint(sock.getsockname())[1]
        self._socket = sock
        self._task = asyncio.get_running_loop().create_task(self._run(accepted))

    def stop_accepting(self) -> None:
        """Accept nothing more from now on; `close` follows."""
        self._task.cancel()

    async def close(self) -> None:
        """Accept nothing more, and free the address."""
        self._task.cancel()
        await asyncio.wait([self._task])  # the loop watches the socket until then
        self._socket.close()

    async def _run(self, accepted: Callable[[socket.socket, str], None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(self._socket)
            except OSError:
                await asyncio.sleep(_PAUSE)
                continue
            accepted(sock, address[0] if address else "")  # a Unix socket's other end has none
            await asyncio.sleep(0)  # one connection a tick: a flood of them must not starve those that are open


class Listeners(Generic[C]):
    """All addresses that one node or server listens on, and the connections that it has accepted.

    Whoever owns it calls `connections.leave_half_open` once a connection has shown who it is or is on its way out, and
    `connections.discard` once nothing is left of it.

    Args:
        first_message: as of `ConnectionTable`.
        accept: begins with a socket, of this address, with TLS or without.
        refuse: learns from where a connection was closed at once, and why.
        evict: closes a half-open connection.
    """

    def __init__(
        self,
        limits: ConnectionLimits,
        first_message: float,
        *,
        accept: Callable[[socket.socket, str, ssl.SSLContext | None], C],
        refuse: Callable[[str, str], None],
        evict: Callable[[C, Eviction], None],
    ) -> None:
        self.connections = ConnectionTable(limits, first_message, evict)
        self._accept = accept
        self._refuse = refuse
        self._open: list[Listener] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def ports(self) -> list[int]:
        """The ports that are listened on, in the order in which they were opened."""
        return [listener.port for listener in self._open]

    async def open(self, listen: Sequence[Listen]) -> None:
        """Listen on the first address of each host. OSError if a port cannot be had; nothing is left open then."""
        loop = asyncio.get_running_loop()
        try:
            for host, port, tls in listen:
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
                family, _, _, _, address = found[0]
                self.listen(socket.create_server(address[:2], family=family, backlog=_BACKLOG), tls)
        except BaseException:
            await self.close()
            raise

    def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a socket that is bound already."""
        sock.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        sock.listen(_BACKLOG)
        self._open.append(Listener(sock, lambda accepted, address: self._accepted(accepted, address, tls)))

    def stop_accepting(self) -> None:
        """Accept nothing more from now on; `close` follows."""
        for listener in self._open:
            listener.stop_accepting()

    async def close(self) -> None:
        """Accept nothing more, and free the addresses; what has been accepted is the owner's to close."""
        for listener in self._open:
            await listener.close()
        if self._timer is not None:
            self._timer.cancel()

    def _accepted(self, sock: socket.socket, address: str, tls: ssl.SSLContext | None) -> None:
        refusal = self.connections.refusal(address)
        if refusal:
            sock.close()
            self._refuse(address, refusal)
            return
        loop = asyncio.get_running_loop()
        self.connections.add(self._accept(sock, address, tls), address, loop.time(), tls=tls is not None)
        self._arm(loop)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the timer ring not later than the first connection's time is over."""
        deadline = self.connections.deadline()
        if deadline is None or (self._timer is not None and self._timer.when() <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(deadline, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self.connections.expire(loop.time())
        self._arm(loop)
