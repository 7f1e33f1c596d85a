"""What was committed to an SQLite store since the last look, as whole pages out of its write-ahead log.

The write lane is the only writer, so what is read on its thread, between two of its transactions, is exactly what was
committed. The log may begin anew only when all of it has been read: while changes are taken, the lane's connection makes no
checkpoints of its own, and each look makes one. Format of the log: https://sqlite.org/fileformat2.html#walformat.
"""

import os
import sqlite3
from collections import deque
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec
from sqlalchemy import Engine, event, insert, update

from gateway.store.batch import Batch, Unit
from gateway.store.errors import StoreCorrupt
from gateway.store.files import family
from gateway.store.inspection import FRAME, HEADER, check_header, read_only
from gateway.store.tables import marks

BACKUP: Final = "backup"
"""The mark of when a whole copy was begun last, UTC microseconds."""
_NO_CHECKPOINTS: Final = "PRAGMA wal_autocheckpoint=0"


class Changes(msgspec.Struct):
    """The pages that were written between two looks, each as it was at the second one.

    Attributes:
        at: when the second look was, UTC microseconds: what was committed before is here, or in earlier changes.
        page_size: in octets.
        size: of the store, in pages; 0 where nothing was written.
        pages: by their number, from 1 on.
        broken: why these changes cannot follow on the earlier ones; empty if they do.
    """

    at: int
    page_size: int = 0
    size: int = 0
    pages: dict[int, bytes] = {}
    broken: str = ""

    @property
    def octets(self) -> int:
        """How much memory the pages take."""
        return len(self.pages) * self.page_size

    def followed_by(self, later: "Changes") -> "Changes":
        """Give these and later ones as one."""
        if not later.size:
            return msgspec.structs.replace(self, at=later.at)
        return msgspec.structs.replace(later, pages={**self.pages, **later.pages})


class _Position(msgspec.Struct, frozen=True):
    """How far a log was read. `over`: all of it is in the store itself, so the next commit may begin it anew.

    Each new beginning adds one to the first salt; the number of checkpoints in the log's head
    does not tell how many there were, as each connection counts its own.
    """

    salts: tuple[int, int]
    frames: int
    over: bool


class ChangeReader:
    """Reads what is new, on the lane's thread. `snapshot` is a connection that sees the store as of a look with `begin`."""

    def __init__(self, store: Path) -> None:
        """Take the store's file; nothing is opened yet."""
        self._store, self._log = store, family(store)["wal"]
        self._connection: sqlite3.Connection | None = None
        self._position: _Position | None = None
        self._at = 0
        self.snapshot: sqlite3.Connection | None = None
        self.undelivered: deque[Changes] = deque()
        """What was looked at and has not been gathered: its answer is on its way from the lane, or was lost with a commit."""

    def look(self, now: int, *, begin: bool) -> Changes:
        """Give what was committed since the last look, nothing at the first; with `begin` there is a `snapshot` afterwards.

        StoreCorrupt where somebody wrote over the log.
        """
        try:
            changes = self._look(now)
            if begin and self._position is None:
                changes = Changes(now, broken="the log is empty")
            elif begin:
                self.snapshot = self._begin_snapshot()
        except (sqlite3.Error, OSError) as error:
            changes = Changes(now, broken=str(error) or type(error).__name__)
        if changes.broken:
            self._position = None
        self._at = changes.at
        return changes

    def close(self) -> None:
        """Let go of the store."""
        for connection in (self._connection, self.snapshot):
            if connection is not None:
                connection.close()
        self._connection = self.snapshot = None

    def _look(self, now: int) -> Changes:
        if self._connection is None:
            address = f"file:{quote(str(self._store))}?mode=rw"
            self._connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        self._check_log()
        # Passive: it waits for nobody. A report that is being read keeps the rest of the log for the next look.
        busy, frames, moved = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if busy or frames < 0:  # somebody else makes one just now, by hand
            return Changes(self._at)
        before = self._position
        with self._log.open(
            "rb", buffering=0
        ) as log:  # SQLite keeps no lock on this file, so closing it takes none away
            if not frames:
                return Changes(now)
            _, _, page_size, _, *salts = HEADER.unpack(log.read(HEADER.size))[:6]
            self._position = _Position((salts[0], salts[1]), frames, moved == frames)
            return (
                _between(log.fileno(), before, self._position, page_size, now) if before is not None else Changes(now)
            )

    def _check_log(self) -> None:
        """Raise StoreCorrupt before a checkpoint would carry what somebody wrote over the log into the store."""
        if not self._log.exists():
            return
        with self._log.open("rb", buffering=0) as log:
            head = log.read(HEADER.size)
        if head and (found := check_header(head)) is not None:
            raise StoreCorrupt(f"{self._log}: {found}")

    def _begin_snapshot(self) -> sqlite3.Connection | None:
        if self.snapshot is not None:
            self.snapshot.close()
        snapshot = read_only(self._store, check_same_thread=False)
        snapshot.execute("BEGIN")
        snapshot.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # only now does it see one moment
        return snapshot


