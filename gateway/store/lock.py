"""One writer a store: a lock file beside an SQLite file, an advisory lock a node on a server."""

import fcntl
import hashlib
import os
import time
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from gateway.store.engine import server_options, sqlite_path, storing
from gateway.store.errors import StoreLocked
from gateway.store.files import family
from gateway.store.private_files import make_folder

LANE_SECONDS: Final = 10.0
"""How long the write lane of a gateway that is gone may take for its last batches (decision 038) until the lock is refused."""
SERVER_SECONDS: Final = 2.0
"""The same on a server, which does not say whether who holds it still lives."""
LOOK_SECONDS: Final = 0.02


class Lock(Protocol):
    """Held as long as the process writes."""

    def label(self, label: str) -> None:
        """Have what holds it called so from now on."""

    def renew(self) -> None:
        """Make sure that it is still held, after the store was lost and found; StoreLocked if it is not."""

    def release(self) -> None:
        """Let the next writer in."""

    @property
    def descriptor(self) -> int:
        """What it is held by: as long as any process has a copy of it open, nobody else gets the lock, unless released."""


class FileLock:
    """`<store>.lock`, locked by the kernel, so that a killed process never leaves it behind."""

    def __init__(self, path: Path) -> None:
        """Take the lock of this path now, or raise StoreLocked naming the process that has it."""
        make_folder(path.parent)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if not self._wait():
            holder = self._holder()
            os.close(self._file)
            raise StoreLocked(f"{path}: process {holder} has this store open; stop it, or use its commands")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def _wait(self) -> bool:
        """Take the lock. Whose gateway is gone and whose lane is still committing is waited for; False if somebody has it."""
        for left in range(round(LANE_SECONDS / LOOK_SECONDS), -1, -1):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if not left or _lives(self._holder()):
                    return False
                time.sleep(LOOK_SECONDS)
            else:
                break
        return True

    def _holder(self) -> str:
        return os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"

    def label(self, label: str) -> None:
        """The kernel tells by the process who holds it."""

    def renew(self) -> None:
        """The kernel keeps it as long as the process lives."""

    def release(self) -> None:
        """Let the next writer in; the file stays, only its lock goes."""
        os.close(self._file)

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._file


class ServerLock:
    """An advisory lock of this node's name, held by a connection of its own."""

    def __init__(self, url: str, node: str) -> None:
        """Take the lock now, or raise StoreLocked."""
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        self._node, self._label = node, "tpo"
        options = server_options(self._label)
        self._engine = create_engine(parsed, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        self._connection = self._take()

    def label(self, label: str) -> None:
        """Call the connection so: an adopter ends it with the others of this node."""
        self._label = label
        with storing():
            self._name(self._connection)

    def _name(self, connection: Connection) -> None:
        connection.execute(text("SELECT set_config('application_name', :label, false)"), {"label": self._label})

    def _wait(self, connection: Connection) -> bool:
        """Take the lock, waiting a moment for the last batches of a gateway that is gone; False if another one has it."""
        wanted, number = text("SELECT pg_try_advisory_lock(:n)"), {"n": _of_node(self._node)}
        for left in range(round(SERVER_SECONDS / LOOK_SECONDS), -1, -1):
            if connection.execute(wanted, number).scalar():
                return True
            if left:
                time.sleep(LOOK_SECONDS)
        return False

    def renew(self) -> None:
        """Take the lock again if the server has lost it; StoreLocked if another process was quicker."""
        try:
            if not self._connection.closed:
                self._connection.execute(text("SELECT 1"))
                return
        except SQLAlchemyError:
            self._connection.invalidate()
            self._connection.close()
        self._connection = self._take()

    def release(self) -> None:
        """Let the next process of this node in."""
        self._connection.close()
        self._engine.dispose()

    @property
    def descriptor(self) -> int:
        """The connection's socket: the server keeps the session for as long as it is open."""
        return int(self._connection.connection.dbapi_connection.pgconn.socket)  # type: ignore[union-attr]  # psycopg's own

    def _take(self) -> Connection:
        connection = self._engine.connect()
        if not self._wait(connection):
            connection.close()
            detail = f"another gateway runs as {self._node!r} on this store; give each its own diameter.identity"
            raise StoreLocked(detail)
        self._name(connection)
        return connection


def _lives(holder: str) -> bool:
    """Whether a process is there; one that did not write down its number is taken to be."""
    if not holder.isdecimal():
        return True
    try:
        os.kill(int(holder), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def number_of(name: str) -> int:
    """Give the number of a server's advisory lock by its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _of_node(node: str) -> int:
    return number_of(f"tpo-node:{node}")


def is_held(connection: Connection, node: str) -> bool:
    """Tell whether a process runs as this node on a server's store; an SQLite store has one process at a time."""
    if connection.dialect.name != "postgresql":
        return False
    held = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND (classid::bigint << 32 | objid::bigint) = :n"
    )
    return bool(connection.execute(held, {"n": _of_node(node)}).scalar())


def take(url: str, node: str) -> Lock:
    """Take the lock that this store's kind needs: of the file itself, by whatever name it is reached.

    StoreLocked where another process has it, another StoreError where the server cannot be reached.
    """
    path = sqlite_path(url)
    if path is not None:
        return FileLock(family(path)["lock"])
    with storing():
        return ServerLock(url, node)
