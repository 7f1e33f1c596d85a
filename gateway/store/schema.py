"""The version of the tables: made when the store is empty, refused when it is older, upgraded on request.

Alembic is imported by what migrates alone: a store that is ready opens without it, in less than half the time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, inspect, text

from gateway.store.engine import storing
from gateway.store.errors import SchemaMismatch

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER: Final = Path(__file__).parent / "migrations"
_VERSION_TABLE: Final = "alembic_version"


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
    known = set(_revisions())
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
    """Give the version that the store is at, None where it has none."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    version: str | None = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608 - our own name
    return version


def head() -> str:
    """Give the version that this program needs."""
    return _revisions()[-1]


def _revisions() -> list[str]:
    """Give the versions of the steps, oldest first: a step's file is named NNNN_title.py after its version NNNN."""
    return sorted(step.name.partition("_")[0] for step in (_FOLDER / "versions").glob("[0-9]*_*.py"))


def _upgrade(connection: Connection, digest_key: bytes | None = None) -> None:
    from alembic import command  # noqa: PLC0415  (see above)

    config = _config()
    config.attributes |= {"connection": connection, "digest_key": digest_key}
    command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415  (see above)

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config
