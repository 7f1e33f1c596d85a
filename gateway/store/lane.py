"""The write lane: the one door to the disk (DESIGN §3).

One thread owns the writing connection. While one batch commits, the next gathers. A batch is one transaction and one
fsync: load what its units touch, decide each in its order of arrival, save, commit, and only then hand out the answers.
If a unit fails, the batch is rolled back and its units run one by one, so that the culprit alone is refused. If the
outcome of a commit is unknown, every unit of it gets OutcomeUnknown: nobody may be answered. Whether an error is the unit's
or the store's is said by gateway.store.driver_errors, and nowhere else.

A store that does not answer keeps nobody waiting beyond its deadline: `expire`, called from another thread, withdraws units
whose time is over. Who settles a unit, and whether its commit has begun, is decided under the lane's lock, so that a unit that
was withdrawn is never committed; one whose commit has begun is not withdrawn, its outcome is unknown.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, RootTransaction

from gateway.store import leases
from gateway.store.batch import Batch, Policies, Unit
from gateway.store.driver_errors import classify, is_undone
from gateway.store.engine import interrupt
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
from gateway.store.files import StoreFiles
from gateway.store.leases import Lease
from gateway.store.nodes import BLOCK, Node, extend, verify
from gateway.store.row_cache import RowCache

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

Done = Callable[[Any, StoreError | None], None]
"""Called with a unit's answer and None, or with None and what kept it from being done."""


class Job(msgspec.Struct):
    """A unit on its way through the lane; `not_after` is on the lane's monotonic clock."""

    unit: Unit
    done: Done
    not_after: float
    since: float = 0.0
    """When it was posted, or at most a batch before: the lane looks at its clock for each batch, not for each unit."""
    settled: bool = False
    """Whether its outcome is decided: it is in nobody's hands but of whoever delivers it."""
    answer: Any = None
    error: StoreError | None = None


class BatchTimes(msgspec.Struct, frozen=True):
    """How many seconds the parts of one batch took: its oldest unit's wait, and what followed one after the other."""

    units: int
    kind: str
    """Which kind of unit its first one is."""
    waiting: float
    loading: float
    deciding: float
    saving: float
    committing: float


class Flight(msgspec.Struct):
    """The batch that the lane works on: since when, all its jobs, and those of the transaction at hand."""

    began: float
    jobs: list[Job]
    transaction: list[Job]
    committing: bool = False
    interrupted: bool = False


class Withdrawn(Exception):
    """Jobs of the transaction at hand have been withdrawn."""


class LaneCounters(msgspec.Struct):
    """What the lane did since it started."""

    batches: int = 0
    units: int = 0
    poisoned: int = 0
    expired: int = 0
    failed_batches: int = 0
    unknown: int = 0
    """Batches whose commit may have gone through, or did, and of which not everybody was told."""


