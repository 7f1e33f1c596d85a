"""What was booked stays as it was, on both stores: triggers refuse changes, and deletions of what is not due."""

import pytest
from sqlalchemy import text
from support.books import check
from support.lane_fixture import EVIDENCE_KEY, workplace

from gateway.charity.policies import recompute
from gateway.store import append_only
from gateway.store.engine import storing
from gateway.store.errors import StoreError

pytestmark = pytest.mark.xdist_group("append_only")

FILLED = {
    "transfers": "(id, at, kind, debit, credit, amount, currency, event_at, reference) "
    "VALUES (5, 1, 'topup', 2, 1099511627776, 4, 'GBP', 1, 'r')",
    "usage": "(id, event_at, subscriber_id, session, service, octets, seconds, units, price, currency, plan) "
    "VALUES (5, 86400000000, 7, 0, 'data', 1, 0, 0, 1, 'GBP', 'p')",
    "sealed_choices": "VALUES (5, 7, {blob}, 10000, 1, 1, 'text', 'w')",
    "payments": "VALUES ('c', 'r', 7, 1, 'GBP', 1, 6)",
    "bill_limits": "VALUES (5, 7, 1, 'bill', 'set', 9, '', 'api', '2026-1', 'a')",
    "erasures": "VALUES (5, 1, 7, 'a', 'r')",
    "evidence": "VALUES (5, 1, {blob}, {blob})",
    "seals": "VALUES (1, '2026-11-26', 1, {blob}, {blob}, 1, NULL)",
    "row_trees": "VALUES (1, '2026-11-26', 5, '[]', {blob})",
    "reratings": "VALUES (5, 1, 7, 0, 1, 2, 3, 'a')",
    "allowance_entries": "VALUES (5, 1, 7, 3, 'grant', 'data', 9, 1, NULL, 'sale:3', 'p', 2)",
    "bills": "VALUES (5, 'bill', 1, 2, '2026-11', 7, 1, 'GBP', 0, 1, 0, NULL, 0, {blob}, NULL)",
    "bill_events": "VALUES (5, 1, 7, 'payment', 1, 'GBP', 'r', 'p', 'a')",
    "tax_areas": "VALUES (5, 7, 'NY', '10001', 1, 'a')",
    "added_taxes": "VALUES (5, 1, 1, '2026-11', 7, 'USD', 9, 'p', 'NY', '10001', '{{}}', '[]')",
    "tax_days": "VALUES (5, 1, 1, '2026-11-26', 0, 4, '{{}}', '[]')",
    "releases": "VALUES (5, 1, 'usage', 1, -5)",
}
EDIT = {"payments": "amount = 2", "seals": "sequence = 2", "row_trees": "upto = 2"}


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def place(request, tmp_path_factory):
    on_disk = request.param == "sqlite"
    url = (
        f"sqlite:///{tmp_path_factory.mktemp('store')}/t.db" if on_disk else request.getfixturevalue("database")("kept")
    )
    with workplace(url) as opened:
        with opened.writer.begin() as connection:
            for table, row in FILLED.items():
                connection.exec_driver_sql(f"INSERT INTO {table} {row}".format(blob="X''" if on_disk else "''"))
        yield opened


def run(place, *statements):
    with storing(), place.writer.connect() as connection:
        for statement in statements:
            found = connection.exec_driver_sql(statement).rowcount
        connection.rollback()
        return found


@pytest.mark.parametrize("table", append_only.APPEND_ONLY)
def test_no_row_is_changed_or_deleted(place, table):
    for statement in (f"UPDATE {table} SET {EDIT.get(table, 'id = 6')}", f"DELETE FROM {table}"):
        with pytest.raises(StoreError, match=f"{table} is append-only"):
            run(place, statement)


def test_usage_goes_once_its_retention_is_over_and_no_sooner(place):
    mark = "INSERT INTO marks (node, name, value) VALUES (0, 'usage.released', {})"
    with pytest.raises(StoreError, match="usage is append-only"):
        run(place, mark.format(86_400_000_000), "DELETE FROM usage")
    assert run(place, mark.format(86_400_000_001), "DELETE FROM usage") == 1


