"""What a server runs for gateways: ended where one has left it in the middle, so that it holds no row that others want.

A writer is named tpo/NUMBER/EPOCH there (application_name), a reader tpo/NUMBER/EPOCH/reads, and the connection that hears of
other gateways' requests tpo/NUMBER/listens. A role may end what runs for itself or for a role that it is a member of; the rest
is left to the server's own time limits. An SQLite file runs nothing.
"""

from typing import Final

from sqlalchemy import Connection

STALL_SHARE: Final = 0.5
"""Of a lease: so long a transaction may wait for its gateway, which holds rows meanwhile that others want."""
_END: Final = (
    "SELECT application_name, pg_terminate_backend(pid) FROM pg_stat_activity WHERE {} "
    "AND datname = current_database() AND pid <> pg_backend_pid() AND pg_has_role(usesysid, 'MEMBER')"
)


def end_stalled(connection: Connection, but: int, seconds: float) -> list[int]:
    """End transactions of other gateways' lanes that have waited so long for their next word; gives the nodes' numbers.

    The server's own limit (idle_in_transaction_session_timeout) does not count in the middle of a pipeline of statements, and a
    gateway may stand still there as well as anywhere. Whoever waits for a row of it could not renew its own lease.
    """
    if connection.dialect.name == "sqlite":
        return []
    waits = (
        "application_name ~ '^tpo/[0-9]+/[0-9]+$' AND application_name NOT LIKE %s AND wait_event = 'ClientRead' "
        "AND xact_start IS NOT NULL AND query_start < clock_timestamp() - make_interval(secs => %s)"
    )
    found = connection.exec_driver_sql(_END.format(waits), (f"tpo/{but}/%", seconds))
    return [int(row.application_name.split("/")[1]) for row in found]


def end_backends(connection: Connection, node: int) -> int:
    """End what the server runs for a node, so that no transaction of it holds a row; gives how many there were.

    Those of a role that this one may not speak for are left: the server's time limits end them.
    """
    if connection.dialect.name == "sqlite":
        return 0
    return len(connection.exec_driver_sql(_END.format("application_name LIKE %s"), (f"tpo/{node}/%",)).all())
