"""Checks of amounts that people set as limits: none has more decimals than its currency."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.ledger.money import digits_of, is_payable
from gateway.settings.checks.found import Found
from gateway.settings.error_messages import Report
from gateway.settings.problems import KeyPath
from gateway.settings.sections.fraud import FraudLimits


def check_amounts(found: Found, report: Report) -> None:
    """Refuse a limit that nobody could pay to the last digit; prices by unit may have more decimals (up to six)."""
    for path, where, amount, currency in _with_a_currency(found):
        if not is_payable(amount, currency):
            report.error(path, f"{where}has more decimals than {currency}, which has {digits_of(currency) or 'none'}")
    if found.operator is None or found.plans is None:
        return
    # A limit of wallets counts in each by its own currency: the one with the most decimals says how many it may have.
    most = max((found.operator.currency, *(plan.currency for plan in found.plans.values())), key=digits_of)
    for path, amount in _of_wallets(found):
        if not is_payable(amount, most):
            report.error(path, f"has more decimals than the plans' currencies: {most} has {digits_of(most) or 'none'}")


def _with_a_currency(found: Found) -> Iterator[tuple[KeyPath, str, int, str]]:
    """Return the amounts that have a currency beside them, and where they stand in a file."""
    for number, campaign in enumerate(found.charity.matching if found.charity else ()):
        yield ("charity", "matching", number, "cap"), "", campaign.cap, campaign.currency
    for cause in (found.causes or {}).values():
        if cause.agreement:
            yield ("causes",), f"{cause.id}.agreement.threshold: ", cause.agreement.threshold, cause.agreement.currency
    for plan in (found.plans or {}).values():
        for cap in plan.caps:
            where = f"{plan.id}.caps: {'month' if cap.monthly else 'day'} of {', '.join(cap.services)}: "
            yield ("plans",), where, cap.price, plan.currency


def _of_wallets(found: Found) -> Iterator[tuple[KeyPath, int]]:
    """Return the limits of wallets, whichever currency these are in."""
    if found.charging is not None:
        for name in ("topup_limit", "wallet_limit", "cap_abroad"):
            yield ("charging", name), getattr(found.charging, name)
    if found.notices is not None:
        yield ("notices", "low_balance"), found.notices.low_balance
    if found.fraud is not None:
        every: dict[KeyPath, FraudLimits] = {("fraud", "limits"): found.fraud.limits}
        every |= {("fraud", "plans", plan): limits for plan, limits in found.fraud.plans.items()}
        for path, limits in every.items():
            for name in ("spend", "premium"):
                yield (*path, name), getattr(limits, name) or 0
