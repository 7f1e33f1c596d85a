"""The statements that divide a server's tables into months, each whole or not at all.

The step 0012 makes all that was in a table its default partition, which moves no row. `begin` makes that the partition `before`
and lets the months begin after it. For this the server has to know that `before` has no row of a month to come: a small table
it reads, in a moment; for a large one that is too long under a lock, so that it is proved first, beside charging, by a CHECK
constraint (`set_bound`, store.division) that stands only until then: it refuses rows of those months.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from sqlalchemy import Connection, Table, func, select, text
from sqlalchemy.exc import DBAPIError

from gateway.store import lock
from gateway.store.append_only import MOVING
from gateway.store.constraints import copy_unique, unique_name
from gateway.store.months import MONTHLY, before_name, default_name, following, month_name, month_start

PATIENCE: Final = "SET LOCAL lock_timeout = '200ms'"
"""How long a change waits for its locks; who comes after it waits as long."""
_PUT_OFF: Final = {"55P03", "42501"}
"""SQLSTATEs of a change that is not to be made now: no lock within PATIENCE, or the tables are another user's."""
_BOUND_CHECK: Final = "months_begin"
_NUMBER: Final = {"n": lock.number_of("tpo-schema")}


class Bound(NamedTuple):
    """Where the months are to begin by a table's constraint, and whether the server has proved it."""

    start: int
    proved: bool


def is_first(connection: Connection) -> bool:
    """Take the lock of whoever changes the tables until this transaction ends; tells whether nobody else has it."""
    return bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:n)"), _NUMBER).scalar())


def attempt(connection: Connection, change: Callable[[], None]) -> bool:
    """Make a change whole or, where it has to be put off, not at all; tells which."""
    savepoint = connection.begin_nested()
    try:
        change()
    except DBAPIError as error:
        savepoint.rollback()
        if getattr(error.orig, "sqlstate", None) not in _PUT_OFF:
            raise
        return False
    savepoint.commit()
    return True


def begin(connection: Connection, table: Table, now: int) -> None:
    """Make what was the default partition the one before the first month, and an empty one the default."""
    before, default = before_name(table), default_name(table)
    _lock(connection, table.name)  # its partitions with it, in the order in which a writer takes them
    bound = bound_of(connection, table)
    start = bound.start if bound is not None and bound.proved else first_month(connection, table, now)
    for statement in (
        f"ALTER TABLE {table.name} DETACH PARTITION {default}",
        f"ALTER TABLE {default} RENAME TO {before}",
        f"ALTER TABLE {before} RENAME CONSTRAINT pk_{default} TO pk_{before}",
        f"ALTER INDEX IF EXISTS {unique_name(default)} RENAME TO {unique_name(before)}",
        f"ALTER TABLE {table.name} ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO ({start})",
        f"ALTER TABLE {before} DROP CONSTRAINT IF EXISTS {_BOUND_CHECK}",
    ):
        connection.execute(text(statement))
    _create(connection, table, default, before)
    connection.execute(text(f"ALTER TABLE {table.name} ATTACH PARTITION {default} DEFAULT"))


def make_month(connection: Connection, table: Table, start: int) -> None:
    """Make a month's partition; rows of it that the default took, from a clock that was ahead, move into it."""
    name, default, end = month_name(table, start), default_name(table), following(start)
    _lock_writers(connection, table)
    _lock(connection, default)
    _create(connection, table, name, default)
    time = MONTHLY[table].name
    stray = f"DELETE FROM {default} WHERE {time} >= {start} AND {time} < {end} RETURNING *"  # noqa: S608  (names of ours)
    connection.execute(text(MOVING), {"moving": "on"})
    connection.execute(text(f"WITH stray AS ({stray}) INSERT INTO {name} SELECT * FROM stray"))  # noqa: S608  (as above)
    connection.execute(text(MOVING), {"moving": "off"})
    connection.execute(text(f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"))


def analyse(connection: Connection, table: Table) -> None:
    """Have the server look at samples of a table and each of its months; autovacuum leaves the whole out."""
    connection.execute(text(f"ANALYZE {table.name}"))


def drop(connection: Connection, name: str) -> None:
    """Drop a partition with its rows."""
    connection.execute(text(f"DROP TABLE {name}"))


def _create(connection: Connection, table: Table, name: str, template: str) -> None:
    connection.execute(text(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
    connection.execute(text(f"ALTER TABLE {name} ADD CONSTRAINT pk_{name} PRIMARY KEY (id)"))
    copy_unique(connection, name, template)


def _lock(connection: Connection, name: str) -> None:
    connection.execute(text(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"))


def _lock_writers(connection: Connection, table: Table) -> None:
    """Keep rows from coming: ATTACH does not, and a row on its way to the default would then be refused as the month's."""
    connection.execute(text(f"LOCK TABLE ONLY {table.name} IN SHARE ROW EXCLUSIVE MODE"))


def size_of(connection: Connection, name: str) -> int:
    """Give the octets of a partition's rows, without its index."""
    return int(connection.execute(text("SELECT pg_relation_size(to_regclass(:name))"), {"name": name}).scalar() or 0)


def has_rows(connection: Connection, name: str) -> bool:
    """Tell whether a partition has any."""
    return bool(connection.execute(text(f"SELECT EXISTS (SELECT FROM {name})")).scalar())  # noqa: S608  (a name of ours)


def first_month(connection: Connection, table: Table, at: int) -> int:
    """Give where months can begin: in an empty table with a time's own month, else with the one after it and all rows."""
    time = MONTHLY[table]
    latest = connection.execute(select(func.max(time))).scalar()
    return month_start(at) if latest is None else following(month_start(max(at, latest)))


def bound_of(connection: Connection, table: Table) -> Bound | None:
    """Give the constraint of a table whose months have not begun."""
    found = text(
        "SELECT pg_get_constraintdef(oid) AS words, convalidated FROM pg_constraint "
        "WHERE conrelid = to_regclass(:name) AND conname = :check"
    )
    row = connection.execute(found, {"name": default_name(table), "check": _BOUND_CHECK}).one_or_none()
    return None if row is None else Bound(int(re.sub(r"\D", "", row.words)), row.convalidated)


def drop_bound(connection: Connection, table: Table) -> None:
    """Take the constraint back, if there is one."""
    connection.execute(text(f"ALTER TABLE {default_name(table)} DROP CONSTRAINT IF EXISTS {_BOUND_CHECK}"))


def set_bound(connection: Connection, table: Table, start: int) -> None:
    """Refuse rows from `start` on, before it is proved that there are none."""
    drop_bound(connection, table)
    check = f"CHECK ({MONTHLY[table].name} < {start}) NOT VALID"
    connection.execute(text(f"ALTER TABLE {default_name(table)} ADD CONSTRAINT {_BOUND_CHECK} {check}"))


def prove_bound(connection: Connection, table: Table) -> None:
    """Have the server read the table; what is booked meanwhile is not kept waiting (its manual, ALTER TABLE)."""
    connection.execute(text(f"ALTER TABLE {default_name(table)} VALIDATE CONSTRAINT {_BOUND_CHECK}"))
