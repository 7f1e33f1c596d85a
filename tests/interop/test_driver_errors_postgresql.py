"""Who is blamed for an error that a real PostgreSQL and psycopg raise: the store, or what was asked of it."""

import os
import signal
import socket
import threading

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool
from support import postgres
from support.postgres_crash import crash

from gateway.store.driver_errors import classify, is_undone
from gateway.store.errors import StoreConflict, StoreCorrupt, StoreUnavailable, UnitPoisoned

pytestmark = [
    pytest.mark.xdist_group("driver_errors_postgresql"),
    pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed (package postgresql)"),
]


@pytest.fixture(scope="module")
def url():
    with postgres.server() as make:
        url = make("errors")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE entry (id BIGINT PRIMARY KEY, worth BIGINT NOT NULL CHECK (worth >= 0))")
            connection.execute("INSERT INTO entry SELECT n, n FROM generate_series(1, 500) AS n")
            connection.execute(
                "CREATE TABLE doomed AS SELECT n AS id, repeat('x', 500) AS words FROM generate_series(1, 500) n"
            )
            connection.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'entries stay as they are'; END $$"
            )
            connection.execute("CREATE TABLE kept (id BIGINT)")
            connection.execute("INSERT INTO kept VALUES (1)")
            connection.execute("CREATE TRIGGER stay BEFORE DELETE ON kept FOR EACH ROW EXECUTE FUNCTION refuse()")
            connection.execute("CREATE TABLE later (id BIGINT UNIQUE DEFERRABLE INITIALLY DEFERRED)")
            connection.execute("CREATE ROLE stranger LOGIN")
        yield url


def run(statement, *values, before=(), **options):
    def act(url):
        with psycopg.connect(url, **options) as connection:
            for first in before:
                connection.execute(first)
            connection.execute(statement, *values).fetchall()

    return act


def end_the_backend(url):
    with psycopg.connect(url) as connection, psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (connection.info.backend_pid,)).fetchone():
            pass
        connection.execute("SELECT 1")


def kill_the_backend(url):
    """SIGKILL of one backend makes the server end all others and recover."""
    connection = psycopg.connect(url)
    try:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        while True:
            connection.execute("SELECT pg_sleep(0.01)")
    finally:
        connection.close()
        crash(url)


def connect_to_nobody(_url):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        psycopg.connect(f"postgresql://tpo@127.0.0.1:{probe.getsockname()[1]}/errors", connect_timeout=2)


def connect_to_who_never_answers(_url):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        psycopg.connect(f"postgresql://tpo@127.0.0.1:{mute.getsockname()[1]}/errors", connect_timeout=2)


def use_a_closed_connection(url):
    connection = psycopg.connect(url)
    connection.close()
    connection.execute("SELECT 1")


