"""What is open while a gateway runs: the store with its write lane, and the keys.

The daemon and the commands of a stopped gateway both open it, under the store's lock.
"""

import pickle
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Connection

from gateway import versions
from gateway.balance.still_needed import check_nothing_needed_goes
from gateway.charity.sealed_causes import CauseSeals
from gateway.environment import Environment
from gateway.ledger import accounts
from gateway.ledger.account_names import SYSTEM
from gateway.ledger.journal import latest_entry
from gateway.ledger.seals import FILE_NAME
from gateway.privacy.access import RecordAccess
from gateway.privacy.masks import Secret
from gateway.privacy.pseudonyms import LOGS, KeyInvalid, Pseudonyms, derive, load_key
from gateway.privacy.sealing import Sealer
from gateway.settings import Settings
from gateway.store import leases, lock, no_text, nodes, schema, tables
from gateway.store.batch import Batch, Policies, Unit
from gateway.store.engine import begin_snapshot, has_one_writer, open_reader, open_writer, reading, sqlite_path, storing
from gateway.store.errors import OutcomeUnknown, StoreCorrupt, StoreError, StoreUnavailable, UnitPoisoned
from gateway.store.evidence import Digester, Evidence
from gateway.store.evidence_reading import is_of_another_key
from gateway.store.files import StoreFiles
from gateway.store.idempotency import Digests
from gateway.store.inspection import inspect
from gateway.store.lane import MAX_BATCH, BatchTimes, Job, Lane
from gateway.store.leases import Lease
from gateway.store.log_sync import AwaitDurable
from gateway.store.process_lane import ProcessLane
from gateway.store.recovery.changes import ChangeReader, make_no_checkpoints
from gateway.store.recovery.lent_changes import HeardChanges
from gateway.store.versions import rows_of
from gateway.store.write_lane import WriteLane

DIGESTS = "digests"
"""The purpose of the key that idempotency keys are digested under."""
EVIDENCE = "evidence"
"""The purpose of the key that rows are proved under."""
AnyPolicy = TypeVar("AnyPolicy")
Found = TypeVar("Found")
CLOCK_BEHIND_US = 1_000_000
"""A clock this much behind the latest entry of the journal is told of: it went back while the gateway was stopped."""
LEASE = 10
"""Seconds that a lease holds where nobody takes over by itself (`store.takeover: off`)."""
WINDOW = MAX_BATCH
"""Units that a bulk command keeps waiting in the lane at once: a batch, so that nobody's request stands behind more of them."""


class OpenAccounts(Unit):
    """Open the accounts of causes, named by their ids; gives the numbers of all system accounts."""

    alone: ClassVar[bool] = True

    causes: list[str]

    def decide(self, batch: Batch) -> Mapping[str, int]:
        """Open those that are missing."""
        opened = accounts.ensure(batch.connection, account_names(self.causes))
        for row in opened.made:
            batch.prove(tables.accounts, row)
        return opened.numbers


def account_names(causes: Iterable[str]) -> tuple[str, ...]:
    """Name every account that the books need for these causes."""
    return (*SYSTEM, *(name for cause in causes for name in accounts.accounts_of(cause)))


def upgrade_keys(settings: Settings) -> schema.Keys:
    """Return the keys that an upgrade of the tables needs; KeyInvalid where the privacy key is none."""
    key = _master_key(settings)
    return schema.Keys(derive(key, DIGESTS), derive(key, EVIDENCE), CauseSeals(key))


def cause_seals_of(settings: Settings) -> CauseSeals:
    """Return what causes are sealed with; KeyInvalid where the privacy key is none."""
    return CauseSeals(_master_key(settings))


def digests_of(key: bytes) -> Digests:
    """Return how idempotency keys are digested under a master key."""
    return Digests(derive(key, DIGESTS))


def key_file(settings: Settings) -> Path:
    """Return where the privacy key is kept that no setting gives."""
    return settings.folder / "var" / "tpo.key"


def _master_key(settings: Settings) -> bytes:
    return load_key(settings.privacy.key, key_file(settings))


