"""Commits on their way to the disk: what may go on meanwhile, and what a sync that fails or does not come back leaves."""

import errno
import threading
import time

import pytest
from sqlalchemy import select
from support.lane_fixture import Workplace

from gateway.store import lane as lane_module
from gateway.store import log_file
from gateway.store.batch import Batch, Unit
from gateway.store.errors import OutcomeUnknown, StoreUnavailable, UnitExpired
from gateway.store.log_file import WORTH_A_BATCH
from gateway.store.log_sync import AwaitDurable
from gateway.store.tables import marks

SECONDS = 90
OURS = 7


class Mark(Unit):
    """Writes a row, and answers with its name."""

    name: str

    def decide(self, batch):
        batch.add(marks, (batch.node.id, self.name, OURS))
        return self.name


class MarkAlone(Mark):
    alone = True


class Disk:
    """Stands in for fdatasync: each call waits until it is let through, or fails."""

    def __init__(self):
        self.free = True
        self.begun, self.gate = threading.Semaphore(0), threading.Semaphore(0)
        self.errors = []
        self.syncs = self.rewritten = 0

    def fdatasync(self, _descriptor):
        self.syncs += 1
        if not self.free:
            self.begun.release()
            assert self.gate.acquire(timeout=SECONDS)
        if self.errors:
            raise self.errors.pop(0)

    def hold(self):
        self.free = False

    def wait(self):
        """Until a sync has begun."""
        assert self.begun.acquire(timeout=SECONDS)

    def let_go(self):
        self.free = True
        self.gate.release()

    def fail(self):
        self.errors.append(OSError(errno.EIO, "Input/output error"))


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    monkeypatch.setattr(log_file.os, "fdatasync", disk.fdatasync)
    original = log_file.LogFile.rewrite

    def rewrite(file):
        disk.rewritten += 1
        original(file)

    monkeypatch.setattr(log_file.LogFile, "rewrite", rewrite)
    return disk


@pytest.fixture
def place(tmp_path, disk):
    place = Workplace(f"sqlite:///{tmp_path}/lane.db")
    place.lane.start()
    place.lane.run(Mark("first"))
    yield place
    disk.let_go()
    place.close()


def time_is_over(place):
    """Let more than a deadline pass at once on the lane's clock."""
    place.lane._monotonic = lambda: time.monotonic() + 2 * SECONDS


class Posted:
    """Units in the lane, and what came of them, in the order in which it came."""

    def __init__(self, place):
        self.place, self.came, self.news = place, [], threading.Semaphore(0)

    def post(self, *units, **options):
        for unit in units:
            self.place.lane.post(unit, self._take, **options)

    def _take(self, answer, error):
        self.came.append(answer if error is None else type(error))
        self.news.release()

    def wait(self, count):
        for _ in range(count):
            assert self.news.acquire(timeout=SECONDS), self.came
        return self.came


def names(first, count=WORTH_A_BATCH):
    return [f"{first} {number}" for number in range(count)]


def stored(place):
    ours = select(marks.c.name).where(marks.c.value == OURS, marks.c.name != "first")
    return [name for (name,) in place.read(ours)]


def until(condition):
    ends = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.001)


def committed(place, wanted):
    """Wait until others can read it."""
    until(lambda: set(wanted) <= set(stored(place)))


def test_while_one_commit_is_synced_the_next_batches_are_committed_and_one_sync_makes_them_durable(place, disk):
    posted, before = Posted(place), disk.syncs
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    for first in "bc":
        posted.post(*map(Mark, names(first)))
        committed(place, names(first))
    assert posted.came == []
    disk.let_go()
    assert posted.wait(1 + 2 * WORTH_A_BATCH) == ["a", *names("b"), *names("c")]
    assert disk.syncs == before + 2
    assert place.lane.counters.batches == 4


def test_while_the_disk_is_busy_few_units_wait_for_a_batch_of_their_own(place, disk):
    posted = Posted(place)
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    posted.post(*map(Mark, names("b", WORTH_A_BATCH - 1)))
    assert place.lane.depth == WORTH_A_BATCH - 1
    posted.post(Mark("c"))
    committed(place, "c")
    posted.post(Mark("d"))
    disk.let_go()
    assert posted.wait(WORTH_A_BATCH + 2)[-1] == "d"
    assert place.lane.counters.batches == 4


