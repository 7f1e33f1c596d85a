"""`ledger totals`: one month from what was reported to what stands in the journal, on one page that adds up.

A report is of the month of its use, whenever it came; the journal's month is that of booking. So charges are told both ways.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from gateway.ledger.account_names import REVENUE, SERVICE_CHARGES
from gateway.ledger.balances import account_names
from gateway.ledger.money import format_amount
from gateway.store.evidence import DAY_US
from gateway.store.releases import released
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import held_reports, transfers, usage

HELD: Final = {"open": "held for review", "dropped": "dropped in review"}
"""States of reports that no usage record was made of; one that was booked has a record."""
CHARGES: Final = ("charge", "service")
"""Kinds of entries that together are the price of a usage record, with what credit of the company paid of it."""
INCOME: Final = {REVENUE: "journal: revenue", SERVICE_CHARGES: "journal: service charges"}
BOOKED: Final = (
    ("sale", "journal: bundles sold", 1),
    ("rerated", "journal: prices put right", 1),
    ("reversal", "journal: prices put right", -1),
    ("absorbed", "journal: beyond customers' limits", 1),
    ("promotional", "journal: paid by credit of ours", 1),
    ("refund", "journal: given back", -1),
    ("promo_refund", "journal: given back", -1),
    ("pro_rata", "journal: given back", -1),
    ("tax", "journal: taxes within prices", -1),
    ("tax_back", "journal: taxes within prices", 1),
    ("accrual", "journal: tenths", 1),
    ("rerated_accrual", "journal: tenths", 1),
    ("accrual_reversal", "journal: tenths", -1),
)
"""Kinds of entries, the line that they count in, and whether they add to it."""
Counts = dict[tuple[str, str | None, str | None], list[int]]
"""By step, service and currency: how many, octets, seconds, units, and micro-units."""


class TotalsRow(msgspec.Struct, frozen=True):
    """A line of the page; `amount` in major units where the step has one."""

    step: str
    service: str | None
    currency: str | None
    count: int
    octets: int
    seconds: int
    units: int
    amount: str | None


class Totals(msgspec.Struct, frozen=True):
    """The page of a month, and what does not add up in it."""

    period: str
    rows: list[TotalsRow]
    differences: list[str]


STEPS: Final = (
    "reported",
    "held for review",
    "dropped in review",
    "rated",
    "covered or free",
    "priced",
    "charged",
    "charged, booked in the month",
    "charged, booked in another month",
    "journal: charges of this month's use",
    "journal: charges of other months' use",
    "journal: bundles sold",
    "journal: prices put right",
    "journal: beyond customers' limits",
    "journal: paid by credit of ours",
    "journal: given back",
    "journal: taxes within prices",
    "journal: revenue",
    "journal: service charges",
    "journal: tenths",
)
"""The lines in their order: `reported` is what was held, dropped and rated; `rated` what was covered and priced; `charged` is
what was priced, and all that was charged and sold in the month, less what was given back and its taxes, is its revenue and
service charges."""


def totals(connection: Connection, period: str, since: int, until: int) -> Totals:
    """Make the page of a month that begins at `since` and ends before `until`, UTC microseconds."""
    found: Counts = {}
    income = {number: step for number, name in account_names(connection).items() if (step := INCOME.get(name))}
    with parts(connection) as every:
        for part in every:
            _add(found, _usage(part.connection, since, until))
            _add(found, _charges(part.connection, since, until))
            _add(found, _booked(part.connection, since, until, income))
    _add(found, _held(connection, since, until))
    gone = since // DAY_US <= released(connection).usage_day
    rows = [_row(*key, *found[key]) for key in sorted(found, key=_place)]
    return Totals(period, rows, list(_differences(found, usage_is_gone=gone)))


def _place(key: tuple[str, str | None, str | None]) -> tuple[int, str, str]:
    step, service, currency = key
    return STEPS.index(step), currency or "", service or ""


def _row(step: str, service: str | None, currency: str | None, *counts: int) -> TotalsRow:
    count, octets, seconds, units, amount = counts
    return TotalsRow(
        step,
        service,
        currency,
        count,
        octets,
        seconds,
        units,
        None if currency is None else format_amount(amount, currency),
    )


def _add(found: Counts, more: Iterator[tuple[str, str | None, str | None, list[int]]]) -> None:
    for step, service, currency, counts in more:
        known = found.setdefault((step, service, currency), [0] * 5)
        for i, value in enumerate(counts):
            known[i] += value


Line = tuple[str, str | None, str | None, list[int]]


def _usage(connection: Connection, since: int, until: int) -> Iterator[Line]:
    """Sum the usage of the month by service; a record without a price was covered by an allowance, or is free."""
    priced = case((usage.c.price != 0, 1), else_=0)
    group = (usage.c.service, usage.c.currency, priced)
    sums = [func.sum(column) for column in (usage.c.octets, usage.c.seconds, usage.c.units, usage.c.price)]
    of_month = and_(usage.c.event_at >= since, usage.c.event_at < until)
    for service, currency, has_price, *counts in connection.execute(
        select(*group, func.count(), *sums).where(of_month).group_by(*group)
    ):
        numbers = [int(count) for count in counts]
        yield "rated", service, currency, numbers
        yield ("priced" if has_price else "covered or free"), service, currency, numbers
        yield "reported", service, None, [*numbers[:4], 0]


def _held(connection: Connection, since: int, until: int) -> Iterator[Line]:
    of_month = (held_reports.c.event_at >= since, held_reports.c.event_at < until)
    columns = (
        held_reports.c.state,
        held_reports.c.service,
        held_reports.c.octets,
        held_reports.c.seconds,
        held_reports.c.units,
    )
    for state, service, *units in connection.execute(select(*columns).where(*of_month, held_reports.c.state.in_(HELD))):
        counts = [1, *map(int, units), 0]  # each may be any Unsigned64, as text
        yield HELD[state], service, None, counts
        yield "reported", service, None, counts


def _summed(connection: Connection, split: ColumnElement[Any], *conditions: ColumnElement[bool]) -> Iterator[Any]:
    group = (split, transfers.c.currency)
    wanted = select(*group, func.count(), func.sum(transfers.c.amount)).where(*conditions).group_by(*group)
    for found, currency, count, amount in connection.execute(wanted):
        yield found, currency, [int(count), 0, 0, 0, int(amount)]


def _is_charge() -> ColumnElement[bool]:
    """Whether an entry is of a usage record's price; credit of the company pays for bundles, too."""
    by_credit = and_(transfers.c.kind == "promotional", transfers.c.usage_id.is_not(None))
    return or_(transfers.c.kind.in_(CHARGES), by_credit)