def pickled(settings: Settings, accounts: Mapping[str, int]) -> bytes:
    """Write down what policies are made from, for the lane's process; secrets stay here, as it needs none."""
    octets = BytesIO()
    _WithoutSecrets(octets).dump((settings, accounts))
    return octets.getvalue()


@contextmanager
def _opening(taken: lock.Lock, store: Path | None) -> Iterator[None]:
    """Give the store's lock back where opening fails, and say which rows it fails for where these are text that is none."""
    try:
        yield
    except UnitPoisoned as error:  # every start reads them
        taken.release()
        column = no_text.column_of(error)
        rows = no_text.rows_of_file(store, column) if column and store is not None else []
        if rows:
            raise StoreCorrupt("; ".join(map(str, rows))) from error
        raise
    except BaseException:
        taken.release()
        raise


class _WithoutSecrets(pickle.Pickler):
    """Leaves out the value of each secret, which refuses to be pickled."""

    def reducer_override(self, found: object) -> Any:  # noqa: ANN401  (as pickle has it)
        """Write an empty one in its place."""
        return (Secret, (None,)) if isinstance(found, Secret) else NotImplemented


class GatewayContext:
    """What is open while the gateway, or one of its commands, works on the store.

    `progress` is told how far a long report has come: which part of the work, and how many rows of it.
    """

    progress: Callable[[str, int], None] = staticmethod(lambda _work, _rows: None)

    def __init__(
        self,
        settings: Settings,
        policies: Callable[["GatewayContext"], Policies],
        *,
        deliver: Callable[[list[Job]], None] | None = None,
        alarm: Callable[[str, str], None] = lambda _event, _detail: None,
        log: Callable[[str, Mapping[str, object]], None] = lambda _event, _fields: None,
        observe: Callable[[BatchTimes], None] = lambda _times: None,
        environment: Environment | None = None,
        make_lane: type[Lane] = Lane,
        lane_process: Callable[["GatewayContext", Lease], ProcessLane] | None = None,
    ) -> None:
        """Take the store's lock, prepare its tables, enter as a node and start the lane.

        `policies` makes what units are decided with, now and whenever the settings change; `observe` gets how long the parts of
        each batch took, on the lane's thread; `make_lane` makes a lane that works in another way than by a thread, and
        `lane_process` one that has a process of its own.
        Raises StillNeeded where the settings lack what customers stand on, KeyInvalid, or StoreError: StoreLocked,
        SchemaMismatch, StoreCorrupt, StoreUnavailable where the server cannot be reached.
        """
        self.settings, self._log, self._alarm, self._make_policies = settings, log, alarm, policies
        self.process_lane: ProcessLane | None = None
        self.environment = environment or Environment()
        self.clock, self.monotonic, self.in_thread = (
            self.environment.clock,
            self.environment.monotonic,
            self.environment.in_thread,
        )
        self.draining = False
        """Nothing new is taken in: the gateway is on its way out."""
        self.change_reader: ChangeReader | None = None
        self._before_release: Callable[[], None] = lambda: None
        url = settings.store.connect_url
        self.node_name = settings.diameter.identity if settings.diameter else "gateway"
        key = _master_key(settings)
        self.pseudonyms, self.callback_key = Pseudonyms(key), derive(key, "callbacks")
        self.sealer, self.cause_seals = Sealer(key), CauseSeals(key)
        self.digests, self._log_names, self.master_key = digests_of(key), Pseudonyms(key, LOGS), key
        """What all other keys are derived from; never written anywhere."""
        self.evidence_key = derive(key, EVIDENCE)
        self.seals_file = settings.folder / "var" / FILE_NAME
        self.lock = lock.take(url, self.node_name)
        with _opening(self.lock, sqlite_path(url)):
            StoreFiles(sqlite_path(url)).prove(inspect)
            self.node, lease, version = self._enter(url)
            self.label = f"tpo/{self.node.id}/{self.node.epoch}"
            self.lock.label(self.label)
            self._writer, self._reader = (
                open_writer(url, existing=True, label=self.label),
                open_reader(url, label=f"{self.label}/reads"),
            )
            self.ground = StoreFiles(sqlite_path(url), self._take_loss)
            with storing(), self._reader.connect() as connection:
                behind = latest_entry(connection, self.node.id) - self.clock()
            with storing(), self._writer.begin() as connection:
                self.accounts, self.settings = self._record(connection, settings)
        if self.node.adopter:
            log("node.renumbered", {"adopter": self.node.adopter, "number": self.node.id})
        if version != schema.head():
            log("store.schema.newer", {"version": version, "program": schema.head()})
        if behind > CLOCK_BEHIND_US:
            log("clock.behind", {"seconds": round(behind / 1_000_000, 3)})
        if lane_process is not None:
            self._writer.dispose()
            self.process_lane = lane_process(self, lease)
            self.lane: WriteLane = self.process_lane
        else:
            self.lane = make_lane(
                self._writer,
                self.node,
                clock=self.clock,
                monotonic=self.monotonic,
                policies=policies(self),
                deliver=deliver,
                alarm=alarm,
                on_connect=self.lock.renew,
                ground=self.ground,
                observe=observe,
                lease=lease,
                evidence=Evidence(self.evidence_key, self.node.id),
            )
        try:
            self.lane.start()
        except StoreError:
            self.lock.release()
            raise

    def _record(self, connection: Connection, settings: Settings) -> tuple[Mapping[str, int], Settings]:
        """Open the accounts that the causes need, record the versions of what the files say, and prove what is new."""
        if is_of_another_key(connection, Digester(self.evidence_key)):
            raise KeyInvalid(
                "privacy.key is not that of this store, by which its rows are proved: gateways on a store share one"
            )
        check_nothing_needed_goes(connection, settings.plans, settings.causes, self.clock(), self.cause_seals)
        opened = accounts.ensure(connection, account_names(settings.causes))
        with_history, recorded = versions.record(connection, settings, self.clock())
        made = {tables.accounts.name: opened.made, tables.versions.name: rows_of(connection, recorded)}
        if any(made.values()):
            Evidence(self.evidence_key, self.node.id).append(connection, made, self.clock())
        return opened.numbers, with_history

    def _take_loss(self, event: str, detail: str) -> None:
        """The store is no longer what it was: a lane in another process must not write to it either."""
        if self.process_lane is not None and self.ground.lost is not None:
            self.process_lane.lose(self.ground.lost)
        self._alarm(event, detail)

    def _enter(self, url: str) -> tuple[nodes.Node, Lease, str]:
        """Make the tables of an empty store, and enter as a node, from now on until its lease is over.

        Gives the version of the tables, too.
        """
        alone = has_one_writer(url)
        seconds = 0 if alone else self.settings.store.takeover or LEASE
        maker = open_writer(url)
        try:
            schema.prepare(maker)
            lease, asked = Lease(seconds), self.monotonic()
            with storing(), maker.begin() as connection:
                lasts = seconds * leases.MICROSECONDS
                version = schema.confirm(connection)
                node = nodes.enter(connection, self.node_name, self.clock(), lasts, alone=alone, program=schema.head())
                if alone:  # whoever else entered did so under another name of this gateway's
                    leases.adopt_all(connection, node.id)
                    node.owned = nodes.owned(connection, node.id)
        finally:
            maker.dispose()
        lease.renewed(asked)
        return node, lease, version

    @property
    def may_send(self) -> bool:
        """Whether no other gateway can have taken over: asked before anything goes out that must not go out twice."""
        return self.lane.lease.holds(self.monotonic())

    def need_lease(self) -> None:
        """Raise StoreUnavailable where another gateway may have taken over."""
        if not self.may_send:
            raise StoreUnavailable("the lease was not renewed in time: another gateway may have taken over")

    def lend_changes(self, reader: ChangeReader, before_release: Callable[[], None]) -> None:
        """Let a continuous backup read what the lane commits; `before_release` runs when the last of it is committed.

        A lane in another process is read by that; `reader` hears of it.
        """
        self.change_reader, self._before_release = reader, before_release
        if self.process_lane is not None and isinstance(reader, HeardChanges):
            self.process_lane.lend(reader)
            return
        make_no_checkpoints(self._writer)
        self.lane.policies = self._make_policies(self)

    async def prepare_settings(self, settings: Settings, accounts: Mapping[str, int]) -> Callable[[], None]:
        """Make ready to go by other settings; gives what applies them. `accounts` is what `OpenAccounts` gave for their causes.

        StoreError where the lane cannot be made ready for them.
        """
        known = {**self.accounts, **accounts}
        if self.process_lane is None:
            return lambda: self._apply(settings, known)
        lane = self.process_lane
        number = await lane.prepare(pickled(settings, known))

        def apply() -> None:
            self._apply(settings, known)
            lane.use(number)

        return apply

    def _apply(self, settings: Settings, accounts: Mapping[str, int]) -> None:
        self.settings, self.accounts = settings, accounts
        self.lane.policies = self._make_policies(self)

    @property
    def open_causes(self) -> list[str]:
        """The causes that may be chosen now."""
        return [cause.id for cause in self.settings.causes.values() if cause.open]

    def policy(self, kind: type[AnyPolicy]) -> AnyPolicy:
        """Return what units of a kind are decided with now; LookupError where there is none."""
        return self.lane.policies[kind]  # type: ignore[return-value]  # by its own type

    def log(self, event: str, fields: Mapping[str, object]) -> None:
        """Log an event of the catalogue."""
        self._log(event, fields)

    def record_access(self, actor: str, action: str, subscriber_id: int | None = None) -> None:
        """Write down that somebody is about to see who gives to whom; StoreError where that cannot be, and nothing is shown."""
        self.lane.run(RecordAccess(actor, action, subscriber_id))
        subject = None if subscriber_id is None else self._log_names.subscriber(subscriber_id)
        self._log("charity.causes.seen", {"by": actor, "action": action, "subject": subject})

    def read(self, look: Callable[[Connection], Found]) -> Found:
        """Run a function with a connection for reports."""
        with self.reading() as connection:
            return look(connection)

    async def read_async(self, look: Callable[[Connection], Found]) -> Found:
        """Run a function with a connection for reports on a thread of its own (`AsyncRead`)."""
        return await self.in_thread(self.read, look)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection for reports; StoreError where the store cannot be read.

        It does not wait for the lane, but sees nothing that a power cut may take back: what is told, sent or published
        because of a row must not come before the row is on the disk.
        """
        try:
            self.ground.check()
            with reading(self._reader) as connection:
                if self.ground.store is not None:
                    begin_snapshot(connection)
                    self._await_durable()
                yield connection
        except StoreError as error:
            self.ground.lose(error)
            raise

    def _await_durable(self) -> None:
        try:
            self.lane.run(AwaitDurable())
        except OutcomeUnknown as error:
            raise StoreUnavailable(str(error)) from error

    def inspect(self) -> None:
        """Read the store's files back from the disk; what is found wrong there stays wrong until the next start.

        StoreError says what was found, or why they cannot be read now. A server's store is the server's to inspect.
        """
        if self.ground.store is not None:
            try:
                self.ground.check()
                inspect(self.ground.store)
            except StoreError as error:
                self.ground.lose(error)
                raise

    def run_all(self, units: Iterable[Unit]) -> list[Any]:
        """Put many units through the lane and give their answers, or the errors that kept them from being done, in order."""
        slots = threading.Semaphore(WINDOW)
        answers: list[Any] = []

        def take(place: int) -> Callable[[Any, StoreError | None], None]:
            def done(answer: Any, error: StoreError | None) -> None:  # noqa: ANN401  (whatever the unit answers)
                answers[place] = answer if error is None else error
                slots.release()

            return done

        for place, unit in enumerate(units):
            slots.acquire()
            answers.append(None)
            self.lane.post(unit, take(place))
        for _ in range(WINDOW):
            slots.acquire()
        return answers

    def close(self) -> None:
        """Finish what waits in the lane, then let the next writer in."""
        self.lane.close()
        self._before_release()
        self._writer.dispose()
        self._reader.dispose()
        self.lock.release()
