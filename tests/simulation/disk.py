"""The store under simulation: a write lane that the virtual loop drives, and a disk that is slow, full, or fails.

SQLite is real; a transaction takes virtual time, before its commit and in it. A gateway that is killed before the commit leaves
the state of the last one, one that is killed after it and before the answers leaves a state that nobody was told of.
"""

import sqlite3

from gateway.store.errors import StoreError
from gateway.store.lane import Lane

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


class Disk:
    """How the disk behaves now; `trouble` is "", "full" or "failing"."""

    def __init__(self, random):
        self.random = random
        self.slow_until = self.trouble_until = 0.0
        self.trouble = ""

    def seconds(self, now):
        """How long a write takes."""
        if now < self.slow_until:
            return self.random.uniform(10.0, 45.0) if self.random.random() < 0.1 else self.random.uniform(0.1, 9.0)
        return self.random.uniform(0.0005, 0.01)

    def trouble_at(self, now):
        return self.trouble if now < self.trouble_until else ""

    def heal(self):
        self.slow_until = self.trouble_until = 0.0


def stepped_lane(loop, disk, committed):
    """Make the class of the lanes of a world; `committed` is told the node of each commit that is on the disk."""

    class SteppedLane(Lane):
        """A lane without a thread: a batch begins a moment after its first unit was posted, and takes its time."""

        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.process = PROCESS.get()
            self.stepping = self.planned = self.closed = False
            self.commits, self.ended = 0, False

        def start(self):
            """There is no thread."""

        @property
        def alive(self):
            return not self.closed

        def post(self, unit, done, **options):
            super().post(unit, done, **options)
            self.plan()

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
                self.run_pending()
            except PowerCut:
                self.let_go()
                return
            finally:
                self.stepping = False
            self.plan()

        def run(self, unit):
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

        def spend(self, seconds):
            """Let time pass in the middle of a batch: others go on, and may kill us."""
            loop.spend(seconds, lambda: self.process.dead)
            if self.process.stopped:
                loop.spend(3600.0, lambda: self.process.dead or not self.process.stopped)
            if self.process.dead:
                raise PowerCut

        def commits_by(self, connection):
            """Whether a connection is the one that the batch at hand commits by."""
            return self.stepping and self._connection is not None and self._connection.connection is connection

        def carries(self, kinds):
            """Whether a unit of one of these kinds is in the batch at hand."""
            return self._flight is not None and any(isinstance(job.unit, kinds) for job in self._flight.jobs)

        @property
        def in_transaction(self):
            """Whether a transaction is open that keeps every other writer out."""
            return self._connection is not None and self._connection.connection.dbapi_connection.in_transaction

        def end_transaction(self):
            """End the open transaction from outside, as an administrator of a server may; we hear of it at our next word."""
            self._connection.connection.dbapi_connection.rollback()
            self.ended = True

        def commit(self, original, connection):
            """A commit: it takes its time before it is on the disk, and after."""
            self.commits, self.ended = self.commits + 1, False
            self.spend(disk.seconds(loop.time()))
            if self.ended:
                raise disk_failed()
            match disk.trouble_at(loop.time()):
                case "full":
                    raise disk_full()
                case "failing":
                    if disk.random.random() < 0.5:
                        self._commit_now(original, connection)
                    raise disk_failed()
            self._commit_now(original, connection)
            self.spend(disk.seconds(loop.time()) / 4)

        def _commit_now(self, original, connection):
            original(connection)
            committed(self._node)

        def let_go(self):
            """Drop the connection as the end of a process does: what was not committed is gone."""
            if self._connection is not None:
                self._connection.invalidate()
                self._connection.close()
                self._connection = None

        def close(self):
            self._closing = True
            if self.stepping:
                raise LaneBusy
            self.stepping = True
            try:
                while self.run_pending():
                    continue
                self._drop_connection()
                self.closed = True
            except PowerCut:
                self.let_go()
                raise
            finally:
                self.stepping = False

    return SteppedLane