def _charges(connection: Connection, since: int, until: int) -> Iterator[Line]:
    """Sum the charges of the month's use, wherever they were booked."""
    in_month = case((and_(transfers.c.at >= since, transfers.c.at < until), 1), else_=0)
    used = (transfers.c.event_at >= since, transfers.c.event_at < until)
    for here, currency, counts in _summed(connection, in_month, _is_charge(), *used):
        yield "charged", None, currency, counts
        yield f"charged, booked in {'the' if here else 'another'} month", None, currency, counts


def _booked(connection: Connection, since: int, until: int, income: Mapping[int, str]) -> Iterator[Line]:
    """Sum what the journal of the month has: charges, sales, tenths, and what the accounts of income were moved by."""
    booked = (transfers.c.at >= since, transfers.c.at < until)
    used = case((and_(transfers.c.event_at >= since, transfers.c.event_at < until), 1), else_=0)
    for here, currency, counts in _summed(connection, used, _is_charge(), *booked):
        yield STEPS[9 if here else 10], None, currency, counts
    for kind, step, sign in BOOKED:
        of_kind = and_(transfers.c.kind == kind, ~_is_charge())
        for _, currency, counts in _summed(connection, transfers.c.kind, of_kind, *booked):
            yield step, None, currency, [counts[0], 0, 0, 0, sign * counts[4]]
    for side, sign in ((transfers.c.credit, 1), (transfers.c.debit, -1)):
        for number, currency, counts in _summed(connection, side, side.in_(income), *booked):
            yield income[number], None, currency, [counts[0], 0, 0, 0, sign * counts[4]]


def _differences(found: Counts, *, usage_is_gone: bool) -> Iterator[str]:
    """Say which steps do not lead to the next one."""
    amounts = _amounts(found)
    for currency in sorted({currency for _, currency in amounts}):

        def amount(step: str, of: str = currency) -> int:
            return amounts.get((step, of), 0)

        compared = [
            ("charged", amount("charged"), "booked in the month and in others", amount(STEPS[7]) + amount(STEPS[8])),
            ("charged and booked in the month", amount(STEPS[7]), "the journal's charges of its use", amount(STEPS[9])),
            (
                "income",
                sum(map(amount, INCOME.values())),
                "what was charged, sold, given back and taxed",
                sum(map(amount, STEPS[9:17])),
            ),
        ]
        if not usage_is_gone:
            compared.insert(0, ("priced", amount("priced"), "charged", amount("charged")))
        for one, value, other, wanted in compared:
            if value != wanted:
                yield f"{currency}: {one} is {value} micro-units, {other} {wanted}"


def _amounts(found: Counts) -> Mapping[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = {}
    for (step, _, currency), counts in found.items():
        if currency is not None:
            sums[step, currency] = sums.get((step, currency), 0) + counts[4]
    return sums
