"""Taxes that were added to months, computed again: each line's charges, the taxes of its place, and the entries of these."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from gateway.ledger.accounts import added_tax_account
from gateway.ledger.added_taxes import AddedTax, charged, end_of, lines_of, recorded, spans_of
from gateway.ledger.balances import account_names
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.checks.operator_zones import operator_zones
from gateway.ledger.tax_days import booked
from gateway.ledger.taxable import PlansByVersion, taxes_of
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.store.nodes import SPAN_BITS
from gateway.store.releases import released
from gateway.store.sealed_months.parts import Part
from gateway.store.tables import subscribers, tax_areas, transfers

CHECK: Final = "tax"
ENDED: Final = "terminated"
"""The status (subscribers.status) of a line that has ended: it is settled, and pays no more."""
ADDED, BACK = "added_tax", "added_tax_back"


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
        charges = _charges(connection, found, mine[0], trusted)
        for row in mine:
            what = f"added taxes of {row.period} of wallet:{row.subscriber_id} (row {row.id})"
            if charges is not None and charges.get(row.subscriber_id, 0) != row.charges:
                yield f"{what} are on {row.charges} micro-units, its charges come to {charges.get(row.subscriber_id, 0)}"
            if not (row.subscriber_id in ended and not row.lines) and not _are_right(connection, row, zones):
                yield f"{what} are not those of its place"
            yield from _wrong_entries(what, row, entries, names)
    known = {f"added-tax:{row.id}:{place}" for row in rows for place in range(len(row.lines))}
    for reference in sorted(entries.keys() - known):
        yield f"entry {entries[reference][0].id} adds a tax by {reference or 'nothing'}, which is no line's month"


def _month(row: AddedTax) -> tuple[str, str]:
    return row.period, _country(row)


def _country(row: AddedTax) -> str:
    return next(iter(row.versions), "")


def _charges(
    connection: Connection, found: Sequence[Part], row: AddedTax, trusted: Mapping[int, int]
) -> dict[int, int] | None:
    """Sum the charges of a month again; None where that is not asked, or usage whose retention is over may be gone."""
    spans = spans_of(booked(connection), row.period)
    if released(connection).usage_day >= 0 or all(upto <= trusted.get(upto >> SPAN_BITS, 0) for _, upto in spans):
        return None
    return charged(connection, found, PlansByVersion(connection), spans, _country(row))


def _are_right(connection: Connection, row: AddedTax, zones: Sequence[ZoneInfo]) -> bool:
    taxes, tax = taxes_of(connection, row.versions), PlanTax(Treatment.EXCLUSIVE, _country(row))
    a = tax_areas.c
    for ends_at in {end_of(row.period, zone) for zone in zones}:
        area = connection.execute(
            select(a.state, a.zip).where(a.subscriber_id == row.subscriber_id, a.valid_from <= ends_at)
            .order_by(a.valid_from.desc()).limit(1)
        ).one_or_none()  # fmt: skip
        if area is not None and tuple(area) == (row.area.state, row.area.zip):
            return lines_of(taxes, tax, row.area, row.charges, row.currency, ends_at) == row.lines
    return False


def _wrong_entries(
    what: str, row: AddedTax, entries: Mapping[str, list[Any]], names: Mapping[int, str]
) -> Iterator[str]:
    for place, line in enumerate(row.lines):
        account = added_tax_account(_country(row), row.area.state, line.kind)
        sides = (f"wallet:{row.subscriber_id}", account)
        wanted = (ADDED, *sides) if line.amount > 0 else (BACK, *reversed(sides))
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
        for entry in part.connection.execute(select(transfers).where(transfers.c.kind.in_((ADDED, BACK)))):
            by_reference.setdefault(entry.reference or "", []).append(entry)
    return by_reference
