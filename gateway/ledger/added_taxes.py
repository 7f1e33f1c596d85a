"""Taxes that are added to what lines were charged in a month, by where each is: what it comes to, and the rows that say so.

A month is that of the operator's days (ledger.tax_days): what was booked in it, whenever it was used, by whichever gateway. Its
taxes are those that are in force at its end, where the line is then. A line of which nobody knows where it is has none, and is
counted.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, and_, func, select

from gateway.ledger.money import minor_unit
from gateway.ledger.tax_days import MICROSECONDS, SETTLED_US, TaxDay, booked, due_day
from gateway.ledger.taxable import PlansByVersion, Span, Taxable, TaxVersions, latest_taxes
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.taxes import TaxArea, TaxLine, added_taxes, knows, tax_lines
from gateway.store import tables
from gateway.store.nodes import in_shard
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.tables import nodes, subscriptions, tax_areas

DONE: Final = 0
"""The subscriber of the row that says that a month is done."""


class AddedTax(msgspec.Struct, frozen=True):
    """A row of `added_taxes`: a line's month; `id` is 0 before it is booked. `charges` are micro-units."""

    id: int
    node: int
    period: str
    subscriber_id: int
    currency: str
    charges: int
    plan: str
    area: TaxArea
    versions: dict[str, int]
    lines: list[TaxLine]


class AddedMonth(msgspec.Struct, frozen=True):
    """A month of a shard that is over: what is to be booked, its last moment (microseconds), and lines of unknown places."""

    node: int
    period: str
    ends_at: int
    rows: list[AddedTax]
    unknown: int


_lines: Final = msgspec.json.Decoder(list[TaxLine]).decode
_versions: Final = msgspec.json.Decoder(dict[str, int]).decode


def recorded(connection: Connection, node: int | None = None) -> Iterator[AddedTax]:
    """Give the rows of lines, of a shard or of all, by month."""
    row = tables.added_taxes.c
    wanted = select(tables.added_taxes).where(row.subscriber_id != DONE).order_by(row.node, row.period, row.id)
    for each in connection.execute(wanted if node is None else wanted.where(row.node == node)):
        yield AddedTax(
            each.id, each.node, each.period, each.subscriber_id, each.currency, each.charges, each.plan,
            TaxArea(each.state, each.zip), _versions(each.versions), _lines(each.lines),
        )  # fmt: skip


def due_month(connection: Connection, node: int, zone: tzinfo, now: int) -> AddedMonth | None:
    """Give the first month whose days are booked, by every gateway, and whose taxes are not added to a shard's lines yet.

    None where there is none.
    """
    taxes = latest_taxes(connection)
    if not any(each.added for each in taxes.table.values()):
        return None
    days, row = booked(connection), tables.added_taxes.c
    done = set(connection.scalars(select(row.period).where(row.node == node, row.subscriber_id == DONE)))
    this = datetime.fromtimestamp((now - SETTLED_US) // MICROSECONDS, zone).strftime("%Y-%m")
    open_ = sorted(period for period in {day.day[:7] for day in days} - done if period < this)
    every = connection.scalars(select(nodes.c.id)).all()
    if not open_ or any(due_day(connection, each, zone, now) is not None for each in every):
        return None
    return _month(connection, node, open_[0], end_of(open_[0], zone), days, taxes)


def end_of(period: str, zone: tzinfo) -> int:
    """Give the last microsecond of a month by the clocks of a zone."""
    following = (date.fromisoformat(f"{period}-01") + timedelta(days=31)).replace(day=1)
    begins = datetime.combine(following, datetime.min.time(), tzinfo=zone)
    return int(begins.astimezone(UTC).timestamp()) * MICROSECONDS - 1


def spans_of(days: Sequence[TaxDay], period: str) -> list[Span]:
    """Give the entries of a month: of each gateway from the first of its days to the last."""
    found: dict[int, Span] = {}
    for day in days:
        if day.day.startswith(period):
            found[day.node] = (found.get(day.node, day.span)[0], day.upto)
    return list(found.values())


def lines_of(taxes: TaxVersions, tax: PlanTax, area: TaxArea, charges: int, currency: str, at: int) -> list[TaxLine]:
    """Give the taxes on what a line was charged in a month, by those in force at a time."""
    return tax_lines(added_taxes(taxes.table, tax, area, at), charges, unit=minor_unit(currency))


def charged(
    connection: Connection, found: Sequence[Part], plans: PlansByVersion, spans: Iterable[Span], country: str
) -> dict[int, int]:
    """Sum by line what was charged in spans to whose prices a country's taxes are added."""
    reader, sums = Taxable(connection, found, plans, {}), dict[int, int]()
    for span in spans:
        for subscriber_id, amount in reader.charges(span, country).items():
            sums[subscriber_id] = sums.get(subscriber_id, 0) + amount
    return sums


def _month(
    connection: Connection, node: int, period: str, ends_at: int, days: Sequence[TaxDay], taxes: TaxVersions
) -> AddedMonth:
    plans, rows, unknown = PlansByVersion(connection), [], 0
    for country in sorted(name for name, each in taxes.table.items() if each.added):
        tax = PlanTax(Treatment.EXCLUSIVE, country)
        currency = taxes.table[country].currency
        with parts(connection) as found:
            charges = charged(connection, found, plans, spans_of(days, period), country)
        for line in _lines_on(connection, node, plans.exclusive_plans(country), ends_at, set(charges)):
            area = None if line.state is None else TaxArea(line.state, line.zip)
            if area is None or not knows(taxes.table, tax, area):
                unknown += 1
                continue
            amount = charges.get(line.subscriber_id, 0)
            found_lines = lines_of(taxes, tax, area, amount, currency, ends_at)
            numbers = {country: taxes.numbers[country]}
            rows.append(
                AddedTax(0, node, period, line.subscriber_id, currency, amount, line.plan, area, numbers, found_lines)
            )
    return AddedMonth(node, period, ends_at, rows, unknown)


def _lines_on(connection: Connection, node: int, plans: Iterable[str], at: int, also: set[int]) -> Iterator[Any]:
    """Give the lines of a shard that stood on some plans at a time, or were charged by them, each with its area then."""
    names = set(plans)
    for line in connection.execute(_standing(node, at)):
        if line.plan in names or line.subscriber_id in also:
            yield line


def _standing(node: int, at: int) -> Select[Any]:
    s, a = subscriptions.c, tax_areas.c
    latest = (
        select(s.subscriber_id, func.max(s.valid_from).label("since"))
        .where(s.valid_from <= at, *in_shard(s.subscriber_id, node))
        .group_by(s.subscriber_id)
        .subquery()
    )
    last = (
        select(a.subscriber_id, func.max(a.valid_from).label("since"))
        .where(a.valid_from <= at)
        .group_by(a.subscriber_id)
    ).subquery()
    same = and_(s.subscriber_id == latest.c.subscriber_id, s.valid_from == latest.c.since)
    there = and_(a.subscriber_id == last.c.subscriber_id, a.valid_from == last.c.since)
    return (
        select(s.subscriber_id, s.plan, a.state, a.zip)
        .join_from(subscriptions, latest, same)
        .join(last, last.c.subscriber_id == s.subscriber_id, isouter=True)
        .join(tax_areas, there, isouter=True)
        .order_by(s.subscriber_id)
    )
