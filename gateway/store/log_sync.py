"""Commits of the write lane on their way to the disk: synced by a thread of its own, while the next batch is decided (039).

The lane commits at synchronous=NORMAL: SQLite writes the commit to its write-ahead log, and others can read it. It is
*committed*, and not yet *durable*: a power cut may take it back. One fdatasync of the log makes durable all that was committed
before it began; only then is anything of it answered. Whoever reads the store for others waits for that too (`AwaitDurable`).
A server is asked for the same by a connection of its own (gateway.store.server_log, decision 047).

When a sync fails, the log is *in doubt*: the system takes its octets for written, so that a further sync would tell of success
and prove nothing. Of all that is not durable then the outcome is unknown; and before the lane writes again it writes the whole
log once more, and syncs that. The log that a new connection finds is in doubt as well: whoever wrote it may have come to this.
"""

import threading
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from gateway.store.batch import Batch, Unit
from gateway.store.errors import OutcomeUnknown, StoreError

MOST_AHEAD: Final = 4
"""Batches that are committed while one sync runs: when the disk does not come back, what follows shall wait undecided."""

Committed = TypeVar("Committed")
Release = Callable[[list[Committed], StoreError | None], None]
"""Told of what is durable, in the order of the commits; or of what is not, and why."""


class AwaitDurable(Unit):
    """Wait until all that is committed by now is on the disk; it changes nothing, and mostly does not wait for the lane.

    Posted by who has begun to read, before he lets anybody know what he read.
    """

    def decide(self, batch: Batch) -> None:
        """Nothing: where the log was in doubt, it is not any more."""


class Log(Protocol):
    """What is committed to: log_file.LogFile, or server_log.ServerLog."""

    @property
    def worth_a_batch(self) -> int:
        """While a sync runs a batch of fewer units waits."""

    @property
    def gathers(self) -> int:
        """How many units a batch waits for a moment, where many came with the last one; 0: it never does."""

    @property
    def shared(self) -> bool:
        """Whether others commit to it, too."""

    @property
    def is_open(self) -> bool:
        """Whether a sync would tell of what is committed now."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing in it can be in doubt."""

    def open(self) -> None:
        """Take it up; StoreError where that cannot be."""

    def sync(self) -> None:
        """Make durable what was committed before; OSError where nobody knows whether it is."""

    def rewrite(self) -> None:
        """End the doubt after a failed sync; StoreError where that cannot be."""

    def interrupt(self) -> None:
        """End a sync that another thread waits for, where that can be."""

    def close(self) -> None:
        """Let go of it."""


class LogSync(Generic[Committed]):
    """What is committed and not yet durable, and the thread that syncs it.

    `lock` is that of the lane's state, of which this is a part; `changed` is told, under it, that a sync has ended.
    """

    def __init__(
        self, log: Log, lock: threading.Lock, *, changed: Callable[[], None], release: Release[Committed]
    ) -> None:
        """Take the log; nothing is opened yet."""
        self._file = log
        self._lock, self._changed, self._release = lock, changed, release
        self._due = threading.Condition(lock)
        self.unsynced: list[Committed] = []
        """Oldest first."""
        self._covered = 0
        """How many of them the sync that runs will make durable."""
        self.in_doubt = not self._file.is_empty
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="log-sync", daemon=True)

    def start(self) -> None:
        """Begin to sync."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def may_begin(self, waiting: int, *, alone: bool) -> bool:
        """Whether a batch of so many units is to be begun now; under the lock. One that is alone finds everything durable."""
        ahead = len(self.unsynced) - self._covered
        return not self.unsynced or (not alone and waiting >= self._file.worth_a_batch and ahead < MOST_AHEAD)

    def vouches_for_readers(self) -> bool:
        """Whether a sync from now on tells those who have read that it is durable; else a batch has to; under the lock."""
        return self._file.is_open and not self.in_doubt

    def covering(self) -> Committed | None:
        """Give what is durable only when all that can be read now is; None where that has to be put first; under the lock.

        Of a log that others commit to, a sync that runs may have begun before what was read was committed.
        """
        waiting = self.unsynced[self._covered :] if self._file.shared else self.unsynced
        return waiting[-1] if waiting else None

    @property
    def gathers(self) -> int:
        """How many units a batch of this log waits for a moment; 0: it never does."""
        return self._file.gathers

    @property
    def shared(self) -> bool:
        """Whether others commit to this log, too."""
        return self._file.shared

    def interrupt(self) -> None:
        """End a sync that does not come back, where that can be."""
        self._file.interrupt()

    # On the lane's thread

    def hold(self) -> None:
        """Open the log of a connection that has just begun its first transaction; StoreUnavailable where that cannot be."""
        self._file.open()
        with self._lock:
            self.in_doubt = not self._file.is_empty

    def make_certain(self) -> None:
        """End a doubt, in a transaction that keeps other writers out; StoreUnavailable where that cannot be."""
        if self.in_doubt:
            self._file.rewrite()
            with self._lock:
                self.in_doubt = False

    def put(self, committed: Committed) -> None:
        """Take what is committed; under the lock."""
        self.unsynced.append(committed)
        self._due.notify()

    def let_go(self) -> None:
        """Wait until nothing is unsynced, and close the log: its connection is about to be closed."""
        if not self.alive:
            self.sync()
        with self._lock:
            while self.unsynced:
                self._due.wait()
        self._file.close()

    def close(self) -> None:
        """End the thread, after what is unsynced."""
        with self._lock:
            self._ending = True
            self._due.notify_all()
        if self.alive:
            self._thread.join()

    # On its own thread

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self.unsynced and not self._ending:
                    self._due.wait()
                if not self.unsynced:
                    return
            self.sync()

    def sync(self) -> None:
        """Make durable what is committed, and release it."""
        with self._lock:
            covered, doubt = list(self.unsynced), self.in_doubt
            self._covered = len(covered)
        error = OutcomeUnknown("the write-ahead log was in doubt") if doubt else None
        try:
            if covered and not doubt:
                self._file.sync()
        except OSError as failure:
            error = OutcomeUnknown(f"the write-ahead log could not be synced: {failure}")
            with self._lock:
                self.in_doubt = True
                covered = list(self.unsynced)  # what was committed since lies behind what is not on the disk
                self._covered = len(covered)
        with self._lock:
            del self.unsynced[: len(covered)]
            self._covered = 0
            self._changed()
            self._due.notify_all()
        if covered:
            self._release(covered, error)
