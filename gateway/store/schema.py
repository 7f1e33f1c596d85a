"""The version of the tables: made when the store is empty, refused when it is older, upgraded on request."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from gateway.store.engine import storing
from gateway.store.errors import SchemaMismatch

_FOLDER = Path(__file__).parent / "migrations"


def prepare(engine: Engine) -> None:
    """Create the tables of an empty store; raise SchemaMismatch where they are older or newer than this program.

    StoreError where the store cannot be opened.
    """
    with storing(), engine.begin() as connection:
        if not inspect(connection).get_table_names():
            _upgrade(connection)
            return
        found, wanted = current(connection), head()
    if found != wanted:
        raise SchemaMismatch(
            f"the store is at version {found or 'none'}, this program needs {wanted}; run `tpo db upgrade`"
        )


def upgrade(engine: Engine, digest_key: bytes | None = None) -> tuple[str | None, str]:
    """Bring the tables to this program's version; gives the versions before and after.

    `digest_key` is that of `keys.Digests`: rows with numbers in clear are made into digests under it. Raises SchemaMismatch for
    a version that this program never had, and for such rows without a key; StoreError where the store cannot be opened.
    """
    known = {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}
    with storing(), engine.begin() as connection:
        before = current(connection)
        if before is not None and before not in known:
            raise SchemaMismatch(
                f"the store is at version {before}, which this program does not know; use the program that wrote it"
            )
        _upgrade(connection, digest_key)
    if engine.dialect.name == "sqlite":
        # What rows said before the upgrade does not stay readable in the write-ahead log.
        with engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    return before, head()


def current(connection: Connection) -> str | None:
    """Give the version that the store is at."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """Give the version that this program needs."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def _upgrade(connection: Connection, digest_key: bytes | None = None) -> None:
    config = _config()
    config.attributes |= {"connection": connection, "digest_key": digest_key}
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config
