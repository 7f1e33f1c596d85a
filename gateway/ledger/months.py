"""`ledger months`: what is booked and used by month in UTC, and in which part of the store it stands."""

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, func, literal_column, select

from gateway.ledger.money import format_amount
from gateway.store.months import MONTHLY, partitions
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.sealed_months.records import FOLDER
from gateway.store.tables import transfers, usage


class MonthTotal(msgspec.Struct, frozen=True):
    """The entries of a kind, or the usage of a service, of a month in one currency; a part without rows has neither.

    Attributes:
        table: `transfers`, the journal, or `usage`.
        part: where it stands: the partition of a server's table, the file of a sealed month, or the table. Of usage that was
            given up only the sum is known, and no kind.
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
    """Sum all entries and all usage by month, part and kind; it reads both tables through, and the files of sealed months."""
    found: list[MonthTotal] = []
    with parts(connection) as every:
        for table, kind, amount in (
            (transfers, transfers.c.kind, transfers.c.amount),
            (usage, usage.c.service, usage.c.price),
        ):
            for part in every:
                found += _totals(part, table, kind, amount)
            used = {row.part for row in found}
            empty = [each.name for each in partitions(connection, table) if each.name not in used]
            found += [MonthTotal(None, str(table.name), name, None, None, 0, None) for name in empty]
    return found


def _totals(part: Part, table: Table, kind: ColumnElement[str], amount: ColumnElement[int]) -> list[MonthTotal]:
    """Sum a part; usage that was given up is told from what the store noted of it."""
    connection, name = part.connection, str(table.name)
    month, where = month_of(connection, MONTHLY[table]), _part(connection, table)
    if part.month is not None:
        file = part.month.journal if table is transfers else part.month.usage
        if file.dropped_at is not None:
            given_up = f"{FOLDER}/{file.file}, given up"
            return [
                MonthTotal(file.period, name, given_up, None, currency, file.rows, format_amount(total, currency))
                for currency, total in file.amounts.items()
            ]
        where = literal_column(f"'{FOLDER}/{file.file}'")
    group = (month, where, kind, table.c.currency)
    wanted = select(*group, func.count(), func.sum(amount)).group_by(*group).order_by(*group)
    return [
        MonthTotal(when, name, stands, of, currency, count, format_amount(int(total), currency))
        for when, stands, of, currency, count, total in connection.execute(wanted)
    ]


def month_of(connection: Connection, time: ColumnElement[int]) -> ColumnElement[str]:
    """Write the month of a time, such as 2026-11, in a query."""
    seconds = time.op("/")(literal_column("1000000"))  # of integers: SQLAlchemy's // is a function that SQLite may lack
    if connection.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", func.to_timestamp(seconds)), "YYYY-MM")
    return func.strftime("%Y-%m", seconds, "unixepoch")


def _part(connection: Connection, table: Table) -> ColumnElement[str]:
    if connection.dialect.name == "postgresql":
        return literal_column(f"CAST(CAST({table.name}.tableoid AS regclass) AS text)")
    return literal_column(f"'{table.name}'")