class Lane:
    """A FIFO of units and the thread that commits them in batches.

    `deliver` gets the finished jobs of a batch, in order, on the lane's thread, and has to call `finish` on each (an event
    loop does so by one call_soon_threadsafe a batch). `alarm` is told of poisoned units and of a store in trouble.
    `on_connect` is called before the lane connects, at first and after trouble; it may raise StoreLocked. `ground` is asked
    before each batch, and after its commit, whether what is written will be found again. `policies` is what units are decided
    with; it may be replaced at any time, and a batch goes by one of them from its beginning to its end. `observe` gets, on the
    lane's thread, how long the parts of each committed batch took. `lease` is renewed by each commit; once it is another's, the
    lane commits nothing any more (store.leases).
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
        self._mark = self._lease_asked = monotonic()
        self._wake = threading.Condition()
        self._closing = self._in_trouble = False
        self._thread = threading.Thread(target=self._run, name="write-lane", daemon=True)
        self._connection: Connection | None = None
        self._cache = RowCache()
        self._fault = UnitPoisoned("nothing failed yet")
        self.counters = LaneCounters()
        self.policies: Policies = policies or {}

    def start(self) -> None:
        """Begin to take units."""
        self._thread.start()

    def post(self, unit: Unit, done: Done, *, not_after: float = float("inf")) -> None:
        """Queue a unit; `done` gets its outcome. LaneOverloaded or LaneClosed are raised here, at once."""
        with self._wake:
            if self._closing:
                raise LaneClosed("the gateway is stopping")
            if len(self._waiting) >= self._max_waiting:
                raise LaneOverloaded(f"{self._max_waiting} units wait already")
            if not self._waiting:
                self._mark = self._monotonic()
            self._waiting.append(Job(unit, done, not_after, self._mark))
            self._wake.notify()

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
        return self._thread.is_alive()

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
            flight = self._flight
            stuck_for_long = flight is not None and flight.began + PATIENCE < now
            over, self._waiting = _split(self._waiting, now, now - PATIENCE if stuck_for_long else float("-inf"))
            found = [_ended(job, UnitExpired("the unit waited past its deadline")) for job in over]
            stuck = [] if flight is None else self._give_up(flight, now)
            stalled = flight is not None and (bool(stuck) or (bool(over) and now - flight.began > STALLED))
            first = stalled and not self._in_trouble
            self._in_trouble = self._in_trouble or stalled
            self.counters.expired += len(over) + sum(isinstance(job.error, UnitExpired) for job in stuck)
            if stuck and flight is not None and not flight.interrupted and self._connection is not None:
                flight.interrupted = True
                interrupt(self._connection)
        if first and flight is not None:
            what = "a commit" if flight.committing else "a transaction"
            self._alarm("store.stalled", f"{what} has not come back for {now - flight.began:.1f} s")
        if found or stuck:
            self._deliver([*found, *stuck])

    def _give_up(self, flight: Flight, now: float) -> list[Job]:
        """Settle the jobs of the batch at hand whose time is over; under the lock."""
        given_up = []
        for job in flight.jobs:
            patience = float("inf") if job.unit.alone else flight.began + PATIENCE
            if not job.settled and min(job.not_after, patience) < now:
                unknown = flight.committing and any(job is each for each in flight.transaction)
                job.settled = True
                error = (
                    OutcomeUnknown("its commit does not come back") if unknown else UnitExpired("the store is stuck")
                )
                given_up.append(_ended(job, error))
        return given_up

    def close(self) -> None:
        """Take no more units, finish those that wait, and return when the last is committed."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def run_pending(self) -> bool:
        """Work on one batch of what waits, and deliver it; False where nothing waits.

        The lane's thread does so. Whoever does not start it, such as a simulation without threads, calls this instead.
        """
        jobs = self._gather()
        if jobs:
            self._commit(jobs)
            with self._wake:
                settled, self._settled, self._flight = self._settled, [], None
            self._deliver(settled)
        return bool(jobs)

    def _run(self) -> None:
        while self._wait_for_units():
            self.run_pending()
        self._drop_connection()

    def _wait_for_units(self) -> bool:
        """Wait until units wait; False where none do, and none will."""
        with self._wake:
            while not self._waiting and not self._closing:
                self._wake.wait()
            return bool(self._waiting)

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
            self._flight = Flight(self._mark, jobs, []) if jobs else None
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

    def _settle(self, jobs: list[Job], error: StoreError | None = None) -> bool:
        """Decide the outcome of jobs, unless it was decided meanwhile: their answer, or this error; False if one's was."""
        with self._wake:
            given_up = any(job.settled for job in jobs)
            for job in jobs:
                if not job.settled:
                    job.settled = True
                    if error is not None:
                        job.answer, job.error = None, error
                    self._settled.append(job)
        return not given_up

    def _attempt(self, jobs: list[Job]) -> bool:
        """Run jobs as one transaction; False if one of them is at fault, and nothing was committed."""
        attempt = 0
        while jobs := [job for job in jobs if not job.settled]:
            attempt += 1
            try:
                times = self._transact(jobs)
            except Withdrawn:
                self._rollback()
                attempt -= 1
            except Exception as error:  # noqa: BLE001  (whatever a unit raises refuses that unit, never the lane)
                trouble = self._ground.lose(classify(error))
                self._rollback()
                if isinstance(trouble, StoreConflict) and attempt < ATTEMPTS:
                    continue
                if isinstance(trouble, UnitPoisoned):
                    self._fault = trouble
                    self._fault.__cause__ = error
                    return False
                self._fail(jobs, trouble)
                return True
            else:
                self.lease.renewed(self._lease_asked)
                everybody_told = self._settle(jobs)
                self._in_trouble = False
                self.counters.batches += 1
                self.counters.unknown += not everybody_told
                self.counters.units += len(jobs)
                self._observe(times)
                return True
        return True

    def _transact(self, jobs: list[Job]) -> BatchTimes:
        ceiling = self._node.ceiling
        self._enter(jobs, committing=False)
        began = self._lease_asked = self._monotonic()
        waited = began - jobs[0].since
        try:
            self._ground.check()
            transaction, loaded, decided = self._work(jobs)
            saved = self._monotonic()
            self._enter(jobs, committing=True)
            try:
                transaction.commit()
                self._ground.check()
                self._cache.commit()
            except Exception as error:
                if is_undone(error):
                    raise
                raise OutcomeUnknown(str(self._ground.lose(classify(error)))) from error
        except BaseException:
            self._node.ceiling = ceiling  # the block that this batch wrote down may be gone with it
            raise
        return BatchTimes(
            units=len(jobs),
            kind=type(jobs[0].unit).__name__,
            waiting=waited,
            loading=loaded - began,
            deciding=decided - loaded,
            saving=saved - decided,
            committing=self._monotonic() - saved,
        )

    def _enter(self, jobs: list[Job], *, committing: bool) -> None:
        """Begin with a transaction, or with its commit; Withdrawn where one of its jobs was settled meanwhile."""
        with self._wake:
            if any(job.settled for job in jobs):
                raise Withdrawn
            if self._flight is not None:
                self._flight.transaction, self._flight.committing = jobs, committing

    def _work(self, jobs: list[Job]) -> tuple[RootTransaction, float, float]:
        """Load, decide and save; gives the transaction, and when it had loaded and decided."""
        if self.lease.fenced:
            raise StoreFenced("another gateway has taken over")
        fresh = self._connection is None
        connection = self._connect()
        transaction = connection.begin()
        self._cache.begin(connection)
        self._begin_lease(connection)
        if fresh:
            self._ground.hold()
            verify(connection, self._node)
        if self._node.ceiling - self._node.next_id < IDS_LEFT:
            extend(connection, self._node)
        batch = Batch(connection, self._node, self._clock(), self.policies, self._cache)
        batch.fill([job.unit for job in jobs])
        loaded = self._monotonic()
        for job in jobs:
            job.answer = job.unit.decide(batch)
        decided = self._monotonic()
        batch.save()
        return transaction, loaded, decided

    def _begin_lease(self, connection: Connection) -> None:
        """Renew the lease; StoreFenced if it is another's, StoreReplaced if this is not the store that was entered."""
        try:
            leases.begin(connection, self._node)
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
        self._in_trouble = True
        self.counters.failed_batches += 1
        self._drop_connection()
        unknown = isinstance(error, OutcomeUnknown)
        self.counters.unknown += unknown
        if not isinstance(error, StoreFenced):  # which is told of once
            self._alarm("store.outcome_unknown" if unknown else "store.unavailable", str(error))

    def _connect(self) -> Connection:
        if self._connection is None:
            self._on_connect()
            connection = self._engine.connect()
            with self._wake:
                self._connection = connection
        return self._connection

    def _rollback(self) -> None:
        self._cache.drop()
        try:
            if self._connection is not None:
                self._connection.rollback()
        except Exception:  # noqa: BLE001  (a connection that cannot even do this is given up)
            self._drop_connection()

    def _drop_connection(self) -> None:
        with self._wake:  # nobody interrupts what is being closed
            connection, self._connection = self._connection, None
        self._ground.let_go()
        self._cache.drop()
        if connection is not None:
            with suppress(Exception):  # it is given up, whatever it says
                connection.invalidate()
                connection.close()


def _ended(job: Job, error: StoreError) -> Job:
    """Give a job to be delivered in place of one that the lane's thread may still write to."""
    job.settled = True
    return Job(job.unit, job.done, job.not_after, job.since, settled=True, error=error)


def _split(jobs: deque[Job], now: float, posted_before: float) -> tuple[list[Job], deque[Job]]:
    """Part those whose time is over, or that were posted before a moment, from the others."""
    over = [job for job in jobs if job.not_after < now or job.since < posted_before]
    return over, deque(job for job in jobs if job.not_after >= now and job.since >= posted_before) if over else jobs


def _finish_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.done(job.answer, job.error)
