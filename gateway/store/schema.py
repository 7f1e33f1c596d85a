"""The version of the tables: made when the store is empty, refused when it is older, upgraded on request.

A store that a later program has upgraded is opened all the same if each step since says by `compatible_from` that a program of
this version may still write (decision 032): so gateways on one store are upgraded one by one, and a program is rolled back.

Alembic is imported by what migrates alone: a store that is ready opens without it, in less than half the time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sqlalchemy import Connection, Engine, inspect, text

from gateway.store import lock
from gateway.store.engine import storing
from gateway.store.errors import SchemaMismatch
from gateway.store.evidence import Digester
from gateway.store.evidence_reading import is_of_another_key
from gateway.store.nodes import PROGRAM

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER: Final = Path(__file__).parent / "migrations"
_VERSION_TABLE: Final = "alembic_version"
PROVED: Final = "0021"
"""The version since which rows are proved under a key."""
COMPATIBLE_FROM: Final = "schema.compatible_from"
"""The store's mark (node 0) of the oldest version whose program may write it."""


def prepare(engine: Engine) -> str:
    """Create the tables of an empty store; give the version that the store is at, this program's or a later one.

    Raises SchemaMismatch where the tables are older, or so much newer that this program may not write them; StoreError where
    the store cannot be opened.
    """
    with storing(), engine.begin() as connection:
        _alone(connection)
        if not inspect(connection).get_table_names():
            _upgrade(connection)
            return head()
        return _usable(connection)


def confirm(connection: Connection) -> str:
    """Give the version that the store is at, as `prepare`, and keep it so until this transaction ends.

    A gateway enters as a node in such a transaction: whoever upgrades the tables has done so before, or finds its program.
    """
    _alone(connection)
    return _usable(connection)


def _usable(connection: Connection) -> str:
    found, wanted = current(connection), head()
    if found == wanted:
        return wanted
    if found is None or found < wanted:
        to_do = "run `tpo db upgrade`"
    elif (oldest := _oldest_writer(connection)) is not None and oldest <= int(wanted):
        return found
    else:
        to_do = "use the program that upgraded it, or a later one"
    raise SchemaMismatch(f"the store is at version {found or 'none'}, this program needs {wanted}; {to_do}")


class Seals(Protocol):
    """What seals a cause, or octets that tell of causes, for the row that they stand in (charity.sealed_causes)."""

    def seal(self, cause: str, owner: str) -> bytes:
        """Seal a cause."""

    def seal_octets(self, octets: bytes, owner: str) -> bytes:
        """Seal octets."""


class Keys(NamedTuple):
    """What steps of an upgrade need of a gateway's keys: those of idempotency keys (Digests), of evidence and of causes."""

    digests: bytes
    evidence: bytes
    causes: Seals


def upgrade(engine: Engine, keys: Keys | None = None, node: str = "") -> tuple[str | None, str]:
    """Bring the tables to this program's version; gives the versions before and after.

    Under `keys` rows with numbers in clear are made into digests, and what is there is proved. `node` is whose lock the caller
    has. Raises SchemaMismatch for a version that this program never had, for such rows without keys, and where another gateway
    runs on the store whose program could not go on; StoreError where the store cannot be opened.
    """
    known = set(_revisions())
    with storing(), engine.begin() as connection:
        _alone(connection)
        before = current(connection)
        if before is not None and before not in known:
            raise SchemaMismatch(
                f"the store is at version {before}, which this program does not know; use the program that wrote it"
            )
        has_proofs = keys is not None and before is not None and before >= PROVED
        if keys is not None and has_proofs and is_of_another_key(connection, Digester(keys.evidence)):
            raise SchemaMismatch("privacy.key is not that of this store, by which its rows are proved")
        if before is not None and before != head():
            _refuse_where_others_run(connection, before, node)
        _upgrade(connection, keys)
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


def _alone(connection: Connection) -> None:
    """Keep other gateways of a server from making or changing its tables until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": lock.number_of("tpo-schema")})


def _oldest_writer(connection: Connection) -> int | None:
    """Give the oldest version whose program may still write this store, None where it does not say."""
    mark = text("SELECT value FROM marks WHERE node = 0 AND name = :name")
    value: int | None = connection.execute(mark, {"name": COMPATIBLE_FROM}).scalar_one_or_none()
    return value


def _refuse_where_others_run(connection: Connection, before: str, node: str) -> None:
    oldest = _compatible_from()
    names = connection.execute(text("SELECT id, name FROM nodes WHERE name <> :node"), {"node": node}).all()
    for number, name in names:
        if lock.is_held(connection, name):
            mark = text("SELECT value FROM marks WHERE node = :node AND name = :name")
            program = connection.execute(mark, {"node": number, "name": PROGRAM}).scalar_one_or_none()
            if (int(before) if program is None else program) < oldest:
                raise SchemaMismatch(
                    f"gateway {name} runs on this store by a program that could not go on with the new tables; stop it first"
                )


def _upgrade(connection: Connection, keys: Keys | None = None) -> None:
    from alembic import command  # noqa: PLC0415  (see above)

    config = _config()
    config.attributes["connection"] = connection
    if keys is not None:
        config.attributes |= {"digest_key": keys.digests, "evidence_key": keys.evidence, "cause_seals": keys.causes}
    command.upgrade(config, "head")
    raise_oldest_writer(connection, _compatible_from())


def raise_oldest_writer(connection: Connection, version: int) -> None:
    """Let only programs of this version, or of a later one, write the store: what is in it may ask for more than its tables."""
    mark = {"name": COMPATIBLE_FROM, "value": max(version, _oldest_writer(connection) or 0)}
    connection.execute(text("DELETE FROM marks WHERE node = 0 AND name = :name"), mark)
    connection.execute(text("INSERT INTO marks (node, name, value) VALUES (0, :name, :value)"), mark)


def _compatible_from() -> int:
    """Give the oldest version whose program may write the tables as they are after all steps.

    A step that says nothing allows only programs that have it.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415  (see above)

    steps = ScriptDirectory.from_config(_config()).walk_revisions()
    return max(int(getattr(step.module, "compatible_from", step.revision)) for step in steps)


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415  (see above)

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config
