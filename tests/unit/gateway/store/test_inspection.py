"""A look at the log: what was overwritten is found, and what is being written at that moment is not taken for it."""

import os
import sqlite3
from contextlib import closing

import pytest

from gateway.store import inspection
from gateway.store.inspection import FRAME, HEADER, check_log

PAGE = 4096
STEP = FRAME.size + PAGE


@pytest.fixture
def log(tmp_path):
    """A log that was begun anew: two new frames in front of what an older one left."""
    store = tmp_path / "t.db"
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={PAGE}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(b"x" * PAGE,)] * 20)
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        connection.execute("INSERT INTO t VALUES (1)")
        log = tmp_path / "copy-wal"
        log.write_bytes(store.with_name("t.db-wal").read_bytes())
    return log


def set_salts(log, number, salts):
    with log.open("r+b") as file:
        file.seek(HEADER.size + number * STEP + 8)
        file.write(salts)


def salts_of(log):
    return log.read_bytes()[16:24]


def first_old(log):
    octets, salts = log.read_bytes(), salts_of(log)
    frames = (len(octets) - HEADER.size) // STEP
    places = (HEADER.size + number * STEP for number in range(frames))
    return next(n for n, place in enumerate(places) if octets[place + 8 : place + 16] != salts)


def test_what_an_older_log_left_is_no_damage_and_a_frame_between_newer_ones_is(log):
    assert check_log(log) is None
    old = first_old(log)
    set_salts(log, old + 1, salts_of(log))
    assert check_log(log) == f"{log}: frame {old + 1} was overwritten"


def test_frames_that_are_written_while_they_are_looked_at_are_no_damage(log, monkeypatch):
    old, salts, pread = first_old(log), salts_of(log), os.pread

    def overtaken(file, size, place):
        """The look at the first old frame comes just before the writer goes over it, and over the next ones."""
        frame = pread(file, size, place)
        if place == HEADER.size + old * STEP:
            for number in range(old, old + 3):
                set_salts(log, number, salts)
        return frame

    monkeypatch.setattr(inspection.os, "pread", overtaken)
    assert check_log(log) is None
