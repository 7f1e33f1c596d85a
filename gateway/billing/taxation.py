"""The taxes within prices that bills tell of: at the rate of each use and sale, by the plan that its line has."""

from functools import partial

from gateway.billing.reading import TaxPoints
from gateway.rating.plan_taxes import PlanTax
from gateway.rating.taxes import TaxTable, rate_at
from gateway.settings import Settings


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
