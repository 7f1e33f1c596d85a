"""The journal, page by page, as one file of another program: charges and the like one by one, accruals as sums.

A sum is that of a calendar month (of booking, in UTC), a cause and a currency: nobody finds whose tenth went where by it. The
last page has the sums, and what every account stands at after all of it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from gateway.ledger.accounts import account_name, without_cause
from gateway.ledger.balances import Selection, account_names, journal_totals
from gateway.ledger.export.formats import FORMATS, Standing, Written
from gateway.ledger.months import month_of
from gateway.ledger.postings import CAUSE_SUMS
from gateway.store.sealed_months.parts import lowest_rows, parts
from gateway.store.tables import transfers

TENTHS: Final = ("accrual", "accrual_reversal", "rerated_accrual", *CAUSE_SUMS)
"""Kinds that would tell whose tenth went where, or what a single cause was paid."""
LIMIT: Final = 5000
LATEST: Final = int(datetime(9999, 11, 30, tzinfo=UTC).timestamp())
"""A date may be written of a month after which there is another one."""


class Wanted(msgspec.Struct, frozen=True):
    """What is exported: in which format, booked from `since` until before `until` (None: as of the first page).

    Attributes:
        after: entries above this number; 0 for the first page.
        causes: whether each cause has an account of its own.
    """

    format: str
    after: int = 0
    since: int | None = None
    until: int | None = None
    causes: bool = False
    limit: int = LIMIT


class ExportPage(msgspec.Struct, frozen=True):
    """A piece of the file; the next one is asked for with `after` = `next` (None on the last) and `until`."""

    text: str
    next: int | None
    until: int


def export(connection: Connection, wanted: Wanted) -> ExportPage:
    """Write a page."""
    written = FORMATS[wanted.format]
    until = _latest(connection) + 1 if wanted.until is None else wanted.until
    only, names = Selection(None, wanted.since, until), _names(connection, causes=wanted.causes)
    text = written.head(_currencies(connection, only)) if not wanted.after else ""
    entries = (
        select(transfers)
        .where(transfers.c.id > wanted.after, transfers.c.kind.not_in(TENTHS), *only.in_time())
        .order_by(transfers.c.id)
    )
    with parts(connection, lambda month: month.ends_above(wanted.after) and only.wants(month)) as found:
        rows = lowest_rows(found, entries, wanted.limit)
    text += written.transactions(
        Written(
            _date(row.at),
            row.kind,
            account_name(row.debit, names),
            account_name(row.credit, names),
            row.amount,
            row.currency,
            row.id,
            row.reference,
        )
        for row in rows
    )
    if len(rows) == wanted.limit:
        return ExportPage(text, rows[-1].id, until)
    text += written.transactions(_accruals(connection, only, names))
    return ExportPage(text + written.closing(_after_all(until), _standings(connection, only, names)), None, until)


def _names(connection: Connection, *, causes: bool) -> Mapping[int, str]:
    names = account_names(connection)
    return names if causes else {number: without_cause(name) for number, name in names.items()}


def _latest(connection: Connection) -> int:
    with parts(connection) as found:
        return max((part.connection.scalar(select(func.max(transfers.c.at))) or 0 for part in found), default=0)


def _currencies(connection: Connection, only: Selection) -> list[str]:
    return sorted({currency for _, currency in journal_totals(connection, only)})


def _accruals(connection: Connection, only: Selection, names: Mapping[int, str]) -> list[Written]:
    """Sum the accruals by month, accounts and currency; each sum is dated by the last day of its month."""
    sums: dict[tuple[str, str, str, str, str], int] = {}
    with parts(connection, only.wants) as found:
        for part in found:
            month = month_of(part.connection, transfers.c.at)
            group = (transfers.c.kind, month, transfers.c.debit, transfers.c.credit, transfers.c.currency)
            wanted = select(*group, func.sum(transfers.c.amount)).where(transfers.c.kind.in_(TENTHS), *only.in_time())
            for kind, period, debit, credit, currency, amount in part.connection.execute(wanted.group_by(*group)):
                key = (period, kind, account_name(debit, names), account_name(credit, names), currency)
                sums[key] = sums.get(key, 0) + int(amount)
    return [
        Written(_last_day(period), kind, debit, credit, amount, currency)
        for (period, kind, debit, credit, currency), amount in sorted(sums.items())
        if debit != credit
    ]


def _standings(connection: Connection, only: Selection, names: Mapping[int, str]) -> list[Standing]:
    totals: dict[tuple[str, str], int] = {}
    for (number, currency), amount in journal_totals(connection, only).items():
        key = (account_name(number, names), currency)
        totals[key] = totals.get(key, 0) + amount
    return [Standing(account, currency, amount) for (account, currency), amount in sorted(totals.items())]


def _date(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%d")


def _last_day(period: str) -> str:
    first = datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)
    return ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).strftime("%Y-%m-%d")


def _after_all(until: int) -> str:
    """Return the day after the month of the last moment."""
    last_second = min(max(until - 1, 0) // 1_000_000, LATEST)
    period = datetime.fromtimestamp(last_second, UTC).strftime("%Y-%m")
    last = datetime.strptime(_last_day(period), "%Y-%m-%d").replace(tzinfo=UTC)
    return (last + timedelta(days=1)).strftime("%Y-%m-%d")
