"""What a server listens on, and the connections that it has accepted: capped, and cut off if they never say who they are."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic

from protocols.connection_table import C, ConnectionTable, Eviction
from protocols.descriptors import DESCRIPTORS, Descriptors
from protocols.limits import ConnectionLimits
from protocols.network import SOCKETS, Accepted, Listener, ListeningSocket, Network

Listen = tuple[str, int, ssl.SSLContext | None]
"""Host, port (0: any) and, for TLS, a context."""


class Listeners(Generic[C]):
    """All addresses that one node or server listens on, and the connections that it has accepted.

    Whoever owns it calls `connections.leave_half_open` once a connection has shown who it is or is on its way out, and
    `connections.discard` once nothing is left of it.

    Args:
        first_message: as of `ConnectionTable`.
        accept: begins with a connection, of this address, with TLS or without.
        refuse: learns from where a connection was closed at once, and why.
        evict: closes a half-open connection.
        idle: gives those that ask for nothing just now, though they have shown who they are, and may be closed by `evict` too.
    """

    def __init__(
        self,
        limits: ConnectionLimits,
        first_message: float,
        *,
        accept: Callable[[Accepted, str, ssl.SSLContext | None], C],
        refuse: Callable[[str, str], None],
        evict: Callable[[C, Eviction], None],
        idle: Callable[[], Sequence[C]] = tuple,
        network: Network = SOCKETS,
        descriptors: Descriptors = DESCRIPTORS,
    ) -> None:
        self.connections = ConnectionTable(limits, first_message, evict)
        self._evict, self._idle, self._descriptors = evict, idle, descriptors
        self._accept = accept
        self._refuse = refuse
        self._network = network
        self._open: list[ListeningSocket] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def ports(self) -> list[int]:
        """The ports that are listened on, in the order in which they were opened."""
        return [listener.port for listener in self._open]

    def __len__(self) -> int:
        return len(self.connections)

    def spare(self) -> int:
        """How many connections could be closed to make room for others."""
        return len(self.connections.half_open) or len(self._idle())

    def close_spare(self) -> bool:
        """Close the oldest half-open connection, or an idle one; False where there is neither."""
        if self.connections.evict_oldest():
            return True
        idle = next(iter(self._idle()), None)
        if idle is not None:
            self._evict(idle, Eviction.DESCRIPTORS)
        return idle is not None

    async def open(self, listen: Sequence[Listen]) -> None:
        """Listen on the first address of each host. OSError if a port cannot be had; nothing is left open then."""
        self._descriptors.add(self)
        try:
            for host, port, tls in listen:
                self._open.append(await self._network.listen(host, port, partial(self._accepted, tls=tls)))
        except BaseException:
            await self.close()
            raise

    def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a socket that is bound already."""
        self._descriptors.add(self)
        self._open.append(Listener(sock, partial(self._accepted, tls=tls)))

    def stop_accepting(self) -> None:
        """Accept nothing more from now on; `close` follows."""
        for listener in self._open:
            listener.stop_accepting()

    async def close(self) -> None:
        """Accept nothing more, and free the addresses; what has been accepted is the owner's to close."""
        for listener in self._open:
            await listener.close()
        self._descriptors.remove(self)
        if self._timer is not None:
            self._timer.cancel()

    def _accepted(self, accepted: Accepted, address: str, tls: ssl.SSLContext | None) -> None:
        refusal = self.connections.refusal(address)
        if not refusal and not self._descriptors.has_room() and not self._descriptors.make_room():
            refusal = Eviction.DESCRIPTORS.value
        if refusal:
            accepted.close()
            self._refuse(address, refusal)
            return
        loop = asyncio.get_running_loop()
        self.connections.add(self._accept(accepted, address, tls), address, loop.time(), tls=tls is not None)
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
