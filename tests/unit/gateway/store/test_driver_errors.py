"""Who is blamed for an error that SQLite, its module or SQLAlchemy really raises: the store, or what was asked of it."""

import os
import resource
import signal
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select, text
from sqlalchemy.pool import NullPool

from gateway.store.driver_errors import classify, is_of_driver, is_undone
from gateway.store.engine import open_reader, reading
from gateway.store.errors import LaneClosed, StoreCorrupt, StoreUnavailable, UnitPoisoned

METADATA = MetaData()
ENTRY = Table("entry", METADATA, Column("id", Integer, primary_key=True), Column("worth", Integer, nullable=False))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE entry (id INTEGER PRIMARY KEY, worth INTEGER NOT NULL CHECK (worth >= 0)) STRICT"
        )
        connection.executemany("INSERT INTO entry VALUES (?, ?)", ((n, n) for n in range(5000)))
        connection.commit()
    return path


def damaged(path):
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 4096 * 8)


def run(statement, *values):
    def act(path):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(statement, *values).fetchall()

    return act


def read_damaged(path):
    damaged(path)
    run("SELECT sum(worth) FROM entry")(path)


def read_what_is_no_database(path):
    path.write_bytes(b"no database " * 1000)
    run("SELECT * FROM entry")(path)


def read_a_log_that_was_emptied(path):
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("UPDATE entry SET worth = worth + 1")
        writer.commit()
        os.truncate(f"{path}-wal", 0)
        run("SELECT sum(worth) FROM entry")(path)


def write_while_another_writes(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            connection.execute("BEGIN IMMEDIATE")


def write_beyond_the_size_of_a_file(path):
    """What a full disk does: the write fails. A limit of the process stands in for the disk's."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with closing(sqlite3.connect(path)) as connection:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, before[1]))
            connection.execute("INSERT INTO entry SELECT id + 5000, worth FROM entry")
            connection.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)


def fill(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA max_page_count=1")
        connection.execute("INSERT INTO entry SELECT id + 5000, worth FROM entry")


def write_to_what_is_read_only(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.execute("DELETE FROM entry")


def interrupt(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(lambda: 1, 100)
        connection.execute("SELECT sum(a.worth) FROM entry a, entry b").fetchall()


def open_what_is_gone(path):
    path.unlink()
    with reading(open_reader(f"sqlite:///{path}")) as connection:
        connection.execute(select(ENTRY))


def use_a_closed_connection(path):
    connection = sqlite3.connect(path)
    connection.close()
    connection.execute("SELECT 1")


def use_a_transaction_that_is_over(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("COMMIT")


def wait_for_a_connection_that_never_comes(path):
    engine = create_engine(f"sqlite:///{path}", pool_size=1, max_overflow=0, pool_timeout=0)
    with engine.connect(), engine.connect():
        pass


def through_sqlalchemy(statement, *values):
    def act(path):
        engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(statement, *values).one()

    return act


def ask_for_one_of_many(path):
    through_sqlalchemy(select(ENTRY))(path)


OF_THE_STORE = {
    "a missing table": run("SELECT * FROM absent"),
    "a missing column": run("SELECT absent FROM entry"),
    "busy": write_while_another_writes,
    "full": fill,
    "a failing disk": write_beyond_the_size_of_a_file,
    "read only": write_to_what_is_read_only,
    "interrupted": interrupt,
    "gone": open_what_is_gone,
    "a closed connection": use_a_closed_connection,
    "a transaction that is over": use_a_transaction_that_is_over,
    "no free connection": wait_for_a_connection_that_never_comes,
    "a missing table through SQLAlchemy": through_sqlalchemy(text("SELECT * FROM absent")),
}
DAMAGED = {
    "malformed": read_damaged,
    "no database": read_what_is_no_database,
    "an emptied log": read_a_log_that_was_emptied,
}
OF_THE_UNIT = {
    "a doubled key": run("INSERT INTO entry VALUES (1, 1)"),
    "a missing value": run("INSERT INTO entry VALUES (9999, NULL)"),
    "a broken rule": run("INSERT INTO entry VALUES (9999, -1)"),
    "a wrong type": run("INSERT INTO entry VALUES (9999, 'many')"),
    "too large a number": run("INSERT INTO entry VALUES (9999, ?)", (1 << 70,)),
    "a value of no kind": run("INSERT INTO entry VALUES (9999, ?)", (object(),)),
    "too few values": run("INSERT INTO entry VALUES (?, ?)", (1,)),
    "half a character": run("SELECT ?", ("\ud800",)),
    "a sum that overflows": run("SELECT sum(9223372036854775807) FROM entry"),
    "broken JSON": run("SELECT * FROM json_each('[')"),
    "a mistake in the statement": run("SELEKT 1"),
    "a doubled key through SQLAlchemy": through_sqlalchemy(insert(ENTRY), {"id": 1, "worth": 1}),
    "too large a number through SQLAlchemy": through_sqlalchemy(insert(ENTRY), {"id": 9999, "worth": 1 << 70}),
    "a value that is not given": through_sqlalchemy(text("SELECT :absent")),
    "many where there is to be one": ask_for_one_of_many,
}


def error_of(act, path):
    with pytest.raises(Exception) as caught:  # noqa: PT011  (which one it is, is what is asked)
        act(path)
    return caught.value


@pytest.mark.parametrize("case", OF_THE_STORE)
def test_trouble_of_the_store_is_the_stores(path, case):
    error = error_of(OF_THE_STORE[case], path)
    found = classify(error)
    assert type(found) is StoreUnavailable, repr(error)
    assert str(found)


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damage_is_told_from_trouble_that_passes(path, case):
    assert type(classify(error_of(DAMAGED[case], path))) is StoreCorrupt


@pytest.mark.parametrize("case", OF_THE_UNIT)
def test_what_was_wrongly_asked_is_not_blamed_on_the_store(path, case):
    error = error_of(OF_THE_UNIT[case], path)
    assert type(classify(error)) is UnitPoisoned, repr(error)
    assert type(error).__name__ in str(classify(error)) or error.orig is not None


def test_what_a_unit_raises_by_itself_is_its_own_fault_but_for_an_empty_memory():
    for error in (ValueError("no amount"), KeyError("plan"), ZeroDivisionError(), OSError("a file of its own")):
        assert type(classify(error)) is UnitPoisoned
        assert not is_of_driver(error)
    assert type(classify(MemoryError())) is StoreUnavailable


def test_a_store_error_stays_what_it_is():
    error = LaneClosed("the gateway is stopping")
    assert classify(error) is error


def test_a_commit_is_undone_for_certain_only_where_the_store_said_so(path):
    assert is_undone(error_of(OF_THE_STORE["full"], path))
    assert is_undone(error_of(OF_THE_STORE["busy"], path))
    assert is_undone(error_of(OF_THE_UNIT["a doubled key through SQLAlchemy"], path))
    assert not is_undone(error_of(OF_THE_STORE["a failing disk"], path))
    assert not is_undone(error_of(DAMAGED["malformed"], path))
    assert not is_undone(ValueError("whatever"))


@pytest.mark.parametrize(
    ("code", "undone"),
    [
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_IOERR_FSYNC, False),
        (sqlite3.SQLITE_IOERR_DIR_FSYNC, False),
        (sqlite3.SQLITE_IOERR, False),
        (sqlite3.SQLITE_INTERRUPT, False),
    ],
)
def test_a_commit_that_a_disk_does_not_take_is_undone_and_one_that_it_may_have_lost_is_open(code, undone):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    assert is_undone(error) is undone
    assert type(classify(error)) is StoreUnavailable
