"""A gateway whose store was tampered with: it charges by what was recorded, and what it makes again is found by the check."""

import sqlite3
from contextlib import closing, contextmanager

import pytest
from support.books import check
from support.sims_context_fixture import settings_of

from gateway.charity.policies import recompute
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.store.errors import StoreCorrupt

LATEST = "(SELECT hash FROM versions WHERE kind = 'plan' ORDER BY id DESC LIMIT 1)"
CHANGES = {
    "no JSON": f"UPDATE contents SET content = '{{' WHERE hash = {LATEST}",
    "another price": f"UPDATE contents SET content = replace(content, '\"price\":', '\"price\":7') WHERE hash = {LATEST}",
    "gone": f"DELETE FROM contents WHERE hash = {LATEST}",
}


@contextmanager
def opened(settings):
    context = GatewayContext(settings, make_policies)
    try:
        yield context
    finally:
        context.close()


def findings(context):
    with context.reading() as connection:
        found = check(connection, recompute, context.evidence_key, cause_seals=context.cause_seals).findings
    return [each.detail for each in found]


def tamper(settings, *statements):
    with closing(sqlite3.connect(settings.store.url.removeprefix("sqlite:///"))) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0


def last_of(settings, rows):
    with closing(sqlite3.connect(settings.store.url.removeprefix("sqlite:///"))) as connection:
        return connection.execute(f"SELECT max(id) FROM {rows}").fetchone()[0]


@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_that_was_changed_in_the_store_is_that_of_the_file_and_named(tmp_path, change):
    settings = settings_of(tmp_path)
    with opened(settings) as context:
        history = context.settings.history
        assert findings(context) == []
    tamper(settings, CHANGES[change])
    last = last_of(settings, "versions WHERE kind = 'plan'")
    with opened(settings) as context:
        assert context.settings.history == history
        assert any(each.startswith(f"version {last} of plan") for each in findings(context))


def test_a_plan_of_no_file_that_was_changed_keeps_a_gateway_from_starting_by_its_number(tmp_path):
    settings = settings_of(tmp_path)
    with opened(settings):
        pass
    gone = "INSERT INTO versions VALUES (900, 'plan', 'gone-gb', 'aa', 1)"
    tamper(settings, "INSERT INTO contents VALUES ('aa', '{}')", gone)
    with pytest.raises(StoreCorrupt, match="version 900 of plan gone-gb has not the content"), opened(settings):
        pass


@pytest.mark.parametrize(("table", "word"), [("accounts", "account"), ("versions", "version")])
def test_what_a_start_makes_again_was_taken_away_and_is_named(tmp_path, table, word):
    settings = settings_of(tmp_path)
    with opened(settings):
        pass
    last = last_of(settings, table)
    tamper(settings, f"DELETE FROM {table} WHERE id = {last}")
    with opened(settings) as context:
        said = f"{word} {last} was booked anew: the one that had its number before was taken away"
        assert said in findings(context)


NO_TEXT = {
    ("accounts", "name"): "UPDATE accounts SET name = CAST(X'63ff' AS TEXT) WHERE rowid = 3",
    ("versions", "name"): "UPDATE versions SET name = CAST(X'ff' AS TEXT) WHERE rowid = 3",
    ("versions", "hash"): "UPDATE versions SET hash = CAST(X'ff' AS TEXT) WHERE rowid = 3",
    ("nodes", "name"): "UPDATE nodes SET id = 3, owner = 3, name = CAST(X'ff' AS TEXT)",
}


@pytest.mark.parametrize(("table", "column"), NO_TEXT)
def test_text_that_is_none_keeps_a_store_from_being_opened_and_names_its_row(tmp_path, table, column):
    settings = settings_of(tmp_path)
    with opened(settings):
        pass
    tamper(settings, NO_TEXT[table, column])
    said = f"{column} of the row of {table} with the rowid 3 is no UTF-8 text"
    with pytest.raises(StoreCorrupt, match=said) as raised, opened(settings):
        pass
    assert "stop the gateway and write what it was, or put the store back from a backup" in str(raised.value)


@pytest.mark.parametrize("column", ["policy", "reference"])
def test_text_that_is_none_in_the_journal_is_named_by_its_row_once_however_many_checks_read_it(tmp_path, column):
    settings = settings_of(tmp_path)
    with opened(settings):
        pass
    store = settings.store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        row = "(1 << 40) + 7000000, 5, 'topup', 1, 2, 5, 'GBP', 5, NULL, NULL, '2026-1', NULL, 'r'"
        connection.execute(f"INSERT INTO transfers VALUES ({row})")
        connection.execute("DROP TRIGGER transfers_unchanged")
        connection.execute(f"UPDATE transfers SET {column} = CAST(X'ff' AS TEXT)")
    with opened(settings) as context:
        told = findings(context)
    said = f"{column} of the row of transfers with the rowid {(1 << 40) + 7_000_000} is no UTF-8 text"
    assert len([each for each in told if each.startswith(said)]) == 1
