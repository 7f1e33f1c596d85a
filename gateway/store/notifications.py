"""Notifications of a PostgreSQL server (LISTEN): a socket that becomes readable when something waits for a node.

They are a hint that saves waiting for the next look, no more: one that is lost loses nothing.
"""

from typing import Any

from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from gateway.store.engine import CONNECT_TIMEOUT_S, sqlite_path, storing


class Notifications:
    """A connection that listens on one channel, from `open` to `close`."""

    def __init__(self, url: str, channel: str) -> None:
        """Take the store's URL, which names a server, and a channel whose name needs no quotes."""
        assert sqlite_path(url) is None
        server = make_url(url).set(drivername="postgresql+psycopg")
        options = {"connect_timeout": CONNECT_TIMEOUT_S}
        self._engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        self._channel = channel
        self._connection: Any = None

    def open(self) -> int:
        """Listen, and give the file descriptor to watch; StoreError where the server cannot be reached."""
        with storing():
            connection = self._engine.connect()
            connection.exec_driver_sql(f"LISTEN {self._channel}")
            self._connection = connection
            number: int = self._driver.pgconn.socket
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
