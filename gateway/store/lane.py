"""The write lane: the one door to the disk (DESIGN §3).

One thread owns the writing connection. A batch is one transaction (gateway.store.lane_transactions): load what its units touch,
decide each in its order of arrival, save, commit, and when that is on the disk, hand out the answers: a second thread sees to
that, and the first goes on meanwhile (gateway.store.log_sync).
If a unit fails, the batch is rolled back and its units run one by one, so that the culprit alone is refused. If the
outcome of a commit is unknown, every unit of it gets OutcomeUnknown: nobody may be answered. Whether an error is the unit's
or the store's is said by gateway.store.driver_errors, and nowhere else.

A store that does not answer keeps nobody waiting beyond its deadline: `expire`, called from another thread, withdraws units
whose time is over. Who settles a unit, and whether its commit has begun, is decided under the lane's lock, so that a unit that
was withdrawn is never committed; one whose commit has begun is not withdrawn, its outcome is unknown until it is on the disk.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from gateway.store.batch import Policies, Unit
from gateway.store.driver_errors import classify
from gateway.store.engine import sqlite_path
from gateway.store.errors import (
    LaneClosed,
    LaneOverloaded,
    OutcomeUnknown,
    StoreConflict,
    StoreError,
    StoreFenced,
    StoreLocked,
    StoreUnavailable,
    UnitExpired,
    UnitPoisoned,
)
from gateway.store.evidence import Evidence
from gateway.store.files import StoreFiles, family
from gateway.store.lane_jobs import (
    BatchTimes,
    Committed,
    Done,
    Flight,
    Job,
    LaneCounters,
    ended,
    nothing_but,
    settle,
    split,
)
from gateway.store.lane_transactions import LaneTransactions
from gateway.store.leases import Lease
from gateway.store.log_file import LogFile
from gateway.store.log_sync import AwaitDurable, Log, LogSync
from gateway.store.nodes import Node
from gateway.store.server_log import ServerLog

__all__ = ["BatchTimes", "Done", "Job", "Lane", "LaneCounters"]

MAX_BATCH = 256
MAX_WAITING = 8192
ATTEMPTS = 4
"""How often a batch runs when the server chose it as a deadlock's victim."""
STALLED = 1.0
"""Seconds at one batch after which units that expire meanwhile are the store's fault, and no longer those of a crowd."""
PATIENCE = 30.0
"""Seconds at one batch after which units are given up that have no deadline of their own: those that share it with others, and
those that have waited for as long."""
MANY = 8
"""Units in a batch after which the next one may gather (Log.gathers): where few come, nobody waits for more."""
PAUSE = 0.003
"""Seconds in which no unit came after which a batch that gathers is begun; it is not woken by each that comes."""
MOST_PAUSES = 2
"""After so many it is begun, whatever comes."""
READERS_PATIENCE = 5.0
"""Seconds after which a reader is told that what it has read is not on the disk yet."""


class Withdrawn(Exception):
    """Jobs of the transaction at hand have been withdrawn."""


