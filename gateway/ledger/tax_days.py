"""The tax within the prices of a day: booked once the day is over, one entry for each rate, by the gateway that owns the shard.

A charge is not divided when it is booked: what was charged at a rate is summed, and its tax is that of the sum of all days so
far less that of the days before (`taxes.included_after`): rounded once, exact over any number of days. A row of `tax_days` says
which entries a day was of, by their numbers, so that it is done once however often it is begun, and can be computed again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import ClassVar, Final

import msgspec
from sqlalchemy import Connection, func, select

from gateway.ledger import account_names, accounts
from gateway.ledger.entries import Entry
from gateway.ledger.taxable import Gross, PlansByVersion, Span, Taxable, TaxKey, TaxVersions, latest_taxes
from gateway.rating.taxes import included_after
from gateway.store import tables
from gateway.store.batch import Batch, Unit
from gateway.store.nodes import SPAN_BITS
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import tax_days, transfers

SETTLED_US: Final = 60_000_000
"""A day is over for sure so long (microseconds) after its end: what was decided in it is committed."""
MICROSECONDS: Final = 1_000_000
TAX, TAX_BACK = "tax", "tax_back"


class TaxSum(msgspec.Struct, frozen=True):
    """What was charged in a day at a rate, tax included, and the tax of it that was booked; below zero where given back."""

    account: str
    jurisdiction: str
    rate: int
    currency: str
    gross: int
    tax: int

    @property
    def key(self) -> TaxKey:
        """The rate."""
        return TaxKey(self.account, self.jurisdiction, self.rate, self.currency)


class TaxDay(msgspec.Struct, frozen=True):
    """A row of `tax_days`; `id` is 0 before it is booked."""

    id: int
    node: int
    day: str
    after: int
    upto: int
    versions: dict[str, int]
    sums: list[TaxSum]

    @property
    def span(self) -> Span:
        """The entries that it is of, by their numbers."""
        return self.after, self.upto


_sums: Final = msgspec.json.Decoder(list[TaxSum]).decode
_versions: Final = msgspec.json.Decoder(dict[str, int]).decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode


def booked(connection: Connection, node: int | None = None) -> list[TaxDay]:
    """Return the days that were booked, of a shard or of all, each shard's in order."""
    wanted = select(tax_days).order_by(tax_days.c.node, tax_days.c.day)
    if node is not None:
        wanted = wanted.where(tax_days.c.node == node)
    return [
        TaxDay(row.id, row.node, row.day, row.after, row.upto, _versions(row.versions), _sums(row.sums))
        for row in connection.execute(wanted)
    ]


def due_day(connection: Connection, node: int, zone: tzinfo, now: int) -> TaxDay | None:
    """Sum the first day of a shard that is over and not booked; None where there is none, or the shard has nothing since.

    Days begin by the clocks of the operator's zone, and count from the first plan on that says how its prices stand to tax.
    """
    latest = select(tax_days.c.day, tax_days.c.upto).where(tax_days.c.node == node).order_by(tax_days.c.day.desc())
    found, last = connection.execute(latest.limit(1)).one_or_none(), _last(now - SETTLED_US, zone)
    if found is not None and found.day >= last.isoformat():
        return None
    after = node << SPAN_BITS if found is None else found.upto
    first_at = _next_at(connection, node, after)
    if first_at is None or _day(first_at, zone) > last:
        return None
    plans = PlansByVersion(connection)
    if plans.taxed_from is None:
        return None
    day = _day(max(first_at, plans.taxed_from), zone)
    if found is not None:
        day = max(_day(first_at, zone), date.fromisoformat(found.day) + timedelta(days=1))
    if day > last:
        return None
    taxes, upto = latest_taxes(connection), _upto(connection, node, after, _ends(day, zone))
    sums = tax_of(_gross(connection, plans, taxes, (after, upto)), gross_before(booked(connection, node)))
    return TaxDay(0, node, day.isoformat(), after, upto, dict(taxes.numbers), sums)


