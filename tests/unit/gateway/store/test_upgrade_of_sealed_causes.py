"""The upgrade that seals causes: all of them, provably the same ones, and none left in the file."""

from pathlib import Path

import pytest
from sqlalchemy import select, text
from support.books import check
from support.lane_fixture import CAUSE_SEALS, EVIDENCE_KEY
from support.old_stores import KEYS, restored

from gateway.charity.policies import recompute
from gateway.charity.sealed_causes import CauseSeals, read_all
from gateway.store import schema
from gateway.store.append_only import missing
from gateway.store.errors import SchemaMismatch
from gateway.store.tables import choices

DUMP = Path(__file__).parent / "released" / "0021.sql"
WITH_QUESTION = """INSERT INTO questions VALUES
('447700900102', '70070', 99, 'give', 'wateraid', 5000000, 'GBP', 1, 4000000000000000, NULL)"""
CARRIED = "INSERT INTO unpublished_sums VALUES ('wwf', 'GBP', 100, X'810764')"


@pytest.fixture
def old(tmp_path):
    """A store of version 0021, whose triggers are gone."""
    writer = restored(f"sqlite:///{tmp_path}/t.db", DUMP)
    with writer.begin() as connection:
        for what in ("unchanged", "kept"):
            connection.exec_driver_sql(f"DROP TRIGGER choices_{what}")
    yield writer
    writer.dispose()


def run(writer, *statements):
    with writer.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def rows(writer):
    with writer.connect() as connection:
        return connection.execute(text("SELECT id, subscriber_id, cause, share, valid_from FROM choices")).all()


def findings(writer):
    with writer.connect() as connection:
        return {each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings}


def test_each_choice_is_kept_sealed_proved_and_without_invented_consent(old):
    before = {(row.id, row.subscriber_id, row.cause, row.share, row.valid_from) for row in rows(old)}
    schema.upgrade(old, KEYS)
    with old.connect() as connection:
        assert {tuple(each) for each in read_all(connection, CAUSE_SEALS)} == before
        assert set(connection.execute(select(choices.c.consent_at, choices.c.consent_channel))) == {(None, None)}
        assert missing(connection) == []
    assert findings(old) == set()


def test_an_open_question_and_what_is_carried_on_are_sealed_for_their_rows(old):
    run(old, WITH_QUESTION, CARRIED)
    schema.upgrade(old, KEYS)
    with old.connect() as connection:
        question = connection.execute(text("SELECT id, cause, amount FROM questions")).one()
        parts = connection.execute(text("SELECT parts FROM unpublished_sums")).scalar_one()
    assert (CAUSE_SEALS.open(question.cause, "question/99"), question.amount) == ("wateraid", 5_000_000)
    assert CAUSE_SEALS.open_octets(parts, "carried/wwf/GBP") == b"\x81\x07\x64"


def test_no_cause_of_a_choice_is_left_in_the_file(old, tmp_path):
    run(old, "UPDATE choices SET cause = 'a-cause-that-nothing-else-names' WHERE id = (SELECT max(id) FROM choices)")
    schema.upgrade(old, KEYS)
    for file in tmp_path.glob("t.db*"):
        assert b"a-cause-that-nothing-else-names" not in file.read_bytes(), file


def test_a_choice_that_was_changed_taken_away_or_invented_before_is_named_afterwards(old):
    first, second, *_ = (row.id for row in rows(old))
    run(
        old,
        f"UPDATE choices SET share = 5000 WHERE id = {first}",
        f"DELETE FROM choices WHERE id = {second}",
        f"INSERT INTO choices VALUES ({first + 500}, 7, 'wwf', 10000, 1)",
    )
    schema.upgrade(old, KEYS)
    assert {f"choice {first} was not booked by a gateway: nothing proves it",
            f"choice {second} is missing: it was booked, and is gone",
            f"choice {first + 500} was not booked by a gateway: nothing proves it"} <= findings(old)  # fmt: skip


def test_a_key_that_is_not_the_store_s_seals_nothing(old):
    with pytest.raises(SchemaMismatch, match=r"privacy\.key is not that of this store"):
        schema.upgrade(old, schema.Keys(b"k", b"another", CauseSeals(b"another key, long enough")))
    assert rows(old)


def test_without_the_key_nothing_is_upgraded(old):
    with pytest.raises(SchemaMismatch, match="tpo db upgrade"):
        schema.upgrade(old)
    assert rows(old)
