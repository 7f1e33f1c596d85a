"""Checks of charging beside plans and taxes: what is granted, free, limited by law or taxed."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.environment import wall_clock
from gateway.ledger.money import format_amount
from gateway.rating.destinations import are_free
from gateway.rating.paid_service_limits import limit_of
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.prices import service_price
from gateway.rating.taxes import Jurisdiction
from gateway.settings.checks.found import Found
from gateway.settings.error_messages import Report
from gateway.settings.problems import did_you_mean


def check_grants(found: Found, report: Report) -> None:
    """Refuse a grant whose threshold the wire can't hold; warn of a timer that can never fire."""
    charging = found.charging
    if charging is None:
        return
    if charging.slice * charging.threshold // 100 > 0xFFFFFFFF:
        wire = "Volume-Quota-Threshold holds 4294967295 octets (TS 32.299 §7.2)"
        report.error(("charging", "slice"), f"{charging.threshold} % of it (charging.threshold) is too much: {wire}")
    if charging.quota_holding > charging.validity:
        message = f"never ends: charging.validity ({charging.validity} s) is over before"
        report.warn(("charging", "quota_holding"), message)


def check_top_ups(found: Found, report: Report) -> None:
    """Warn of a limit of top-ups that no top-up comes to, since no wallet may hold as much."""
    charging = found.charging
    if charging is not None and charging.topup_limit > charging.wallet_limit:
        report.warn(("charging", "topup_limit"), "no top-up can be as much: charging.wallet_limit is less")


def check_paid_services(found: Found, report: Report) -> None:
    """Refuse a service charge of which the first unit is more than the law lets pass by the phone bill."""
    country = found.operator.country if found.operator else ""
    for plan in (found.plans or {}).values():
        limit = limit_of(country, plan.currency)
        for first, rates in plan.destinations.items() if limit is not None else ():
            rate = rates.voice
            if limit is not None and rate is not None and service_price(rate, 1) > limit.each:
                most = f"{format_amount(limit.each, limit.currency)} {limit.currency}"
                report.error(
                    ("plans",),
                    f"{plan.id}.destinations.{first}.voice.service: begins with more than {most} in {country}",
                )


def check_free_numbers(found: Found, report: Report) -> None:
    """Refuse a price for numbers that are free to call in the operator's country."""
    country = found.operator.country if found.operator else ""
    for plan in (found.plans or {}).values():
        for first, rates in plan.destinations.items():
            priced = any(rate is not None and rate.ever_costs for rate in (rates.voice, rates.sms))
            if priced and are_free(first, country):
                report.error(("plans",), f"{plan.id}.destinations.{first}: these numbers are free to call in {country}")


def check_fraud_plans(found: Found, report: Report) -> None:
    """Refuse fraud limits of a plan that there is not."""
    for plan in found.fraud.plans if found.fraud and found.plans is not None else ():
        if found.plans is not None and plan not in found.plans:
            detail = f"there is no such plan in plans{did_you_mean(plan, found.plans)}"
            report.error(("fraud", "plans", plan), detail, at_key=True)


def check_taxes(found: Found, report: Report) -> None:
    """Refuse a plan whose tax is in no table, or in another currency than its prices."""
    if found.taxes is None:
        return
    for plan in (found.plans or {}).values():
        if plan.tax is None:
            continue
        jurisdiction, where = found.taxes.get(plan.tax.jurisdiction), f"{plan.id}.tax.{plan.tax.treatment}"
        if jurisdiction is None:
            hint = did_you_mean(plan.tax.jurisdiction, found.taxes)
            report.error(("plans",), f"{where}: taxes has no {plan.tax.jurisdiction}{hint}")
        elif jurisdiction.currency != plan.currency:
            report.error(("plans",), f"{where}: is in {jurisdiction.currency}, the plan in {plan.currency}")
        elif plan.tax.treatment is Treatment.EXCLUSIVE and not jurisdiction.added:
            report.error(("plans",), f"{where}: {jurisdiction.id} in taxes has nothing that is added to prices")
        elif plan.tax.treatment is Treatment.INCLUSIVE:
            _check_rates(jurisdiction, plan.tax, where, report)


def _check_rates(jurisdiction: Jurisdiction, tax: PlanTax, where: str, report: Report) -> None:
    """Refuse a tax that has no rate, and warn of one whose first rate is still to come: nothing is booked as tax until then."""
    begins = min((rate.valid_from for rate in jurisdiction.rates if rate.kind == tax.kind), default=None)
    if begins is None:
        report.error(("plans",), f"{where}: {jurisdiction.id} in taxes has no rates of kind {tax.kind}")
    elif begins > wall_clock():
        day = datetime.fromtimestamp(begins / 1_000_000, ZoneInfo(jurisdiction.timezone)).date()
        message = (
            f"the first rate of kind {tax.kind} of {jurisdiction.id} in taxes is of {day}: no tax is booked until then"
        )
        report.warn(("plans",), f"{where}: {message}")
