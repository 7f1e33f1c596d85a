"""`ledger tax`: what a month owes of taxes within prices, by rate, as a return asks for it: with tax, without, and the tax."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, func, select

from gateway.ledger.account_names import BREAKAGE, BREAKAGE_VAT
from gateway.ledger.accounts import vat_account
from gateway.ledger.money import format_amount
from gateway.ledger.tax_days import booked
from gateway.ledger.taxable import TaxKey
from gateway.rating.taxes import percent
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import transfers


class TaxRow(msgspec.Struct, frozen=True):
    """A line of the return; amounts in major units. `of` is whose tax it is: revenue, service-charges, or breakage.

    Of breakage, whose tax is booked with each, no rate is kept.
    """

    account: str
    of: str
    jurisdiction: str | None
    percent: str | None
    currency: str
    gross: str
    net: str
    tax: str


class TaxReport(msgspec.Struct, frozen=True):
    """A month: its lines, and the days of it that are booked, from the first to the last (None: none is)."""

    period: str
    rows: list[TaxRow]
    first_day: str | None = None
    last_day: str | None = None


def tax_report(connection: Connection, period: str, since: int, until: int) -> TaxReport:
    """Sum a month, by the operator's days; breakage by when it was booked, from `since` to `until` (microseconds)."""
    days = [day for day in booked(connection) if day.day.startswith(period)]
    sums: dict[TaxKey, list[int]] = {}
    for each in (each for day in days for each in day.sums):
        known = sums.setdefault(each.key, [0, 0])
        known[0] += each.gross
        known[1] += each.tax
    rows = [
        _row(vat_account(key.jurisdiction, key.rate), key.account, key.currency, gross, tax, key)
        for key, (gross, tax) in sorted(sums.items())
    ]
    return TaxReport(
        period,
        [*rows, *_breakage(connection, since, until)],
        min((day.day for day in days), default=None),
        max((day.day for day in days), default=None),
    )


def _row(account: str, of: str, currency: str, gross: int, tax: int, key: TaxKey | None = None) -> TaxRow:
    amounts = (format_amount(amount, currency) for amount in (gross, gross - tax, tax))
    jurisdiction, rate = (None, None) if key is None else (key.jurisdiction, percent(key.rate))
    return TaxRow(account, of, jurisdiction, rate, currency, *amounts)


def _breakage(connection: Connection, since: int, until: int) -> Iterator[TaxRow]:
    t, found = transfers.c, dict[str, dict[str, int]]()
    sums = select(t.currency, t.kind, func.sum(t.amount)).where(
        t.kind.in_(("breakage", "breakage_vat", "breakage_back", "breakage_vatback")), t.at >= since, t.at < until
    )
    with parts(connection) as every:
        for part in every:
            for currency, kind, amount in part.connection.execute(sums.group_by(t.currency, t.kind)):
                kinds = found.setdefault(currency, {})
                kinds[kind] = kinds.get(kind, 0) + int(amount)
    for currency, kinds in sorted(found.items()):
        tax = kinds.get("breakage_vat", 0) - kinds.get("breakage_vatback", 0)
        net = kinds.get("breakage", 0) - kinds.get("breakage_back", 0)
        yield _row(BREAKAGE_VAT, BREAKAGE, currency, net + tax, tax)
