import sqlite3
import stat
from contextlib import closing

import pytest

from gateway.store import backup as backups
from gateway.store.backup import PAGES_A_STEP, CopyStopped, backup, copy_snapshot
from gateway.store.errors import StoreUnavailable


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "tpo.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, what BLOB)")
        size = 3 * PAGES_A_STEP
        connection.executemany("INSERT INTO entry (what) VALUES (?)", ((bytes(4000),) for _ in range(size)))
    connection.close()
    return path


def rows(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM entry").fetchone()[0]
    finally:
        connection.close()


def test_a_copy_is_whole_as_of_one_moment_while_the_store_is_written_to(store, tmp_path):
    writer, shares = sqlite3.connect(store), []

    def told(share):
        shares.append(share)
        writer.execute("INSERT INTO entry (what) VALUES (?)", (b"of meanwhile",))
        writer.commit()

    before = rows(store)
    size = backup(store, tmp_path / "copy.db", told)
    writer.close()
    assert rows(tmp_path / "copy.db") == before
    assert rows(store) == before + len(shares)
    assert len(shares) >= 3
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert size == (tmp_path / "copy.db").stat().st_size > 3 * PAGES_A_STEP * 4000


def test_a_copy_is_its_owners_alone_and_leaves_nothing_beside_it(store, tmp_path):
    backup(store, tmp_path / "copy.db", lambda share: None)
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} <= {"copy.db", "tpo.db", "tpo.db-wal", "tpo.db-shm"}


@pytest.mark.parametrize("looks", [0, 1, 6])
def test_a_copy_that_nobody_wants_any_more_is_given_up_also_while_it_is_checked(store, tmp_path, looks, monkeypatch):
    monkeypatch.setattr(backups, "INSTRUCTIONS_A_LOOK", 1000)
    left = iter(range(looks))
    with closing(sqlite3.connect(store, isolation_level=None)) as source:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM entry").fetchone()
        with pytest.raises(CopyStopped):
            copy_snapshot(source, tmp_path / "copy.db", wanted=lambda: next(left, None) is not None)


def test_a_file_that_exists_is_not_written_over(store, tmp_path):
    kept = tmp_path / "copy.db"
    kept.write_text("of yesterday")
    with pytest.raises(FileExistsError):
        backup(store, kept, lambda share: None)
    assert kept.read_text() == "of yesterday"


def test_a_file_that_came_meanwhile_is_not_written_over(store, tmp_path):
    late = tmp_path / "copy.db"
    with pytest.raises(FileExistsError):
        backup(store, late, lambda share: late.write_text("somebody else's"))
    assert late.read_text() == "somebody else's"
    assert list(tmp_path.glob(".copy*")) == []


def test_what_is_no_store_or_is_not_there_is_told_and_leaves_no_file(tmp_path):
    (tmp_path / "tpo.db").write_bytes(b"no database " * 1000)
    for name in ("tpo.db", "absent.db"):
        with pytest.raises(StoreUnavailable, match="cannot be copied"):
            backup(tmp_path / name, tmp_path / "copy.db", lambda share: None)
        assert [path.name for path in tmp_path.iterdir()] == ["tpo.db"]
