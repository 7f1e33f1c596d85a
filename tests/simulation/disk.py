"""The store under simulation: a write lane that the virtual loop drives, and a disk that is slow, full, or fails.

SQLite is real; a transaction takes virtual time, before its commit and in it, and so does the sync of its log. A gateway that
is killed before the commit leaves the state of the last one, one that is killed after it and before the answers leaves a state
that nobody was told of. Where its power is cut before the sync, what was committed since the last one is gone.
"""

import errno
import os
import shutil
import sqlite3
import sys

from gateway.store.errors import StoreError, StoreUnavailable
from gateway.store.files import family
from gateway.store.inspection import FRAME, HEADER
from gateway.store.lane import Lane
from gateway.store.log_file import LogFile
from gateway.store.log_sync import AwaitDurable

from .loop import PROCESS


class PowerCut(BaseException):
    """The process that runs this is dead: nothing further happens in it."""


class LaneBusy(BaseException):
    """Whoever waits for the lane on a thread of its own begins again later: the lane is at work further down this stack."""


def disk_full():
    """What SQLite says when there is no room."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def disk_failed():
    """What SQLite says when an fsync fails: the commit may be on the disk, or not."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    return error


BACKFILLED = 96
"""Where the index of a log says how many of its frames are in the store itself (sqlite.org/walformat.html §2.1: nBackfill)."""


class OnDisk:
    """What of a store's log is on the disk, whoever has it open: a process that dies takes nothing from there.

    `hole` is after a failed sync, until what is in the log is written anew.
    """

    def __init__(self):
        self.salts, self.frames, self.hole = None, 0, False


class DurableLog(LogFile):
    """A log of which it is known how much is on the disk: not what came after a failed sync, until it is written anew.

    Syncs take virtual time, and no real one: what is real here does not outlive the process that plays the world.
    """

    def __init__(self, path, lane, disk):
        super().__init__(path)
        self._lane, self._disk = lane, disk
        self._store = path.with_name(path.name.removesuffix("-wal"))
        self._family, self._aside = family(self._store), {}

    def sync(self):
        known = self._disk.log
        self._lane.spend_in_sync()
        if self._lane.was_ended():
            raise StoreUnavailable("the transaction was ended from outside")
        if self._disk.trouble_at(self._lane.now()) == "failing":
            known.hole = True
            raise OSError(errno.EIO, "Input/output error")
        if not known.hole:
            known.salts, known.frames = self._end()
        self._lane.spend_after_sync()

    def rewrite(self):
        known = self._disk.log
        before, known.hole = known.hole, False
        try:
            super().rewrite()
        except StoreError:
            known.hole = before
            raise

    def _backfilled(self):
        """How many of its frames a checkpoint has carried into the store, which syncs the log first."""
        with self._family["shm"].open("rb") as index:
            index.seek(BACKFILLED)
            return int.from_bytes(index.read(4), sys.byteorder)

    def _end(self):
        """The salts of the log, and how many of its frames have them."""
        with self._path.open("rb", buffering=0) as log:
            head = log.read(HEADER.size)
            if len(head) < HEADER.size:
                return None, 0
            page, salts = HEADER.unpack(head)[2], HEADER.unpack(head)[4:6]
            frames = self._disk.log.frames if salts == self._disk.log.salts else 0
            while (
                len(frame := os.pread(log.fileno(), FRAME.size, HEADER.size + frames * (FRAME.size + page)))
                == FRAME.size
            ):
                if FRAME.unpack(frame)[2:4] != salts:
                    break
                frames += 1
            return salts, frames

    def cut(self):
        """Have the power cut, the connection still open: puts aside what is on the disk, and gives how many frames are not."""
        self._aside = {}
        if self.is_empty:
            return 0
        known, (salts, frames) = self._disk.log, self._end()
        kept = max(known.frames if salts == known.salts else 0, self._backfilled())
        if kept == frames:
            return 0
        self._aside = {
            name: self._family[name].with_name(f"{self._family[name].name}.cut") for name in ("store", "wal")
        }
        shutil.copyfile(self._store, self._aside["store"])
        with self._path.open("rb") as log, self._aside["wal"].open("wb") as copy:
            head = log.read(HEADER.size)
            copy.write(head + log.read(kept * (FRAME.size + HEADER.unpack(head)[2])))
        return frames - kept

    def begin_anew(self):
        """Put in its place what was on the disk; no connection is open any more."""
        if self._aside:
            self._family["shm"].unlink(missing_ok=True)
        for name, aside in self._aside.items():
            aside.replace(self._family[name])
        self._aside = {}


class Disk:
    """How the disk behaves now; `trouble` is "", "full" or "failing"."""

    def __init__(self, random):
        self.random = random
        self.slow_until = self.trouble_until = 0.0
        self.trouble = ""
        self.log = OnDisk()

    def seconds(self, now):
        """How long a write takes."""
        if now < self.slow_until:
            return self.random.uniform(10.0, 45.0) if self.random.random() < 0.1 else self.random.uniform(0.1, 9.0)
        return self.random.uniform(0.0005, 0.01)

    def trouble_at(self, now):
        return self.trouble if now < self.trouble_until else ""

    def heal(self):
        self.slow_until = self.trouble_until = 0.0


