"""What wallets say of their lines' spending, held against the usage of the month and the decisions that customers took.

A limit that nobody decided, or a sum that usage does not come to, would let a customer be billed too much: `ledger check` names
the wallet. Sums are those of the latest month and of the one before; usage of these that was swept is not missed.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from gateway.balance.spending import (
    ABROAD,
    AGREED,
    BILL,
    NO_LIMIT,
    BillingMonths,
    Spending,
    decode,
    month_of,
    period_of,
)
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.ledger.checks.marks import COUNTED_SINCE
from gateway.rating.rate_keys import EMERGENCY, INCOMING, TOLL_FREE
from gateway.store.evidence import DAY_US
from gateway.store.releases import released
from gateway.store.sealed_months.parts import Part, parts, unreadable
from gateway.store.tables import bill_limits, erasures, fraud_cases, marks, usage, wallets

_LIMITS: Final = {BILL: "bill limit", ABROAD: "cap abroad"}
OPEN: Final = "open"
"""The state (fraud_cases.state) of a case that nobody has cleared yet."""


def wrong_spending(connection: Connection, months: BillingMonths) -> Iterator[Finding]:
    """Name wallets whose limits or sums are not what decisions and usage say; the first few of each."""
    rows = connection.execute(select(wallets.c.subscriber_id, wallets.c.spending).order_by(wallets.c.subscriber_id))
    known: dict[int, Spending] = {}
    for number, spent in rows:
        try:
            known[number] = decode(spent) if spent else Spending()
        except (msgspec.MsgspecError, TypeError):
            yield Finding("spending", f"wallet:{number} says what it spent in no words of a gateway")
    yield from islice(_wrong_limits(connection, known), SHOWN)
    yield from islice(_wrong_bars(connection, known), SHOWN)
    yield from islice(_wrong_sums(connection, known, months), SHOWN)


def _wrong_limits(connection: Connection, known: Mapping[int, Spending]) -> Iterator[Finding]:
    limits: dict[int, int] = {}
    of_months: dict[int, dict[int, int]] = {}
    said_so = select(bill_limits.c.what, bill_limits.c.subscriber_id, bill_limits.c.period)
    agreed = set(map(tuple, connection.execute(said_so.where(bill_limits.c.decision == AGREED))))
    decisions = select(bill_limits).where(bill_limits.c.what == BILL, bill_limits.c.decision != AGREED)
    for row in connection.execute(decisions.order_by(bill_limits.c.id)):
        if row.period:
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
        for what, month in ((BILL, spending.agreed), (ABROAD, spending.cap_agreed)):
            if month and (what, number, period_of(month)) not in agreed:
                yield Finding(
                    "limit", f"wallet:{number} may pass its {_LIMITS[what]} in a month for which nobody agreed"
                )


def _wrong_bars(connection: Connection, known: Mapping[int, Spending]) -> Iterator[Finding]:
    """Name wallets that no open case of fraud bars as they say."""
    own = fraud_cases.c
    bars = set(connection.scalars(select(own.subscriber_id).where(own.state == OPEN, own.barred == 1)))
    erased = set(connection.scalars(select(erasures.c.subscriber_id)))
    for number, spending in known.items():
        if spending.barred != (number in bars) and number not in erased:
            yield Finding(
                "limit", f"wallet:{number} is {'' if spending.barred else 'not '}barred, its cases of fraud say no"
            )


def _wrong_sums(connection: Connection, known: Mapping[int, Spending], months: BillingMonths) -> Iterator[Finding]:
    """Name wallets that say other sums than usage comes to, in the latest month of all and in the one before."""
    since = connection.execute(select(func.max(marks.c.value)).where(marks.c.name == COUNTED_SINCE)).scalar()
    with parts(connection) as every:
        readable = [part for part in every if part.month is None or unreadable(part) is None]
        month = max((spending.month for spending in known.values()), default=0)
        month = max(month, _latest(readable, months, since or 0))
        for each in (month, month - 1) if month else ():
            start, end = months.bounds(each)
            if since is None or start >= since:
                kept = len(readable) == len(every) and released(connection).usage_day < start // DAY_US
                yield from _wrong_month(known, each, _booked(readable, start, end), kept=kept)


def _latest(every: Sequence[Part], months: BillingMonths, since: int) -> int:
    """Return the month of the latest use that was charged and counted; 0 where there is none."""
    wanted = select(func.max(usage.c.event_at)).where(usage.c.price > 0, usage.c.event_at >= since)
    return max((months.number(at) for part in every if (at := part.connection.scalar(wanted)) is not None), default=0)


def _booked(every: Sequence[Part], start: int, end: int) -> dict[int, tuple[int, int]]:
    """Sum what lines were charged in a month, and how much of that abroad: by the key of a roaming zone's rate."""
    in_month = (usage.c.event_at >= start, usage.c.event_at < end)
    abroad = func.sum(case((_is_of_zone(), usage.c.price), else_=0))
    sums = select(usage.c.subscriber_id, func.sum(usage.c.price), abroad).where(*in_month)
    booked: dict[int, tuple[int, int]] = {}
    for part in every:
        if part.month is None or part.month.usage.overlaps(start, end):
            for number, amount, there in part.connection.execute(sums.group_by(usage.c.subscriber_id)):
                known = booked.get(number, (0, 0))
                booked[number] = (known[0] + int(amount), known[1] + int(there))
    return booked


def _is_of_zone() -> ColumnElement[bool]:
    """Write the condition that a rate key (rating.rate_keys) names a roaming zone: its second part is not empty."""
    key, kinds = usage.c.rate_key, ("", INCOMING, TOLL_FREE, EMERGENCY)
    return or_(*(and_(key.like(f"{kind}/%"), key.not_like(f"{kind}//%")) for kind in kinds))


def _wrong_month(
    known: Mapping[int, Spending], month: int, booked: Mapping[int, tuple[int, int]], *, kept: bool
) -> Iterator[Finding]:
    """Hold the sums of a month against its usage; where some of that may be gone (not `kept`), it is not missed."""
    for number, spending in known.items():
        found = booked.get(number, (0, 0))
        said = (spending.charged_in(month), spending.abroad_in(month))
        for where, charged, amount in zip(("", "abroad "), said, found, strict=True):
            if amount > charged or (kept and amount < charged):
                yield Finding(
                    "spending",
                    f"wallet:{number} says {charged} were charged {where}in {period_of(month)}, its usage {amount}",
                )
