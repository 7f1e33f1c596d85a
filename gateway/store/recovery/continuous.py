"""A continuous backup of the store that a lane writes: looks at the lane, writes beside the event loop."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.environment import InThread
from gateway.store.async_submit import submit
from gateway.store.backup import CopyStopped
from gateway.store.errors import LaneOverloaded, StoreCorrupt, StoreUnavailable
from gateway.store.recovery.changes import ChangeReader, Changes, NoteBackup, TakeChanges
from gateway.store.recovery.folder import Chain, prune
from gateway.store.write_lane import WriteLane

MOST_PENDING: Final = 256 * 1024 * 1024
"""Octets that may wait for the folder; then the backup begins anew, lest a hanging disk takes the memory."""
TRIES: Final = 40
RETRY_SECONDS: Final = 0.05
"""A lane that is full takes nothing for a moment; a log that is not looked at grows."""
COPY_AGAIN_SECONDS: Final = 60
MICROSECONDS: Final = 1_000_000


class Terms(msgspec.Struct, frozen=True):
    """Where it is kept, and how: seconds between two files of changes, between two whole copies, and until what is old goes."""

    folder: Path
    every: int
    full: int
    keep: int


class Snapshot(NamedTuple):
    """What a whole copy is made of: a connection that sees the store as of a moment, after the changes of a number."""

    connection: sqlite3.Connection
    chain: Chain
    number: int
    at: int


class ContinuousBackup:
    """Its state. Every method belongs to the event loop, but for `finish`."""

    def __init__(
        self,
        store: Path,
        terms: Terms,
        lane: WriteLane,
        *,
        clock: Callable[[], int],
        in_thread: InThread,
        log: Callable[[str, Mapping[str, object]], None],
        reader: ChangeReader | None = None,
    ) -> None:
        """Take the store's file and its lane; nothing is written before the first turn.

        The lane's policies have this `reader`, unless it is given: then the lane works in another process.
        """
        self.terms, self.reader = terms, reader or ChangeReader(store)
        self._store, self._lane, self._clock, self._in_thread, self._log = store, lane, clock, in_thread, log
        self._pending = Changes(0)
        self._chain: Chain | None = None
        self._snapshot: Snapshot | None = None
        self._copied_at: int | None = None
        self._retry_at = 0
        self._safe_at: int | None = None
        self._copying = self._stopping = self._quiet = False
        self._gathering = threading.Lock()
        self._turn = asyncio.Lock()
        """Held while something is written."""
        self.octets = 0
        """Written since the start."""
        self.trouble = ""
        """Why the last attempt failed, or why there is no whole copy; empty where all is well."""

    @property
    def safe_at(self) -> int | None:
        """Until when all that was committed is in the folder, UTC microseconds; None before the first whole copy is there."""
        return self._safe_at if self._copied_at is not None else None

    @property
    def copy_waits(self) -> bool:
        """Whether a whole copy has been begun that `copy` is to make."""
        return self._snapshot is not None

    async def look(self) -> None:
        """Gather what was committed since the last look."""
        await self._submit(TakeChanges(), lambda _changes: self._gather_undelivered())

    async def _submit(self, unit: TakeChanges, then: Callable[[Changes], None]) -> None:
        for _ in range(TRIES):
            with suppress(LaneOverloaded):
                await submit(self._lane, unit, then=then)
                return
            await asyncio.sleep(RETRY_SECONDS)
        await submit(self._lane, unit, then=then)

    async def write(self) -> None:
        """Write what was gathered, begin a chain where there is none, and a whole copy where one is due."""
        async with self._turn:
            await self._write()

    async def _write(self) -> None:
        try:
            if self._chain is None:
                chain = await self._in_thread(Chain, self.terms.folder, self._store, self._clock())
                await submit(self._lane, NoteBackup())
                await self._submit(TakeChanges(begin=True), lambda changes: self._begin_chain(chain, changes))
            elif self._copy_is_due():
                await self._write_pending(self._chain)
                await submit(self._lane, NoteBackup())
                await self._submit(TakeChanges(begin=True), self._begin_copy)
            if self._chain is not None:
                await self._write_pending(self._chain)
        except OSError as error:
            self.trouble = f"{self.terms.folder}: {error.strerror or error}"
            raise

    def _copy_is_due(self) -> bool:
        if self._copying or self._snapshot is not None:
            return False
        now, full = self._clock(), self.terms.full * MICROSECONDS
        return self._retry_at <= now and (self._copied_at is None or now - self._copied_at > full)

    def _begin_chain(self, chain: Chain, changes: Changes) -> None:
        """What was gathered before belongs to no chain, or is in the whole copy that begins this one."""
        self.reader.undelivered.clear()
        self._chain, self._copied_at, self._pending = chain, None, Changes(changes.at)
        self._begin_copy(Changes(changes.at, broken=changes.broken))

    def _begin_copy(self, changes: Changes) -> None:
        self._gather_undelivered()
        self._gather(changes)
        connection, self.reader.snapshot = self.reader.snapshot, None
        if connection is not None and self._chain is not None:
            self._snapshot = Snapshot(connection, self._chain, self._chain.number, changes.at)

    async def copy(self) -> None:
        """Make the whole copy that was begun."""
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is None:
            return
        self._copying, chain = True, snapshot.chain
        try:
            copied = await self._in_thread(
                chain.copy, snapshot.connection, snapshot.number, snapshot.at, self._is_wanted
            )
        except CopyStopped:
            return
        except (sqlite3.Error, StoreUnavailable, OSError) as error:
            self._retry_at = self._clock() + COPY_AGAIN_SECONDS * MICROSECONDS
            self.trouble = f"the store cannot be copied: {error}"
            self._log("store.backup.failed", {"detail": self.trouble})
        else:
            self.octets += copied
            if chain is self._chain:
                self._copied_at, self.trouble = snapshot.at, ""
            self._log("store.backup.copied", {"folder": str(chain.path), "octets": copied})
            await self._in_thread(prune, self.terms.folder, snapshot.at - self.terms.keep * MICROSECONDS)
        finally:
            self._copying = False
            snapshot.connection.close()

    def _is_wanted(self) -> bool:
        return not self._stopping

    def _gather_undelivered(self) -> None:
        """Gather what was looked at, in its order; when the lane has ended `finish` may be quicker than its last answer."""
        with self._gathering:
            while self.reader.undelivered:
                self._gather(self.reader.undelivered.popleft())

    def _gather(self, changes: Changes) -> None:
        why = changes.broken
        if not why and self._pending.octets > MOST_PENDING:
            why = f"{self._pending.octets} octets wait for {self.terms.folder}"
        if not why:
            self._pending = self._pending.followed_by(changes)
            return
        if self._chain is not None:
            self._log("store.backup.broken", {"detail": why})
        self._chain, self._copied_at, self._pending, self.trouble = None, None, Changes(changes.at), why

    async def _write_pending(self, chain: Chain) -> None:
        writing, self._pending = self._pending, Changes(self._pending.at)
        try:
            written = await self._in_thread(_write, chain, writing)
        except OSError:
            if chain is self._chain:
                self._pending = writing.followed_by(self._pending)
            raise
        self.octets += written  # not around the await: a copy that ends meanwhile has added its own
        if chain is self._chain:
            self._safe_at = writing.at
            if self._copied_at is not None:
                self.trouble = ""

    async def stop(self) -> None:
        """Make no whole copy any more, and wait until nothing is being written; the lane goes on until it is closed."""
        self._stopping = True
        await self._turn.acquire()
        self._quiet = True

    def finish(self) -> None:
        """Write what was committed last; called when the lane has ended, before the store is let go. Blocks.

        Where `stop` did not come back, the folder hangs: nothing more is written to it.
        """
        try:
            self._gather_undelivered()
            self._gather(self.reader.look(self._clock(), begin=False))
            if self._chain is not None and self._quiet:
                _write(self._chain, self._pending)
        except (OSError, StoreCorrupt) as error:
            self._log(
                "store.backup.failed", {"detail": f"what was committed last is not in {self.terms.folder}: {error}"}
            )
        finally:
            if self._snapshot is not None:
                self._snapshot.connection.close()
            self.reader.close()


def _write(chain: Chain, changes: Changes) -> int:
    """Write changes, if there are any, and until when all is there; gives the octets."""
    octets = chain.add(changes) if changes.pages else 0
    chain.complete(changes.at)
    return octets
