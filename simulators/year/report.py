"""What a simulated year came to: figures by month, what was proved, what did not hold."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from gateway.api.answers.bills import CloseView
from gateway.api.answers.charity import RemittanceRow, StandingRow
from gateway.ledger.totals import Totals


class MonthFigures(msgspec.Struct):
    """A month: money in pounds, what was paid to causes and by customers in it, what was confirmed of it, and its seconds."""

    period: str
    lines: int
    records: int
    charged: str
    bills: int
    paid: str
    accrued: str
    confirmed: str
    passed_on: str
    outstanding: str
    seconds: float = 0.0


class Result(msgspec.Struct):
    """A whole year; `held` says whether everything that had to hold did."""

    lines: int
    seed: int
    months: list[MonthFigures]
    proved: dict[str, int]
    done: dict[str, int]
    pack: str
    failures: list[str]
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


TITLES = {
    "period": "month",
    "lines": "lines",
    "records": "records",
    "charged": "charged",
    "bills": "bills",
    "paid": "bills paid",
    "accrued": "tenth",
    "confirmed": "confirmed",
    "passed_on": "passed on",
    "outstanding": "owed",
    "seconds": "s",
}


def charged(totals: Totals) -> tuple[int, Decimal, Decimal]:
    """Return how many records a month has, what its use and sales were charged, and the tenths that were booked in it."""
    records = sum(row.count for row in totals.rows if row.step == "rated")
    money = sum_of(row.amount for row in totals.rows if row.step in ("charged", "journal: bundles sold"))
    return records, money, sum_of(row.amount for row in totals.rows if row.step == "journal: tenths")


def sum_of(amounts: Iterable[str | None]) -> Decimal:
    """Sum amounts in major units."""
    return sum((Decimal(amount) for amount in amounts if amount), Decimal(0))


def confirmed(rows: Iterable[StandingRow]) -> Decimal:
    """Return all that was ever confirmed."""
    return sum_of(amount for row in rows for amount in (row.confirmed, row.payable, row.instructed, row.paid))


def passed_on(rows: Iterable[RemittanceRow]) -> Decimal:
    """Return what was paid to causes."""
    return -sum_of(row.paid for row in rows)


def moved(close: CloseView) -> Decimal:
    """Return what the bills of a close ask for."""
    return sum_of(each.due for each in close.sums)


def page(result: Result) -> Iterator[str]:
    """Write a year as lines of text."""
    rows = [TITLES, *(msgspec.to_builtins(month) for month in result.months)]
    widths = {name: max(len(_cell(row[name])) for row in rows) for name in TITLES}
    for row in rows:
        yield "  ".join(_cell(row[name]).rjust(widths[name]) for name in TITLES)
    yield ""
    yield f"{result.lines:,} lines, seed {result.seed}, {result.seconds:.0f} s. Done by customers and people:"
    yield from (f"  {count:>9,}  {what}" for what, count in sorted(result.done.items()))
    yield "Proved:"
    yield from (f"  {count:>9,}  {what}" for what, count in sorted(result.proved.items()))
    yield f"  {result.pack}"
    if result.failures:
        yield "DID NOT HOLD:"
        yield from (f"  {failure}" for failure in result.failures)
    else:
        yield "Everything held."


def _cell(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
