"""The write lane: the one door to the disk (DESIGN §3).

One thread owns the writing connection. A batch is one transaction: load what its units touch, decide each in its order of
arrival, save, commit, and when that is on the disk, hand out the answers: a second thread sees to that, and the first goes on
meanwhile (gateway.store.log_sync).
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
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, RootTransaction

from gateway.store import leases
from gateway.store.batch import Batch, Policies, Unit
from gateway.store.driver_errors import classify, is_undone
from gateway.store.engine import commit_at_once, find_at_will, interrupt, leave_syncs, prepare_for_batches, sqlite_path
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
from gateway.store.leases import Lease
from gateway.store.log_file import LogFile
from gateway.store.log_sync import AwaitDurable, Log, LogSync
from gateway.store.nodes import BLOCK, Node, extend, verify
from gateway.store.row_cache import RowCache
from gateway.store.server_log import ServerLog
from gateway.store.statements import Asked, pipelined

__all__ = ["BatchTimes", "Done", "Job", "Lane", "LaneCounters"]

MAX_BATCH = 256
MAX_WAITING = 8192
IDS_LEFT = BLOCK // 2
"""A batch never begins with fewer identifiers than this in its node's block."""
ATTEMPTS = 4
"""How often a batch runs when the server chose it as a deadlock's victim."""
STALLED = 1.0
"""Seconds at one batch after which units that expire meanwhile are the store's fault, and no longer those of a crowd."""
PATIENCE = 30.0
"""Seconds at one batch after which units are given up that have no deadline of their own: those that share it with others, and
those that have waited for as long."""
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
        self._engine, self._node = engine, node
        self._clock, self._monotonic = clock, monotonic
        self._deliver = deliver or _finish_all
        self._alarm, self._on_connect = alarm, on_connect
        self._ground = ground or StoreFiles(None)
        self._observe = observe
        self.lease = lease or Lease(0)
        self._max_batch, self._max_waiting = max_batch, max_waiting
        self._waiting: deque[Job] = deque()
        self._flight: Flight | None = None
        self._settled: list[Job] = []
        """Of the batch at hand those that the lane's thread is to deliver."""
        self._mark = monotonic()
        self._turn = threading.Lock()
        self._wake = threading.Condition(self._turn)
        store = sqlite_path(engine.url.render_as_string(hide_password=False))
        self._is_file = store is not None
        self._log = self._sync(ServerLog(engine)) if store is None else self._sync_log(family(store)["wal"])
        self._closing = self._in_trouble = False
        self._thread = threading.Thread(target=self._run, name="write-lane", daemon=True)
        self._connection: Connection | None = None
        self._verified = False
        """Whether the connection is one to this node's store."""
        self._cache, self._evidence = RowCache(), evidence
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
            if self._may_begin():
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
            if stuck and flight is not None and not flight.interrupted and self._connection is not None:
                flight.interrupted = True
                interrupt(self._connection)
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
        self._drop_connection()

    def _wait_for_units(self) -> bool:
        """Wait until a batch is to be begun; False where no unit waits, and none will."""
        with self._wake:
            while not self._may_begin() and (self._waiting or not self._closing):
                self._wake.wait()
            return bool(self._waiting)

    def _may_begin(self) -> bool:
        waiting = len(self._waiting)
        return waiting > 0 and self._log.may_begin(waiting, alone=self._waiting[0].unit.alone)

    def _gather(self) -> list[Job]:
        with self._wake:
            jobs: list[Job] = []
            while self._waiting and len(jobs) < self._max_batch:
                if self._waiting[0].unit.alone and jobs:
                    break
                jobs.append(self._waiting.popleft())
                if jobs[-1].unit.alone:
                    break
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
                committed = self._transact(jobs)
            except Withdrawn:
                self._rollback()
                attempt -= 1
            except Exception as error:  # noqa: BLE001  (whatever a unit raises refuses that unit, never the lane)
                trouble = self._ground.lose(classify(error))
                self._rollback()
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

    def _transact(self, jobs: list[Job]) -> Committed:
        ceiling = self._node.ceiling
        self._enter(jobs, committing=False)
        began = self._monotonic()
        waited = began - jobs[0].since
        try:
            self._ground.check()
            transaction, loaded, decided = self._work(jobs)
            saved = self._monotonic()
            self._enter(jobs, committing=True)
            try:
                transaction.commit()
                self._cache.commit()
                if self._evidence is not None:
                    self._evidence.commit()
            except Exception as error:
                if is_undone(error):
                    raise
                raise OutcomeUnknown(str(self._ground.lose(classify(error)))) from error
        except BaseException:
            self._node.ceiling = ceiling  # the block that this batch wrote down may be gone with it
            raise
        times = BatchTimes(
            units=len(jobs),
            kind=type(jobs[0].unit).__name__,
            waiting=waited,
            loading=loaded - began,
            deciding=decided - loaded,
            saving=saved - decided,
            committing=0.0,
        )
        return Committed(began, jobs, times, saved, lease_asked=began)

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

    def _work(self, jobs: list[Job]) -> tuple[RootTransaction, float, float]:
        """Load, decide and save; gives the transaction, and when it had loaded and decided."""
        if self.lease.fenced:
            raise StoreFenced("another gateway has taken over")
        connection = self._connect()
        with ExitStack() as pipeline:
            pipeline.enter_context(pipelined(connection))
            transaction = connection.begin()
            self._cache.begin(connection)
            renewal = leases.ask(connection, self._node)
            if self._has_to_prepare(jobs):
                pipeline.close()
                self._check_lease(connection, renewal)
                self._prepare(connection, jobs)
            if self._evidence is not None:
                self._evidence.begin(connection)
            kept = (self._cache, self._evidence)
            batch = Batch(connection, self._node, self._clock(), self.policies, *kept, pipeline=pipeline)
            batch.fill([job.unit for job in jobs])
        self._check_lease(connection, renewal)
        loaded = self._monotonic()
        for job in jobs:
            job.answer = job.unit.decide(batch)
        decided = self._monotonic()
        batch.save()
        return transaction, loaded, decided

    def _has_to_prepare(self, jobs: list[Job]) -> bool:
        """Whether something is to be done in the transaction before its rows are asked for: seldom."""
        few_left = self._node.ceiling - self._node.next_id < IDS_LEFT
        chained = self._evidence is None or self._evidence.is_begun
        return not self._verified or jobs[0].unit.alone or self._log.in_doubt or few_left or not chained

    def _prepare(self, connection: Connection, jobs: list[Job]) -> None:
        """Make sure that this is the store that was entered, of its log, and that there are identifiers enough.

        What a server that crashes could take back would be given out again, so those are durable with the commit.
        """
        if not self._is_file:
            commit_at_once(connection)
            if jobs[0].unit.alone:
                find_at_will(connection)
        if not self._verified:
            self._ground.hold()
            self._log.hold()
            verify(connection, self._node)
            self._verified = True
        self._log.make_certain()
        if self._node.ceiling - self._node.next_id < IDS_LEFT:
            extend(connection, self._node)

    def _check_lease(self, connection: Connection, renewal: Asked | None) -> None:
        """See that the lease was renewed; StoreFenced if it is another's, StoreReplaced if this is not the store entered."""
        try:
            leases.check(self._node, renewal)
        except StoreFenced as error:
            verify(connection, self._node)
            self.lease.fenced = True
            self._alarm("store.fenced", str(error))
            raise

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
        # SQLite brings its log home when the last connection is closed: not while it is in doubt.
        if not self._is_file or not self._log.in_doubt or not self._verified:
            self._drop_connection()
        if not isinstance(error, StoreFenced):  # which is told of once
            self._alarm("store.outcome_unknown" if unknown else "store.unavailable", str(error))

    def _connect(self) -> Connection:
        if self._connection is None:
            self._on_connect()
            connection = self._engine.connect()
            if self._is_file:
                leave_syncs(connection)
            else:
                prepare_for_batches(connection)
            with self._wake:
                self._connection = connection
        return self._connection

    def _forget(self) -> None:
        """Keep nothing that was read or written: nobody can be sure of it any more."""
        self._cache.drop()
        if self._evidence is not None:
            self._evidence.drop()

    def _rollback(self) -> None:
        self._forget()
        try:
            if self._connection is not None:
                self._connection.rollback()
        except Exception:  # noqa: BLE001  (a connection that cannot even do this is given up)
            self._drop_connection()

    def _drop_connection(self) -> None:
        self._log.let_go()
        with self._wake:  # nobody interrupts what is being closed
            connection, self._connection, self._verified = self._connection, None, False
        self._ground.let_go()
        self._forget()
        if connection is not None:
            with suppress(Exception):  # it is given up, whatever it says
                connection.invalidate()
                connection.close()


def _finish_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.done(job.answer, job.error)