def gross_before(days: Iterable[TaxDay]) -> Gross:
    """Sum what was charged at each rate in days."""
    found: Gross = {}
    for each in (each for day in days for each in day.sums):
        found[each.key] = found.get(each.key, 0) + each.gross
    return found


def tax_of(gross: Gross, before: Mapping[TaxKey, int]) -> list[TaxSum]:
    """Return the tax of a day's sums, which follow those of the days before."""
    return [
        TaxSum(
            key.account,
            key.jurisdiction,
            key.rate,
            key.currency,
            amount,
            included_after(before.get(key, 0), amount, key.rate),
        )
        for key, amount in gross.items()
    ]


class BookTaxDay(Unit):
    """Book a day that was summed; does nothing where another one of the same entries was booked meanwhile."""

    alone: ClassVar[bool] = True

    day: TaxDay

    def decide(self, batch: Batch) -> bool:
        """Return whether it was booked now."""
        day, connection = self.day, batch.connection
        reached = select(func.max(tax_days.c.upto), func.max(tax_days.c.day)).where(tax_days.c.node == day.node)
        upto, last = connection.execute(reached).one()
        if (day.node << SPAN_BITS if upto is None else upto) != day.after or (last or "") >= day.day:
            return False
        number = batch.take_id()
        names = {accounts.vat_account(each.jurisdiction, each.rate) for each in day.sums if each.tax}
        opened = accounts.ensure(connection, [*account_names.SYSTEM, *sorted(names)])
        for made in opened.made:
            batch.prove(tables.accounts, made)
        content = (_encode(day.versions).decode(), _encode(day.sums).decode())
        batch.add(tax_days, (number, batch.now, day.node, day.day, day.after, day.upto, *content))
        for entry in entries_of(day, number, opened.numbers, batch.now):
            batch.add(transfers, entry.row(batch.take_id(), batch.now))
        return True


def entries_of(day: TaxDay, number: int, known: Mapping[str, int], now: int) -> Sequence[Entry]:
    """Return the entries of a day whose row has a number; `known` are the accounts by name."""
    found = []
    for place, each in enumerate(day.sums):
        if each.tax:
            own, tax = known[each.account], known[accounts.vat_account(each.jurisdiction, each.rate)]
            debit, credit = (own, tax) if each.tax > 0 else (tax, own)
            kind, reference = TAX if each.tax > 0 else TAX_BACK, f"tax:{number}:{place}"
            found.append(Entry(kind, debit, credit, abs(each.tax), each.currency, now, reference=reference))
    return found


def _gross(connection: Connection, plans: PlansByVersion, taxes: TaxVersions, span: Span) -> Gross:
    with parts(connection) as found:
        return Taxable(connection, found, plans, taxes.table).gross(span)


def _next_at(connection: Connection, node: int, after: int) -> int | None:
    """Return when a shard's first entry above a number was booked; None where there is none. Days before it have nothing."""
    t = transfers.c
    above = select(t.id, t.at).where(t.id > after, t.id < (node + 1) << SPAN_BITS).order_by(t.id).limit(1)
    with parts(connection, lambda month: month.ends_above(after)) as found:
        first = [row for part in found if (row := part.connection.execute(above).one_or_none()) is not None]
    return min(first, key=lambda row: int(row.id)).at if first else None


def _upto(connection: Connection, node: int, after: int, until: int) -> int:
    """Return the highest number of a shard's entry that was booked before a time, `after` where there is none."""
    t = transfers.c
    own = (t.id > after, t.id < (node + 1) << SPAN_BITS, t.at < until)
    with parts(connection, lambda month: month.ends_above(after)) as found:
        return max(part.connection.scalar(select(func.max(t.id)).where(*own)) or after for part in found)


def _day(time: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(time // MICROSECONDS, zone).date()


def _last(now: int, zone: tzinfo) -> date:
    """Return the last day that is over."""
    return _day(now, zone) - timedelta(days=1)


def _ends(day: date, zone: tzinfo) -> int:
    """Return the end of a day by the clocks of a zone, in microseconds."""
    following = datetime.combine(day + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    return int(following.astimezone(UTC).timestamp()) * MICROSECONDS
