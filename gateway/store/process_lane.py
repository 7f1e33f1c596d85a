"""The write lane as the gateway sees it when it is a process of its own (decision 038; the other end is lane_server).

Units go out in their order and as many as the lane has credit for; the rest wait here, where they can still be refused. A unit
that went out gets its outcome, or nobody knows it: then its peer is not answered, and asks again. All state belongs to the
event loop but for the queue of units, which any thread may post to.

A lane that dies takes with it what had gone out and was not answered; it is started anew, and until it is back units are
refused. One that says nothing for long is ended. Where it dies again and again, the gateway ends.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from enum import Enum, auto
from typing import Any, Final

from gateway.store.batch import Policies, Unit
from gateway.store.driver_errors import classify
from gateway.store.errors import (
    LaneClosed,
    LaneLost,
    LaneOverloaded,
    OutcomeUnknown,
    StoreError,
    StoreFenced,
    StoreUnavailable,
    UnitExpired,
    UnitPoisoned,
)
from gateway.store.files import StoreFiles
from gateway.store.lane import MAX_BATCH, MAX_WAITING, BatchTimes, Job, LaneCounters
from gateway.store.lane_messages import (
    Alarm,
    Begin,
    Finish,
    Found,
    FromLane,
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
from gateway.store.lane_stream import Stream
from gateway.store.leases import Lease
from gateway.store.lock import Lock
from gateway.store.recovery.lent_changes import HeardChanges
from gateway.store.unit_codec import Failure, error_of, failure, read_answer
from gateway.store.write_lane import Done

CREDITS: Final = 4 * MAX_BATCH
"""Units that may be out at once: a batch at work, one that gathers, and what comes while answers are on their way."""
PORTION: Final = 32
"""Units that go out at once: the lane begins with them while the loop reads on. Fewer at a time would cost more each."""
GRACE_SECONDS: Final = 0.5
"""How much later than a unit's own deadline it is given up here: until then the lane itself may say what became of it."""
TROUBLED_TICKS: Final = 4
"""Ticks without an answer after which the lane is called stuck."""
SILENT_TICKS: Final = 40
"""Ticks without an answer after which its process is ended: ten seconds, of which this process has lived through each tick."""
MOST_DEATHS: Final = 5
WITHIN_SECONDS: Final = 60.0
"""So many deaths within so many seconds end the gateway."""
STARTING_TICKS: Final = 240
"""The same for one that has not begun yet: a minute, as a busy machine takes long to start a program."""
REAP_SECONDS: Final = 0.02
CLOSE_SECONDS: Final = 50.0
"""How long what waits may take at the end; the gateway's own stop is a little longer."""


class Phase(Enum):
    """What the lane's process is doing."""

    STARTING = auto()
    UP = auto()
    DOWN = auto()
    ENDED = auto()