def test_when_the_disk_does_not_come_back_what_follows_a_few_batches_stays_undecided(place, disk, monkeypatch):
    monkeypatch.setattr("gateway.store.log_sync.MOST_AHEAD", 2)
    posted = Posted(place)
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    for first in "bc":
        posted.post(*map(Mark, names(first)))
        committed(place, names(first))
    posted.post(*map(Mark, names("d")), not_after=time.monotonic() - 1)
    assert place.lane.depth == WORTH_A_BATCH
    place.lane.expire()
    assert posted.wait(WORTH_A_BATCH) == [UnitExpired] * WORTH_A_BATCH
    disk.let_go()
    posted.wait(1 + 2 * WORTH_A_BATCH)
    assert not set(stored(place)) & set(names("d"))


def test_a_unit_that_is_alone_begins_when_all_before_it_is_durable(place, disk):
    posted = Posted(place)
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    posted.post(MarkAlone("alone"), *map(Mark, names("b")))
    assert place.lane.depth == 1 + WORTH_A_BATCH
    assert stored(place) == ["a"]
    disk.let_go()
    assert posted.wait(2 + WORTH_A_BATCH) == ["a", "alone", *names("b")]


def test_of_all_that_a_failed_sync_leaves_the_outcome_is_unknown_and_the_log_is_written_anew_before_the_next(
    place, disk
):
    posted, before = Posted(place), disk.rewritten
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    posted.post(*map(Mark, names("b")))
    committed(place, names("b"))
    disk.fail()
    disk.let_go()
    assert posted.wait(1 + WORTH_A_BATCH) == [OutcomeUnknown] * (1 + WORTH_A_BATCH)
    assert disk.rewritten == before
    until(lambda: place.lane.in_trouble)
    assert [event for event, _ in place.alarms] == ["store.outcome_unknown"]
    assert place.lane.counters.unknown == place.lane.counters.failed_batches == 2
    assert place.lane.run(Mark("c")) == "c"
    assert disk.rewritten == before + 1
    assert not place.lane.in_trouble
    assert stored(place) == ["a", *names("b"), "c"]
    place.lane.run(Mark("d"))
    assert disk.rewritten == before + 1


def test_as_long_as_the_log_cannot_be_written_anew_nothing_is_committed(place, disk):
    posted = Posted(place)
    disk.fail()
    posted.post(Mark("a"))
    assert posted.wait(1) == [OutcomeUnknown]
    for name in ("b", "c"):
        disk.fail()
        with pytest.raises(StoreUnavailable):
            place.lane.run(Mark(name))
    assert place.lane.run(Mark("d")) == "d"
    assert stored(place) == ["a", "d"]


def test_a_sync_that_does_not_come_back_leaves_outcomes_open_and_answers_nobody_twice(place, disk):
    posted = Posted(place)
    disk.hold()
    posted.post(Mark("a"), not_after=time.monotonic() + SECONDS)
    disk.wait()
    posted.post(Mark("b"), not_after=time.monotonic() + SECONDS)
    time_is_over(place)
    until(lambda: place.lane.expire() or len(posted.came) == 2)
    assert sorted(posted.came, key=str) == [OutcomeUnknown, UnitExpired]
    assert place.lane.in_trouble
    assert place.alarms[0][0] == "store.stalled"
    assert place.alarms[0][1].startswith("a commit")
    disk.let_go()
    assert place.lane.run(Mark("c")) == "c"
    assert not place.lane.in_trouble
    assert place.lane.counters.unknown == 1
    assert len(posted.came) == 2
    assert stored(place) == ["a", "c"]


def test_a_unit_with_a_batch_to_itself_again_is_given_up_as_unknown_once_it_is_committed(place, disk):
    """Of a batch that a poisoned unit spoiled, each unit is committed by itself."""

    class Poisoned(Unit):
        def decide(self, batch):
            raise ZeroDivisionError

    posted = Posted(place)
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    posted.post(Poisoned(), *map(Mark, names("b", WORTH_A_BATCH - 1)), not_after=time.monotonic() + 0.5)
    committed(place, names("b", WORTH_A_BATCH - 1))
    until(lambda: place.lane.expire() or len(posted.came) == WORTH_A_BATCH)
    assert posted.came.count(OutcomeUnknown) == WORTH_A_BATCH - 1
    disk.let_go()
    posted.wait(1 + WORTH_A_BATCH)


def test_a_failure_of_the_next_batch_takes_the_log_from_nobody_who_is_being_synced(place, disk, monkeypatch):
    def fail(*_):
        raise StoreUnavailable("the disk is full")

    posted = Posted(place)
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    with monkeypatch.context() as patch:
        patch.setattr(Batch, "save", fail)
        posted.post(*map(Mark, names("b")))
        until(lambda: place.lane.in_trouble)
    assert posted.came == []  # its connection, and the log, are closed after the sync
    disk.let_go()
    came = posted.wait(1 + WORTH_A_BATCH)
    assert sorted(came, key=str) == sorted(["a", *[StoreUnavailable] * WORTH_A_BATCH], key=str)
    assert place.lane.run(Mark("c")) == "c"
    assert stored(place) == ["a", "c"]