class Lane:
    """A FIFO of units and the thread that commits them in batches.

    `deliver` gets finished jobs, on any thread, those that were done in the order of their commits, and has to call `finish` on
    each (an event loop does so by one call_soon_threadsafe a batch). `alarm` is told of poisoned units and of a store in
    trouble. `on_connect` is called before the lane connects, at first and after trouble; it may raise StoreLocked. `ground` is
    asked before each batch, and when it is on the disk, whether what is written will be found again. `policies` is what units
    are decided with; it may be replaced at any time, and a batch goes by one of them from its beginning to its end. `observe`
    gets, on one thread, how long the parts of each committed batch took. `lease` is renewed by each commit; once it is
    another's, the lane commits nothing any more (store.leases). `evidence` is the chain that proves what it writes.
    """

    def __init__(
        self,
        engine: Engine,
        node: Node,
        *,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        policies: Policies | None = None,
        deliver: Callable[[list[Job]], None] | None = None,
        alarm: Callable[[str, str], None] = lambda _event, _detail: None,
        on_connect: Callable[[], None] = lambda: None,
        ground: StoreFiles | None = None,
        observe: Callable[[BatchTimes], None] = lambda _times: None,
        lease: Lease | None = None,
        evidence: Evidence | None = None,
        max_batch: int = MAX_BATCH,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """Take the writing engine and this node; nothing runs before `start`."""
        self._monotonic = monotonic
        self._deliver, self._alarm = deliver or _finish_all, alarm
        self._ground = ground or StoreFiles(None)
        self._observe = observe
        self.lease = lease or Lease(0)
        self._max_batch, self._max_waiting = max_batch, max_waiting
        self._waiting: deque[Job] = deque()
        self._latest = self._gathers = 0
        """How many units the latest batch had, and how many one that gathers now waits for."""
        self._flight: Flight | None = None
        self._settled: list[Job] = []
        """Of the batch at hand those that the lane's thread is to deliver."""
        self._mark = monotonic()
        self._turn = threading.Lock()
        self._wake = threading.Condition(self._turn)
        store = sqlite_path(engine.url.render_as_string(hide_password=False))
        self._log = self._sync(ServerLog(engine)) if store is None else self._sync_log(family(store)["wal"])
        self._closing = self._in_trouble = False
        self._thread = threading.Thread(target=self._run, name="write-lane", daemon=True)
        self._transactions = LaneTransactions(
            engine,
            node,
            clock=clock,
            monotonic=monotonic,
            alarm=alarm,
            on_connect=on_connect,
            ground=self._ground,
            lease=self.lease,
            evidence=evidence,
            log=self._log,
            lock=self._turn,
            enter=self._enter,
        )
        self._fault = UnitPoisoned("nothing failed yet")
        self.counters = LaneCounters()
        self.policies: Policies = policies or {}

    def _sync_log(self, log: Path) -> LogSync[Committed]:
        return self._sync(LogFile(log))

    def _sync(self, log: Log) -> LogSync[Committed]:
        return LogSync(log, self._turn, changed=self._wake.notify, release=self._release)

    def start(self) -> None:
        """Begin to take units."""
        self._log.start()
        self._thread.start()

    def post(self, unit: Unit, done: Done, *, not_after: float = float("inf")) -> None:
        """Queue a unit; `done` gets its outcome. LaneOverloaded or LaneClosed are raised here, at once."""
        if isinstance(unit, AwaitDurable) and self._is_answered_beside(unit, done, not_after):
            return
        self._queue(((unit, done, not_after),))

    def post_all(self, posted: Sequence[tuple[Unit, Done, float]]) -> None:
        """Queue several at once, each with its `done` and `not_after`: all or none. None of them is a reader's AwaitDurable."""
        self._queue(posted)

    def _queue(self, posted: Sequence[tuple[Unit, Done, float]]) -> None:
        with self._wake:
            if self._closing:
                raise LaneClosed("the gateway is stopping")
            waiting = self._waiting
            if len(waiting) + len(posted) > self._max_waiting:
                raise LaneOverloaded(f"{self._max_waiting} units wait already")
            if not waiting:
                self._mark = self._monotonic()
            for unit, done, not_after in posted:
                waiting.append(Job(unit, done, not_after, self._mark))
            if self._may_begin() and len(waiting) >= self._gathers:
                self._wake.notify()

    def _is_answered_beside(self, unit: AwaitDurable, done: Done, not_after: float) -> bool:
        """Have a reader answered as soon as what it may have seen is on the disk; False where a batch has to see to that."""
        job = Job(unit, done, not_after, self._monotonic(), committing=True)
        with self._wake:
            if not self._log.vouches_for_readers():
                return False
            if self._flight is not None and self._flight.committing:
                self._flight.readers.append(job)
                return True
            if self._is_awaited([job]):
                return True
            job.settled = True
        self._hand_out([job])
        return True

    def _is_awaited(self, readers: list[Job]) -> bool:
        """Have readers answered with what is to be synced; False where what they have read is durable; under the lock."""
        covering = self._log.covering()
        if covering is not None:
            covering.readers += readers
        elif self._log.shared:
            self._log.put(nothing_but(readers, self._monotonic()))
        return covering is not None or self._log.shared

    def _hand_out(self, jobs: list[Job]) -> None:
        """Deliver what is settled; readers are told on this thread, as whoever delivers may be one that waits here."""
        readers = [job for job in jobs if type(job.unit) is AwaitDurable]
        for job in readers:
            job.done(job.answer, job.error)
        if readers:
            jobs = [job for job in jobs if type(job.unit) is not AwaitDurable]
        if jobs:
            self._deliver(jobs)

    def run(self, unit: Unit) -> Any:  # noqa: ANN401  (the unit decides what it answers)
        """Queue a unit and wait for its answer on a thread of one's own; raises what kept it from being done."""
        ready = threading.Event()
        outcome: list[Any] = []

        def done(answer: Any, error: StoreError | None) -> None:  # noqa: ANN401  (as above)
            outcome.extend((answer, error))
            ready.set()

        self.post(unit, done)
        ready.wait()
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]

    @property
    def depth(self) -> int:
        """How many units wait."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether the lane's thread runs."""
        return self._thread.is_alive() and self._log.alive

    @property
    def in_trouble(self) -> bool:
        """Whether the last batch failed for the store's sake, or no further one will be written."""
        return self._in_trouble or self._ground.lost is not None

    def expire(self) -> None:
        """Give up the units whose time is over, in whatever the lane's thread is stuck meanwhile; to be called often.

        Those that wait, or whose transaction has not come to its commit, are withdrawn; of those whose commit has begun the
        outcome is unknown. A store that they have waited for is in trouble until a batch goes through.
        """
        now = self._monotonic()
        with self._wake:
            began, at_commit = self._oldest(now)
            over, self._waiting = split(self._waiting, now, now - PATIENCE if began + PATIENCE < now else float("-inf"))
            found = [ended(job, UnitExpired("the unit waited past its deadline")) for job in over]
            stuck = self._give_up(now)
            stalled = bool(stuck) or (bool(over) and now - began > STALLED)
            first = stalled and not self._in_trouble
            self._in_trouble = self._in_trouble or stalled
            self.counters.expired += len(over) + sum(isinstance(job.error, UnitExpired) for job in stuck)
            flight = self._flight
            if stuck and flight is not None and not flight.interrupted:
                flight.interrupted = self._transactions.interrupt()
            if any(isinstance(job.error, OutcomeUnknown) for job in stuck):
                self._log.interrupt()
        if first:
            what = "a commit" if at_commit else "a transaction"
            self._alarm("store.stalled", f"{what} has not come back for {now - began:.1f} s")
        if found or stuck:
            self._hand_out([*found, *stuck])

    def _oldest(self, now: float) -> tuple[float, bool]:
        """Say since when the lane has had its oldest batch, now if none, and whether that has come to its commit."""
        if self._log.unsynced:
            return self._log.unsynced[0].began, True
        return (now, False) if self._flight is None else (self._flight.began, self._flight.committing)

    def _give_up(self, now: float) -> list[Job]:
        """Settle the jobs of batches at work whose time is over; under the lock."""
        at_work: list[Flight | Committed] = [*self._log.unsynced]
        if self._flight is not None:
            at_work.append(self._flight)
        given_up = []
        for batch in at_work:
            for job in batch.jobs:
                patience = float("inf") if job.unit.alone else batch.began + PATIENCE
                if not job.settled and min(job.not_after, patience) < now:
                    job.settled = True
                    unknown = OutcomeUnknown("its commit does not come back")
                    given_up.append(ended(job, unknown if job.committing else UnitExpired("the store is stuck")))
            for job in batch.readers:
                if not job.settled and min(job.not_after, job.since + READERS_PATIENCE) < now:
                    job.settled = True
                    given_up.append(ended(job, OutcomeUnknown("what it read is not on the disk yet")))
        return given_up

    def close(self) -> None:
        """Take no more units, finish those that wait, and return when the last is committed."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._log.close()

    def run_pending(self) -> bool:
        """Work on one batch of what waits, sync and deliver it; False where nothing waits.

        The lane's threads do so. Whoever does not start them, such as a simulation without threads, calls this instead.
        """
        found = self._run_batch()
        self._log.sync()
        return found

    def _run_batch(self) -> bool:
        jobs = self._gather()
        if jobs:
            self._commit(jobs)
            with self._wake:
                settled, self._settled, self._flight = self._settled, [], None
            if settled:
                self._hand_out(settled)
        return bool(jobs)

    def _run(self) -> None:
        while self._wait_for_units():
            self._run_batch()
        self._transactions.let_go()

    def _wait_for_units(self) -> bool:
        """Wait until a batch is to be begun; False where no unit waits, and none will."""
        with self._wake:
            while self._waiting or not self._closing:
                if not self._may_begin():
                    self._wake.wait()
                    continue
                self._wait_for_more()
                if self._waiting:  # and what waited has not been given up meanwhile
                    return True
            return False

    def _wait_for_more(self) -> None:
        """Let a batch gather, where that is worth it and many came before; under the lock, which is let go meanwhile."""
        self._gathers = self._log.gathers if self._latest >= MANY and not self._waiting[0].unit.alone else 0
        for _ in range(MOST_PAUSES):
            before = len(self._waiting)
            if self._wake.wait_for(self._has_gathered, PAUSE) or len(self._waiting) <= before:
                break
        self._gathers = 0

    def _has_gathered(self) -> bool:
        return self._closing or len(self._waiting) >= self._gathers

    def _may_begin(self) -> bool:
        waiting = len(self._waiting)
        return waiting > 0 and self._log.may_begin(waiting, alone=self._waiting[0].unit.alone)

    def _gather(self) -> list[Job]:
        with self._wake:
            jobs: list[Job] = []
            waiting, most = self._waiting, self._max_batch
            while waiting and len(jobs) < most:
                alone = waiting[0].unit.alone
                if alone and jobs:
                    break
                jobs.append(waiting.popleft())
                if alone:
                    break
            self._latest = len(jobs)
            self._mark = self._monotonic()
            self._flight = Flight(self._mark, jobs) if jobs else None
            return jobs

    def _commit(self, jobs: list[Job]) -> None:
        now = self._monotonic()
        live = []
        for job in jobs:
            if job.not_after < now:
                self._settle([job], UnitExpired("the unit waited past its deadline"))
                self.counters.expired += 1
            else:
                live.append(job)
        if not live or self._attempt(live):
            return
        if len(live) == 1:
            self._poison(live[0])
            return
        for job in live:
            job.answer = None
            if not self._attempt([job]):
                self._poison(job)

    def _settle(self, jobs: list[Job], error: StoreError | None = None) -> None:
        """Decide the outcome of jobs, unless it was decided meanwhile: nothing of theirs is committed, for this error."""
        with self._wake:
            self._settled += settle(jobs, error)

    def _attempt(self, jobs: list[Job]) -> bool:
        """Run jobs as one transaction; False if one of them is at fault, and nothing was committed."""
        attempt = 0
        while jobs := [job for job in jobs if not job.settled]:
            attempt += 1
            try:
                committed = self._transactions.commit(jobs, self.policies)
            except Withdrawn:
                self._transactions.roll_back()
                attempt -= 1
            except Exception as error:  # noqa: BLE001  (whatever a unit raises refuses that unit, never the lane)
                trouble = self._ground.lose(classify(error))
                self._transactions.roll_back()
                self._free_readers(jobs, trouble)
                if isinstance(trouble, StoreConflict) and attempt < ATTEMPTS:
                    continue
                if isinstance(trouble, UnitPoisoned):
                    self._fault = trouble
                    self._fault.__cause__ = error
                    return False
                self._fail(jobs, trouble)
                return True
            else:
                self._hand_over(committed)
                return True
        return True

    def _hand_over(self, committed: Committed) -> None:
        """Have a commit synced and its jobs delivered."""
        with self._wake:
            if self._flight is not None:
                committed.readers, self._flight.readers = self._flight.readers, []
                self._flight.committing = False
            self._log.put(committed)

    def _free_readers(self, jobs: list[Job], trouble: StoreError) -> None:
        """Go on with those who may have seen what was to be committed and is not, or who waited for the end of a doubt."""
        with self._wake:
            readers = [job for job in jobs if isinstance(job.unit, AwaitDurable)]
            if self._flight is not None:
                readers += self._flight.readers
                self._flight.readers, self._flight.committing = [], False
            if isinstance(trouble, OutcomeUnknown) or not self._log.vouches_for_readers():
                self._settled += settle(readers, trouble)
            elif not readers or not self._is_awaited(readers):
                self._settled += settle(readers, None)

    def _release(self, committed: list[Committed], error: StoreError | None) -> None:
        """Deliver what is on the disk; or, with an error, what may not be."""
        try:
            self._ground.check()
        except StoreError as lost:
            error = error or OutcomeUnknown(str(lost))
        if error is not None and any(batch.jobs for batch in committed):
            self._alarm("store.outcome_unknown", str(error))
        self._hand_out(self._finish(committed, error))

    def _finish(self, committed: list[Committed], error: StoreError | None) -> list[Job]:
        """Settle what is on the disk, or may not be, and count it; gives what is to be delivered."""
        now, delivered = self._monotonic(), []
        for batch in committed:
            with self._wake:
                settled = settle(batch.jobs, error)
                delivered += settled + settle(batch.readers, error)
                if not batch.jobs:
                    continue
                everybody_told = error is None and len(settled) == len(batch.jobs)
                self._in_trouble = error is not None
                self.counters.unknown += not everybody_told
                self.counters.failed_batches += error is not None
            if error is None:
                self.lease.renewed(batch.lease_asked)
                self.counters.batches += 1
                self.counters.units += len(batch.jobs)
                self._observe(msgspec.structs.replace(batch.times, committing=now - batch.saved))
        return delivered

    def _enter(self, jobs: list[Job], *, committing: bool) -> None:
        """Begin with a transaction, or with its commit; Withdrawn where one of its jobs was settled meanwhile."""
        with self._wake:
            for job in jobs:
                if job.settled:
                    raise Withdrawn
            for job in jobs:
                job.committing = committing
            if self._flight is not None:
                self._flight.committing = committing

    def _poison(self, job: Job) -> None:
        self._settle([job], self._fault)
        self.counters.poisoned += 1
        self._alarm("store.unit.poisoned", f"{type(job.unit).__name__}: {self._fault}")

    def _fail(self, jobs: list[Job], error: StoreError) -> None:
        if isinstance(error, StoreLocked):
            error = StoreUnavailable(str(error))
        self._settle(jobs, error)
        unknown = isinstance(error, OutcomeUnknown)
        with self._wake:
            self._in_trouble = True
            self.counters.failed_batches += 1
            self.counters.unknown += unknown
        if not self._transactions.is_doubtful_file:
            self._transactions.let_go()
        if not isinstance(error, StoreFenced):  # which is told of once
            self._alarm("store.outcome_unknown" if unknown else "store.unavailable", str(error))


def _finish_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.done(job.answer, job.error)
