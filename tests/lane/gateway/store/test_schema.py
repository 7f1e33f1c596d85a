import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from gateway.store import schema
from gateway.store.constraints import unique_name
from gateway.store.engine import open_writer
from gateway.store.errors import SchemaMismatch
from gateway.store.tables import metadata


@pytest.fixture
def engine(tmp_path):
    engine = open_writer(f"sqlite:///{tmp_path}/t.db")
    yield engine
    engine.dispose()


def mark(engine, version):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})


def test_an_empty_store_gets_every_table_and_the_newest_version(engine):
    schema.prepare(engine)
    with engine.connect() as connection:
        assert schema.current(connection) == schema.head()
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_the_migrations_lead_to_the_tables_that_the_program_knows(engine):
    schema.prepare(engine)
    with engine.connect() as connection:
        of_postings = unique_name("transfers")  # its condition is made by gateway.ledger.constraints
        opts = {"include_object": lambda _object, name, *_: name != of_postings}
        assert compare_metadata(MigrationContext.configure(connection, opts=opts), metadata) == []


def test_the_steps_are_named_for_their_versions_and_follow_each_other():
    steps = list(ScriptDirectory.from_config(schema._config()).walk_revisions())
    assert [step.revision for step in reversed(steps)] == schema._revisions()
    assert schema.head() == ScriptDirectory.from_config(schema._config()).get_current_head()


def test_a_store_that_is_ready_opens_without_alembic(engine, tmp_path):
    schema.prepare(engine)
    script = f"""
import sys
from gateway.store import schema
from gateway.store.constraints import unique_name
from gateway.store.engine import open_writer
schema.prepare(open_writer("sqlite:///{tmp_path}/t.db"))
print(sorted(name for name in sys.modules if name.partition(".")[0] == "alembic"))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_a_store_that_is_ready_is_left_as_it_is(engine):
    schema.prepare(engine)
    schema.prepare(engine)
    assert schema.upgrade(engine) == (schema.head(), schema.head())


def test_an_earlier_version_is_refused_with_both_versions_and_the_remedy_named(engine):
    schema.prepare(engine)
    mark(engine, "0000")
    with pytest.raises(
        SchemaMismatch, match=f"at version 0000, this program needs {schema.head()}; run `tpo db upgrade`"
    ):
        schema.prepare(engine)


@pytest.mark.parametrize(("oldest", "opens"), [(int(schema.head()), True), (1, True), (9998, False)])
def test_a_later_version_is_opened_where_its_steps_allow_programs_of_this_one(engine, oldest, opens):
    schema.prepare(engine)
    mark(engine, "9999")
    with engine.begin() as connection:
        values = {"value": oldest, "name": schema.COMPATIBLE_FROM}
        connection.execute(text("UPDATE marks SET value = :value WHERE node = 0 AND name = :name"), values)
    if opens:
        assert schema.prepare(engine) == "9999"
        with engine.begin() as connection:
            assert schema.confirm(connection) == "9999"
    else:
        with pytest.raises(
            SchemaMismatch, match=f"at version 9999, this program needs {schema.head()}; use the program"
        ):
            schema.prepare(engine)


def test_a_step_that_says_nothing_allows_only_programs_that_have_it(engine):
    schema.prepare(engine)
    steps = list(ScriptDirectory.from_config(schema._config()).walk_revisions())
    oldest = max(int(getattr(step.module, "compatible_from", step.revision)) for step in steps)
    with engine.connect() as connection:
        assert schema._oldest_writer(connection) == oldest


def test_a_version_that_this_program_never_had_is_not_upgraded(engine):
    schema.prepare(engine)
    mark(engine, "9999")
    with pytest.raises(SchemaMismatch, match="at version 9999, which this program does not know"):
        schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.current(connection) == "9999"


def test_a_file_with_other_tables_is_refused_and_not_touched(engine, tmp_path):
    (tmp_path / "t.db").touch()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE somebody_elses (id INTEGER)"))
    with pytest.raises(SchemaMismatch, match="at version none"):
        schema.prepare(engine)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["somebody_elses"]


def test_a_creation_that_fails_halfway_leaves_an_empty_store(engine, monkeypatch):
    def fail_at_the_end(connection):
        metadata.tables["nodes"].create(connection)
        raise OSError("no space left on device")

    monkeypatch.setattr(schema, "_upgrade", fail_at_the_end)
    with pytest.raises(OSError, match="no space"):
        schema.prepare(engine)
    monkeypatch.undo()
    schema.prepare(engine)
    with engine.connect() as connection:
        assert schema.current(connection) == schema.head()
