"""What the lane commits is read page by page: written over a copy of an earlier moment it gives the store as it is."""

import itertools
import sqlite3
from contextlib import closing

import pytest

from gateway.store.backup import copy_snapshot
from gateway.store.errors import StoreCorrupt
from gateway.store.recovery.changes import ChangeReader

TICKS = itertools.count(1)


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "t.db"
    with closing(writing(path)) as connection:
        connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, what BLOB)")
    return path


def writing(path):
    """A connection as the lane's: commits when it says so, makes no checkpoints."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def write(connection, number, octets=900):
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO entry (what) VALUES (?)", ((bytes(octets),) for _ in range(number)))
    connection.execute("UPDATE entry SET what = ? WHERE id % 7 = ?", (bytes(octets), number % 7))
    connection.execute("COMMIT")


class Follower:
    """A copy of a store, kept up by the changes of a reader."""

    def __init__(self, store, file):
        self.reader, self.file = ChangeReader(store), file
        with closing(writing(store)) as lane:
            write(lane, 1)
            assert not self.reader.look(next(TICKS), begin=True).broken
        copy_snapshot(self.reader.snapshot, file)
        self.reader.snapshot.close()
        self.looks = 0

    def follow(self):
        changes = self.reader.look(next(TICKS), begin=False)
        assert not changes.broken, changes.broken
        with self.file.open("r+b") as copy:
            for number, page in changes.pages.items():
                copy.seek((number - 1) * changes.page_size)
                copy.write(page)
            if changes.size:
                copy.truncate(changes.size * changes.page_size)
        self.looks += 1
        return changes


def rows(file):
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT id, what FROM entry ORDER BY id").fetchall()


def test_a_copy_that_is_followed_up_has_what_the_store_has_at_each_look(store, tmp_path):
    lane = writing(store)
    follower = Follower(store, tmp_path / "copy.db")
    for round_ in range(20):
        for number in range(1 + round_ % 4):
            write(lane, 1 + 13 * number)
        if round_ == 7:
            lane.execute("DELETE FROM entry WHERE id % 2 = 0")
        if round_ == 11:  # the lane connects again: its count of the log's beginnings starts anew
            lane.close()
            lane = writing(store)
        assert follower.follow().pages
        assert rows(follower.file) == rows(store)
    assert not follower.follow().pages
    log = store.with_name("t.db-wal").stat().st_size
    assert log < 600_000, "it never began anew: no round writes more than that, all together write a multiple"
    follower.reader.close()
    lane.close()


def test_a_report_that_keeps_the_log_from_beginning_anew_costs_nothing_of_it(store, tmp_path):
    lane = writing(store)
    follower = Follower(store, tmp_path / "copy.db")
    with closing(sqlite3.connect(store, isolation_level=None)) as report:
        for number in range(6):
            write(lane, 20)
            if number == 1:
                report.execute("BEGIN")
                report.execute("SELECT count(*) FROM entry").fetchone()
            if number == 4:
                report.execute("COMMIT")
            follower.follow()
            assert rows(follower.file) == rows(store)
    follower.reader.close()
    lane.close()


def test_what_is_rolled_back_is_no_change(store, tmp_path):
    lane = writing(store)
    follower = Follower(store, tmp_path / "copy.db")
    lane.execute("PRAGMA cache_size=2")  # so that pages go to the log before the commit
    lane.execute("BEGIN IMMEDIATE")
    lane.executemany("INSERT INTO entry (what) VALUES (?)", ((bytes(3000),) for _ in range(50)))
    assert not follower.follow().pages
    lane.execute("ROLLBACK")
    write(lane, 3)
    follower.follow()
    assert rows(follower.file) == rows(store)
    assert len(rows(store)) == 4
    follower.reader.close()
    lane.close()


def test_a_log_that_somebody_else_began_anew_breaks_the_chain(store, tmp_path):
    lane = writing(store)
    follower = Follower(store, tmp_path / "copy.db")
    write(lane, 20)
    follower.follow()
    write(lane, 20)
    with closing(sqlite3.connect(store)) as other:
        other.execute("PRAGMA wal_checkpoint(RESTART)")
    write(lane, 20)
    changes = follower.reader.look(next(TICKS), begin=False)
    assert changes.broken == "the log began anew before all of it had been read"
    assert not changes.pages
    follower.reader.close()
    lane.close()


@pytest.mark.parametrize("place", ["header", "frames"])
def test_a_log_that_was_written_over_is_corrupt_and_with_its_header_nothing_of_it_gets_into_the_store(
    store, tmp_path, place
):
    lane = writing(store)
    follower = Follower(store, tmp_path / "copy.db")
    write(lane, 50)
    before = store.read_bytes()
    with store.with_name("t.db-wal").open("r+b") as log:
        log.seek(0 if place == "header" else 32)
        log.write(b"\xa5" * 9000)
    with pytest.raises(StoreCorrupt, match=r"overwritten"):
        follower.reader.look(next(TICKS), begin=False)
    if place == "header":
        assert store.read_bytes() == before
    follower.reader.close()
    lane.close()


def test_a_whole_copy_is_not_begun_of_an_empty_log(store):
    reader = ChangeReader(store)
    assert reader.look(1, begin=True).broken == "the log is empty"
    assert reader.snapshot is None
    reader.close()


def test_changes_that_follow_each_other_are_one_with_the_later_pages(store, tmp_path):
    lane = writing(store)
    follower = Follower(store, tmp_path / "copy.db")
    looks = []
    for _ in range(2):
        write(lane, 30)
        looks.append(follower.reader.look(next(TICKS), begin=False))
    write(lane, 1)
    first, second = looks
    both = first.followed_by(second)
    assert (both.at, both.size, both.pages.keys()) == (second.at, second.size, first.pages.keys() | second.pages.keys())
    assert all(both.pages[number] == page for number, page in second.pages.items())
    assert first.followed_by(type(first)(99)).pages == first.pages
    follower.reader.close()
    lane.close()
