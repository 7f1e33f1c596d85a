"""Taxes that are added to what lines were charged in a month, by where each is: what it comes to, and the rows that say so.

A month is that of the operator's days (ledger.tax_days): what was booked in it, whenever it was used, by whichever gateway. A
tax on charges is that of the time and place of each: one whose rate changes within the month, or a line that moves, has a line
for each. Fees a month are those in force at its end, where the line is then. What a line used before anybody said where it is
counts where it was first said to be. A line of which nobody knows where it is has none, and is counted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

import msgspec
from sqlalchemy import Connection, and_, func, select

from gateway.ledger.money import minor_unit
from gateway.ledger.tax_days import MICROSECONDS, SETTLED_US, TaxDay, booked, due_day
from gateway.ledger.taxable import (
    Charges,
    Periods,
    PlansByVersion,
    Span,
    Taxable,
    TaxVersions,
    latest_taxes,
)
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.taxes import TaxArea, TaxedCharges, TaxLine, added_taxes, knows, tax_lines
from gateway.store import tables
from gateway.store.nodes import in_shard
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.tables import nodes, subscriptions, tax_areas

ADDED: Final = ("added_tax", "added_tax_back")
"""The kinds of the entries: what is asked for, and what is given back."""
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


def reference_of_entry(reference: str | None) -> tuple[int, int]:
    """Read the reference of an entry of such a tax: the number of its row, and which of the row's taxes it is."""
    _, number, place = (reference or "::").split(":")
    return int(number or 0), int(place or 0)


def recorded(connection: Connection, numbers: Iterable[int] | None = None) -> Iterator[AddedTax]:
    """Return the rows of lines, those of some numbers or all, by month."""
    row = tables.added_taxes.c
    wanted = select(tables.added_taxes).where(row.subscriber_id != DONE).order_by(row.node, row.period, row.id)
    for each in connection.execute(wanted if numbers is None else wanted.where(row.id.in_(list(numbers)))):
        yield AddedTax(
            each.id, each.node, each.period, each.subscriber_id, each.currency, each.charges, each.plan,
            TaxArea(each.state, each.zip), _versions(each.versions), _lines(each.lines),
        )  # fmt: skip