def test_a_trigger_that_is_gone_is_missed_by_the_check(place):
    on = " ON sealed_choices" if place.writer.dialect.name == "postgresql" else ""
    with place.writer.connect() as connection:
        assert append_only.missing(connection) == []
        connection.exec_driver_sql(f"DROP TRIGGER sealed_choices_kept{on}")
        found = [each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings if each.check == "guard"]
        connection.rollback()
    assert len(found) == 1
    assert "sealed_choices_kept" in found[0]


FILE_GUARD = "CREATE TRIGGER sealed_choices_kept BEFORE DELETE ON sealed_choices {} BEGIN SELECT 1; END"
SERVER_GUARD = "CREATE TRIGGER sealed_choices_kept BEFORE {} ON sealed_choices FOR EACH ROW {} EXECUTE FUNCTION {}"
IDLE = "CREATE FUNCTION idle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$"
OURS = "tpo_append_only('sealed_choices')"
REPLACED = {
    "sqlite": [[FILE_GUARD.format("")], [FILE_GUARD.format("WHEN OLD.id < 0")]],
    "postgresql": [
        [IDLE, SERVER_GUARD.format("DELETE", "", "idle()")],
        [SERVER_GUARD.format("INSERT", "", OURS)],
        [SERVER_GUARD.format("DELETE", "WHEN (OLD.id < 0)", OURS)],
        [SERVER_GUARD.format("DELETE", "", "tpo_append_only('usage')")],
    ],
}


def test_a_trigger_that_was_replaced_under_its_name_is_missed_by_the_check(place):
    dialect = place.writer.dialect.name
    on = " ON sealed_choices" if dialect == "postgresql" else ""
    for statements in REPLACED[dialect]:
        with place.writer.connect() as connection:
            for statement in (f"DROP TRIGGER sealed_choices_kept{on}", *statements):
                connection.exec_driver_sql(statement)
            found = append_only.missing(connection)
            connection.rollback()
        assert found == ["sealed_choices_kept"], statements


def test_a_function_of_the_server_that_does_nothing_any_more_is_as_if_all_triggers_were_gone(place):
    if place.writer.dialect.name == "sqlite":
        return
    with place.writer.connect() as connection:
        idle = IDLE.replace("FUNCTION idle", f"OR REPLACE FUNCTION {append_only.FUNCTION}")
        connection.exec_driver_sql(idle)
        assert set(append_only.missing(connection)) == append_only.names()
        connection.rollback()


def test_a_trigger_that_no_gateway_made_is_named_by_the_check(place):
    with place.writer.connect() as connection:
        assert append_only.strange(connection) == []
        if place.writer.dialect.name == "postgresql":
            connection.exec_driver_sql(IDLE)
            made = "CREATE TRIGGER more AFTER INSERT ON wallets FOR EACH ROW EXECUTE FUNCTION idle()"
            connection.exec_driver_sql("CREATE RULE quiet AS ON UPDATE TO marks DO INSTEAD NOTHING")
        else:
            made = "CREATE TRIGGER more AFTER INSERT ON wallets BEGIN UPDATE wallets SET balance = 9; END"
        connection.exec_driver_sql(made)
        found = [each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings if each.check == "guard"]
        connection.rollback()
    assert any("more is none of the gateway's" in each for each in found)
    assert len(found) == (2 if place.writer.dialect.name == "postgresql" else 1)


def test_a_table_that_was_written_anew_gets_its_triggers_again(tmp_path):
    with workplace(f"sqlite:///{tmp_path}/t.db") as place, place.writer.begin() as connection:
        connection.execute(text("CREATE TABLE anew AS SELECT * FROM sealed_choices"))
        connection.execute(text("DROP TABLE sealed_choices"))
        connection.execute(text("ALTER TABLE anew RENAME TO sealed_choices"))
        assert append_only.missing(connection) == ["sealed_choices_kept", "sealed_choices_unchanged"]
        append_only.recreate(connection, "sealed_choices")
        assert append_only.missing(connection) == []
