"""Sales of bundles and add-ons, computed again: each cost what the plan of its line asked then, and granted what that covers.

A bundle that was sold for the rest of a period cost its part, and granted its part: when the period began follows from when it
ends, by one of the billing days that a line may have.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, select

from gateway.ledger.allowance_kinds import GRANT
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.checks.operator_zones import operator_zones
from gateway.ledger.checks.plan_versions import PlanVersions
from gateway.rating.billing_days import LAST_DAY, part_of, period_of
from gateway.rating.plans import Bundle
from gateway.store.tables import allowance_entries, subscriptions, transfers

CHECK: Final = "price"
WHOLE, PART, ADD_ON = "sale", "part", "add-on"
"""How the references of sales begin: of a bundle at its whole price, for a part of its period or with credit, of an add-on."""
SOME: Final = 500
"""Buyers that one query names."""


class _Grant(msgspec.Struct):
    """What a sale granted: when (microseconds), until when, of which plan or add-on, and the units by service."""

    at: int
    ends_at: int
    name: str
    units: dict[str, int]


class _Sale(NamedTuple):
    """A sale: the number of its entry, the buyer, what it cost together, and when."""

    entry: int
    buyer: int
    kind: str
    reference: str
    amount: int
    event_at: int


def sales_right(books: Examined) -> Iterator[Finding]:
    """Name sales that no plan of their customer asked."""
    plans, zones = PlanVersions(books.connection), operator_zones(books.connection)
    for journal in books.recomputed:
        for detail in islice(_wrong_sales(books.connection, journal, plans, zones), SHOWN):
            yield Finding(CHECK, detail)


def _wrong_sales(
    connection: Connection, journal: Connection, plans: PlanVersions, zones: Sequence[ZoneInfo]
) -> Iterator[str]:
    sales = list(_sales(journal))
    for begin in range(0, len(sales), SOME):
        some = sales[begin : begin + SOME]
        buyers = sorted({sale.buyer for sale in some})
        stood, grants = _stood(connection, buyers), _grants(connection, buyers)
        for sale in some:
            grant = grants.get((sale.buyer, sale.reference))
            offers = _offers(sale, grant, stood[sale.buyer], plans)
            if offers is not None and not any(_is_one(sale, grant, offer, zones) for offer in offers):
                what = "an add-on" if sale.kind == ADD_ON else "a bundle"
                said = f"sells {what} for {sale.amount} micro-units, which no plan of the customer asked"
                yield f"entry {sale.entry} {said}{'' if grant is None else ', or grants other units than that covers'}"


def _sales(journal: Connection) -> Iterator[_Sale]:
    """Return the sales of a journal, each with what the customer and credit of the company paid of it."""
    t, found = transfers.c, dict[tuple[int, str], _Sale]()
    wanted = select(t.id, t.debit, t.reference, t.amount, t.event_at).where(
        t.kind.in_(("sale", "promotional")), t.usage_id.is_(None)
    )
    for entry, buyer, reference, amount, event_at in journal.execute(wanted.order_by(t.id)):
        kind = (reference or "").partition(":")[0]
        known = found.get((buyer, reference))
        if known is not None:
            found[buyer, reference] = known._replace(amount=known.amount + amount)
        elif kind in (WHOLE, PART, ADD_ON):
            found[buyer, reference] = _Sale(entry, buyer, kind, reference, amount, event_at)
    yield from found.values()


def _stood(connection: Connection, buyers: Sequence[int]) -> dict[int, list[str]]:
    """Return the plans that buyers had at some time."""
    found: dict[int, list[str]] = {buyer: [] for buyer in buyers}
    s = subscriptions.c
    for buyer, plan in connection.execute(select(s.subscriber_id, s.plan).where(s.subscriber_id.in_(buyers))):
        found[buyer].append(plan)
    return found


def _grants(connection: Connection, buyers: Sequence[int]) -> dict[tuple[int, str], _Grant]:
    """Return what sales granted, by buyer and reference; of those before allowances had a journal nothing is known."""
    a, found = allowance_entries.c, dict[tuple[int, str], _Grant]()
    wanted = select(a.subscriber_id, a.reference, a.service, a.units, a.event_at, a.plan, a.ends_at)
    for buyer, reference, service, units, at, name, ends_at in connection.execute(
        wanted.where(a.subscriber_id.in_(buyers), a.kind == GRANT)
    ):
        grant = found.setdefault((buyer, reference), _Grant(at, ends_at or 0, name or "", {}))
        grant.units[service] = units
    return found


def _offers(sale: _Sale, grant: _Grant | None, stood: Iterable[str], plans: PlanVersions) -> list[Bundle] | None:
    """Return what the plans of a line offered when it bought; None where a version is not known that was in force then."""
    found = []
    for name in stood:
        versions = plans.in_force(name, sale.event_at, sale.buyer)
        if versions is None:
            return None
        for plan in versions:
            if sale.kind == ADD_ON:
                found += [each for name, each in plan.add_ons.items() if grant is None or grant.name == name]
            elif plan.bundle is not None:
                found.append(plan.bundle)
    return found


def _is_one(sale: _Sale, grant: _Grant | None, offer: Bundle, zones: Sequence[ZoneInfo]) -> bool:
    """Return whether a sale is an offer, whole or for the rest of a period."""
    units = {service: getattr(offer, service) for service in ("data", "voice", "sms") if getattr(offer, service)}
    if sale.amount == offer.price and (grant is None or grant.units == units):
        return True
    if sale.kind == WHOLE or offer.days or not offer.pro_rata:
        return False
    return grant is None or any(
        sale.amount == part_of(offer.price, grant.at, period)
        and grant.units
        == {service: part for service, all_ in units.items() if (part := part_of(all_, grant.at, period))}
        for period in _periods(grant, zones)
    )


def _periods(grant: _Grant, zones: Sequence[ZoneInfo]) -> Iterator[tuple[int, int]]:
    """Return the periods that a grant may be of: those that it was made in, and that end when it does."""
    for zone in zones:
        for day in range(1, LAST_DAY + 1):
            period = period_of(grant.at, day, zone)
            if period[1] == grant.ends_at:
                yield period
