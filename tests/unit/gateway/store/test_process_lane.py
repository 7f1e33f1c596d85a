"""The gateway's end of a lane in a process of its own, against a lane that the test plays itself."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from types import SimpleNamespace

import msgspec
import pytest
from support.patience import PATIENCE

from gateway.store import process_lane
from gateway.store.batch import Unit
from gateway.store.errors import (
    LaneClosed,
    LaneLost,
    LaneOverloaded,
    OutcomeUnknown,
    StoreCorrupt,
    StoreFenced,
    StoreUnavailable,
    UnitExpired,
    UnitPoisoned,
)
from gateway.store.files import StoreFiles
from gateway.store.lane import BatchTimes, LaneCounters
from gateway.store.lane_messages import (
    Alarm,
    Begin,
    Finish,
    Found,
    Frames,
    LockRenewed,
    Lost,
    Outcomes,
    Prepare,
    Prepared,
    Ready,
    RenewLock,
    Standing,
    Tick,
    Units,
    Use,
    frame,
    socket_pair,
)
from gateway.store.lane_stream import SocketStream
from gateway.store.leases import Lease
from gateway.store.nodes import Node
from gateway.store.process_lane import CREDITS, MOST_DEATHS, PORTION, SILENT_TICKS, STARTING_TICKS, ProcessLane
from gateway.store.unit_codec import FAILED, encode, failure

TO_LANE = Begin | Units[dict] | Tick | Prepare | Use | Lost | LockRenewed | Finish


class Double(Unit):
    """Answers with twice its number."""

    number: int

    def decide(self, batch) -> int:
        return 2 * self.number


class Unwritable(Unit):
    """Carries what cannot cross."""

    what: object

    def decide(self, batch) -> None:
        return None


class PlayedLane:
    """The other end: a process that only sleeps, and a stream that the test speaks on for it."""

    def __init__(self):
        ours, self.stream = socket_pair()
        self.stream.settimeout(PATIENCE)
        self.frames, self.heard, self.counters = Frames(TO_LANE), [], LaneCounters()
        self.sleeper = subprocess.Popen(["sleep", "60"])
        self.process = SocketStream(self.sleeper.pid, ours, asyncio.get_running_loop())

    async def hear(self, kind):
        """The next message of a kind."""
        while True:
            for place, message in enumerate(self.heard):
                if isinstance(message, kind):
                    return self.heard.pop(place)
            self.heard += self.frames.feed(await asyncio.to_thread(self.stream.recv, 1 << 20))

    def say(self, *messages):
        for message in messages:
            self.stream.sendall(frame(message))

    def settle(self, *settled, renewed=None, times=()):
        written = [(number, member, msgspec.Raw(encode(answer))) for number, member, answer in settled]
        self.counters.units += len(settled)
        self.say(Outcomes(written, list(times), Standing(self.counters, False, renewed), time.monotonic()))

    def die(self):
        self.stream.close()

    def end(self):
        self.stream.close()
        self.sleeper.kill()
        self.sleeper.wait()


class House:
    """The gateway's end, with everything that it is told written down."""

    def __init__(self):
        self.lanes, self.alarms, self.events, self.ended, self.times = [PlayedLane()], [], [], [], []
        self.now, self.renewals, self.resumed = 100.0, 0, []
        self.met = 1
        self.ground = StoreFiles(None)
        self.lock = SimpleNamespace(descriptor=0, renew=self.renew)
        self.lock_error = None
        self.lane = ProcessLane(
            self.lanes[0].process,
            self.spawn,
            loop=asyncio.get_running_loop(),
            begin=self.begin,
            lock=self.lock,
            ground=self.ground,
            lease=Lease(10),
            policies={},
            monotonic=lambda: self.now,
            in_thread=asyncio.to_thread,
            deliver=lambda jobs, _sent: [job.done(job.answer, job.error) for job in jobs],
            observe=self.times.append,
            alarm=lambda event, detail: self.alarms.append((event, detail)),
            log=lambda event, fields: self.events.append((event, fields)),
            on_end=self.ended.append,
        )

    def begin(self, resumed):
        self.resumed.append(resumed)
        return Begin(
            "sqlite:///t.db", "tpo/1/1", Node(1, "n", 1, 1, 0, 0), resumed, 10, None, b"", b"", b"first", lends=False
        )

    def spawn(self):
        self.lanes.append(PlayedLane())
        return self.lanes[-1].process

    def renew(self):
        self.renewals += 1
        if self.lock_error:
            raise self.lock_error

    async def start(self):
        starting = asyncio.ensure_future(asyncio.to_thread(self.lane.start))
        assert (await self.lanes[-1].hear(Begin)).settings == b"first"
        self.lanes[-1].say(Ready())
        await starting

    def post(self, number, not_after=float("inf")):
        outcome = asyncio.get_running_loop().create_future()
        self.lane.post(Double(number), lambda answer, error: outcome.set_result((answer, error)), not_after=not_after)
        return outcome

    async def next_lane(self):
        """Wait until another process was started, and say that it is ready."""
        self.met += 1
        async with asyncio.timeout(PATIENCE):
            while len(self.lanes) < self.met:  # noqa: ASYNC110 (of a process)
                await asyncio.sleep(0.005)
        await self.lanes[-1].hear(Begin)
        self.lanes[-1].say(Ready())
        async with asyncio.timeout(PATIENCE):
            while self.lane.in_trouble:  # noqa: ASYNC110 (of a stream)
                await asyncio.sleep(0.005)
        return self.lanes[-1]


