"""Engines for the two databases that the gateway runs on, set so that a commit is on disk when it returns.

SQLite: WAL, synchronous=FULL (gateway.store.log_sync does the write lane's syncs), and BEGIN IMMEDIATE, since the driver's own
default begins after the first SELECT and would silently lose updates. PostgreSQL: READ COMMITTED with row locks, so that what
is read after a lock is current; the write lane's own commits are made durable by gateway.store.server_log.

An SQLite file is made by whoever prepares a store, and by nobody else: to readers and to the write lane one that is gone is
an error, not an empty store.
"""

import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

from gateway.store.driver_errors import classify, is_of_driver
from gateway.store.private_files import keep_private
from gateway.store.statements import execute

Found = TypeVar("Found")
BUSY_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5
NETWORK_TIMEOUT_S = 6
"""How long octets to a server, and from it, may stay unacknowledged until the connection is given up on either side."""
KEEPALIVES = {"keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3}
SERVER_LIMITS = {
    "lock_timeout": "8s",
    "idle_in_transaction_session_timeout": "5s",
    "tcp_user_timeout": f"{NETWORK_TIMEOUT_S}s",
}
"""What a writer asks of the server, where its administrator set nothing: a gateway that stops in the middle of a transaction
must not keep a wallet from the others."""
BY_KEY = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""How the write lane's connection to a server finds rows. A batch names each by its key, and its statements are planned once,
for arrays of any length over tables of which nothing may be known yet. Left alone, the planner takes ten keys for granted,
looks through a small table from end to end for each of them, and keeps to that plan while the table grows."""
LEAVE_SYNCS = {"synchronous_commit": "off"}
CHECKPOINT_PAGES = 4000
"""WAL pages between checkpoints: 16 MiB, so that the second fsync of a checkpoint is rare."""

WRITERS_CACHE_KIB = 16_384
"""Of pages that a writer keeps. To keep more costs more than reading them again: in a store of less than 1 GiB each commit that
has split a page looks through all of them (SQLite's balancing lends a number beyond the end, that of the page at 1 GiB)."""


# What sqlite3 binds as it is all the same, it first looks up an adapter for, and then, of each value, a method to adapt itself
# by, which is not there. With an adapter that gives the value back a None or bytes costs 170 ns in place of 420.
sqlite3.register_adapter(type(None), dict[None, None]().get)
sqlite3.register_adapter(bytes, bytes)


def open_writer(url: str, *, existing: bool = False, label: str = "tpo") -> Engine:
    """Make the engine of a writer; its transactions take the write lock when they begin.

    With `existing` an SQLite file that is not there is an error; else it is made. `label` is what a server's administrator, and
    an adopter, find its connections by.
    """
    store = sqlite_path(url)
    if store is not None:
        keep_private(store, create=not existing)
    engine = _open(url, begin="BEGIN IMMEDIATE", mode="rw" if existing else "rwc", label=label)
    is_file = engine.dialect.name == "sqlite"
    event.listen(engine, "connect", _prepare_sqlite_writer if is_file else _prepare_server_writer)
    return engine


def open_reader(url: str, *, label: str = "tpo") -> Engine:
    """Make the engine for reports; its transactions see one snapshot and never write. `label` as for a writer."""
    engine = _open(url, begin="BEGIN", mode="rw", label=label)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda raw, _: _set(raw, "query_only=ON"))
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Lend a connection whose reads all see one snapshot; a driver's error in the block becomes a StoreError."""
    with storing(), engine.connect() as connection:
        yield connection
        connection.rollback()


def begin_snapshot(connection: Connection) -> None:
    """Have a reader's connection see the store as it is now; by itself it does so at its first statement."""
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").fetchone()


def join_whole_tables(connection: Connection) -> None:
    """Until this transaction ends, let a server join row by row only where there is no other way.

    It has statistics of each month, and none of all of them (autovacuum makes none), so that for a report over whole tables it
    may take a few hundred rows for granted where there are millions, and not come to an end. So it does after a restore, too.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_nestloop = off")


def sort_on_disk(connection: Connection) -> None:
    """Have a report over millions of rows sort them in files that go with the connection, as a server does by itself.

    It is said before the connection has any table or view of its own.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA temp_store=FILE")


@contextmanager
def part_of_transaction(connection: Connection) -> Iterator[None]:
    """Have a server go on with the transaction after a statement of the block failed; SQLite does so by itself."""
    with nullcontext() if connection.dialect.name == "sqlite" else connection.begin_nested():
        yield


@contextmanager
def read_any_text(connections: Iterable[Connection]) -> Iterator[None]:
    """Have connections to SQLite give text that is no UTF-8 as far as it is, in the block, and not refuse its row.

    Each text then costs a call more.
    """
    raw: list[Any] = [each.connection.dbapi_connection for each in connections]
    for each in raw:
        each.text_factory = _any_text
    try:
        yield
    finally:
        for each in raw:
            each.text_factory = str


def _any_text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


@contextmanager
def storing() -> Iterator[None]:
    """Turn a driver's error in the block into the StoreError that it means; others pass."""
    try:
        yield
    except Exception as error:
        if is_of_driver(error):
            raise classify(error) from error
        raise


def interrupt(connection: Connection) -> None:
    """End what another thread waits for a server to answer; the connection is of no use afterwards.

    SQLite is left alone: it comes back by itself, as its waits for locks end, and others may be in the same batch.
    """
    with suppress(Exception):  # it is closed, or broken, already
        raw = connection.connection.dbapi_connection
        if not isinstance(raw, sqlite3.Connection):
            with socket.socket(fileno=os.dup(raw.pgconn.socket)) as found:  # type: ignore[union-attr]  # psycopg's own
                found.shutdown(socket.SHUT_RDWR)


def leave_syncs(connection: Connection) -> None:
    """Have a writer's commits on SQLite return before they are on the disk: gateway.store.log_sync sees to that."""
    _set(connection.connection.dbapi_connection, "synchronous=NORMAL")  # type: ignore[arg-type]  # of an SQLite store


def prepare_for_batches(connection: Connection) -> None:
    """Have a writer's connection to a server find rows by their keys, and wait neither for BEGIN alone nor for the disk.

    A BEGIN is sent together with what follows it in a pipeline; the driver's own would be waited for. Commits return
    before they are on the disk: gateway.store.server_log sees to that.
    """
    driver: Any = connection.connection.driver_connection
    driver.autocommit = True
    settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in (BY_KEY | LEAVE_SYNCS).items())
    driver.execute(f"SELECT {settings}")
    event.listen(connection, "begin", lambda begun: execute(begun, "BEGIN"))


