"""Prices, computed again: what each record of usage cost by the version of its plan.

The price of a record is that of its session's units after it, less that of those before it; records of a session go on where
the one before them ended.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, case, func, select

from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.checks.plan_versions import PlanVersions
from gateway.rating.plans import Rate
from gateway.rating.prices import price
from gateway.rating.rate_keys import rate_by, read_key
from gateway.store.plain_rows import plain_rows
from gateway.store.tables import transfers, usage

UNKEPT: Final = 0
"""The session of usage that was booked to none."""
_COUNTED: Final[Mapping[str, Any]] = {"data": usage.c.octets, "voice": usage.c.seconds, "sms": usage.c.units}
"""What each service counts in."""
_PRICED: Final = (usage.c.version.is_not(None), usage.c.rated_before.is_not(None))
_Found = Iterator[tuple[str, str]]


class Facts(msgspec.Struct, frozen=True):
    """What a record of usage was priced by."""

    version: int
    rate_key: str
    service: str
    rating_group: int | None
    rated_before: int
    units: int
    """Those that were charged for: without those that a bundle covered."""


class Prices:
    """Prices by versions; the rates of each are looked up once."""

    def __init__(self, plans: PlanVersions) -> None:
        """Take the versions of plans."""
        self._plans = plans
        self._rates: dict[tuple[int, str, str, int | None], Rate | None] = {}

    def rate(self, version: int, rate_key: str, service: str, rating_group: int | None) -> Rate | None:
        """Return a rate; None where the version has none by that key, or is not known."""
        key = (version, rate_key, service, rating_group)
        if key not in self._rates:
            self._rates[key] = self._look_up(*key)
        return self._rates[key]

    def _look_up(self, version: int, rate_key: str, service: str, rating_group: int | None) -> Rate | None:
        plan = self._plans.plan(version)
        try:
            return None if plan is None else rate_by(plan, service, rating_group, read_key(rate_key))
        except ValueError:
            return None

    def of(self, facts: Facts) -> int | None:
        """Return what it cost in micro-units; None where no rate is known for it."""
        rate = self.rate(facts.version, facts.rate_key, facts.service, facts.rating_group)
        if rate is None:
            return None
        return price(rate, facts.rated_before + facts.units) - price(rate, facts.rated_before)


def counted() -> ColumnElement[int]:
    """Return the units that a record counts: octets, seconds or messages by its service."""
    return case(*((usage.c.service == service, units) for service, units in _COUNTED.items()), else_=0)


def prices_right(books: Examined) -> Iterator[Finding]:
    """Name records that were not priced by the version of their plan."""
    return (Finding(*found) for found in wrong_prices(books.connection, books.recomputed))


def wrong_prices(connection: Connection, journals: Sequence[Connection]) -> _Found:
    """Name records whose price is not that of their plan's version, as (check, what is wrong)."""
    plans = PlanVersions(connection)
    prices = Prices(plans)
    for journal in journals:
        yield from islice(_wrong_records(journal, plans, prices), SHOWN)
        yield from islice(_wrong_places(journal), SHOWN)


def unknown_versions(journals: Sequence[Connection]) -> dict[str, int]:
    """Count the records of each plan that say nothing of its version: they are older than versions."""
    found: dict[str, int] = {}
    unknown = select(usage.c.plan, func.count()).where(usage.c.version.is_(None), usage.c.plan != "")
    for journal in journals:
        for plan, count in journal.execute(unknown.group_by(usage.c.plan)):
            found[plan] = found.get(plan, 0) + count
    return found


def _wrong_records(journal: Connection, plans: PlanVersions, prices: Prices) -> _Found:
    u = usage.c
    columns = (
        u.id,
        u.subscriber_id,
        u.event_at,
        u.plan,
        u.version,
        u.rate_key,
        u.service,
        u.rating_group,
        u.rated_before,
        u.covered,
    )
    taken_off = func.coalesce(u.capped, 0)
    absorbed = _absorbed(journal)
    wanted = select(*columns, counted().label("units"), u.price, taken_off).where(*_PRICED)
    rows = plain_rows(journal, wanted)
    for number, owner, at, plan, version, key, service, group, before, covered, units, booked, capped in rows:
        if not plans.priced(version, plan, at, owner):
            yield "price", f"record {number} was priced by version {version}, which is none of {plan} for its line then"
            continue
        rate = prices.rate(version, key or "", service, group)
        if rate is None:
            yield "price", f"record {number} was priced by a rate that version {version} of {plan} does not have"
            continue
        expected = price(rate, before + units - covered) - price(rate, before) - capped
        beyond = absorbed.get(number, 0)  # the customer's own limit took it off, and not the plan's
        if capped != beyond and not (capped > beyond and plans.may_cap(version, rate, service)):
            yield "price", f"record {number} has {capped} micro-units taken off that no cap or limit of {plan} asks for"
        if expected != booked or not 0 <= covered <= units:
            yield (
                "price",
                f"record {number} was priced {booked} micro-units, by version {version} of {plan} it is {expected}",
            )
    bare = select(u.id).where(u.plan == "", u.price != 0).limit(SHOWN)
    for number in journal.scalars(bare):
        yield "price", f"record {number} has a price, and no plan"


def _absorbed(journal: Connection) -> dict[int, int]:
    """Return what was booked of records as beyond a customer's limit, in micro-units."""
    entries = select(transfers.c.usage_id, func.sum(transfers.c.amount)).where(transfers.c.kind == "absorbed")
    return {number: int(amount) for number, amount in journal.execute(entries.group_by(transfers.c.usage_id))}


def _wrong_places(journal: Connection) -> _Found:
    """Find sessions whose records do not go on where the one before ended, if their first is there."""
    u, rated = usage.c, counted() - usage.c.covered
    group = (u.session, u.rating_group)
    first, last = func.min(u.rated_before), func.max(u.rated_before + rated)
    odd = (
        select(*group)
        .where(*_PRICED, u.session != UNKEPT)
        .group_by(*group)
        .having(first == 0, func.sum(rated) != last)
        .limit(SHOWN)
    )
    for session, rating_group in journal.execute(odd).all():
        place = select(u.id, u.rated_before, rated.label("rated")).where(
            *_PRICED, u.session == session, u.rating_group.is_not_distinct_from(rating_group)
        )
        reached = 0
        for row in journal.execute(place.order_by(u.rated_before, rated, u.id)):
            if row.rated_before != reached:
                yield (
                    "price",
                    f"record {row.id} begins at unit {row.rated_before} of its session, which stood at {reached}",
                )
                break
            reached += row.rated
