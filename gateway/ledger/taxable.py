"""What of the journal has tax within it: each entry of revenue by the rate of its tax point (gateway.rating.taxes).

Use is taxed when it is made, by the version of its plan that the usage record names; a bundle or an add-on when it is sold, by
the version of the customer's plan then. What is given back, or priced anew, takes back the tax of what it corrects, by the
same rate. No tax is within what credit of the company pays (nobody paid for it), what is beyond a customer's limit, gifts
(outside the scope of VAT: a freely given donation buys nothing), and money that only moves; breakage has a tax of its own. The
service charge of a number for services is a supply of ours, too: its tax is taken off what is owed to who was called.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, select

from gateway.ledger.account_names import REVENUE, SERVICE_CHARGES
from gateway.ledger.allowance_kinds import GRANT
from gateway.rating.grandfathering import version_for
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.plan_versions import plan_of
from gateway.rating.plans import Plan
from gateway.rating.taxes import Jurisdiction, TaxTable, rate_at
from gateway.store.sealed_months.parts import Part
from gateway.store.tables import allowance_entries, reratings, subscriptions, transfers, usage
from gateway.store.versions import PLAN, TAX, read

USE: Final = {"charge": REVENUE, "service": SERVICE_CHARGES}
"""Entries of usage that are taxed, and the account whose tax it is."""
OTHERS: Final = {"sale": 1, "pro_rata": -1, "refund": -1, "reversal": -1, "rerated": 1}
"""Other entries of revenue that are taxed, and whether they add to it."""
BOOKED: Final = tuple(
    transfers.c[name]
    for name in ("id", "kind", "debit", "credit", "amount", "currency", "event_at", "usage_id", "reference")
)
"""What has to be known of one of these for its tax point to be found."""
SOME: Final = 500
"""Numbers that one query names."""
MICROSECONDS: Final = 1_000_000


class TaxKey(msgspec.Struct, frozen=True, order=True):
    """A rate that is taxed: `account` is whose tax it is (revenue, service-charges), `rate` in parts per million."""

    account: str
    jurisdiction: str
    rate: int
    currency: str


Rate = tuple[str, int]
"""Whose tax is within a price, and at which rate (parts per million)."""
Gross = dict[TaxKey, int]
"""What was charged at each rate, tax included, in micro-units; below zero where more was given back."""
Span = tuple[int, int]
"""Entries numbered above the first, and at most the second."""


class TaxVersions(msgspec.Struct, frozen=True):
    """The taxes of some versions: by country, with the number of the version."""

    table: TaxTable
    numbers: Mapping[str, int]


_decode: Final = msgspec.json.Decoder(Jurisdiction).decode


def latest_taxes(connection: Connection) -> TaxVersions:
    """Return the taxes that are in force."""
    known = {version.name: version for version in read(connection, TAX)}
    return _taxes(version for version in known.values() if not version.is_gone)


def taxes_of(connection: Connection, numbers: Mapping[str, int]) -> TaxVersions:
    """Return the taxes of some versions, by country; one that is not there is left out."""
    return _taxes(version for version in read(connection, TAX) if numbers.get(version.name) == version.id)


def _taxes(versions: Iterable[Any]) -> TaxVersions:
    found = {version.name: version for version in versions if version.content is not None}
    table = {name: _decode(version.content) for name, version in found.items()}
    return TaxVersions(table, {name: version.id for name, version in found.items()})


class PlansByVersion:
    """Every version of every plan: by its number, and by name in the order in which they were in force."""

    def __init__(self, connection: Connection) -> None:
        """Read them."""
        self.taxed_from: int | None = None
        """When a plan first said that tax is within its prices (microseconds); None: none ever did."""
        self._by_number: dict[int, Plan | None] = {}
        self._by_name: dict[str, list[tuple[int, Plan | None]]] = {}
        for version in read(connection, PLAN):
            plan = plan_of(version)
            self._by_number[version.id] = plan
            self._by_name.setdefault(version.name, []).append((version.valid_from, plan))
            if plan is not None and plan.tax is not None:
                self.taxed_from = min(version.valid_from, self.taxed_from or version.valid_from)

    def tax_of(self, version: int | None) -> PlanTax | None:
        """Return how a version's prices stand to tax; None where that is not known, or nothing was said."""
        plan = self._by_number.get(version) if version is not None else None
        return None if plan is None else plan.tax

    def exclusive(self, jurisdiction: str) -> list[int]:
        """Return the versions to whose prices the taxes of a jurisdiction are added."""
        wanted = (Treatment.EXCLUSIVE, jurisdiction)
        return [
            number
            for number, plan in self._by_number.items()
            if plan is not None and plan.tax is not None and (plan.tax.treatment, plan.tax.jurisdiction) == wanted
        ]

    def exclusive_plans(self, jurisdiction: str) -> set[str]:
        """Name the plans of these versions."""
        return {plan.id for number in self.exclusive(jurisdiction) if (plan := self._by_number[number]) is not None}

    def tax_at(self, plan: str, subscribed_at: int, at: int) -> PlanTax | None:
        """Return how a plan's prices stood to tax for a line at a time."""
        found = version_for(self._by_name.get(plan, ()), subscribed_at, at)
        return None if found is None else found.tax