@pytest.fixture
async def house():
    made = House()
    await made.start()
    yield made
    for lane in made.lanes:
        lane.end()


async def test_units_go_out_in_order_in_one_message_and_their_outcomes_come_back(house):
    (played,) = house.lanes
    first, second = house.post(1), house.post(2, not_after=7.0)
    units = (await played.hear(Units)).posted
    assert [(not_after, unit["number"]) for _, not_after, unit in units] == [(float("inf"), 1), (7.0, 2)]
    times = BatchTimes(2, "Double", 0.0, 0.0, 0.0, 0.0, 0.0)
    played.settle((units[0][0], 0, 2), (units[1][0], FAILED, failure(UnitPoisoned("why"))), renewed=99.0, times=[times])
    assert await first == (2, None)
    answer, error = await second
    assert (answer, type(error), str(error)) == (None, UnitPoisoned, "why")
    assert (house.lane.depth, house.lane.counters.units, house.times) == (0, 2, [times])
    assert house.lane.lease.holds(99.0 + 7.9)
    assert not house.lane.lease.holds(99.0 + 8.1)


async def test_other_threads_wait_for_their_units(house):
    (played,) = house.lanes
    running = asyncio.ensure_future(asyncio.to_thread(house.lane.run, Double(4)))
    ((number, _, _),) = (await played.hear(Units)).posted
    played.settle((number, 0, 8))
    assert await running == 8
    running = asyncio.ensure_future(asyncio.to_thread(house.lane.run, Double(4)))
    ((number, _, _),) = (await played.hear(Units)).posted
    played.settle((number, FAILED, failure(StoreFenced("gone"))))
    with pytest.raises(StoreFenced, match="gone"):
        await running