def deadlock(url):
    with psycopg.connect(url) as one, psycopg.connect(url) as other:
        one.execute("UPDATE entry SET worth = 1 WHERE id = 1")
        other.execute("UPDATE entry SET worth = 1 WHERE id = 2")
        errors = []

        def cross(connection, number):
            try:
                connection.execute("UPDATE entry SET worth = 1 WHERE id = %s", (number,))
            except psycopg.Error as error:
                errors.append(error)

        threads = [threading.Thread(target=cross, args=pair) for pair in ((one, 2), (other, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        raise errors[0]


def serialise(url):
    with psycopg.connect(url) as one, psycopg.connect(url) as other:
        for connection in (one, other):
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT * FROM entry")
        one.execute("UPDATE entry SET worth = 5 WHERE id = 5")
        one.commit()
        other.execute("UPDATE entry SET worth = 6 WHERE id = 5")


def read_a_damaged_page(url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        (name,) = connection.execute("SELECT pg_relation_filepath('doomed')").fetchone()
        (folder,) = connection.execute("SHOW data_directory").fetchone()
    with open(f"{folder}/{name}", "r+b") as file:  # noqa: PTH123
        file.seek(8192)
        file.write(b"\xa5" * 8192)
    crash(url)  # so that nothing of it is in the server's memory
    run("SELECT sum(length(words)) FROM doomed")(url)


def through_sqlalchemy(statement, values=None):
    def act(url):
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(statement), values or {}).all()

    return act


def in_a_failed_transaction(url):
    with psycopg.connect(url) as connection:
        with pytest.raises(psycopg.Error):
            connection.execute("SELEKT 1")
        connection.execute("SELECT 1")


def lock_what_is_locked(url):
    with psycopg.connect(url) as holder, psycopg.connect(url) as other:
        holder.execute("LOCK TABLE entry")
        other.execute("LOCK TABLE entry NOWAIT")


OF_THE_STORE = {
    "a missing table": run("SELECT * FROM absent"),
    "a missing column": run("SELECT absent FROM entry"),
    "no right to read": run("SELECT * FROM entry", before=["SET ROLE stranger"]),
    "read only": run("DELETE FROM entry RETURNING id", before=["SET TRANSACTION READ ONLY"]),
    "a transaction that failed": in_a_failed_transaction,
    "too slow": run("SELECT pg_sleep(5)", before=["SET statement_timeout = 20"]),
    "a lock that is not given": lock_what_is_locked,
    "a backend that was ended": end_the_backend,
    "a backend that was killed": kill_the_backend,
    "nobody there": connect_to_nobody,
    "nobody who answers": connect_to_who_never_answers,
    "no such database": lambda url: psycopg.connect(url.replace("/errors", "/absent")),
    "a closed connection": use_a_closed_connection,
    "a missing table through SQLAlchemy": through_sqlalchemy("SELECT * FROM absent"),
}
OF_THE_UNIT = {
    "a doubled key": run("INSERT INTO entry VALUES (1, 1)"),
    "a missing value": run("INSERT INTO entry VALUES (9999, NULL)"),
    "a broken rule": run("INSERT INTO entry VALUES (9999, -1)"),
    "a trigger that refuses": run("DELETE FROM kept"),
    "too large a number": run("INSERT INTO entry VALUES (9999, %s)", (1 << 70,)),
    "a text for a number": run("SELECT %s::text::bigint", ("many",)),
    "a zero octet": run("SELECT %s::text", ("a\0b",)),
    "half a character": run("SELECT %s::text", ("\ud800",)),
    "a value of no kind": run("SELECT %s", (object(),)),
    "too few values": run("SELECT %s, %s", (1,)),
    "a division by nothing": run("SELECT 1 / (worth - worth) FROM entry"),
    "a mistake in the statement": run("SELEKT 1"),
    "a zero octet through SQLAlchemy": through_sqlalchemy("SELECT CAST(:words AS text)", {"words": "a\0b"}),
    "a doubled key through SQLAlchemy": through_sqlalchemy("INSERT INTO entry VALUES (1, 1) RETURNING id"),
}


def error_of(act, url):
    with pytest.raises(Exception) as caught:  # noqa: PT011  (which one it is, is what is asked)
        act(url)
    return caught.value


@pytest.mark.parametrize("case", OF_THE_STORE)
def test_trouble_of_the_server_is_the_stores(url, case):
    error = error_of(OF_THE_STORE[case], url)
    assert type(classify(error)) is StoreUnavailable, repr(error)
    assert str(classify(error))


@pytest.mark.parametrize("case", OF_THE_UNIT)
def test_what_was_wrongly_asked_is_not_blamed_on_the_store(url, case):
    error = error_of(OF_THE_UNIT[case], url)
    assert type(classify(error)) is UnitPoisoned, repr(error)
    assert "\n" not in str(classify(error)), "the further lines repeat the values"


@pytest.mark.parametrize("act", [deadlock, serialise])
def test_a_transaction_given_up_for_anothers_sake_is_told_apart(url, act):
    assert type(classify(error_of(act, url))) is StoreConflict


def test_a_damaged_page_is_told_from_trouble_that_passes(url):
    assert type(classify(error_of(read_a_damaged_page, url))) is StoreCorrupt


def test_a_commit_is_undone_for_certain_where_the_server_refused_it_and_not_where_it_went_away(url):
    def refused(url):
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO later VALUES (1), (1)")
            connection.commit()

    error = error_of(refused, url)
    assert is_undone(error)
    assert type(classify(error)) is UnitPoisoned
    assert not is_undone(error_of(end_the_backend, url))
