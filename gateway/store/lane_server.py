"""The write lane in a process of its own: takes units from a stream, and says there what became of them (decision 038).

The lane itself is that of gateway.store.lane, on its thread. This process's first thread reads the stream, so that units are
taken in, and given up, while a batch works. When the stream ends, whoever posted is gone: what was taken in is committed, and
this ends.
"""

import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

import msgspec
from sqlalchemy import Engine

from gateway.environment import Environment, keep_what_lives
from gateway.store import nodes
from gateway.store.batch import Policies
from gateway.store.engine import open_writer, sqlite_path, storing
from gateway.store.errors import OutcomeUnknown, StoreError, StoreLocked
from gateway.store.evidence import Evidence
from gateway.store.files import StoreFiles
from gateway.store.lane import BatchTimes, Job, Lane
from gateway.store.lane_messages import (
    BUFFER,
    Alarm,
    Begin,
    Finish,
    Found,
    Frames,
    Lend,
    LockRenewed,
    Looked,
    Lost,
    Message,
    OpenSnapshot,
    Outcomes,
    Prepare,
    Prepared,
    Ready,
    RenewLock,
    SnapshotOpened,
    Standing,
    Tick,
    Units,
    Use,
    frame,
)
from gateway.store.leases import Lease
from gateway.store.log_sync import AwaitDurable
from gateway.store.recovery.changes import ChangeReader, make_no_checkpoints
from gateway.store.recovery.lent_changes import SaidChanges
from gateway.store.unit_codec import FAILED, Failure, encode, error_of, failure, member_of

RETRY_SECONDS: Final = 1.0
GONE: Final = failure(StoreLocked("the gateway is gone"))
MakePolicies = Callable[[bytes], Policies]
"""Makes policies of settings as they crossed."""


class Owed(msgspec.Struct, frozen=True, gc=False):
    """Where the outcome of a unit goes: the number that it was posted under."""

    number: int

    def __call__(self, _answer: object, _error: StoreError | None) -> None:
        """Nothing: whoever delivers looks at the number."""


def serve(stream: socket.socket, units: Any, make_policies: Callable[[Begin], MakePolicies]) -> None:  # noqa: ANN401  (a union)
    """Work until the stream ends. `units` is the union of all units; `make_policies` is asked once how policies are made."""
    frames = Frames(to_lane(units))
    octets, descriptors, _flags, _address = socket.recv_fds(stream, BUFFER, 1)
    while octets and not (found := frames.feed(octets)):
        octets = _receive(stream)
    if octets:
        _work(stream, frames, found[0], make_policies(found[0]))
    for each in descriptors:  # until here the store was locked, whatever became of the gateway
        os.close(each)


def _receive(stream: socket.socket) -> bytes:
    """Give what comes next; nothing where the gateway is gone, whether or not it had read all."""
    try:
        return stream.recv(BUFFER)
    except ConnectionError:
        return b""


def to_lane(units: Any) -> Any:  # noqa: ANN401  (unions)
    """Give the union of the messages that go to a lane, where units are of a union."""
    return Begin | Units[units] | Tick | Prepare | Use | Lend | SnapshotOpened | Lost | LockRenewed | Finish


def _work(stream: socket.socket, frames: Frames, begin: Begin, make_policies: MakePolicies) -> None:
    sending = threading.Lock()

    def send(octets: bytes) -> None:
        with sending, suppress(OSError):  # the gateway is gone: reading finds that, too
            stream.sendall(octets)

    server = LaneServer(begin, make_policies, send)
    while not server.resume():
        if select.select([stream], [], [], RETRY_SECONDS)[0]:  # nothing is sent to a lane that is not ready
            return
    server.start()
    keep_what_lives()
    while octets := _receive(stream):
        if not all(map(server.take, frames.feed(octets))):
            break
    server.finish()