async def test_only_so_many_units_are_out_and_the_rest_waits_for_their_outcomes(house):
    (played,) = house.lanes
    outcomes = [house.post(number) for number in range(CREDITS + 3)]
    posted = [each for _ in range(CREDITS // PORTION) for each in (await played.hear(Units)).posted]
    assert (len(posted), house.lane.depth) == (CREDITS, CREDITS + 3)
    played.settle((posted[0][0], 0, 0), (posted[1][0], 0, 2))
    rest = (await played.hear(Units)).posted
    assert [unit["number"] for _, _, unit in rest] == [CREDITS, CREDITS + 1]
    assert [outcome.done() for outcome in outcomes[:3]] == [True, True, False]


async def test_the_lane_is_given_a_portion_while_more_units_are_still_coming(house):
    (played,) = house.lanes
    for number in range(PORTION + 1):
        house.post(number)
    sent = [[unit["number"] for _, _, unit in (await played.hear(Units)).posted] for _ in range(2)]
    assert sent == [list(range(PORTION)), [PORTION]]


async def test_a_crowd_is_refused_at_once(house, monkeypatch):
    monkeypatch.setattr(process_lane, "MAX_WAITING", 3)
    for number in range(3):
        house.post(number)
    with pytest.raises(LaneOverloaded):
        house.post(3)


async def test_a_unit_that_cannot_be_written_down_is_refused_alone(house):
    (played,) = house.lanes
    refused = asyncio.get_running_loop().create_future()
    good = house.post(1)
    house.lane.post(Unwritable(threading.Lock()), lambda answer, error: refused.set_result(error))
    ((number, _, _),) = (await played.hear(Units)).posted
    played.settle((number, 0, 2))
    assert await good == (2, None)
    assert isinstance(await refused, UnitPoisoned)


async def test_what_waits_past_its_deadline_is_refused_and_what_is_out_is_unknown(house):
    (played,) = house.lanes
    out = [house.post(number, not_after=house.now + 4) for number in range(CREDITS)]
    waits = house.post(9, not_after=house.now + 4)
    posted = (await played.hear(Units)).posted
    house.now += 4.2
    house.lane.expire()
    assert isinstance((await waits)[1], UnitExpired)
    assert not out[0].done()
    house.now += 0.4
    house.lane.expire()
    assert {type((await each)[1]) for each in out} == {OutcomeUnknown}
    unknown = house.lane.counters.unknown
    played.settle((posted[0][0], 0, 0))
    await played.hear(Tick)
    played.say(Standing(played.counters, False, None))
    async with asyncio.timeout(PATIENCE):
        while house.lane.counters.unknown != unknown + 1:  # noqa: ASYNC110 (of a stream)
            await asyncio.sleep(0.005)


async def test_a_lane_that_dies_leaves_what_was_out_unknown_and_refuses_the_rest_until_another_is_ready(house):
    (played,) = house.lanes
    out = [house.post(number) for number in range(CREDITS)]
    waits = house.post(0)
    posted = (await played.hear(Units)).posted
    played.settle((posted[0][0], 0, 0))
    played.die()
    assert await out[0] == (0, None), "what it said before its end counts"
    assert {type((await each)[1]) for each in out[1:]} == {OutcomeUnknown}
    assert isinstance((await waits)[1], (StoreUnavailable, OutcomeUnknown))
    assert house.lane.in_trouble
    assert house.lane.alive
    assert isinstance((await house.post(1))[1], StoreUnavailable)
    again = await house.next_lane()
    assert house.resumed == [False, True]
    assert house.lane.counters.unknown == 2, "once at its end, once when what it was committing is over for certain"
    assert house.lane.counters.units == 1
    answered = house.post(5)
    ((number, _, _),) = (await again.hear(Units)).posted
    again.settle((number, 0, 10))
    assert await answered == (10, None)
    assert house.lane.counters.units == 2
    assert [event for event, _ in house.events] == ["store.lane.ended", "store.lane.back"]
    assert house.events[0][1] == {"exit_code": -signal.SIGKILL, "units": CREDITS - 1 + 1}
    with pytest.raises(ProcessLookupError):
        os.kill(played.process.pid, 0)


async def test_five_deaths_within_a_minute_end_the_gateway_and_spread_wider_they_do_not(house):
    for _ in range(MOST_DEATHS - 1):
        house.lanes[-1].die()
        await house.next_lane()
    house.now += 61
    house.lanes[-1].die()
    await house.next_lane()
    for _ in range(MOST_DEATHS - 2):
        house.lanes[-1].die()
        await house.next_lane()
    assert house.ended == []
    house.lanes[-1].die()
    async with asyncio.timeout(PATIENCE):
        while not house.ended:  # noqa: ASYNC110 (of a process)
            await asyncio.sleep(0.005)
    assert isinstance(house.ended[0], LaneLost)
    assert not house.lane.alive
    assert isinstance((await house.post(1))[1], StoreUnavailable)
    await asyncio.to_thread(house.lane.close)
    with pytest.raises(LaneClosed):
        house.post(1)


async def test_a_lane_that_says_nothing_is_called_stuck_and_is_ended_at_last(house):
    (played,) = house.lanes
    for _ in range(SILENT_TICKS):
        house.lane.expire()
    assert house.lane.in_trouble
    assert house.alarms == [("store.stalled", "the write lane's process does not answer")]
    played.say(Standing(played.counters, False, None))
    async with asyncio.timeout(PATIENCE):
        while house.lane.in_trouble:  # noqa: ASYNC110 (of a stream)
            await asyncio.sleep(0.005)
    for _ in range(SILENT_TICKS + 1):
        house.lane.expire()
    assert house.lane.alive
    assert await asyncio.to_thread(played.sleeper.wait, 10) == -signal.SIGKILL


async def test_a_lane_that_is_slow_to_start_is_given_its_time(house):
    house.lanes[0].die()
    async with asyncio.timeout(PATIENCE):
        while len(house.lanes) == 1:  # noqa: ASYNC110 (of a process)
            await asyncio.sleep(0.005)
    for _ in range(STARTING_TICKS):
        house.lane.expire()
    assert house.lanes[1].sleeper.poll() is None
    house.lanes[1].say(Ready())
    async with asyncio.timeout(PATIENCE):
        while house.lane.in_trouble:  # noqa: ASYNC110 (of a stream)
            await asyncio.sleep(0.005)
    house.lane.expire()
    assert house.lanes[1].sleeper.poll() is None


async def test_settings_are_prepared_then_used_and_a_refusal_says_why(house):
    (played,) = house.lanes
    preparing = asyncio.ensure_future(house.lane.prepare(b"second"))
    wanted = await played.hear(Prepare)
    assert wanted.settings == b"second"
    played.say(Prepared(wanted.number, ""))
    house.lane.use(await preparing)
    assert (await played.hear(Use)).number == wanted.number
    preparing = asyncio.ensure_future(house.lane.prepare(b"third"))
    played.say(Prepared((await played.hear(Prepare)).number, "ValueError: no"))
    with pytest.raises(StoreUnavailable, match="refuses the settings: ValueError: no"):
        await preparing


async def test_a_lane_that_was_started_between_prepare_and_use_is_made_ready_first(house):
    preparing = asyncio.ensure_future(house.lane.prepare(b"second"))
    played = house.lanes[-1]
    played.say(Prepared((await played.hear(Prepare)).number, ""))
    number = await preparing
    played.die()
    again = await house.next_lane()
    house.lane.use(number)
    assert (await again.hear(Prepare)).settings == b"second"
    assert (await again.hear(Use)).number == number


async def test_settings_that_came_into_force_while_a_lane_was_starting_follow_when_it_is_ready(house):
    preparing = asyncio.ensure_future(house.lane.prepare(b"second"))
    played = house.lanes[-1]
    played.say(Prepared((await played.hear(Prepare)).number, ""))
    number = await preparing
    played.die()
    async with asyncio.timeout(PATIENCE):
        while len(house.lanes) == 1:  # noqa: ASYNC110 (of a process)
            await asyncio.sleep(0.005)
    house.lane.use(number)
    again = house.lanes[-1]
    again.say(Ready())
    assert (await again.hear(Prepare)).settings == b"second"
    assert (await again.hear(Use)).number == number


async def test_a_reload_while_the_lane_dies_is_refused(house):
    preparing = asyncio.ensure_future(house.lane.prepare(b"second"))
    await house.lanes[0].hear(Prepare)
    house.lanes[0].die()
    with pytest.raises(StoreUnavailable):
        await preparing
    with pytest.raises(StoreUnavailable, match="being started"):
        await house.lane.prepare(b"second")


async def test_what_the_lane_finds_and_tells_of_is_known_here(house):
    (played,) = house.lanes
    played.say(Alarm("store.unavailable", "disk"), Alarm("store.fenced", "by two"), Found(failure(StoreCorrupt("bad"))))
    async with asyncio.timeout(PATIENCE):
        while house.ground.lost is None:  # noqa: ASYNC110 (of a stream)
            await asyncio.sleep(0.005)
    assert house.alarms == [("store.unavailable", "disk"), ("store.fenced", "by two")]
    assert house.lane.lease.fenced
    assert isinstance(house.ground.lost, StoreCorrupt)
    assert house.lane.in_trouble


async def test_what_is_found_here_is_told_to_the_lane(house):
    house.lane.lose(StoreCorrupt("bad"))
    assert (await house.lanes[0].hear(Lost)).error == failure(StoreCorrupt("bad"))


async def test_the_lane_asks_for_the_lock_before_it_connects(house):
    (played,) = house.lanes
    played.say(RenewLock())
    assert (await played.hear(LockRenewed)).error is None
    house.lock_error = RuntimeError("no connection")
    played.say(RenewLock())
    assert "no connection" in (await played.hear(LockRenewed)).error.words
    assert house.renewals == 2


async def test_at_the_end_what_waits_is_finished_and_the_process_has_gone(house):
    (played,) = house.lanes
    outcomes = [house.post(number) for number in range(CREDITS + 1)]
    closing = asyncio.ensure_future(asyncio.to_thread(house.lane.close))
    for _ in range(CREDITS // PORTION + 1):
        played.settle(*((number, 0, 2 * unit["number"]) for number, _, unit in (await played.hear(Units)).posted))
    await played.hear(Finish)
    played.sleeper.terminate()
    played.die()
    await closing
    assert [(await each)[0] for each in outcomes] == [2 * number for number in range(CREDITS + 1)]
    with pytest.raises(LaneClosed):
        house.post(1)


async def test_a_process_that_ends_at_its_start_is_no_lane():
    house = House()
    try:
        starting = asyncio.ensure_future(asyncio.to_thread(house.lane.start))
        await house.lanes[0].hear(Begin)
        house.lanes[0].die()
        with pytest.raises(StoreUnavailable, match="ended at its start"):
            await starting
        assert not house.lane.alive
    finally:
        house.lanes[0].end()