def stepped_lane(loop, disk, committed, lost):
    """Make the class of the lanes of a world; `committed` is told the node of each commit.

    `lost` is told how many frames of the log a power cut took; None where power cuts take none.
    """

    class SteppedLane(Lane):
        """A lane without a thread: a batch begins a moment after its first unit was posted, and takes its time."""

        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.process = PROCESS.get()
            self.stepping = self.planned = self.closed = False
            self.commits, self.ended = 0, False
            self.power_cut = False

        def start(self):
            """There is no thread."""

        @property
        def alive(self):
            return not self.closed

        def post(self, unit, done, **options):
            super().post(unit, done, **options)
            self.plan()

        def post_all(self, posted):
            super().post_all(posted)
            self.plan()

        def _sync_log(self, log):
            found = super()._sync_log(log)
            found._file = DurableLog(log, self, disk)
            return found

        @property
        def unsynced(self):
            """Whether anything is committed that a power cut may take back."""
            return bool(self._log.unsynced)

        def plan(self):
            """Begin a batch soon, unless one runs."""
            if not self.planned and not self.stepping and self._waiting:
                self.planned = True
                loop.call_later(0.0002, self.step)

        def step(self):
            self.planned = False
            if self.stepping:
                return
            self.stepping = True
            try:
                while self._run_batch() and self._may_go_on() and disk.random.random() < 0.5:
                    pass
                self._log.sync()
            except PowerCut:
                self.let_go()
                return
            finally:
                self.stepping = False
            self.plan()

        def _may_go_on(self):
            return bool(self._waiting) and not self._waiting[0].unit.alone

        def run(self, unit):
            if isinstance(unit, AwaitDurable):
                return self.await_durable(lambda: self.post(unit, lambda _answer, _error: None))
            if self.stepping:
                raise LaneBusy
            outcome = []
            self.post(unit, lambda answer, error: outcome.extend((answer, error)))
            loop.spend(3600.0, lambda: (bool(outcome) and not self.process.stopped) or self.process.dead)
            if self.process.dead:
                raise PowerCut
            if isinstance(outcome[1], StoreError):
                raise outcome[1]
            return outcome[0]

        def now(self):
            return loop.time()

        def await_durable(self, post):
            """Nobody waits here with a connection open: it would outlive a power cut. `post` has a batch end a doubt."""
            if self._log.in_doubt and not self.stepping:
                post()
            if self._log.in_doubt or self.unsynced:
                raise LaneBusy

        def spend_in_sync(self):
            self.spend(disk.seconds(loop.time()))

        def spend_after_sync(self):
            self.spend(disk.seconds(loop.time()) / 4)

        def spend(self, seconds):
            """Let time pass in the middle of a batch: others go on, and may kill us."""
            loop.spend(seconds, lambda: self.process.dead)
            if self.process.stopped:
                loop.spend(3600.0, lambda: self.process.dead or not self.process.stopped)
            if self.process.dead:
                self._cut()
                raise PowerCut

        def commits_by(self, connection):
            """Whether a connection is the one that the batch at hand commits by."""
            ours = self._transactions.connection
            return self.stepping and ours is not None and ours.connection is connection

        def carries(self, kinds):
            """Whether a unit of one of these kinds is in the batch at hand."""
            return self._flight is not None and any(isinstance(job.unit, kinds) for job in self._flight.jobs)

        @property
        def in_transaction(self):
            """Whether a transaction is open that keeps every other writer out."""
            ours = self._transactions.connection
            return ours is not None and ours.connection.dbapi_connection.in_transaction

        def end_transaction(self):
            """End the open transaction from outside, as an administrator of a server may; we hear of it at our next word."""
            self._transactions.connection.connection.dbapi_connection.rollback()
            self.ended = True

        def was_ended(self):
            """Whether that is so; who asks tells of it, as a server does once."""
            ended, self.ended = self.ended, False
            return ended

        def commit(self, original, connection):
            """A commit: it takes its time before it is on the disk, and after."""
            self.commits += 1
            self.spend(disk.seconds(loop.time()))
            if self.was_ended():
                raise disk_failed()
            match disk.trouble_at(loop.time()):
                case "full":
                    raise disk_full()
                case "failing":
                    if disk.random.random() < 0.5:
                        self._commit_now(original, connection)
                    raise disk_failed()
            self._commit_now(original, connection)

        def _commit_now(self, original, connection):
            original(connection)
            committed(self._transactions._node)

        def let_go(self):
            """Drop the connection as the end of a process does: what was not committed is gone, by a power cut more."""
            ours = self._transactions.connection
            if ours is not None:
                self._cut()
                ours.invalidate()
                ours.close()
                self._log._file.begin_anew()
                self._log._file.close()
                self._transactions.connection = None

        def _cut(self):
            """Once, and before the connection is closed, which would carry home what is in the log."""
            if self.power_cut and lost is not None and self._transactions._verified:
                self.power_cut = False
                lost(self._log._file.cut())

        def close(self):
            self._closing = True
            if self.stepping:
                raise LaneBusy
            self.stepping = True
            try:
                while self.run_pending():
                    continue
                self._transactions.let_go()
                self.closed = True
            except PowerCut:
                self.let_go()
                raise
            finally:
                self.stepping = False

    return SteppedLane