class ProcessLane:
    """The lane in a process of its own; `policies` are this process's copy of what the lane decides with."""

    def __init__(
        self,
        stream: Stream,
        spawn: Callable[[], Stream],
        *,
        loop: asyncio.AbstractEventLoop,
        begin: Callable[[bool], Begin],
        lock: Lock,
        ground: StoreFiles,
        lease: Lease,
        policies: Policies,
        monotonic: Callable[[], float],
        in_thread: Callable[[Callable[[], None]], Awaitable[None]],
        deliver: Callable[[list[Job], float], None],
        observe: Callable[[BatchTimes], None],
        alarm: Callable[[str, str], None],
        log: Callable[[str, dict[str, object]], None],
        on_end: Callable[[StoreError], None],
    ) -> None:
        """Take the stream of a process that was started, and how another one is.

        `begin` makes the first message, told whether a lane has worked for this node before. `deliver` gets units with their
        outcomes in order, and when that was sent; `observe` the times of each batch; `on_end` is told once why no lane will
        come back. All are called on the loop.
        """
        self._stream, self._spawn, self._loop, self._begin = stream, spawn, loop, begin
        self._lock, self._ground, self.lease, self.policies = lock, ground, lease, policies
        self._monotonic, self._in_thread, self._deliver, self._observe = monotonic, in_thread, deliver, observe
        self._alarm, self._log, self._on_end = alarm, log, on_end
        self.counters = LaneCounters()
        self._before = LaneCounters()
        """What the processes counted that are gone, and what was counted here."""
        self._said = LaneCounters()
        self._turn = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._closing = self._flush_due = False
        self._posted: dict[int, Job] = {}
        self._number = self._prepared_number = 0
        self._preparing: dict[int, tuple[bytes, int, asyncio.Future[None]]] = {}
        """Settings that a process, by its number, was or is made ready for."""
        self._catching_up: Prepare | None = None
        """What came into force while the process was starting."""
        self._phase, self._in_trouble, self._finishing = Phase.STARTING, False, False
        self._unanswered, self._died_at = 0, deque[float](maxlen=MOST_DEATHS)
        self._owed_at_death = False
        self._loop_thread = 0
        self._up, self._over = threading.Event(), threading.Event()
        self.changes: HeardChanges | None = None
        """Where goes what it commits, if it was lent for a continuous backup."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[type, Callable[[Any], None]] = {
            Outcomes: self._take_outcomes,
            Standing: self._take_standing,
            Ready: self._take_ready,
            Alarm: self._take_alarm,
            Found: self._take_loss,
            RenewLock: self._renew_lock,
            Prepared: self._take_prepared,
            Looked: self._take_changes,
            OpenSnapshot: self._open_snapshot,
        }

    # For everybody who changes state

    def start(self) -> None:
        """Tell the process what to work on; not on the loop. StoreUnavailable where it does not come up."""
        self._loop.call_soon_threadsafe(self._attach, frame(self._begin(False)))  # noqa: FBT003  (its only one)
        self._up.wait()
        if self._phase is not Phase.UP:
            raise StoreUnavailable("the write lane's process ended at its start")

    def post(self, unit: Unit, done: Done, *, not_after: float = float("inf")) -> None:
        """Queue a unit; `done` gets its outcome on the loop. LaneOverloaded or LaneClosed are raised here, at once."""
        with self._turn:
            if self._closing:
                raise LaneClosed("the gateway is stopping")
            if len(self._waiting) + len(self._posted) >= MAX_WAITING:
                raise LaneOverloaded(f"{MAX_WAITING} units wait already")
            self._waiting.append(Job(unit, done, not_after))
            on_loop = threading.get_ident() == self._loop_thread
            portion = on_loop and self._phase is Phase.UP and len(self._waiting) % PORTION == 0
            due, self._flush_due = self._flush_due, True
        if portion:
            self._flush()
        if due or portion:
            return
        if on_loop:
            self._loop.call_soon(self._flush)
        else:
            self._loop.call_soon_threadsafe(self._flush)

    def run(self, unit: Unit) -> Any:  # noqa: ANN401  (the unit decides what it answers)
        """Queue a unit and wait for its answer on a thread of one's own; raises what kept it from being done."""
        if threading.get_ident() == self._loop_thread:
            raise RuntimeError("the event loop cannot wait for what the event loop has to take")
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
    def pid(self) -> int:
        """The number of its process."""
        return self._stream.pid

    @property
    def depth(self) -> int:
        """How many units wait, here or there."""
        return len(self._waiting) + len(self._posted)

    @property
    def alive(self) -> bool:
        """Whether the process works, or will again."""
        return self._phase is not Phase.ENDED

    @property
    def in_trouble(self) -> bool:
        """Whether nothing can be written just now, as far as is known."""
        stuck = self._unanswered > TROUBLED_TICKS
        return self._phase is not Phase.UP or self._in_trouble or stuck or self._ground.lost is not None

    def lose(self, error: StoreError) -> None:
        """Keep the lane from writing to a store that is no longer what it was."""
        self._loop.call_soon_threadsafe(self._send_if_up, Lost(failure(error)))

    def lend(self, changes: HeardChanges) -> None:
        """Have what is committed said from now on."""
        self.changes = changes
        self._loop.call_soon_threadsafe(self._send_if_up, Lend())

    def expire(self) -> None:
        """Give up the units whose time is over, and see that the process answers; to be called on the loop, often."""
        self._stream.read()  # if this process stood still itself, what the lane said meanwhile comes first
        now = self._monotonic()
        with self._turn:
            over = [job for job in self._waiting if job.not_after < now]
            if over:
                self._waiting = deque(job for job in self._waiting if job.not_after >= now)
        late = [number for number, job in self._posted.items() if job.not_after + GRACE_SECONDS < now]
        self._before.expired += len(over)
        self._settle(over, UnitExpired("the unit waited past its deadline"))
        self._settle([self._posted.pop(number) for number in late], OutcomeUnknown("the write lane does not answer"))
        self._look_after()

    def close(self) -> None:
        """Take no more units, and return when the last is committed and the process has ended; not on the loop."""
        with self._turn:
            self._closing = True
        with suppress(RuntimeError):  # the loop has ended already, and with it whoever waited
            self._loop.call_soon_threadsafe(self._flush)
            if not self._over.wait(CLOSE_SECONDS):
                self._loop.call_soon_threadsafe(self._stream.kill)
                self._over.wait(CLOSE_SECONDS)

    async def prepare(self, settings: bytes) -> int:
        """Have the lane made ready for other settings; gives their number for `use`. StoreError where it refuses them."""
        if self._phase is not Phase.UP:
            raise StoreUnavailable("the write lane is being started")
        self._prepared_number += 1
        number, future = self._prepared_number, self._loop.create_future()
        self._preparing = {number: (settings, self._stream.pid, future)}
        self._send(Prepare(number, settings))
        await future
        return number

    def use(self, number: int) -> None:
        """Have units that are posted from now on decided by what was prepared; those that are out go by either.

        A process that was started since has begun with what was in force, and is told again.
        """
        settings, pid, _ = self._preparing.pop(number)
        if self._phase is not Phase.UP:
            self._catching_up = Prepare(number, settings)
            return
        if pid != self._stream.pid:
            self._send(Prepare(number, settings))
        self._send(Use(number))

    # The stream

    def _attach(self, begin: bytes) -> None:
        """Tell the process what to work on, and listen to it."""
        self._loop_thread = threading.get_ident()
        self._phase, self._unanswered, self._catching_up = Phase.STARTING, 0, None
        self._stream.open(begin, self._lock.descriptor, self._take, self._take_death)

    def _take(self, message: FromLane) -> None:
        self._handlers[type(message)](message)

    def _flush(self) -> None:
        """Send what waits, as far as there is credit; refuse it while there is no lane."""
        with self._turn:
            self._flush_due = False
            room = len(self._waiting) if self._phase is not Phase.UP else CREDITS - len(self._posted)
            jobs = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        if self._phase is not Phase.UP:
            self._settle(jobs, StoreUnavailable("the write lane is being started"))
        elif jobs:
            self._send_units(jobs)
        if self._closing and not self._waiting and not self._finishing:
            self._finish()

    def _send_units(self, jobs: list[Job]) -> None:
        first = self._number
        self._number += len(jobs)
        posted = [(number, job.not_after, job.unit) for number, job in enumerate(jobs, first)]
        try:
            octets = frame(Units(posted))
        except (TypeError, NotImplementedError, ValueError) as error:
            if len(jobs) == 1:
                self._loop.call_soon(self._settle, jobs, UnitPoisoned(str(error)))  # not while it is being posted
            else:
                for job in jobs:
                    self._send_units([job])
            return
        self._posted.update(zip(range(first, self._number), jobs, strict=True))
        self._stream.send(octets)

    def _finish(self) -> None:
        self._finishing = True
        if self._phase is Phase.UP:
            self._send(Finish())
        elif self._phase is Phase.STARTING:
            self._stream.kill()
        elif self._phase is Phase.ENDED:
            self._over.set()

    def _send_if_up(self, message: Message) -> None:
        if self._phase is Phase.UP:
            self._send(message)

    def _send(self, message: Message) -> None:
        self._stream.send(frame(message))

    # What it says

    def _take_outcomes(self, outcomes: Outcomes) -> None:
        jobs = []
        for number, member, answer in outcomes.settled:
            job = self._posted.pop(number, None)
            if job is None:  # it was given up: whoever keeps texts in mind has to look at them again
                self._before.unknown += 1
                continue
            job.settled = True
            job.answer, job.error = read_answer(type(job.unit), member, answer)
            jobs.append(job)
        self._take_standing(outcomes.standing)
        if self._waiting:
            self._flush()
        for times in outcomes.times:
            self._observe(times)
        self._deliver(jobs, outcomes.sent)

    def _take_standing(self, standing: Standing) -> None:
        self._unanswered = 0
        self._in_trouble = standing.in_trouble
        self.counters = _sum(self._before, standing.counters)
        self._said = standing.counters
        if standing.renewed is not None:
            self.lease.renewed(standing.renewed)

    def _take_ready(self, _ready: Ready) -> None:
        self._phase, self._unanswered = Phase.UP, 0
        if self._catching_up is not None:
            self._send(self._catching_up)
            self._send(Use(self._catching_up.number))
        if self._owed_at_death:  # by now what a server was still committing for the dead one has come to its end
            self._owed_at_death = False
            self._before.unknown += 1
            self.counters = _sum(self._before, self._said)
        if self._up.is_set():
            self._log("store.lane.back", {"restarts": self.counters.restarts})
        self._up.set()
        self._flush()

    def _take_alarm(self, alarm: Alarm) -> None:
        if alarm.event == StoreFenced.code:
            self.lease.fenced = True
        self._alarm(alarm.event, alarm.detail)

    def _take_loss(self, found: Found) -> None:
        self._ground.lose(error_of(found.error))

    def _take_prepared(self, prepared: Prepared) -> None:
        _, _, future = self._preparing.get(prepared.number, (b"", 0, None))
        if future is not None and not future.done():
            if prepared.problem:
                future.set_exception(StoreUnavailable(f"the write lane refuses the settings: {prepared.problem}"))
            else:
                future.set_result(None)

    def _take_changes(self, looked: Looked) -> None:
        if self.changes is not None:
            self.changes.hear(looked.changes, last=looked.last)

    def _open_snapshot(self, _asked: OpenSnapshot) -> None:
        self._work_for_lane(self._open())

    async def _open(self) -> None:
        problem = ""
        try:
            assert self.changes is not None
            await self._in_thread(self.changes.open_snapshot)
        except Exception as found:  # noqa: BLE001  (whatever it is, the lane waits for it)
            problem = str(found) or type(found).__name__
        self._send_if_up(SnapshotOpened(problem))

    def _renew_lock(self, _asked: RenewLock) -> None:
        self._work_for_lane(self._renew())

    def _work_for_lane(self, work: Coroutine[None, None, None]) -> None:
        """Do something that blocks, which the lane waits for, beside the loop."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _renew(self) -> None:
        error: Failure | None = None
        try:
            await self._in_thread(self._lock.renew)
        except Exception as found:  # noqa: BLE001  (whatever it is, the lane waits for it)
            error = failure(classify(found))
        self._send_if_up(LockRenewed(error))

    # Its life

    def _look_after(self) -> None:
        """Ask for a sign of life, and end a process that gives none."""
        if self._phase not in (Phase.STARTING, Phase.UP):
            return
        self._unanswered += 1
        if self._phase is Phase.UP:
            if self._unanswered == TROUBLED_TICKS + 1:
                self._alarm("store.stalled", "the write lane's process does not answer")
            self._send(Tick())
        if self._unanswered > (SILENT_TICKS if self._phase is Phase.UP else STARTING_TICKS):
            self._stream.kill()

    def _take_death(self) -> None:
        """The stream has ended: nobody knows what became of units that are out, and those that wait are refused."""
        self._phase = Phase.DOWN
        owed, self._posted = list(self._posted.values()), {}
        self._before, self._said = _sum(self._before, self._said), LaneCounters()
        self._before.unknown += bool(owed)
        self._owed_at_death = self._owed_at_death or bool(owed)
        self.counters = _sum(self._before, self._said)
        for _, _, future in self._preparing.values():
            if not future.done():
                future.set_exception(StoreUnavailable("the write lane's process has ended"))
        if self.changes is not None and not self._finishing:
            self.changes.lose()
        self._settle(owed, OutcomeUnknown("the write lane's process has ended"))
        self._stream.kill()
        self._reap(len(owed))

    def _reap(self, owed: int) -> None:
        """Wait until the process is gone for certain: two lanes never work at once."""
        code = self._stream.exit_code()
        if code is None:
            self._loop.call_later(REAP_SECONDS, self._reap, owed)
        elif self._finishing and not code and not owed:
            self._phase = Phase.ENDED
            self._over.set()
        else:
            self._go_on(code, owed)

    def _go_on(self, code: int, owed: int) -> None:
        """Start another process, unless too many died."""
        now = self._monotonic()
        self._died_at.append(now)
        self._log("store.lane.ended", {"exit_code": code, "units": owed})
        often = len(self._died_at) == MOST_DEATHS and now - self._died_at[0] <= WITHIN_SECONDS
        if self._finishing or often or not self._up.is_set():
            self._phase = Phase.ENDED
            self._up.set()
            self._over.set()
            self._flush()
            if often:
                self._on_end(LaneLost(f"the write lane's process died {MOST_DEATHS} times within a minute"))
            return
        self._before.restarts += 1
        self.counters = _sum(self._before, self._said)
        self._stream = self._spawn()
        self._attach(frame(self._begin(True)))  # noqa: FBT003  (as above)
        self._flush()

    def _settle(self, jobs: list[Job], error: StoreError) -> None:
        for job in jobs:
            job.settled, job.error = True, error
        if jobs:
            self._deliver(jobs, self._monotonic())


def _sum(one: LaneCounters, other: LaneCounters) -> LaneCounters:
    fields = LaneCounters.__struct_fields__
    return LaneCounters(*(getattr(one, name) + getattr(other, name) for name in fields))
