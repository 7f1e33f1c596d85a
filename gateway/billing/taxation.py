"""The taxes within prices that bills tell of: at the rate of each use and sale, by the plan that its line has."""

from datetime import tzinfo
from functools import partial

from sqlalchemy import Connection, select

from gateway.billing.reading import TaxPoints
from gateway.ledger.added_taxes import due_month
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.taxes import TaxTable, rate_at
from gateway.settings import Settings
from gateway.store.tables import nodes


def tax_points(settings: Settings) -> TaxPoints:
    """Give the rates that the settings' plans and their table of taxes have; a plan that says nothing of tax has none."""
    taxes = {plan.id: plan.tax for plan in settings.plans.values() if plan.tax is not None}
    places = {tax.jurisdiction for tax in taxes.values()}
    changes = {rate.valid_from for place in places if place in settings.taxes for rate in settings.taxes[place].rates}
    return TaxPoints(tuple(sorted(changes)), partial(_rate, taxes, settings.taxes))


def _rate(taxes: dict[str, PlanTax], table: TaxTable, plan: str, at: int) -> tuple[str, int] | None:
    tax = taxes.get(plan)
    rate = None if tax is None else rate_at(table, tax, at)
    return None if tax is None or rate is None else (tax.jurisdiction, rate)


def awaits_taxes(connection: Connection, settings: Settings, period: str, zone: tzinfo, now: int) -> bool:
    """Tell whether taxes that are added to what lines were charged until the end of a month are still to be booked.

    They are entries of that month, and so on its bills, if these are made after them.
    """
    plans = settings.plans.values()
    if not any(plan.tax is not None and plan.tax.treatment is Treatment.EXCLUSIVE for plan in plans):
        return False
    months = [due_month(connection, node, zone, now) for node in connection.scalars(select(nodes.c.id)).all()]
    return any(month is not None and month.period <= period and bool(month.rows) for month in months)