def test_a_reader_waits_for_what_is_not_durable_and_for_nothing_else(place, disk):
    readers, posted = Posted(place), Posted(place)
    readers.post(AwaitDurable())
    assert readers.wait(1) == [None]
    batches = place.lane.counters.batches
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    committed(place, "a")
    readers.post(AwaitDurable())
    posted.post(*map(Mark, names("b")))
    committed(place, names("b"))
    readers.post(AwaitDurable())
    assert len(readers.came) == 1
    disk.let_go()
    assert readers.wait(2) == [None] * 3
    posted.wait(1 + WORTH_A_BATCH)
    assert place.lane.counters.batches == batches + 2


def test_a_reader_waits_for_a_commit_that_has_not_come_back_and_not_for_work_before_it(place, monkeypatch):
    begun, gate, deciding = threading.Event(), threading.Event(), threading.Event()
    dialect = type(place.writer.dialect)
    original = dialect.do_commit

    def hang(self, connection):
        original(self, connection)
        begun.set()
        assert gate.wait(SECONDS)

    class Slow(Mark):
        def decide(self, batch):
            deciding.set()
            assert gate.wait(SECONDS)
            return super().decide(batch)

    readers, posted = Posted(place), Posted(place)
    place.lane._waiting.append(
        lane_module.Job(Slow("slow"), posted._take, float("inf"))
    )  # as it is, not over a crossing
    posted.post(Mark("a"))
    assert deciding.wait(SECONDS)
    readers.post(AwaitDurable())
    assert readers.wait(1) == [None]
    gate.set()
    posted.wait(2)
    gate.clear()
    with monkeypatch.context() as patch:
        patch.setattr(dialect, "do_commit", hang)
        posted.post(Mark("b"))
        assert begun.wait(SECONDS)
        committed(place, "b")
        readers.post(AwaitDurable())
        assert len(readers.came) == 1
    gate.set()
    assert readers.wait(1) == [None, None]


def test_a_reader_is_refused_when_what_it_read_may_not_be_on_the_disk_and_in_doubt_the_log_is_written_for_it(
    place, disk
):
    readers, posted = Posted(place), Posted(place)
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    readers.post(AwaitDurable())
    disk.fail()
    disk.let_go()
    assert readers.wait(1) == posted.wait(1) == [OutcomeUnknown]
    before = disk.rewritten
    readers.post(AwaitDurable())
    assert readers.wait(1)[1:] == [None]
    assert disk.rewritten == before + 1


def test_a_reader_needs_no_room_on_the_disk_for_the_end_of_a_doubt(place, disk, monkeypatch):
    def fail(*_):
        raise StoreUnavailable("the disk is full")

    readers, posted = Posted(place), Posted(place)
    disk.fail()
    posted.post(Mark("a"))
    assert posted.wait(1) == [OutcomeUnknown]
    monkeypatch.setattr(Batch, "save", fail)
    readers.post(AwaitDurable())
    assert readers.wait(1) == [None]
    posted.post(Mark("b"))
    assert posted.wait(1)[1:] == [StoreUnavailable]


def test_a_reader_is_not_kept_for_as_long_as_the_disk_is_stuck(place, disk, monkeypatch):
    monkeypatch.setattr(lane_module, "READERS_PATIENCE", 0.01)
    readers, posted = Posted(place), Posted(place)
    disk.hold()
    posted.post(Mark("a"))
    disk.wait()
    readers.post(AwaitDurable())
    until(lambda: place.lane.expire() or readers.came)
    assert readers.came == [OutcomeUnknown]
    disk.let_go()
    assert posted.wait(1) == ["a"]


def test_the_log_that_an_ended_process_left_is_written_anew_before_anything_is_built_upon_it(tmp_path, disk):
    url = f"sqlite:///{tmp_path}/lane.db"
    with_another_open = Workplace(url)
    with with_another_open.reader.connect() as connection:  # so that the log stays
        connection.exec_driver_sql("SELECT 1 FROM marks")
        place = Workplace(url)
        place.lane.start()
        place.lane.run(AwaitDurable())
        assert disk.rewritten == 1
        place.lane.run(Mark("a"))
        assert disk.rewritten == 1
        place.close()
    with_another_open.writer.dispose()
