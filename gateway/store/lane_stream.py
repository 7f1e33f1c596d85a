"""The gateway's end of the stream to the write lane's process, and what it does to that process."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from gateway.store.lane_messages import Frames, FromLane

READ: Final = 1 << 16
"""Octets that are taken at once."""


class Stream(Protocol):
    """What a lane's process is reached by. Everything is called on the event loop."""

    @property
    def pid(self) -> int:
        """The number of the process."""

    def open(self, begin: bytes, descriptor: int, take: Callable[[Any], None], end: Callable[[], None]) -> None:
        """Send the first message with a descriptor; `take` gets each message that comes, `end` is told once of the end."""

    def send(self, octets: bytes) -> None:
        """Send a message; one to a process that has died is lost, and the end comes after all that it has said."""

    def read(self) -> None:
        """Take now what has come."""

    def kill(self) -> None:
        """End the process at once."""

    def exit_code(self) -> int | None:
        """How it ended (negative: by which signal); None while it has not."""


class SocketStream:
    """One end of a pair of sockets, and the child process that has the other."""

    def __init__(self, pid: int, ours: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        """Take the process and our end."""
        self.pid, self._socket, self._loop = pid, ours, loop
        self._frames, self._unsent = Frames(FromLane), bytearray()
        self._take: Callable[[Any], None] = lambda _message: None
        self._end: Callable[[], None] = lambda: None
        self._open = False

    def open(self, begin: bytes, descriptor: int, take: Callable[[Any], None], end: Callable[[], None]) -> None:
        """Send the first message with a descriptor, and listen."""
        self._take, self._end, self._open = take, end, True
        self._socket.settimeout(0)
        with suppress(OSError):  # it has died already: reading finds that
            self._keep(begin, socket.send_fds(self._socket, [begin], [descriptor]))
        self._loop.add_reader(self._socket, self.read)

    def send(self, octets: bytes) -> None:
        """Send a message, the rest of it when there is room."""
        if self._unsent:
            self._unsent += octets
            return
        try:
            self._keep(octets, self._socket.send(octets))
        except BlockingIOError:
            self._keep(octets, 0)
        except OSError:
            return

    def _keep(self, octets: bytes, sent: int) -> None:
        if sent < len(octets):
            self._unsent += octets[sent:]
            self._loop.add_writer(self._socket, self._write)

    def _write(self) -> None:
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()
        if not self._unsent:
            self._loop.remove_writer(self._socket)

    def read(self) -> None:
        """Take all that has come."""
        while self._open:
            try:
                octets = self._socket.recv(READ)
            except BlockingIOError:
                return
            except OSError:
                octets = b""
            if not octets:
                self._close()
                return
            for message in self._frames.feed(octets):
                self._take(message)
            if len(octets) < READ:
                return

    def _close(self) -> None:
        self._open = False
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._unsent.clear()
        self._end()

    def kill(self) -> None:
        """SIGKILL."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def exit_code(self) -> int | None:
        """Collect the process if it has ended."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return 0
        return os.waitstatus_to_exitcode(status) if pid else None
