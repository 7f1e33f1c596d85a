"""The file of one trace: always a new one, whole records only, written by a thread so that a slow disk holds nobody up."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.environment import InThread
from gateway.tracing.captures import FILE_HEADER

MAX_WAITING: Final = 8 << 20
"""Octets that may wait for the disk; what comes beyond is missed, and counted."""
WRITE_SECONDS: Final = 0.2
SUFFIX: Final = ".pcap"


class FileRefused(Exception):
    """The file cannot be had; the text says why."""


class CaptureFile:
    """A file that records are put into.

    Args:
        path: of a file that is not there yet, absolute, with the suffix `.pcap`.
        failed: is told, on the loop, why nothing more can be written.
        in_thread: runs what writes.
    """

    def __init__(self, path: Path, failed: Callable[[str], None], in_thread: InThread) -> None:
        if not path.is_absolute() or path.suffix != SUFFIX:
            raise FileRefused(f"{path}: give an absolute path that ends in {SUFFIX}")
        flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except FileExistsError:
            raise FileRefused(f"{path} is there already, and a trace writes over nothing") from None
        except OSError as error:
            raise FileRefused(f"{path} cannot be written by the gateway: {error.strerror}") from None
        self.path = path
        self._failed, self._in_thread = failed, in_thread
        self._waiting = [FILE_HEADER]
        self.size = self._waiting_octets = len(FILE_HEADER)
        self._closing = asyncio.Event()
        self._writer = asyncio.get_running_loop().create_task(self._write_until_closed(), name=f"trace {path.name}")

    def put(self, record: bytes) -> bool:
        """Have a record written soon; False if too much waits already."""
        if self._waiting_octets + len(record) > MAX_WAITING:
            return False
        self._waiting.append(record)
        self._waiting_octets += len(record)
        self.size += len(record)
        return True

    async def close(self) -> None:
        """Write what waits, and close."""
        self._closing.set()
        await self._writer

    async def _write_until_closed(self) -> None:
        try:
            while not self._closing.is_set():
                try:
                    async with asyncio.timeout(WRITE_SECONDS):
                        await self._closing.wait()
                except TimeoutError:
                    await self._write()
            await self._write()
        except OSError as error:
            self._failed(f"{self.path} cannot be written any more: {error.strerror}")
        finally:
            os.close(self._descriptor)

    async def _write(self) -> None:
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._waiting_octets = 0
            await self._in_thread(_append, self._descriptor, data)


def _append(descriptor: int, data: bytes) -> None:
    """Write all of it, or leave the file as it was."""
    size = os.fstat(descriptor).st_size
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise
