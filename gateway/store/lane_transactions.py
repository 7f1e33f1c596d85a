"""What the write lane does with its connection: a batch is one transaction (gateway.store.lane says when, and of which units).

Load what the units touch, decide each in its order of arrival, save, commit. Whatever is kept from one transaction to the next
(rows, the tip of the chain, identifiers that are free) is as it was when one of them fails.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Protocol

from sqlalchemy import Connection, Engine, RootTransaction

from gateway.store import leases
from gateway.store.batch import Batch, Policies
from gateway.store.driver_errors import classify, is_undone
from gateway.store.engine import commit_at_once, find_at_will, interrupt, leave_syncs, prepare_for_batches
from gateway.store.errors import OutcomeUnknown, StoreFenced
from gateway.store.evidence import Evidence
from gateway.store.expected_keys import ExpectedKeys
from gateway.store.files import StoreFiles
from gateway.store.lane_jobs import BatchTimes, Committed, Job
from gateway.store.leases import Lease
from gateway.store.log_sync import LogSync
from gateway.store.nodes import BLOCK, Node, extend, verify
from gateway.store.row_cache import RowCache
from gateway.store.statements import Asked, Commit, pipelined

IDS_LEFT = BLOCK // 2
"""A batch never begins with fewer identifiers than this in its node's block."""


class Enter(Protocol):
    """Told that a transaction is begun, or comes to its commit; it may raise, and then nothing is committed."""

    def __call__(self, jobs: list[Job], *, committing: bool) -> None:
        """Take the jobs of the transaction."""


class LaneTransactions:
    """The lane's connection to the store, opened when it is first needed and after trouble. Used by the lane's thread alone.

    `interrupt` is the exception: any thread calls it, under the lane's lock. The arguments are those of the lane.
    """

    def __init__(
        self,
        engine: Engine,
        node: Node,
        *,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        alarm: Callable[[str, str], None],
        on_connect: Callable[[], None],
        ground: StoreFiles,
        lease: Lease,
        evidence: Evidence | None,
        log: LogSync[Committed],
        lock: threading.Lock,
        enter: Enter,
    ) -> None:
        """Take the writing engine and this node; nothing is connected yet."""
        self._engine, self._node, self.lease = engine, node, lease
        self._clock, self._monotonic = clock, monotonic
        self._alarm, self._on_connect = alarm, on_connect
        self._ground, self._log, self._lock, self._enter = ground, log, lock, enter
        self._is_file = engine.dialect.name == "sqlite"
        self.connection: Connection | None = None
        self._verified = False
        """Whether the connection is one to this node's store."""
        self._cache, self._evidence = RowCache(), evidence
        self._expected = None if self._is_file else ExpectedKeys()

    @property
    def is_doubtful_file(self) -> bool:
        """Whether the connection is to a file whose log is in doubt: SQLite brings the log home when the last one is closed."""
        return self._is_file and self._log.in_doubt and self._verified

    def interrupt(self) -> bool:
        """End what is waited for of a server; False where there is no connection. Under the lane's lock."""
        if self.connection is None:
            return False
        interrupt(self.connection)
        return True

    def commit(self, jobs: list[Job], policies: Policies) -> Committed:
        """Decide jobs, and commit what they come to; OutcomeUnknown where nobody knows whether that is done."""
        ceiling = self._node.ceiling
        self._enter(jobs, committing=False)
        began = self._monotonic()
        waited = began - jobs[0].since
        try:
            self._ground.check()
            batch, transaction, loaded, decided = self._work(jobs, policies)
            saved = self._save(batch, transaction, jobs)
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

    def roll_back(self) -> None:
        """Take back the transaction at hand."""
        self._forget()
        try:
            if self.connection is not None:
                self.connection.rollback()
        except Exception:  # noqa: BLE001  (a connection that cannot even do this is given up)
            self.let_go()

    def let_go(self) -> None:
        """Close the connection, when all that it committed is durable."""
        self._log.let_go()
        with self._lock:  # nobody interrupts what is being closed
            connection, self.connection, self._verified = self.connection, None, False
        self._ground.let_go()
        self._forget()
        if connection is not None:
            with suppress(Exception):  # it is given up, whatever it says
                connection.invalidate()
                connection.close()

    def _work(self, jobs: list[Job], policies: Policies) -> tuple[Batch, RootTransaction, float, float]:
        """Load and decide; gives the batch and its transaction, and when it had loaded and decided."""
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
            kept = (self._cache, self._evidence, self._expected)
            batch = Batch(connection, self._node, self._clock(), policies, *kept, pipeline=pipeline)
            batch.fill([job.unit for job in jobs])
        self._check_lease(connection, renewal)
        loaded = self._monotonic()
        for job in jobs:
            job.answer = job.unit.decide(batch)
        decided = self._monotonic()
        return batch, transaction, loaded, decided

    def _save(self, batch: Batch, transaction: RootTransaction, jobs: list[Job]) -> float:
        """Save and commit; gives when the rows were handed over, which a server gets together with the COMMIT."""
        commit = Commit(transaction)
        try:
            with pipelined(transaction.connection):
                batch.save()
                saved = self._monotonic()
                self._enter(jobs, committing=True)
                commit.send()
            commit.finish()
            self._cache.commit()
            if self._evidence is not None:
                self._evidence.commit()
        except Exception as error:
            if not commit.may_be_done or is_undone(error):
                raise
            raise OutcomeUnknown(str(self._ground.lose(classify(error)))) from error
        return saved

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

    def _connect(self) -> Connection:
        if self.connection is None:
            self._on_connect()
            connection = self._engine.connect()
            if self._is_file:
                leave_syncs(connection)
            else:
                prepare_for_batches(connection)
            with self._lock:
                self.connection = connection
        return self.connection

    def _forget(self) -> None:
        """Keep nothing that was read or written: nobody can be sure of it any more."""
        self._cache.drop()
        if self._evidence is not None:
            self._evidence.drop()