class Periods(msgspec.Struct, frozen=True):
    """Into which periods charges are divided: by the times (microseconds) at which another one begins, in order.

    `common` are those of every line, `own` all of those of lines that have more.
    """

    common: Sequence[int] = ()
    own: Mapping[int, Sequence[int]] = {}

    def of(self, owner: int, at: int) -> int:
        """Return in which period of a line a time is, from 0 on."""
        return bisect_right(self.own.get(owner, self.common), at)

    def begin(self, owner: int, place: int) -> int:
        """Return a time of a period of a line: the first one, or one before any other begins."""
        begins = self.own.get(owner, self.common)
        return begins[place - 1] if place else begins[0] - 1 if begins else 0


Charges = dict[int, dict[int, int]]
"""What lines were charged in each of their periods, in micro-units."""


class Taxable:
    """Sums what is taxed in spans of the journal, by taxes that are given; the parts are those that the spans may touch."""

    def __init__(
        self,
        connection: Connection,
        found: Sequence[Part],
        plans: PlansByVersion,
        table: TaxTable,
        otherwise: Sequence[tuple[Span, TaxTable]] = (),
    ) -> None:
        """Take the store, its parts, and what decides over rates; `otherwise` are spans that were booked by other tables."""
        self._connection, self._parts, self._plans = connection, found, plans
        self._spans = [span for span, _ in otherwise]
        self._tables = (table, *(each for _, each in otherwise))
        every = (rate for known in self._tables for each in known.values() for rate in each.rates)
        self._bounds = sorted({rate.valid_from for rate in every})
        self.unknown = 0
        """Entries of usage whose record is not there any more, so that nobody knows their rate."""

    def gross(self, span: Span) -> Gross:
        """Sum a span."""
        found: Gross = {}

        def add(account: str, tax: PlanTax | None, at: int, currency: str, amount: int) -> None:
            rate = self.rate_of(tax, at)
            if rate is not None:
                key = TaxKey(account, *rate, currency)
                found[key] = found.get(key, 0) + amount

        for used in self._used(span):
            add(*used)
        for row, tax, at in self._booked(span):
            add(REVENUE, tax, at, row.currency, OTHERS[row.kind] * row.amount)
        return {key: amount for key, amount in sorted(found.items()) if amount}

    def charges(self, span: Span, jurisdiction: str, periods: Periods) -> Charges:
        """Sum by line and period what of a span has the taxes of a jurisdiction added, in micro-units."""
        found: Charges = {}

        def add(owner: int, place: int, amount: int) -> None:
            sums = found.setdefault(owner, {})
            sums[place] = sums.get(place, 0) + amount

        for owner, place, amount in self._charged(span, jurisdiction, periods):
            add(owner, place, amount)
        for row, tax, at in self._booked(span):
            if tax is not None and (tax.treatment, tax.jurisdiction) == (Treatment.EXCLUSIVE, jurisdiction):
                add(owner_of(row), periods.of(owner_of(row), at), OTHERS[row.kind] * row.amount)
        return found

    def _charged(self, span: Span, jurisdiction: str, periods: Periods) -> Iterator[tuple[int, int, int]]:
        """Sum the charges of usage by line and period; of lines with periods of their own each by itself."""
        t, versions = transfers.c, self._plans.exclusive(jurisdiction)
        joined = and_(usage.c.id == t.usage_id, *_within(span), t.kind.in_(list(USE)), usage.c.version.in_(versions))
        band = _band(usage.c.event_at, periods.common).label("band")
        sums = select(t.debit, band, func.sum(t.amount)).join_from(transfers, usage, joined).group_by(t.debit, band)
        for part in self._parts:
            for owner, place, amount in part.connection.execute(sums):
                if owner not in periods.own:
                    yield owner, place, int(amount)
            for some in _chunks(periods.own):
                each = select(t.debit, usage.c.event_at, t.amount).join_from(transfers, usage, joined)
                for owner, at, amount in part.connection.execute(each.where(t.debit.in_(some))):
                    yield owner, periods.of(owner, at), int(amount)

    def _used(self, span: Span) -> Iterator[tuple[str, PlanTax | None, int, str, int]]:
        """Sum the charges of usage by version and by the rates' time, without a row for each."""
        band = self.band(usage.c.event_at)
        group = (transfers.c.kind, usage.c.id.is_(None), usage.c.version, band, transfers.c.currency)
        same = usage.c.id == transfers.c.usage_id
        sums = select(*group, func.count(), func.sum(transfers.c.amount)).join_from(
            transfers, usage, same, isouter=True
        )
        wanted = sums.where(*_within(span), transfers.c.kind.in_(list(USE))).group_by(*group)
        for part in self._parts:
            for kind, gone, version, place, currency, count, amount in part.connection.execute(wanted):
                self.unknown += int(count) if gone else 0
                yield USE[kind], self._plans.tax_of(version), self._moment(place), currency, int(amount)

    def rate_of_use(self, version: int | None, place: int, by: int) -> Rate | None:
        """Return the rate within a price by the plan's version it was made with, in a band of time, by one of the tables."""
        return self.rate_of(self._plans.tax_of(version), self._moment(place), by)

    def rate_of(self, tax: PlanTax | None, at: int, by: int = 0) -> Rate | None:
        """Return the rate within a price by how it stands to tax, and its tax point; None where no tax is within it."""
        rate = None if tax is None else rate_at(self._tables[by], tax, at)
        return None if tax is None or rate is None else (tax.jurisdiction, rate)

    def table_of(self, number: int) -> int:
        """Return by which of the tables an entry was taxed, or will be."""
        return next((place for place, (after, upto) in enumerate(self._spans, 1) if after < number <= upto), 0)

    def by_table(self, number: ColumnElement[int]) -> ColumnElement[int]:
        """Write the same as SQL."""
        steps = [(and_(number > after, number <= upto), place) for place, (after, upto) in enumerate(self._spans, 1)]
        return case(*steps, else_=0) if steps else literal(0)

    def _moment(self, place: int) -> int:
        """Return a time of a band."""
        return self._bounds[place - 1] if place else -1

    def band(self, time: ColumnElement[int]) -> ColumnElement[int]:
        """Return how many of the rates' beginnings a time is not before."""
        return _band(time, self._bounds).label("band")

    def _booked(self, span: Span) -> Iterator[tuple[Any, PlanTax | None, int]]:
        """Return entries of other kinds, each with how its price stands to tax, and its tax point."""
        t = transfers.c
        wanted = select(*BOOKED).where(*_within(span), t.kind.in_(list(OTHERS)))
        for part in self._parts:
            for some in part.connection.execute(wanted).partitions(SOME):
                yield from self.points(some)

    def points(self, rows: Sequence[Any]) -> Iterator[tuple[Any, PlanTax | None, int]]:
        """Return the tax and the tax point of entries of OTHERS, of which each has these columns (BOOKED)."""
        anew = self._reratings(row for row in rows if row.kind in ("reversal", "rerated"))
        records = self._records({row.usage_id for row in rows if row.usage_id is not None})
        sold = self._sold([row for row in rows if row.kind == "pro_rata"])
        buyers = self._subscribed({owner_of(row) for row in rows})
        for row in rows:
            version, at = records.get(row.usage_id, (None, row.event_at))
            if row.kind == "pro_rata":
                at = sold.get((row.credit, row.reference or ""), row.event_at)
            elif row.kind in ("reversal", "rerated"):
                found = anew.get((row.kind, row.reference or ""))
                version = version if found is None else found
            if row.usage_id is not None and version is None and row.usage_id not in records:
                self.unknown += 1
            if version is not None:
                yield row, self._plans.tax_of(version), at
            elif row.usage_id is None:
                yield row, self._tax_of_line(buyers.get(owner_of(row), ()), at), at

    def _tax_of_line(self, subscribed: Sequence[tuple[int, str]], at: int) -> PlanTax | None:
        # What a second of an event says was decided by its end.
        as_of = at + (0 if at % MICROSECONDS else MICROSECONDS - 1)
        standing = [each for each in subscribed if each[0] <= as_of] or list(subscribed[:1])
        return self._plans.tax_at(standing[-1][1], standing[-1][0], as_of) if standing else None

    def _records(self, numbers: set[int]) -> dict[int, tuple[int | None, int]]:
        """Return the version and the time of usage records, wherever they stand."""
        found = {}
        wanted = select(usage.c.id, usage.c.version, usage.c.event_at).where(usage.c.id.in_(numbers))
        for part in self._parts if numbers else ():
            for number, version, at in part.connection.execute(wanted):
                found[number] = (version, at)
        return found

    def _reratings(self, rows: Iterable[Any]) -> dict[tuple[str, str], int]:
        """Return the version that a corrected price went by, of those whose own record does not say it."""
        numbers = {int(row.reference.removeprefix("rerate:")) for row in rows if row.reference}
        if not numbers:
            return {}
        row, before = reratings.alias("row"), reratings.alias("before")
        joined = select(row.c.id, row.c.version, before.c.version).join_from(
            row, before, before.c.id == row.c.replaces, isouter=True
        )
        found = {}
        for number, version, version_before in self._connection.execute(joined.where(row.c.id.in_(numbers))):
            found["rerated", f"rerate:{number}"] = version
            if version_before is not None:
                found["reversal", f"rerate:{number}"] = version_before
        return found

    def _sold(self, rows: Sequence[Any]) -> dict[tuple[int, str], int]:
        """Return when the bundles were sold of whose price a part was given back."""
        if not rows:
            return {}
        entry = allowance_entries.c
        owners, numbers = {row.credit for row in rows}, {_number(row.reference) for row in rows}
        grants = select(entry.subscriber_id, entry.allowance_id, func.min(entry.event_at)).where(
            entry.subscriber_id.in_(owners), entry.allowance_id.in_(numbers), entry.kind == GRANT
        )
        found = self._connection.execute(grants.group_by(entry.subscriber_id, entry.allowance_id))
        return {(owner, f"pro-rata:{number}"): at for owner, number, at in found}

    def _subscribed(self, owners: set[int]) -> dict[int, list[tuple[int, str]]]:
        """Return the plans of subscribers, and from when on, in order."""
        s, found = subscriptions.c, dict[int, list[tuple[int, str]]]()
        wanted = select(s.subscriber_id, s.valid_from, s.plan).where(s.subscriber_id.in_(owners))
        for owner, valid_from, plan in self._connection.execute(wanted.order_by(s.valid_from)):
            found.setdefault(owner, []).append((valid_from, plan))
        return found


def _band(time: ColumnElement[int], bounds: Sequence[int]) -> ColumnElement[int]:
    steps = [(time < bound, place) for place, bound in enumerate(bounds)]
    return case(*steps, else_=len(bounds)) if steps else literal(0)


def _chunks(numbers: Iterable[int]) -> Iterator[list[int]]:
    every = iter(numbers)
    while some := list(islice(every, SOME)):
        yield some


def _within(span: Span) -> tuple[ColumnElement[bool], ...]:
    return (and_(transfers.c.id > span[0], transfers.c.id <= span[1]),)


def owner_of(row: Any) -> int:  # noqa: ANN401  (a row)
    """Return whose wallet an entry of OTHERS moved."""
    owner: int = row.debit if OTHERS[row.kind] > 0 else row.credit
    return owner


def _number(reference: str | None) -> int:
    number = (reference or "").partition(":")[2]
    return int(number) if number.isdecimal() else 0
