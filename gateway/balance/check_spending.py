"""What wallets say of their lines' spending, held against the usage of the month and the decisions that customers took.

A limit that nobody decided, or a sum that usage does not come to, would let a customer be billed too much: `ledger check` names
the wallet. The sum is that of the latest month; usage of it that was swept is not missed.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Final

from sqlalchemy import Connection, func, select

from gateway.balance.spending import AGREED, BILL, NO_LIMIT, BillingMonths, Spending, decode, month_of, period_of
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.sealed_months.parts import parts
from gateway.store.sealed_months.records import sealed_months
from gateway.store.tables import bill_limits, marks, usage, wallets

COUNTED_SINCE: Final = "spending.counted_since"
"""The mark of the time (microseconds) from which on wallets count what is charged; without it they always did."""


def wrong_spending(connection: Connection, months: BillingMonths) -> Iterator[Finding]:
    """Name wallets whose limits or sums are not what decisions and usage say; the first few of each."""
    rows = connection.execute(select(wallets.c.subscriber_id, wallets.c.spending).order_by(wallets.c.subscriber_id))
    known = {number: decode(spent) if spent else Spending() for number, spent in rows}
    yield from islice(_wrong_limits(connection, known), SHOWN)
    yield from islice(_wrong_sums(connection, known, months), SHOWN)


def _wrong_limits(connection: Connection, known: dict[int, Spending]) -> Iterator[Finding]:
    limits: dict[int, int] = {}
    of_months: dict[int, dict[int, int]] = {}
    agreed: set[tuple[int, str]] = set()
    for row in connection.execute(select(bill_limits).where(bill_limits.c.what == BILL).order_by(bill_limits.c.id)):
        if row.decision == AGREED:
            agreed.add((row.subscriber_id, row.period))
        elif row.period:
            of = of_months.setdefault(row.subscriber_id, {})
            of[month_of(row.period)] = NO_LIMIT if row.amount is None else row.amount
        else:
            limits[row.subscriber_id] = NO_LIMIT if row.amount is None else row.amount
            of_months.pop(row.subscriber_id, None)
    for number, spending in known.items():
        decided = limits.get(number, NO_LIMIT)
        if spending.limit != decided:
            yield Finding(
                "limit", f"wallet:{number} has the bill limit {spending.limit}, its customer decided {decided}"
            )
        said = of_months.get(number, {})
        ahead = {month for month in said if month >= spending.month}
        if spending.months.keys() - said.keys() or any(
            spending.months.get(month) != said[month] for month in spending.months.keys() | ahead
        ):
            yield Finding("limit", f"wallet:{number} has bill limits of single months that its customer did not decide")
        if spending.agreed and (number, period_of(spending.agreed)) not in agreed:
            yield Finding("limit", f"wallet:{number} may pass its bill limit in a month for which nobody agreed")


def _wrong_sums(connection: Connection, known: dict[int, Spending], months: BillingMonths) -> Iterator[Finding]:
    month = max((spending.month for spending in known.values()), default=0)
    if not month:
        return
    start, end = months.bounds(month)
    since = connection.execute(select(func.max(marks.c.value)).where(marks.c.name == COUNTED_SINCE)).scalar()
    if since is not None and start < since:
        return
    booked, kept = _used(connection, start, end)
    for number, spending in known.items():
        charged, amount = spending.charged_in(month), booked.get(number, 0)
        if amount > charged or (kept and amount < charged):
            yield Finding(
                "spending", f"wallet:{number} says {charged} were charged in {period_of(month)}, its usage {amount}"
            )


def _used(connection: Connection, start: int, end: int) -> tuple[dict[int, int], bool]:
    """Sum what each line used of a time, in sealed months too; tell whether use of before is kept, so that none is missing."""
    sums = select(usage.c.subscriber_id, func.sum(usage.c.price)).group_by(usage.c.subscriber_id)
    in_month, booked = sums.where(usage.c.event_at >= start, usage.c.event_at < end), Counter[int]()
    with parts(connection, lambda month: month.usage.overlaps(start, end)) as found:
        for part in found:
            booked.update({number: int(amount) for number, amount in part.connection.execute(in_month)})
        oldest = connection.execute(select(func.min(usage.c.event_at))).scalar()
    sealed = any(
        month.usage.dropped_at is None and month.usage.overlaps(None, start) for month in sealed_months(connection)
    )
    return booked, sealed or (oldest is not None and int(oldest) < start)
