"""Reading beside the lane: nobody is shown what a power cut may take back."""

import errno
import threading
import time

import pytest
from sqlalchemy import select
from support.sims_context_fixture import settings_of

from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.store import log_file
from gateway.store.batch import Unit
from gateway.store.errors import OutcomeUnknown, StoreUnavailable
from gateway.store.tables import marks

SECONDS = 90


class Mark(Unit):
    def decide(self, batch):
        batch.add(marks, (batch.node.id, "mark", 7))


class Disk:
    """Stands in for fdatasync: says when it is asked, and waits."""

    def __init__(self):
        self.begun, self.gate, self.error = threading.Event(), threading.Event(), None

    def fdatasync(self, _descriptor):
        self.begun.set()
        assert self.gate.wait(SECONDS)
        if self.error is not None:
            error, self.error = self.error, None
            raise error


def look(connection):
    return connection.execute(select(marks.c.value).where(marks.c.name == "mark")).all()


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    monkeypatch.setattr(log_file.os, "fdatasync", disk.fdatasync)
    yield disk
    disk.gate.set()


@pytest.fixture
def context(tmp_path, disk):
    context = GatewayContext(settings_of(tmp_path), make_policies)
    yield context
    disk.gate.set()
    context.close()


class Reading:
    """A thread that reads; `found` is what it was shown, or how it was refused."""

    def __init__(self, context):
        self.context, self.found = context, None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            self.found = self.context.read(look)
        except StoreUnavailable as error:
            self.found = error

    def until_it_waits(self):
        ends = time.monotonic() + SECONDS
        while not any(committed.readers for committed in self.context.lane._log.unsynced):
            assert time.monotonic() < ends
            time.sleep(0.001)

    def wait(self):
        self.thread.join(SECONDS)
        return self.found


def begin_commit(context, disk):
    ended = []
    context.lane.post(Mark(), lambda answer, error: ended.append((answer, error)))
    assert disk.begun.wait(SECONDS)
    return ended


def test_what_is_committed_is_shown_when_it_is_on_the_disk_and_not_before(context, disk):
    assert context.read(look) == []  # nothing is on its way
    ended = begin_commit(context, disk)
    reading = Reading(context)
    with context._reader.connect() as connection:
        assert look(connection) == [(7,)]  # the file has it already
    reading.until_it_waits()
    assert (reading.found, ended) == (None, [])
    disk.gate.set()
    assert reading.wait() == [(7,)]


def test_what_may_not_be_on_the_disk_is_not_shown_and_after_the_log_is_written_anew_it_is(context, disk):
    ended = begin_commit(context, disk)
    reading = Reading(context)
    reading.until_it_waits()
    disk.error = OSError(errno.EIO, "Input/output error")
    disk.gate.set()
    assert isinstance(reading.wait(), StoreUnavailable)
    assert context.read(look) == [(7,)]
    assert isinstance(ended[0][1], OutcomeUnknown)
