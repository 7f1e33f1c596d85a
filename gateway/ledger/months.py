"""`ledger months`: what is booked and used by month in UTC, and in which part of the store it stands."""

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, func, literal_column, select

from gateway.ledger.money import format_amount
from gateway.store.months import MONTHLY, partitions
from gateway.store.tables import transfers, usage


class MonthTotal(msgspec.Struct, frozen=True):
    """The entries of a kind, or the usage of a service, of a month in one currency; a part without rows has neither.

    Attributes:
        table: `transfers`, the journal, or `usage`.
        part: where it stands: the partition of a server's table, or the table.
        amount: in major units: what the entries moved, or what the usage was priced.
    """

    month: str | None
    table: str
    part: str
    kind: str | None
    currency: str | None
    rows: int
    amount: str | None


def month_totals(connection: Connection) -> list[MonthTotal]:
    """Sum all entries and all usage by month, part and kind; it reads both tables through."""
    found = []
    for table, kind, amount in (
        (transfers, transfers.c.kind, transfers.c.amount),
        (usage, usage.c.service, usage.c.price),
    ):
        month, part = _month(connection, MONTHLY[table]), _part(connection, table)
        group = (month, part, kind, table.c.currency)
        wanted = select(*group, func.count(), func.sum(amount)).group_by(*group).order_by(*group)
        rows = [
            MonthTotal(when, str(table.name), where, of, currency, count, format_amount(int(total), currency))
            for when, where, of, currency, count, total in connection.execute(wanted)
        ]
        used = {row.part for row in rows}
        empty = [each.name for each in partitions(connection, table) if each.name not in used]
        found += rows + [MonthTotal(None, str(table.name), name, None, None, 0, None) for name in empty]
    return found


def _month(connection: Connection, time: ColumnElement[int]) -> ColumnElement[str]:
    seconds = time.op("/")(literal_column("1000000"))  # of integers: SQLAlchemy's // is a function that SQLite may lack
    if connection.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", func.to_timestamp(seconds)), "YYYY-MM")
    return func.strftime("%Y-%m", seconds, "unixepoch")


def _part(connection: Connection, table: Table) -> ColumnElement[str]:
    if connection.dialect.name == "postgresql":
        return literal_column(f"CAST(CAST({table.name}.tableoid AS regclass) AS text)")
    return literal_column(f"'{table.name}'")
