"""Where a line is taxed, over time: the state and the ZIP, for plans to whose prices taxes are added."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, func, select

from gateway.balance.changes import Change, SubscriberUnknown
from gateway.rating.plan_taxes import Treatment
from gateway.rating.plans import Plan
from gateway.rating.taxes import TaxArea, TaxTable, knows
from gateway.store.batch import Batch
from gateway.store.tables import subscribers, subscriptions, tax_areas
from gateway.subscribers.history import TAX_AREA, record
from gateway.subscribers.status import TERMINATED


class AreaSet(msgspec.Struct, frozen=True):
    """Whose tax area was set, and from when on (microseconds) it counts."""

    subscriber_id: int
    area: TaxArea
    valid_from: int


class SetTaxArea(Change):
    """Have a line taxed in a state and ZIP from now on; `actor` wrote it down, for a `reason`."""

    state: str
    zip_code: str
    actor: str
    reason: str

    def decide(self, batch: Batch) -> AreaSet | SubscriberUnknown:
        """Set it; the one that it has already is left as it is."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        owner, area = wallet.subscriber_id, TaxArea(self.state, self.zip_code)
        before = areas(batch.connection, owner)
        if before and before[-1][1] == area:
            return AreaSet(owner, area, before[-1][0])
        valid_from = max(batch.now, before[-1][0] + 1 if before else 0)
        batch.add(tax_areas, (batch.take_id(), owner, area.state, area.zip, valid_from, self.actor))
        values = f"{before[-1][1].state} {before[-1][1].zip}" if before else "", f"{area.state} {area.zip}"
        record(batch, owner, TAX_AREA, values, self.actor, self.reason)
        return AreaSet(owner, area, valid_from)


def areas(connection: Connection, subscriber_id: int) -> list[tuple[int, TaxArea]]:
    """Return the areas of a line, each with the time from which it counts (microseconds), in order."""
    a = tax_areas.c
    found = select(a.valid_from, a.state, a.zip).where(a.subscriber_id == subscriber_id).order_by(a.valid_from)
    return [(valid_from, TaxArea(state, zip_code)) for valid_from, state, zip_code in connection.execute(found)]


def area_at(connection: Connection, subscriber_id: int, at: int) -> TaxArea | None:
    """Return where a line was taxed at a time (microseconds); None where nobody had said."""
    known = [area for valid_from, area in areas(connection, subscriber_id) if valid_from <= at]
    return known[-1] if known else None


class LineTax(msgspec.Struct, frozen=True):
    """How what a line pays is taxed; `is_known` is false where taxes are added and nobody knows which."""

    treatment: str
    jurisdiction: str
    state: str | None
    zip: str | None
    is_known: bool


def line_tax(plan: Plan | None, area: TaxArea | None, taxes: TaxTable) -> LineTax | None:
    """Return how a line's plan is taxed where it is; None where its plan says nothing."""
    if plan is None or plan.tax is None:
        return None
    known = plan.tax.treatment is Treatment.INCLUSIVE or (area is not None and knows(taxes, plan.tax, area))
    state, zip_code = (None, None) if area is None else (area.state, area.zip)
    return LineTax(str(plan.tax.treatment), plan.tax.jurisdiction, state, zip_code, known)


def unknown_areas(connection: Connection, plans: Mapping[str, Plan], taxes: TaxTable) -> dict[str, int]:
    """Count by plan the lines to whose prices taxes are added and that are in no area that the taxes know."""
    added = {name: plan.tax for name, plan in plans.items() if plan.tax and plan.tax.treatment is Treatment.EXCLUSIVE}
    if not added:
        return {}
    found: dict[str, int] = {}
    for plan, state, zip_code, count in connection.execute(_lines_of(added)):
        if state is None or not knows(taxes, added[plan], TaxArea(state, zip_code)):
            found[plan] = found.get(plan, 0) + count
    return found


def _lines_of(plans: Iterable[str]) -> Select[Any]:
    """Count the lines that are not terminated, and stand on a plan, by plan and latest area."""
    s, a = subscriptions.c, tax_areas.c
    latest = select(s.subscriber_id, func.max(s.valid_from).label("since")).group_by(s.subscriber_id).subquery()
    last = select(a.subscriber_id, func.max(a.valid_from).label("since")).group_by(a.subscriber_id).subquery()
    return (
        select(s.plan, a.state, a.zip, func.count())
        .join_from(
            subscriptions, latest, and_(s.subscriber_id == latest.c.subscriber_id, s.valid_from == latest.c.since)
        )
        .join(subscribers, subscribers.c.id == s.subscriber_id)
        .join(last, last.c.subscriber_id == s.subscriber_id, isouter=True)
        .join(tax_areas, and_(a.subscriber_id == last.c.subscriber_id, a.valid_from == last.c.since), isouter=True)
        .where(s.plan.in_(list(plans)), subscribers.c.status != TERMINATED)
        .group_by(s.plan, a.state, a.zip)
    )