class LaneServer:
    """One lane, and what it says by `send`."""

    def __init__(
        self,
        begin: Begin,
        make_policies: MakePolicies,
        send: Callable[[bytes], None],
        environment: Environment | None = None,
        make_lane: type[Lane] = Lane,
    ) -> None:
        """Take what came first; nothing runs before `start`."""
        self._make_policies, self._send_octets = make_policies, send
        self._locks: SimpleQueue[Failure | None] = SimpleQueue()
        self._snapshots: SimpleQueue[str] = SimpleQueue()
        self._changes: SaidChanges | None = None
        self._prepared: dict[int, Policies] = {}
        self._gone = False
        self._times: list[BatchTimes] = []
        self._begin, store, environment = begin, sqlite_path(begin.url), environment or Environment()
        self._clock, self._monotonic = environment.clock, environment.monotonic
        self._told_of_trouble = False
        self._engine: Engine = open_writer(begin.url, existing=True, label=begin.label)
        self._ground = StoreFiles(store, self._tell_of_loss, begin.files)
        self._lease = Lease(begin.lease)
        self.lane = make_lane(
            self._engine,
            begin.node,
            clock=self._clock,
            monotonic=self._monotonic,
            policies=self._policies(begin.settings),
            deliver=self._deliver,
            alarm=lambda event, detail: self._send(Alarm(event, detail)),
            on_connect=self._renew_lock if store is None else lambda: None,
            ground=self._ground,
            observe=self._observe,
            lease=self._lease,
            evidence=Evidence(begin.evidence, begin.node.id),
        )
        self._handlers: dict[type, Callable[[Any], None]] = {
            Units: self._post,
            Tick: self._tick,
            Prepare: self._prepare,
            Use: self._use,
            Lost: lambda lost: self._lose(lost.error),
            LockRenewed: lambda renewed: self._locks.put(renewed.error),
            Lend: lambda _lend: self._lend(),
            SnapshotOpened: lambda opened: self._snapshots.put(opened.problem),
        }
        if begin.lends:
            self._lend()

    def resume(self) -> bool:
        """Where a lane worked before, find out which identifiers are free; False if the store cannot be reached now."""
        if not self._begin.resumed:
            return True
        try:
            self._ground.check()
            with storing(), self._engine.begin() as connection:
                nodes.resume(connection, self._begin.node)
        except StoreError as error:
            self._ground.lose(error)
            self._send(self._standing() if self._told_of_trouble else Alarm("store.unavailable", str(error)))
            self._told_of_trouble = True
            return False
        return True

    def start(self) -> None:
        """Take units from now on."""
        self.lane.start()
        self._send(Ready())

    def take(self, message: Message) -> bool:
        """Take a message; False where nothing follows."""
        if isinstance(message, Finish):
            return False
        self._handlers[type(message)](message)
        return True

    def finish(self) -> None:
        """Commit what was taken in, and let the store go; nobody answers any more."""
        self._gone = True
        self._locks.put(GONE)
        self._snapshots.put(GONE.words)
        self.lane.close()
        if self._changes is not None:
            self._send(Looked(self._changes.look(self._clock(), begin=False), last=True))
            self._changes.close()
        self._engine.dispose()

    def _post(self, units: Units[Any]) -> None:
        readers = [each for each in units.posted if type(each[2]) is AwaitDurable]
        writers = [each for each in units.posted if type(each[2]) is not AwaitDurable] if readers else units.posted
        if writers:
            self.lane.post_all([(unit, Owed(number), not_after) for number, not_after, unit in writers])
        for number, not_after, unit in readers:
            self.lane.post(unit, partial(self._tell_reader, number), not_after=not_after)

    def _tell_reader(self, number: int, answer: None, error: StoreError | None) -> None:
        self._deliver([Job(AwaitDurable(), Owed(number), float("inf"), answer=answer, error=error)])

    def _tick(self, _tick: Tick) -> None:
        self.lane.expire()
        with suppress(StoreError):  # what is found is told by the ground itself
            self._ground.check()
        if self.lane.alive:
            self._send(self._standing())

    def _prepare(self, wanted: Prepare) -> None:
        problem = ""
        try:
            self._prepared[wanted.number] = self._policies(wanted.settings)
        except Exception as error:  # noqa: BLE001  (whatever is wrong with settings refuses them, and nothing else)
            problem = f"{type(error).__name__}: {error}"
        self._send(Prepared(wanted.number, problem))

    def _policies(self, settings: bytes) -> Policies:
        policies = self._make_policies(settings)
        return {**policies, ChangeReader: self._changes} if self._changes is not None else policies

    def _lend(self) -> None:
        """Read from now on what is committed; the connection that is open already is prepared by the first look."""
        store = self._ground.store
        if store is not None:
            make_no_checkpoints(self._engine)
            self._changes = SaidChanges(store, lambda found: self._send(Looked(found, last=False)), self._open_snapshot)
            self.lane.policies = {**self.lane.policies, ChangeReader: self._changes}

    def _open_snapshot(self) -> str:
        """Ask for a snapshot; on the lane's thread."""
        self._send(OpenSnapshot())
        return GONE.words if self._gone else self._snapshots.get()

    def _use(self, use: Use) -> None:
        self.lane.policies = self._prepared[use.number]
        self._prepared.clear()

    def _lose(self, error: Failure) -> None:
        self._ground.lose(error_of(error))

    def _tell_of_loss(self, event: str, detail: str) -> None:
        self._send(Found(Failure(event, detail)))

    def _renew_lock(self) -> None:
        """Ask for the lock; on the lane's thread."""
        self._send(RenewLock())
        error = GONE if self._gone else self._locks.get()
        if error is not None:
            raise error_of(error)

    def _deliver(self, jobs: list[Job]) -> None:
        """Say what became of units: on the lane's thread, or on the first one where they were given up."""
        times, self._times = self._times, []
        settled = [_settled(job) for job in jobs]
        self._send(Outcomes(settled, times, self._standing(), self._monotonic()))

    def _observe(self, times: BatchTimes) -> None:
        self._times.append(times)

    def _standing(self) -> Standing:
        return Standing(self.lane.counters, self.lane.in_trouble, self._lease.renewed_at)

    def _send(self, message: Message) -> None:
        self._send_octets(frame(message))


def _settled(job: Job) -> tuple[int, int, msgspec.Raw]:
    number: int = job.done.number  # type: ignore[attr-defined]  # what is posted here is owed to a number
    if job.error is not None:
        return number, FAILED, msgspec.Raw(encode(failure(job.error)))
    try:
        return number, member_of(type(job.unit), job.answer), msgspec.Raw(encode(job.answer))
    except (TypeError, NotImplementedError) as error:  # it is committed all the same
        return number, FAILED, msgspec.Raw(encode(failure(OutcomeUnknown(str(error)))))
