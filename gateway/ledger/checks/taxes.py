"""Taxes, computed again: each day's sums from its entries, its tax from the sums of all days, and the entries that book it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final

from sqlalchemy import Connection, select

from gateway.ledger.accounts import vat_account
from gateway.ledger.balances import account_names
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.tax_days import TAX, TAX_BACK, TaxDay, booked, gross_before, tax_of
from gateway.ledger.taxable import PlansByVersion, Taxable, taxes_of
from gateway.store.nodes import SPAN_BITS
from gateway.store.releases import released
from gateway.store.sealed_months.parts import Part
from gateway.store.tables import transfers

CHECK: Final = "tax"


def taxes_right(books: Examined) -> Iterator[Finding]:
    """Name days whose tax is not that of their entries, and entries of tax that are of no day."""
    for detail in islice(wrong_taxes(books.connection, books.parts, books.trusted_upto()), SHOWN):
        yield Finding(CHECK, detail)


def wrong_taxes(connection: Connection, found: Sequence[Part], trusted: Mapping[int, int]) -> Iterator[str]:
    """Say what is wrong with taxes; `found` are the parts of the journal.

    Days up to the `trusted` number of their gateway are not summed again: their entries are as they were when that was checked.
    """
    days = booked(connection)
    entries, names = _entries(found), account_names(connection)
    plans = PlansByVersion(connection) if days else None
    gone = released(connection).usage_day >= 0
    for node, group in groupby(days, key=lambda day: day.node):
        before: list[TaxDay] = []
        for day in group:
            what = f"taxes of {day.day} of gateway {node} (row {day.id})"
            reached = before[-1].upto if before else node << SPAN_BITS
            if day.after != reached or day.upto < day.after or (before and day.day <= before[-1].day):
                yield f"{what} do not go on where the day before ended"
            assert plans is not None
            if day.upto > trusted.get(node, 0):
                taxable = Taxable(connection, found, plans, _table(connection, day))
                yield from _wrong_sums(what, day, taxable, gone=gone)
            if [each.tax for each in tax_of({each.key: each.gross for each in day.sums}, gross_before(before))] != [
                each.tax for each in day.sums
            ]:
                yield f"{what} are not what is within the sums of all days"
            yield from _wrong_entries(what, day, entries, names)
            before.append(day)
    known = {f"tax:{day.id}:{place}" for day in days for place, each in enumerate(day.sums) if each.tax}
    for reference in sorted(entries.keys() - known):
        yield f"entry {entries[reference][0].id} books a tax by {reference or 'nothing'}, which is no day's"


def _table(connection: Connection, day: TaxDay) -> Mapping[str, Any]:
    return taxes_of(connection, day.versions).table


def _wrong_sums(what: str, day: TaxDay, taxable: Taxable, *, gone: bool) -> Iterator[str]:
    """Sum the entries of a day again; where usage whose retention is over is gone, nobody knows its rates any more."""
    gross = taxable.gross(day.span)
    if taxable.unknown and gone:
        return
    said = {each.key: each.gross for each in day.sums}
    for key in sorted(gross.keys() | said.keys()):
        if gross.get(key, 0) != said.get(key, 0):
            account = vat_account(key.jurisdiction, key.rate)
            yield (
                f"{what} are of {said.get(key, 0)} {key.currency} micro-units at {account}, "
                f"its entries come to {gross.get(key, 0)}"
            )


def _wrong_entries(what: str, day: TaxDay, entries: Mapping[str, list[Any]], names: Mapping[int, str]) -> Iterator[str]:
    for place, each in enumerate(day.sums):
        mine = entries.get(f"tax:{day.id}:{place}", [])
        pair = (each.account, vat_account(each.jurisdiction, each.rate))
        wanted = (TAX, *pair) if each.tax > 0 else (TAX_BACK, *reversed(pair))
        booked_so = [
            (entry.kind, names.get(entry.debit), names.get(entry.credit), entry.amount, entry.currency)
            for entry in mine
        ]
        if booked_so != ([(*wanted, abs(each.tax), each.currency)] if each.tax else []):
            yield f"{what} say {each.tax} {each.currency} micro-units for {pair[1]}, the journal books otherwise"


def _entries(found: Sequence[Part]) -> dict[str, list[Any]]:
    """Return the entries of tax by their references."""
    by_reference: dict[str, list[Any]] = {}
    for part in found:
        for entry in part.connection.execute(select(transfers).where(transfers.c.kind.in_((TAX, TAX_BACK)))):
            by_reference.setdefault(entry.reference or "", []).append(entry)
    return by_reference
