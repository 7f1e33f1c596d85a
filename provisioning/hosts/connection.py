"""A TCP connection to a host's management port: dialled in limited time, read by a pure decoder, ended for a reason."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, cast

from protocols.errors import RemoteProtocolError
from protocols.tap import NOWHERE, endpoint
from provisioning.errors import HostUnavailable

Address = tuple[str, int]
"""Host and port."""

_PENDING_WRITES: Final = 1 << 20
"""Octets that may wait for a peer that does not read, before it is given up."""


class Connection(asyncio.Protocol):
    """One connection, and its end.

    Args:
        receive: is given what comes in; a RemoteProtocolError from it ends the connection.
        lost: is told once why the connection ended, in words that carry nothing of what was said on it.
    """

    def __init__(self, receive: Callable[[bytes], None], lost: Callable[[str], None]) -> None:
        self.local = self.remote = NOWHERE
        self._receive = receive
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._reason: str | None = None

    @classmethod
    async def dial(
        cls, address: Address, receive: Callable[[bytes], None], lost: Callable[[str], None], patience: float
    ) -> "Connection":
        """Open a connection within `patience` seconds, or raise HostUnavailable."""
        host, port = address
        try:
            async with asyncio.timeout(patience):
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(lambda: cls(receive, lost), host, port)
        except TimeoutError:
            raise HostUnavailable(f"{host}:{port} was not reached in {patience:g} s") from None
        except OSError as error:
            raise HostUnavailable(f"{host}:{port} was not reached: {_why(error)}") from None
        return connection

    @property
    def open(self) -> bool:
        """Whether it can still be written to."""
        return self._reason is None

    def write(self, data: bytes) -> None:
        """Send; a peer that has not read for too long loses the connection."""
        if self._transport is None:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _PENDING_WRITES:
            self.end("it does not read")

    def end(self, reason: str) -> None:
        """Close at once; the first reason is told."""
        if self._reason is not None:
            return
        self._reason = reason
        if self._transport is not None:
            self._transport.abort()
        self._lost(reason)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio.Protocol)."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of asyncio's
        self.local = endpoint(transport.get_extra_info("sockname"))
        self.remote = endpoint(transport.get_extra_info("peername"))

    def data_received(self, data: bytes) -> None:
        """Hand over what came in, unless the connection is at its end (asyncio.Protocol)."""
        if not self.open:
            return
        try:
            self._receive(data)
        except RemoteProtocolError as error:
            self.end(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """Report an end that the peer or the network made (asyncio.Protocol)."""
        self.end("the connection was lost" if exc else "it closed the connection")


def _why(error: OSError) -> str:
    # asyncio puts words of its own, with the address, in the place of the system's; a resolver's errors count below 0.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


class Turn:
    """One at a time; whoever waited while another found the host unavailable hears the same, instead of trying in its turn."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._failures = 0
        self._reason = ""

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Have the turn; HostUnavailable."""
        failures = self._failures
        async with self._lock:
            if self._failures != failures:
                raise HostUnavailable(self._reason)
            try:
                yield
            except HostUnavailable as error:
                self._failures += 1
                self._reason = str(error)
                raise