def _between(log: int, before: _Position, after: _Position, page_size: int, now: int) -> Changes:
    """Read the frames between two positions; `broken` says why they do not follow each other."""
    if after.salts == before.salts:
        first = before.frames
    elif before.over and _is_next(before.salts, after.salts):
        first = 0
    else:
        return Changes(now, broken="the log began anew before all of it had been read")
    step = FRAME.size + page_size
    length = (after.frames - first) * step
    octets = memoryview(os.pread(log, length, HEADER.size + first * step)) if length > 0 else memoryview(b"")
    if len(octets) != length:
        return Changes(now, broken="the log is shorter than it was")
    pages: dict[int, bytes] = {}
    size = 0
    for start in range(0, length, step):
        number, commit, *salts = FRAME.unpack(octets[start : start + FRAME.size])[:4]
        if tuple(salts) != after.salts:
            raise StoreCorrupt("frames of the log were overwritten")
        pages[number] = bytes(octets[start + FRAME.size : start + step])
        size = commit or size
    return Changes(now, page_size, size, pages)


def _is_next(before: tuple[int, int], after: tuple[int, int]) -> bool:
    return after[0] == (before[0] + 1) & 0xFFFFFFFF


class TakeChanges(Unit):
    """Look what was committed since the last time; with `begin` all of it as of now, by the reader's snapshot."""

    alone: ClassVar[bool] = True

    begin: bool = False

    def decide(self, batch: Batch) -> Changes:
        """Give the changes, or have them gathered by the reader; nothing is written, so nothing is committed that they lack."""
        batch.connection.exec_driver_sql(_NO_CHECKPOINTS)  # the connection may be older than the backup
        reader = batch.policy(ChangeReader)
        changes = reader.look(batch.now, begin=self.begin)
        if self.begin:
            return changes
        reader.undelivered.append(changes)
        return Changes(changes.at)


class NoteBackup(Unit):
    """Write down that a whole copy begins, so that the log is not empty then: how an empty one began anew nobody can tell."""

    alone: ClassVar[bool] = True

    def decide(self, batch: Batch) -> None:
        """Set the mark of this node."""
        mark = (marks.c.node == batch.node.id, marks.c.name == BACKUP)
        if not batch.connection.execute(update(marks).where(*mark).values(value=batch.now)).rowcount:
            batch.connection.execute(insert(marks).values(node=batch.node.id, name=BACKUP, value=batch.now))


def make_no_checkpoints(engine: Engine) -> None:
    """Have connections that an engine opens from now on leave checkpoints to the looks."""

    def prepare(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401  (SQLAlchemy's pool record, unused)
        connection.execute(_NO_CHECKPOINTS)

    event.listen(engine, "connect", prepare)
