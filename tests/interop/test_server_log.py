"""What the lane commits at a real PostgreSQL server is answered when it is durable, and not before (decision 047)."""

import itertools
import os
import signal
import threading
import time
from typing import ClassVar

import pytest
from sqlalchemy import text
from support.lane_fixture import workplace
from support.patience import PATIENCE

from gateway.store.batch import Unit
from gateway.store.errors import OutcomeUnknown
from gateway.store.log_sync import AwaitDurable
from gateway.store.server_log import WORTH_A_BATCH, ServerLog
from gateway.store.tables import outbox

NUMBERS = itertools.count()


class Append(Unit):
    """Appends an event."""

    def decide(self, batch) -> int:
        number = batch.take_id()
        batch.add(outbox, (number, "topic", b"", batch.now, None))
        return number


class HowItCommits(Unit):
    """Tells how the transaction that it is in will be committed."""

    def decide(self, batch) -> str:
        return batch.connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()


class HowItCommitsAlone(HowItCommits):
    alone: ClassVar[bool] = True


@pytest.fixture
def url(database):
    return database(f"server_log_{next(NUMBERS)}")


@pytest.fixture
def place(url):
    with workplace(url) as place:
        place.lane.run(Append())
        yield place


class Held:
    """Syncs that wait until they are let go; `begun` is set by the first."""

    def __init__(self, monkeypatch):
        self.begun, self.let_go, sync = threading.Event(), threading.Event(), ServerLog.sync

        def held(log):
            self.begun.set()
            assert self.let_go.wait(PATIENCE)
            sync(log)

        monkeypatch.setattr(ServerLog, "sync", held)


def lsn(place, what):
    with place.reader.connect() as connection:
        return connection.execute(text(f"SELECT pg_current_wal_{what}_lsn()")).scalar_one()


def posted(place, unit, **options):
    """Post a unit; gives what is set when it is answered, and its answer or error."""
    ready, outcome = threading.Event(), []

    def done(answer, error):
        outcome.append(error or answer)
        ready.set()

    place.lane.post(unit, done, **options)
    return ready, outcome


def test_a_unit_and_who_reads_it_wait_until_its_commit_is_durable_though_others_see_it(place, monkeypatch):
    held = Held(monkeypatch)
    answered, outcome = posted(place, Append())
    assert held.begun.wait(PATIENCE)
    committed = place.read(text("SELECT max(id) FROM outbox"))
    told, _ = posted(place, AwaitDurable())
    assert not answered.is_set()
    assert not told.is_set()
    held.let_go.set()
    assert answered.wait(PATIENCE)
    assert told.wait(PATIENCE)
    assert committed == [(outcome[0],)]


def test_batches_are_decided_while_a_commit_is_on_its_way_to_the_disk(place, monkeypatch):
    held = Held(monkeypatch)
    first, _ = posted(place, Append())
    assert held.begun.wait(PATIENCE)
    more = [posted(place, Append()) for _ in range(WORTH_A_BATCH)]
    committed = threading.Event()
    while len(place.read(text("SELECT id FROM outbox"))) < 2 + WORTH_A_BATCH:
        assert not committed.wait(0.001)
    assert not any(answered.is_set() for answered, _ in more)
    held.let_go.set()
    assert first.wait(PATIENCE)
    assert all(answered.wait(PATIENCE) for answered, _ in more)


def test_a_sync_that_fails_leaves_the_outcome_unknown_and_those_after_it_have_another_connection(place, monkeypatch):
    before = place.lane._log._file._connection

    def lost(_log):
        raise OSError("the server is gone")

    with monkeypatch.context() as patched:
        patched.setattr(ServerLog, "sync", lost)
        with pytest.raises(OutcomeUnknown):
            place.lane.run(Append())
    assert place.lane.in_trouble
    number = place.lane.run(Append())
    assert not place.lane.in_trouble
    assert place.lane._log._file._connection is not before
    assert (number,) in place.read(text("SELECT id FROM outbox"))


def test_a_sync_that_does_not_come_back_is_ended_when_a_unit_s_time_is_over_and_the_lane_goes_on(place):
    pid = place.read(text("SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%/flushes'"))[0][0]
    os.kill(pid, signal.SIGSTOP)
    try:
        answered, outcome = posted(place, Append(), not_after=time.monotonic() + 0.2)
        while not answered.wait(0.01):
            place.lane.expire()
        assert isinstance(outcome[0], OutcomeUnknown)
        number = place.lane.run(Append())
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (number,) in place.read(text("SELECT id FROM outbox"))


def test_a_reader_is_told_when_what_another_gateway_committed_is_durable_too(url):
    with workplace(url, node="one") as one, workplace(url, node="two") as two:
        one.lane.run(Append())
        two.lane.run(Append())
        with two.writer.connect() as other:
            other.exec_driver_sql("SET synchronous_commit = off")
            other.execute(outbox.insert().values(id=1, topic="topic", body=b"", created_at=1))
            other.commit()
        committed = lsn(one, "insert")
        one.lane.run(AwaitDurable())
        with one.reader.connect() as connection:
            flushed = text("SELECT pg_current_wal_flush_lsn() >= CAST(:committed AS pg_lsn)")
            assert connection.execute(flushed, {"committed": committed}).scalar_one()


def test_units_that_are_alone_are_durable_with_their_own_commit(place):
    assert place.lane.run(HowItCommits()) == "off"
    assert place.lane.run(HowItCommitsAlone()) == "on"
    place.node.ceiling = place.node.next_id
    assert place.lane.run(HowItCommits()) == "on", "a crash would give identifiers out again"
    assert place.lane.run(HowItCommits()) == "off"
