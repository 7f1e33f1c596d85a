"""Prepared statements: each finds its rows by an index, whatever is in its table, and reads just those that it names."""

import pytest
from sqlalchemy import literal_column, select
from support.prepared_statements import statements

from gateway.store import schema
from gateway.store.engine import open_writer
from gateway.store.statements import Insert, SelectPairs
from gateway.store.tables import idempotency_keys, metadata


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    engine = open_writer(f"sqlite:///{tmp_path_factory.mktemp('store')}/tpo.db")
    schema.prepare(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_no_statement_of_a_batch_looks_through_a_whole_table(connection):
    found, scans = dict(statements()), []
    for name, statement in found.items():
        text = statement.text(connection.dialect)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", ("[]",) * text.count("?")).all()
        scans += [(name, row[3]) for row in plan if row[3].startswith("SCAN") and row[3].split()[1] in metadata.tables]
    assert len(found) > 20
    assert scans == []


def test_pairs_are_found_as_pairs_and_nothing_is_read_of_others(connection):
    rows = [(scope, key, "digest", b"", 0) for scope in ("import", "sms:shop") for key in ("1", 'it\'s "2" ü', "3")]
    Insert(idempotency_keys).run(connection, rows)
    columns = idempotency_keys.c
    among = SelectPairs(select(columns.scope, columns.key), columns.scope, columns.key)
    asked = {("import", "1"), ("sms:shop", 'it\'s "2" ü'), ("order:shop", "3")}
    assert set(among.run(connection, asked)) == asked - {("order:shop", "3")}
    assert among.run(connection, set()) == ()
    connection.rollback()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 16, 23, 70])
def test_rows_that_are_inserted_at_once_are_all_there_in_their_order(connection, count):
    rows = [("import", str(number), f"digest {number}", bytes([number]), number) for number in range(count)]
    Insert(idempotency_keys).run(connection, rows)
    found = connection.execute(select(idempotency_keys).order_by(literal_column("rowid"))).all()
    assert found == rows
    connection.rollback()