def due_month(connection: Connection, node: int, zone: tzinfo, now: int) -> AddedMonth | None:
    """Return the first month whose days are booked, by every gateway, and whose taxes are not added to a shard's lines yet.

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
    """Return the last microsecond of a month by the clocks of a zone."""
    following = (date.fromisoformat(f"{period}-01") + timedelta(days=31)).replace(day=1)
    begins = datetime.combine(following, datetime.min.time(), tzinfo=zone)
    return int(begins.astimezone(UTC).timestamp()) * MICROSECONDS - 1


def spans_of(days: Sequence[TaxDay], period: str) -> list[Span]:
    """Return the entries of a month: of each gateway from the first of its days to the last."""
    found: dict[int, Span] = {}
    for day in days:
        if day.day.startswith(period):
            found[day.node] = (found.get(day.node, day.span)[0], day.upto)
    return list(found.values())


class Places:
    """Where lines are taxed over time, and into which periods that and the rates of a country divide what they are charged."""

    def __init__(self, connection: Connection, taxes: TaxVersions, country: str, upto: int) -> None:
        """Read the areas that were told up to a time (microseconds)."""
        self.country, self._taxes, self._tax = country, taxes, PlanTax(Treatment.EXCLUSIVE, country)
        self.currency = taxes.table[country].currency
        self._areas: dict[int, list[tuple[int, TaxArea]]] = {}
        a = tax_areas.c
        told = select(a.subscriber_id, a.valid_from, a.state, a.zip).where(a.valid_from <= upto)
        for owner, valid_from, state, zip_code in connection.execute(
            told.order_by(a.subscriber_id, a.valid_from, a.id)
        ):
            self._areas.setdefault(owner, []).append((valid_from, TaxArea(state, zip_code)))
        every = (each.valid_from for listed in taxes.table[country].added.values() for each in listed)
        common = sorted({valid_from for valid_from in every if valid_from <= upto})
        moved = {owner: [at for at, _ in areas[1:]] for owner, areas in self._areas.items() if len(areas) > 1}
        own = {owner: sorted({*common, *moves}) for owner, moves in moved.items()}
        self.periods = Periods(common, own)

    def area_at(self, owner: int, at: int) -> TaxArea | None:
        """Return where a line is taxed at a time; before the first place that was told, there."""
        areas = self._areas.get(owner, [])
        return next((area for valid_from, area in reversed(areas) if valid_from <= at), areas[0][1] if areas else None)

    def is_known(self, owner: int, charges: Mapping[int, int], at: int) -> bool:
        """Return whether it is known where a line is at a time, and was in each of its periods with charges."""
        times = [at, *(self.periods.begin(owner, place) for place, amount in charges.items() if amount)]
        areas = [self.area_at(owner, each) for each in times]
        return all(area is not None and knows(self._taxes.table, self._tax, area) for area in areas)

    def lines(self, owner: int, charges: Mapping[int, int], at: int) -> list[TaxLine]:
        """Return the taxes on what a line was charged in a month that ends at a time; none where its place is unknown."""
        here = self.area_at(owner, at)
        parts = []
        for when, amount in (
            *((self.periods.begin(owner, place), each) for place, each in sorted(charges.items())),
            (at, 0),
        ):
            area = self.area_at(owner, when)
            if area is not None and here is not None and knows(self._taxes.table, self._tax, area):
                state = "" if area.state == here.state else area.state
                parts.append(TaxedCharges(added_taxes(self._taxes.table, self._tax, area, when), amount, state))
            else:
                parts.append(TaxedCharges((), amount))
        return tax_lines(parts, unit=minor_unit(self.currency))


def charged(
    connection: Connection, found: Sequence[Part], plans: PlansByVersion, spans: Iterable[Span], places: Places
) -> Charges:
    """Sum by line and period what was charged in spans to whose prices a country's taxes are added."""
    reader, sums = Taxable(connection, found, plans, {}), Charges()
    for span in spans:
        for owner, by_period in reader.charges(span, places.country, places.periods).items():
            mine = sums.setdefault(owner, {})
            for place, amount in by_period.items():
                mine[place] = mine.get(place, 0) + amount
    return sums


def _month(
    connection: Connection, node: int, period: str, ends_at: int, days: Sequence[TaxDay], taxes: TaxVersions
) -> AddedMonth:
    plans, rows, unknown = PlansByVersion(connection), [], 0
    for country in sorted(name for name, each in taxes.table.items() if each.added):
        places = Places(connection, taxes, country, ends_at)
        with parts(connection) as found:
            charges = charged(connection, found, plans, spans_of(days, period), places)
        for owner, plan in _lines_on(connection, node, plans.exclusive_plans(country), ends_at, set(charges)):
            mine, area = charges.get(owner, {}), places.area_at(owner, ends_at)
            unknown += not places.is_known(owner, mine, ends_at)
            lines = places.lines(owner, mine, ends_at)
            if area is not None and (lines or places.is_known(owner, {}, ends_at)):
                numbers = {country: taxes.numbers[country]}
                amount = sum(mine.values())
                rows.append(AddedTax(0, node, period, owner, places.currency, amount, plan, area, numbers, lines))
    return AddedMonth(node, period, ends_at, rows, unknown)


def _lines_on(
    connection: Connection, node: int, plans: Iterable[str], at: int, also: set[int]
) -> Iterator[tuple[int, str]]:
    """Return the lines of a shard that stood on some plans at a time, or were charged by them, each with its plan then."""
    names, s = set(plans), subscriptions.c
    latest = (
        select(s.subscriber_id, func.max(s.valid_from).label("since"))
        .where(s.valid_from <= at, *in_shard(s.subscriber_id, node))
        .group_by(s.subscriber_id)
        .subquery()
    )
    same = and_(s.subscriber_id == latest.c.subscriber_id, s.valid_from == latest.c.since)
    standing = select(s.subscriber_id, s.plan).join_from(subscriptions, latest, same).order_by(s.subscriber_id)
    for owner, plan in connection.execute(standing):
        if plan in names or owner in also:
            yield owner, plan
