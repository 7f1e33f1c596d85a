"""A PostgreSQL server's write-ahead log, made durable beside the lane by a connection of its own.

The lane's transactions are committed at synchronous_commit=off: others see them at once, and they are in the log, but not on
the disk. A transaction that writes something and is committed by this connection, at what the server's administrator has set
(synchronous standbys included), comes back when its own commit is durable, and with it all that was committed before it.
A server that crashes may lose what was not, and ends all its connections: so this one vouches only for what was committed
while it was open, and is never opened anew without the lane knowing (PostgreSQL's manual, "Asynchronous Commit").
"""

from typing import Final

from sqlalchemy import Connection, Engine

from gateway.store.driver_errors import classify, is_of_driver
from gateway.store.engine import interrupt, storing
from gateway.store.statements import execute, pipelined

WORTH_A_BATCH: Final = 24
"""Each batch costs lane and server as much as some nine units more."""
GATHERS: Final = 32
"""Two gateways with 32 units each on their way have batches of 32 so, and not of 17; and one with 64 goes on as it did."""
_NAME: Final = "SELECT set_config('application_name', current_setting('application_name') || '/flushes', false)"
_FLUSH: Final = (
    "SELECT CASE WHEN pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn() "
    "OR current_setting('synchronous_standby_names') <> '' THEN pg_logical_emit_message(true, 'tpo', '') END"
)
"""Writes nothing where all is on the disk already, and no standby has to have it."""


class ServerLog:
    """The log of a lane's server, from `open` to `close`; OSError is for the caller of `sync` alone."""

    worth_a_batch = WORTH_A_BATCH
    gathers = GATHERS
    shared = True
    """Others commit, too: what is read may be theirs."""

    def __init__(self, engine: Engine) -> None:
        """Take the lane's engine."""
        self._engine = engine
        self._connection: Connection | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that can vouch for what is committed from now on."""
        return self._connection is not None

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in doubt: a server recovers its log by itself."""
        return True

    def open(self) -> None:
        """Connect; StoreError where that cannot be."""
        self.close()
        with storing():
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection.exec_driver_sql(_NAME)

    def sync(self) -> None:
        """Return when all that was committed before is durable; OSError where nobody knows."""
        connection = self._connection
        if connection is None:
            raise OSError("there is no connection to the server")
        try:
            with pipelined(connection):
                execute(connection, _FLUSH)
        except Exception as error:
            if is_of_driver(error):
                raise OSError(str(classify(error))) from error
            raise

    def rewrite(self) -> None:
        """Go on after a failed sync, of whose commits the outcome is unknown: by another connection, for those to come."""
        self.open()

    def interrupt(self) -> None:
        """End a sync that another thread waits for."""
        if self._connection is not None:
            interrupt(self._connection)

    def close(self) -> None:
        """Let the connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
