"""Statements that go to a real PostgreSQL together: their rows, their errors, and what is known of a COMMIT among them."""

import itertools
import threading

import pytest
from sqlalchemy import insert, select
from support.patience import PATIENCE, until

from gateway.store import schema
from gateway.store.driver_errors import classify, is_undone
from gateway.store.engine import interrupt, open_writer, prepare_for_batches
from gateway.store.errors import StoreUnavailable, UnitPoisoned
from gateway.store.statements import Commit, Inserts, SelectAmong, begin_sending, execute, pipelined
from gateway.store.tables import metadata, outbox, subscribers, wallets

NUMBERS = itertools.count()
EVENT = {"outbox": [(1, "topic", b"\x00body", -5, None)]}


@pytest.fixture
def writer(database):
    engine = open_writer(database(f"pipeline_{next(NUMBERS)}"))
    schema.prepare(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(writer):
    with writer.connect() as connection:
        prepare_for_batches(connection)
        yield connection


def ended(connection, save):
    """Save and commit in one message; gives the COMMIT, and the error where there was one."""
    commit = Commit(connection.begin())
    try:
        with pipelined(connection):
            save()
            commit.send()
        commit.finish()
    except Exception as error:  # noqa: BLE001  (each test says which it is)
        return commit, error
    return commit, None


def stored(writer):
    with writer.connect() as other:
        return other.execute(select(outbox.c.id)).scalars().all()


def write(connection, rows=EVENT):
    Inserts(metadata.tables).run(connection, rows)


def test_rows_are_the_same_whether_they_are_waited_for_or_come_with_others(connection):
    owners = [(number, "active", 10**15 + number, None) for number in range(40)]
    write(connection, EVENT | {"subscribers": [row[: len(subscribers.columns)] for row in owners]})
    everything = SelectAmong(select(outbox), outbox.c.id, int), SelectAmong(select(subscribers), subscribers.c.id, int)
    alone = [statement.run(connection, range(40)) for statement in everything]
    with pipelined(connection):
        asked = [statement.ask(connection, range(40)) for statement in everything]
        assert [each.rows() for each in asked] == alone
    assert alone[0] == EVENT["outbox"]
    assert len(alone[1]) == 40


def test_what_is_committed_with_its_rows_is_there(writer, connection):
    assert ended(connection, lambda: write(connection))[1] is None
    assert stored(writer) == [1]
    assert not connection.in_transaction()


def test_a_row_that_is_refused_leaves_the_commit_out_and_the_connection_as_good_as_before(writer, connection):
    commit, error = ended(connection, lambda: write(connection, {"outbox": [(1, "t" * 65, b"", 1, None)]}))
    assert not commit.may_be_done
    assert isinstance(classify(error), UnitPoisoned)
    connection.rollback()
    assert ended(connection, lambda: write(connection))[1] is None
    assert stored(writer) == [1]


def test_a_statement_that_cannot_be_prepared_is_prepared_when_it_can(connection):
    for made in (False, True):
        if made:
            connection.exec_driver_sql("CREATE TABLE later (id BIGINT)")
            connection.commit()
        commit, error = ended(connection, lambda: execute(connection, "INSERT INTO later SELECT %s::bigint", (1,)))
        assert (error is None) is commit.may_be_done is made
        connection.rollback()


def test_a_commit_that_the_server_refuses_is_told_from_a_row(writer, connection):
    connection.exec_driver_sql("ALTER TABLE outbox ADD UNIQUE (topic) DEFERRABLE INITIALLY DEFERRED")
    connection.commit()
    same = {"outbox": [(number, "topic", b"", 1, None) for number in (1, 2)]}
    commit, error = ended(connection, lambda: write(connection, same))
    assert commit.may_be_done
    assert is_undone(error)
    connection.rollback()
    assert stored(writer) == []


def test_a_server_that_ends_the_connection_before_the_commit_has_committed_nothing(writer, connection):
    wallet = {"subscriber_id": 7, "currency": "GBP", "balance": 0, "reserved": 0}
    with writer.begin() as other:
        other.execute(insert(subscribers).values(id=7, status="active", created_at=0))
        other.execute(insert(wallets).values(**wallet))
    pid = connection.connection.driver_connection.info.backend_pid
    waiting = "SELECT 1 FROM wallets WHERE subscriber_id = %s FOR UPDATE"
    with writer.begin() as other:
        other.exec_driver_sql(waiting.replace("%s", "7"))
        found = []

        def save():
            write(connection)
            execute(connection, waiting, (7,))

        thread = threading.Thread(target=lambda: found.append(ended(connection, save)))
        thread.start()
        blocked = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        with writer.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
            while not watching.exec_driver_sql(blocked, (pid,)).scalar():
                thread.join(0.01)
            watching.exec_driver_sql("SELECT pg_terminate_backend(%s)", (pid,))
        thread.join(PATIENCE)
    ((commit, error),) = found
    assert not commit.may_be_done
    assert isinstance(classify(error), StoreUnavailable)
    connection.invalidate()
    assert stored(writer) == []


def test_of_a_commit_whose_answer_is_lost_nobody_knows(writer, connection):
    commit, error = ended(connection, lambda: (write(connection), interrupt(connection)))
    assert commit.may_be_done
    assert not is_undone(error)
    assert isinstance(classify(error), StoreUnavailable)
    connection.invalidate()


LOCK = 4711
HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"


async def test_the_server_works_on_what_was_sent_while_the_rest_is_put_together(writer, connection):
    with writer.connect() as other, pipelined(connection):
        execute(connection, "SELECT pg_advisory_lock(%s)", (LOCK,))
        assert execute(other, HELD, (LOCK,)).fetchall() == [(0,)]
        begin_sending(connection)
        await until(lambda: execute(other, HELD, (LOCK,)).fetchall() == [(1,)])
        assert execute(connection, "SELECT 1").fetchall() == [(1,)]


def test_what_was_begun_goes_on_where_it_is_more_than_a_socket_holds(connection):
    large = "x" * 4_000_000
    with pipelined(connection):
        asked = []
        for _ in range(3):
            asked.append(execute(connection, "SELECT %s::text", (large,)))
            begin_sending(connection)
        assert [each.fetchall() for each in asked] == [[(large,)]] * 3


def test_a_row_that_is_refused_early_leaves_the_commit_out(writer, connection):
    def save():
        for _ in range(2):  # the second has the first one's number
            write(connection)
            begin_sending(connection)
        write(connection, {"outbox": [(2, *EVENT["outbox"][0][1:])]})

    commit, error = ended(connection, save)
    assert isinstance(classify(error), UnitPoisoned)
    assert not commit.may_be_done
    connection.rollback()
    assert stored(writer) == []


def test_more_than_a_socket_holds_goes_both_ways_at_once(connection):
    large = "x" * 4_000_000
    with pipelined(connection):
        asked = [execute(connection, "SELECT %s::text", (large,)) for _ in range(4)]
        assert [each.fetchall() for each in asked] == [[(large,)]] * 4


def test_an_error_of_the_block_itself_comes_out_and_leaves_nothing_under_way(connection):
    def fail():
        execute(connection, "SELECT 1")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"), pipelined(connection):
        fail()
    assert connection.exec_driver_sql("SELECT 2").scalar() == 2
