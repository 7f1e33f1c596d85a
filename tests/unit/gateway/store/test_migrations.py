from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.store import schema
from gateway.store.engine import open_writer
from gateway.store.tables import metadata


def test_the_steps_lead_to_the_tables_that_the_program_names(tmp_path):
    engine = open_writer(f"sqlite:///{tmp_path}/new.db")
    schema.prepare(engine)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert schema.current(connection) == schema.head()
