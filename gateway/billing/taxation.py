"""The taxes that bills tell of: within each price by the version of its plan and the rate of its tax point, and on top of it.

They are found as the tax of a day is (ledger.taxable), so that what bills say was charged at a rate is what its tax was booked
of; who has another plan by the end of the month changes nothing of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from gateway.billing.content import Added, Taxed, added_up
from gateway.ledger.added_taxes import ADDED, due_month, recorded, reference_of_entry
from gateway.ledger.tax_days import SETTLED_US, booked, due_day
from gateway.ledger.taxable import (
    OTHERS,
    SOME,
    USE,
    PlansByVersion,
    Rate,
    Span,
    Taxable,
    latest_taxes,
    taxes_of,
)
from gateway.rating.plan_taxes import Treatment
from gateway.rating.taxes import FEDERAL, TaxTable
from gateway.settings import Settings
from gateway.store.sealed_months.parts import Part
from gateway.store.tables import nodes


def taxes_within(connection: Connection, found: Sequence[Part]) -> Taxable | None:
    """Return what finds the taxes within prices; None where no plan ever said that it has any."""
    plans = PlansByVersion(connection)
    if plans.taxed_from is None:
        return None
    table = latest_taxes(connection).table
    return Taxable(connection, found, plans, table, _booked_otherwise(connection, table))


def _booked_otherwise(connection: Connection, latest: TaxTable) -> list[tuple[Span, TaxTable]]:
    """Return the days whose tax was booked by other rates than those in force: a change that was told of late."""
    found: list[tuple[Span, TaxTable]] = []
    known: dict[tuple[tuple[str, int], ...], TaxTable] = {}
    for day in booked(connection):
        numbers = tuple(sorted(day.versions.items()))
        if numbers not in known:
            known[numbers] = taxes_of(connection, day.versions).table
        table = known[numbers]
        if {name: each.rates for name, each in table.items()} == {name: each.rates for name, each in latest.items()}:
            continue
        goes_on = found and found[-1][0][1] == day.after and found[-1][1] is table
        found[-1:] = [((found[-1][0][0], day.upto), table)] if goes_on else [*found[-1:], (day.span, table)]
    return found


def rates_of(taxes: Taxable, rows: Iterable[Any]) -> dict[int, Rate]:
    """Return the rates of entries (ledger.taxable.BOOKED) by their numbers; those without tax are left out."""
    found, every = {}, iter(rows)
    while some := list(islice(every, SOME)):
        for row, tax, at in taxes.points(some):
            rate = taxes.rate_of(tax, at, taxes.table_of(row.id))
            if rate is not None:
                found[row.id] = rate
    return found


def components_of(connection: Connection, rows: Iterable[Any]) -> dict[int, Added]:
    """Return which tax on top of prices each entry of one is (ledger.taxable.BOOKED), by their numbers."""
    found, every = {}, iter(rows)
    while some := list(islice(every, SOME)):
        places = {row.id: reference_of_entry(row.reference) for row in some}
        of = {each.id: each for each in recorded(connection, numbers={number for number, _ in places.values()})}
        for row in some:
            number, place = places[row.id]
            if number in of and place < len(of[number].lines):
                line = of[number].lines[place]
                state = "" if line.kind == FEDERAL else line.state or of[number].area.state
                signed = -row.amount if line.amount > 0 else row.amount
                found[row.id] = Added(line.name, line.kind, state, line.rate, line.base, signed)
    return found


class TaxSums:
    """Sums what a line was charged at each rate, tax included, and what was given back to it."""

    def __init__(self, taxes: Taxable | None, rates: Mapping[int, Rate], components: Mapping[int, Added]) -> None:
        """Take what knows the rates of use, those of other entries, and which taxes on top of prices were entries."""
        self._taxes, self._rates, self._components = taxes, rates, components
        self._added: list[Added] = []
        self._charged: dict[Rate, int] = {}
        self._credited: dict[Rate, int] = {}

    def add_use(self, row: Any) -> None:  # noqa: ANN401  (a row)
        """Add charges of one kind that were made by one version of a plan."""
        if self._taxes is None or row.kind not in USE or row.version is None:
            return
        rate = self._taxes.rate_of_use(row.version, row.band, row.by_table)
        if rate is not None:
            self._charged[rate] = self._charged.get(rate, 0) - int(row.amount)

    def add_booked(self, row: Any) -> None:  # noqa: ANN401  (a row)
        """Add an entry that is not of use, or corrects it, or is a tax on top of prices."""
        if row.kind in ADDED:
            self._added += [self._components[row.id]] if row.id in self._components else []
            return
        rate, sign = self._rates.get(row.id), OTHERS[row.kind]
        if rate is not None:
            sums = self._charged if sign > 0 else self._credited
            sums[rate] = sums.get(rate, 0) + sign * row.amount

    def charged(self) -> list[Taxed]:
        """Return what was charged at each rate."""
        return _sums(self._charged)

    def credited(self) -> list[Taxed]:
        """Return what was given back at each rate, below zero."""
        return _sums(self._credited)

    def added(self) -> list[Added]:
        """Return the taxes on top of prices."""
        return added_up(self._added)


def _sums(found: dict[Rate, int]) -> list[Taxed]:
    return [Taxed(*rate, amount) for rate, amount in sorted(found.items()) if amount]


def awaits_taxes(connection: Connection, settings: Settings, period: str, zone: tzinfo, now: int) -> bool:
    """Return whether taxes that are added to what lines were charged until the end of a month are still to be booked.

    They are entries of that month, and so on its bills, if these are made after them. Until each day of the month is booked
    nobody knows what they come to; a month that ended within the last minute has days that cannot be booked yet.
    """
    plans = settings.plans.values()
    if not any(plan.tax is not None and plan.tax.treatment is Treatment.EXCLUSIVE for plan in plans):
        return False
    every, settled = connection.scalars(select(nodes.c.id)).all(), now + SETTLED_US
    days = (due_day(connection, node, zone, settled) for node in every)
    if any(day is not None and day.day[:7] <= period for day in days):
        return True
    months = (due_month(connection, node, zone, settled) for node in every)
    return any(month is not None and month.period <= period and bool(month.rows) for month in months)