def find_at_will(connection: Connection) -> None:
    """Leave it to the server's planner how rows are found, until the transaction at hand ends: it is about sets of them."""
    _as_set(connection, BY_KEY)


def commit_at_once(connection: Connection) -> None:
    """Have the transaction at hand be on the server's disk when its commit returns."""
    _as_set(connection, LEAVE_SYNCS)


def _as_set(connection: Connection, names: Iterable[str]) -> None:
    """Take these settings, until the transaction at hand ends, as the server's administrator has them."""
    among = ", ".join(f"'{name}'" for name in names)
    connection.exec_driver_sql(f"SELECT set_config(name, reset_val, true) FROM pg_settings WHERE name IN ({among})")  # noqa: S608  (names of ours)


def sqlite_path(url: str) -> Path | None:
    """Give the file of an SQLite URL, None for a server."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def has_one_writer(url: str) -> bool:
    """Whether one process alone can have this store open to write: a file is locked, a server is shared."""
    return sqlite_path(url) is not None


def server_options(label: str) -> dict[str, object]:
    """Give how a server is connected to: by which name, and when a connection that the network swallowed is given up."""
    unacknowledged = {"tcp_user_timeout": NETWORK_TIMEOUT_S * 1000}
    return {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": label, **unacknowledged, **KEEPALIVES}


def _open(url: str, *, begin: str, mode: str, label: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = f"file:{quote(str(sqlite_path(url)))}?mode={mode}"

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(file, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)

        engine = create_engine(parsed, poolclass=NullPool, creator=connect)
        event.listen(engine, "connect", _prepare_sqlite)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # The driver's own: by SQLAlchemy this statement cost a batch as much as two units more.
            connection.connection.cursor().execute(begin)

        return engine
    server = parsed.set(drivername="postgresql+psycopg")
    return create_engine(server, pool_size=4, pool_pre_ping=True, connect_args=server_options(label))


def _prepare_server_writer(connection: Any, _record: Any) -> None:  # noqa: ANN401  (psycopg's; the pool record, unused)
    connection.prepare_threshold = None  # at a ROLLBACK it would take all back, that of store.server_pipeline, too
    for name, value in SERVER_LIMITS.items():
        unset = "SELECT set_config(%s, %s, false) WHERE current_setting(%s) IN ('0', '0ms')"
        connection.execute(unset, (name, value, name))
    connection.commit()


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401  (SQLAlchemy's pool record, unused)
    connection.isolation_level = None
    _set(connection, "foreign_keys=ON", "cache_size=-65536", "temp_store=MEMORY")


def _prepare_sqlite_writer(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401  (as above)
    wal = ("journal_mode=WAL", "synchronous=FULL", f"wal_autocheckpoint={CHECKPOINT_PAGES}")
    # Secure: what was deleted is not to be read from a free page.
    _set(connection, *wal, f"cache_size=-{WRITERS_CACHE_KIB}", "secure_delete=ON")


def _set(connection: sqlite3.Connection, *pragmas: str) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
