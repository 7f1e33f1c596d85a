"""An SQLite store's write-ahead log as a file that we sync: what SQLite does at synchronous=FULL, and leaves at NORMAL.

SQLite keeps no lock on this file (its locks are on the store and on the index of the log), so opening and closing it takes none
away. That a name is on the disk takes a sync of its folder (fsync(2)); SQLite makes one too, and does not look how it ended.
"""

import os
from pathlib import Path
from typing import Final

from gateway.store.errors import StoreUnavailable

CHUNK: Final = 1 << 20
WORTH_A_BATCH: Final = 8
"""Each batch costs as much as some three units more."""


class LogFile:
    """The log that a writing connection has open, from `open` to `close`; OSError is for the caller of `sync` alone."""

    worth_a_batch = WORTH_A_BATCH
    gathers = 0
    shared = False
    """The lane alone writes to it."""
    is_open = True
    """Whatever is committed, it was there before."""

    def __init__(self, path: Path) -> None:
        """Take where the log is, or will be."""
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be in it that is not in the store itself."""
        try:
            return self._path.stat().st_size == 0
        except FileNotFoundError:
            return True

    def open(self) -> None:
        """Keep a descriptor of the file that is there, and sync its name; StoreUnavailable where that cannot be."""
        self.close()
        try:
            # To write as well: only so may an error of an earlier write be told to this descriptor, and it can be rewritten.
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            self.close()
            raise StoreUnavailable(f"the write-ahead log: {error}") from error

    def sync(self) -> None:
        """Put on the disk what was written to it so far; OSError where that failed."""
        assert self._descriptor is not None
        os.fdatasync(self._descriptor)

    def rewrite(self) -> None:
        """Write once more what is in it, and sync that; StoreUnavailable where it cannot be. Nobody may write meanwhile.

        After a failed sync the system takes for written what is not on the disk, and a further sync tells of success.
        """
        assert self._descriptor is not None
        try:
            at = 0
            while octets := os.pread(self._descriptor, CHUNK, at):
                at += os.pwrite(self._descriptor, octets, at)
            self.sync()
        except OSError as error:
            raise StoreUnavailable(f"the write-ahead log: {error}") from error

    def interrupt(self) -> None:
        """Nothing: a disk comes back by itself, or never."""

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
