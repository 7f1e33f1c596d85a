"""Notifications of a PostgreSQL server (LISTEN): a socket that becomes readable when something waits for a node.

They are a hint that saves waiting for the next look, no more: one that is lost loses nothing. The connection that listens also
holds an advisory lock of its node's number: so others see that somebody listens, and a server forgets it when the process ends.
"""

from typing import Any, Final

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from gateway.store.engine import CONNECT_TIMEOUT_S, sqlite_path, storing

_LOCKS: Final = int.from_bytes(b"tpon", "big")
"""The first key of the advisory locks of those who listen; the second is the node's number."""
_LISTENING: Final = text(
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = :locks AND objsubid = 2 AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_KEPT_ALIVE: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""Seconds, and probes: nothing else goes over this connection for hours, and whatever stands between must not forget it."""


class Notifications:
    """A connection that listens for one node, from `open` to `close`."""

    def __init__(self, url: str, node: int) -> None:
        """Take the store's URL, which names a server, and the node's number."""
        assert sqlite_path(url) is None
        server = make_url(url).set(drivername="postgresql+psycopg")
        named = {"application_name": f"tpo/{node}/listens"}  # who adopts the node ends it too: nobody listens any more
        options = {"connect_timeout": CONNECT_TIMEOUT_S, **named, **_KEPT_ALIVE}
        self._engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        self._node = node
        self._connection: Any = None

    def open(self) -> int:
        """Listen, and give the file descriptor to watch; StoreError where the server cannot be reached."""
        with storing():
            self._connection = self._engine.connect()
            try:
                self._connection.exec_driver_sql(f"LISTEN {channel_of(self._node)}")
                # Shared: the server may not have noticed yet that the connection before this one has ended.
                self._connection.exec_driver_sql("SELECT pg_advisory_lock_shared(%s, %s)", (_LOCKS, self._node))
                number: int = self._driver.pgconn.socket
            except BaseException:
                self.close()
                raise
            return number

    def take(self) -> bool:
        """Take what has come, without waiting; whether anything had. StoreError where the connection is lost."""
        with storing():
            server = self._driver.pgconn
            server.consume_input()
            found = False
            while server.notifies() is not None:
                found = True
            return found

    def close(self) -> None:
        """Listen no more; opening again is possible."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    @property
    def _driver(self) -> Any:  # noqa: ANN401  (psycopg's connection, which is no dependency of the core)
        return self._connection.connection.dbapi_connection


def channel_of(node: int) -> str:
    """Name the channel by which a node is told that something waits for it."""
    return f"tpo_node_{node}"


def listening_nodes(connection: Connection) -> set[int]:
    """Give the numbers of the nodes that somebody listens for; on an SQLite file nobody does."""
    if connection.dialect.name == "sqlite":
        return set()
    return set(connection.scalars(_LISTENING, {"locks": _LOCKS}))
