"""Letting the months of a large store's tables begin, beside gateways that charge: what `tpo db partition` does.

The server proves by a constraint that no row is of a month to come; that takes it two readings of the table, in which rows are
booked as ever. The constraint refuses rows of those months, which are a week off at least; killed on the way, it goes on where
it was when it is run again, and if it never is, a gateway takes the constraint back a day before they begin (`KeepMonths`).
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine, Table, text

from gateway.store.engine import storing
from gateway.store.errors import StoreError, StoreUnavailable, UnitPoisoned
from gateway.store.months import MICROSECONDS, MONTHLY, is_begun, partitions
from gateway.store.partitioning import (
    PATIENCE,
    analyse,
    attempt,
    begin,
    bound_of,
    drop_bound,
    first_month,
    is_first,
    prove_bound,
    set_bound,
)

WEEK: Final = 7 * 86_400 * MICROSECONDS


def divide(engine: Engine, now: int, say: Callable[[str], None]) -> dict[str, int]:
    """Give by table where its months begin, UTC microseconds; empty on SQLite. `say` is told what takes long.

    StoreUnavailable where a table is read by somebody for longer than a change waits, or gets rows of a time far ahead.
    """
    found: dict[str, int] = {}
    for table in MONTHLY:
        with storing(), engine.connect() as connection:
            there = partitions(connection, table)
        if there and not is_begun(there):
            say(f"{table.name}: the server reads it twice; gateways go on")
            _divide(engine, table, now)
        with storing(), engine.connect() as connection:
            for each in partitions(connection, table):
                if each.since is None and each.until is not None:
                    found[str(table.name)] = each.until
    return found


def _divide(engine: Engine, table: Table, now: int) -> None:
    with storing(), engine.connect() as connection:
        bound = bound_of(connection, table)
        if bound is None or (not bound.proved and bound.start < now + WEEK):
            start = first_month(connection, table, now + WEEK)
            bound = None
    if bound is None:
        _change(engine, lambda connection: set_bound(connection, table, start))
    if bound is None or not bound.proved:
        _prove(engine, table)
    _change(engine, lambda connection: _begin_once(connection, table, now))
    with storing(), engine.begin() as connection:
        analyse(connection, table)


def _prove(engine: Engine, table: Table) -> None:
    try:
        with storing(), engine.begin() as connection:
            prove_bound(connection, table)
    except UnitPoisoned as error:  # a row that the constraint refuses
        _change(engine, lambda connection: drop_bound(connection, table))
        raise StoreUnavailable(f"{table.name} has rows of a time far ahead by now; try again") from error


def _begin_once(connection: Connection, table: Table, now: int) -> None:
    if not is_begun(partitions(connection, table)):
        begin(connection, table, now)


def _change(engine: Engine, change: Callable[[Connection], None]) -> None:
    """Make a change in a transaction that waits for its locks no longer than others may wait for it."""
    with storing(), engine.begin() as connection:
        connection.execute(text(PATIENCE))
        if not is_first(connection):
            raise StoreError("another program changes the tables just now; try again")
        if not attempt(connection, partial(change, connection)):
            raise StoreUnavailable("somebody reads the tables, as `tpo ledger check` does, or they are another user's")
