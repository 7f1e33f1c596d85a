"""The lane's statements write the same rows on SQLite and on a real PostgreSQL, whatever stands in them."""

import itertools

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from support import new_stores
from support.prepared_statements import statements

from gateway.store import schema
from gateway.store.driver_errors import classify
from gateway.store.engine import find_at_will, open_writer, prepare_for_batches
from gateway.store.errors import UnitPoisoned
from gateway.store.statements import Delete, Inserts, SelectAmong, Update, pipelined
from gateway.store.tables import choices, metadata, outbox, subscriptions

NAMES = ["plain", "", 'say "no\\"', "a,b{c}", "NULL", "'; DROP TABLE outbox; --", "%s %(x)s", "Ünïcödé ☂", "\t\n\\x00"]
NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(request, tmp_path):
    if request.param == "sqlite":
        new_stores.place(tmp_path / "t.db")
        engine = open_writer(f"sqlite:///{tmp_path}/t.db", existing=True)
    else:
        engine = open_writer(request.getfixturevalue("database")(f"arrays_{next(NUMBERS)}"))
        schema.prepare(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_rows_of_several_tables_are_inserted_updated_found_and_deleted_as_they_are(connection):
    events = [(i, name, bytes(range(i)), -(1 << 62) + i, None if i % 2 else i) for i, name in enumerate(NAMES)]
    plans = [(100 + i, 7, name, i) for i, name in enumerate(NAMES)]
    Inserts(metadata.tables).run(connection, {"outbox": events, "subscriptions": plans})
    assert [tuple(row) for row in connection.execute(select(outbox).order_by(outbox.c.id))] == events
    assert [tuple(row) for row in connection.execute(select(subscriptions).order_by(subscriptions.c.id))] == plans
    by_topic = SelectAmong(select(outbox.c.id), outbox.c.topic, str)
    for number, name in enumerate(NAMES):
        assert by_topic.run(connection, [name]) == [(number,)]
    mark = Update(outbox, ["topic", "published_at"], ["id"])
    mark.run(connection, [("first", 5, 1), (NAMES[2], None, 2), ("last", 9, 1)])
    found = {row.id: (row.published_at, row.topic) for row in connection.execute(select(outbox))}
    assert (found[1], found[2]) == ((9, "last"), (None, NAMES[2]))
    Delete(subscriptions, ["subscriber_id", "plan"]).run(connection, [(7, NAMES[1]), (8, NAMES[0])])
    assert {row.plan for row in connection.execute(select(subscriptions))} == set(NAMES) - {NAMES[1]}


def test_what_one_of_many_rows_breaks_is_the_unit_s_fault_when_the_pipeline_ends(connection):
    rows = [(1, 7, b"wwf", 1, 1, 1, "", ""), (2, 7, None, 1, 1, 1, "", "")]
    with pytest.raises(Exception, match=r"(?i)null") as caught, pipelined(connection):
        Inserts(metadata.tables).run(connection, {"sealed_choices": rows, "outbox": [(1, "t", b"", 1, None)]})
    assert not isinstance(caught.value, DBAPIError), "the driver's own comes out"
    assert isinstance(classify(caught.value), UnitPoisoned)
    connection.rollback()
    assert not connection.execute(select(choices)).all()


def test_text_that_is_too_long_for_its_column_is_refused_by_a_server_and_not_cut(connection):
    if connection.dialect.name == "sqlite":
        return  # it takes text of any length
    with pytest.raises(Exception, match="too long"):
        Inserts(metadata.tables).run(connection, {"outbox": [(1, "t" * 65, b"", 1, None)]})


def scanned(connection, statement):
    """The tables that a server looks through for a prepared statement, each with all its plan."""
    text, number = statement.text(connection.dialect), itertools.count(1)
    text = "".join(part + f"${next(number)}" for part in text.split("%s")[:-1]) + text.rpartition("%s")[2]
    given = ", ".join(["'{}'"] * (next(number) - 1)).replace("{}", "[]" if "json_array" in text else "{}")
    connection.exec_driver_sql(f"PREPARE looked_at AS {text}")
    plan = connection.exec_driver_sql(f"EXPLAIN EXECUTE looked_at({given})").scalars().all()
    connection.exec_driver_sql("DEALLOCATE looked_at")
    return [line for line in plan if "Seq Scan" in line]


def test_a_server_finds_every_row_of_a_batch_by_its_key_though_it_knows_nothing_of_the_table(database):
    engine = open_writer(database(f"arrays_{next(NUMBERS)}"))
    schema.prepare(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET idle_in_transaction_session_timeout = 0")  # this test may be kept waiting
        at_will = {name for name, statement in statements() if scanned(connection, statement)}
        connection.rollback()
        prepare_for_batches(connection)
        by_key = {name: scans for name, statement in statements() if (scans := scanned(connection, statement))}
        find_at_will(connection)
        again = {name for name, statement in statements() if scanned(connection, statement)}
    engine.dispose()
    assert at_will, "or there is nothing to see to"
    assert by_key == {}
    assert again == at_will
