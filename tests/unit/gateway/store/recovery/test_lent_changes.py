"""What a lane in another process commits reaches the gateway's backup in its order, and a lane that died is no whole story."""

import sqlite3
from contextlib import closing

import pytest

from gateway.store.recovery.changes import ChangeReader, Changes
from gateway.store.recovery.lent_changes import DIED, HeardChanges, SaidChanges


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE t (n INTEGER)")
        connection.execute("INSERT INTO t VALUES (1)")
        yield path, connection


def test_what_is_said_is_heard_in_order_and_the_snapshot_is_opened_at_the_other_end(store):
    path, connection = store
    heard = HeardChanges(path)

    def open_snapshot():
        heard.open_snapshot()
        return ""

    said = SaidChanges(path, lambda changes: heard.hear(changes, last=False), open_snapshot)
    first = said.look(10, begin=True)
    assert (first.broken, said.snapshot) == ("", None)
    connection.execute("INSERT INTO t VALUES (2)")
    said.undelivered.append(said.look(20, begin=False))
    assert [changes.at for changes in heard.undelivered] == [20]
    assert heard.undelivered[0].pages
    assert not said.undelivered
    assert heard.snapshot.execute("SELECT count(*) FROM t").fetchone() == (1,)
    heard.hear(said.look(30, begin=False), last=True)
    assert heard.look(40, begin=False) == Changes(40)
    for each in (said, heard):
        each.close()


def test_a_snapshot_that_cannot_be_opened_breaks_the_chain(store):
    path, _ = store
    said = SaidChanges(path, lambda _changes: None, lambda: "no descriptors")
    assert said.look(10, begin=True).broken == "no descriptors"
    said.close()


def test_a_lane_that_died_leaves_a_gap_that_is_told_and_an_end_without_its_last_look_is_one(store):
    path, _ = store
    heard = HeardChanges(path)
    heard.hear(Changes(10), last=False)
    heard.lose()
    assert [(changes.at, changes.broken) for changes in heard.undelivered] == [(10, ""), (10, DIED)]
    assert heard.look(20, begin=False).broken == DIED
    assert isinstance(heard, ChangeReader)
