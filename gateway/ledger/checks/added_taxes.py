"""Taxes that were added to months, computed again: each line's charges, the taxes of its place, and the entries of these."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.ledger.accounts import added_tax_account
from gateway.ledger.added_taxes import ADDED, AddedTax, Places, charged, end_of, recorded, spans_of
from gateway.ledger.balances import account_names
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.checks.operator_zones import operator_zones
from gateway.ledger.money import minor_unit
from gateway.ledger.tax_days import booked
from gateway.ledger.taxable import Charges, PlansByVersion, TaxVersions, taxes_of
from gateway.rating.taxes import AddedTax as Tax
from gateway.rating.taxes import TaxedCharges, TaxLine, tax_lines
from gateway.store.nodes import SPAN_BITS
from gateway.store.releases import released
from gateway.store.sealed_months.parts import Part
from gateway.store.tables import subscribers, transfers

CHECK: Final = "tax"
ENDED: Final = "terminated"
"""The status (subscribers.status) of a line that has ended: it is settled, and pays no more."""


def added_taxes_right(books: Examined) -> Iterator[Finding]:
    """Name lines' months whose added taxes are not those of their charges, and entries of such taxes that are of no month."""
    for detail in islice(wrong_added_taxes(books.connection, books.parts, books.trusted_upto()), SHOWN):
        yield Finding(CHECK, detail)


def wrong_added_taxes(connection: Connection, found: Sequence[Part], trusted: Mapping[int, int]) -> Iterator[str]:
    """Say what is wrong with added taxes; `found` are the parts of the journal.

    Months up to the `trusted` numbers of their gateways are not summed again.
    """
    rows, entries = list(recorded(connection)), _entries(found)
    names, zones = account_names(connection), operator_zones(connection)
    ended = set(connection.scalars(select(subscribers.c.id).where(subscribers.c.status == ENDED))) if rows else set()
    for _, month in groupby(sorted(rows, key=_month), key=_month):
        mine = list(month)
        first, taxes = mine[0], taxes_of(connection, mine[0].versions)
        again = [
            _Again(connection, found, first, taxes, end_of(first.period, zone), trusted)
            for zone in dict.fromkeys(zones)
        ]
        for row in mine:
            what = f"added taxes of {row.period} of wallet:{row.subscriber_id} (row {row.id})"
            wrong = again[0].wrong_charges(row) if again else None
            if wrong is not None:
                yield f"{what} are on {row.charges} micro-units, its charges come to {wrong}"
            settled = row.subscriber_id in ended and not row.lines
            if not settled and not any(each.is_right(row) for each in again):
                yield f"{what} are not those of its place"
            yield from _wrong_entries(what, row, entries, names)
    known = {f"added-tax:{row.id}:{place}" for row in rows for place in range(len(row.lines))}
    for reference in sorted(entries.keys() - known):
        yield f"entry {entries[reference][0].id} adds a tax by {reference or 'nothing'}, which is no line's month"


def _month(row: AddedTax) -> tuple[str, list[tuple[str, int]]]:
    """Rows of one month are computed by the same taxes, as long as nothing changed while several gateways booked it."""
    return row.period, sorted(row.versions.items())


def _country(row: AddedTax) -> str:
    return next(iter(row.versions), "")


class _Again:
    """A month computed again, as one that ends at a time."""

    def __init__(
        self,
        connection: Connection,
        found: Sequence[Part],
        row: AddedTax,
        taxes: TaxVersions,
        ends_at: int,
        trusted: Mapping[int, int],
    ) -> None:
        self._ends_at, self._charges, self._places = ends_at, None, None
        if _country(row) not in taxes.table:
            return
        self._places = Places(connection, taxes, _country(row), ends_at)
        self._listed = [each for listed in taxes.table[_country(row)].added.values() for each in listed]
        self._charges = self._charged(connection, found, row.period, trusted)

    def _charged(
        self, connection: Connection, found: Sequence[Part], period: str, trusted: Mapping[int, int]
    ) -> Charges | None:
        """Sum the charges again; None where that is not asked, or usage whose retention is over may be gone."""
        spans = spans_of(booked(connection), period)
        is_trusted = all(upto <= trusted.get(upto >> SPAN_BITS, 0) for _, upto in spans)
        if self._places is None or released(connection).usage_day >= 0 or is_trusted:
            return None
        return charged(connection, found, PlansByVersion(connection), spans, self._places)

    def wrong_charges(self, row: AddedTax) -> int | None:
        """Return what a row's charges come to where that is not what it says."""
        if self._charges is None:
            return None
        amount = sum(self._charges.get(row.subscriber_id, {}).values())
        return amount if amount != row.charges else None

    def is_right(self, row: AddedTax) -> bool:
        """Return whether a row's taxes are those of its place, as they are booked now, or were before each had its own time."""
        places, owner = self._places, row.subscriber_id
        if places is None or places.area_at(owner, self._ends_at) != row.area:
            return False
        if self._charges is not None and row.lines == places.lines(owner, self._charges.get(owner, {}), self._ends_at):
            return True
        at_its_end = places.lines(owner, {places.periods.of(owner, self._ends_at): row.charges}, self._ends_at)
        if row.lines == [msgspec.structs.replace(line, rate=0) for line in at_its_end]:
            return True
        return self._charges is None and all(self._follows(line, places.currency) for line in row.lines)

    def _follows(self, line: TaxLine, currency: str) -> bool:
        """Return whether a line is what some tax comes to of what it says that it is on."""
        return any(
            each.on_taxes or any(line.amount == found.amount for found in _alone(each, line.base, currency))
            for each in self._listed
            if (each.name, each.kind, each.rate) == (line.name, line.kind, line.rate)
        )


def _alone(tax: Tax, base: int, currency: str) -> list[TaxLine]:
    return tax_lines([TaxedCharges([tax], base)], unit=minor_unit(currency))


def _wrong_entries(
    what: str, row: AddedTax, entries: Mapping[str, list[Any]], names: Mapping[int, str]
) -> Iterator[str]:
    for place, line in enumerate(row.lines):
        account = added_tax_account(_country(row), line.state or row.area.state, line.kind)
        sides = (f"wallet:{row.subscriber_id}", account)
        wanted = (ADDED[0], *sides) if line.amount > 0 else (ADDED[1], *reversed(sides))
        booked_so = [
            (entry.kind, _name(entry.debit, names), _name(entry.credit, names), entry.amount)
            for entry in entries.get(f"added-tax:{row.id}:{place}", [])
        ]
        if booked_so != [(*wanted, abs(line.amount))]:
            yield f"{what} say {line.amount} micro-units for {account}, the journal books otherwise"


def _name(number: int, names: Mapping[int, str]) -> str:
    return names.get(number, f"wallet:{number}")


def _entries(found: Sequence[Part]) -> dict[str, list[Any]]:
    by_reference: dict[str, list[Any]] = {}
    for part in found:
        for entry in part.connection.execute(select(transfers).where(transfers.c.kind.in_(ADDED))):
            by_reference.setdefault(entry.reference or "", []).append(entry)
    return by_reference
