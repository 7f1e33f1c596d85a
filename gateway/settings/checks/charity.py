"""Checks of causes, and of the accounts that they are paid from: matching campaigns, successors, whose account is whose."""

from __future__ import annotations

from gateway.settings.checks.found import Found
from gateway.settings.error_messages import Report


def check_matching(found: Found, report: Report) -> None:
    """Refuse a campaign for a cause that the file of causes does not have."""
    campaigns = found.charity.matching if found.charity else []
    for campaign in campaigns if found.causes is not None else ():
        for cause in campaign.causes:
            if cause not in (found.causes or {}):
                report.error(("charity", "matching"), f"{campaign.id}: there is no cause {cause!r}")


def check_successors(found: Found, report: Report) -> None:
    """Refuse a successor that is no open cause, and warn of agreements that nothing pays."""
    causes = found.causes or {}
    accounts = {each.currency for each in found.charity.accounts} if found.charity else set()
    for cause in causes.values():
        heir = causes.get(cause.successor.cause) if cause.successor else None
        if cause.successor and (heir is None or not heir.open):
            report.error(("causes",), f"{cause.id}.successor: {cause.successor.cause} is no open cause of the file")
        if cause.agreement and cause.agreement.currency not in accounts:
            where = f"charity.accounts has none in {cause.agreement.currency}"
            report.warn(("causes",), f"{cause.id}.agreement: it cannot be paid: {where}")


def check_accounts(found: Found, report: Report) -> None:
    """Refuse an account that customers pay bills to and that causes are paid from: what comes in there would be of either."""
    bills, charity = (found.bills.accounts if found.bills else []), (found.charity.accounts if found.charity else [])
    for number, account in enumerate(bills):
        path = ("bills", "accounts", number)
        paid_to = account.bank_account
        for place, other in enumerate(charity):
            if paid_to.is_same(other.bank_account):
                report.error(path, f"is charity.accounts[{place}]: bills and causes need an account each")
        if any(paid_to.is_same(other.bank_account) for other in bills[:number]):
            report.error(path, "is one of bills.accounts already")


def check_register_numbers(found: Found, report: Report) -> None:
    """Warn of a number in a register that two causes have: one of them would be paid on the standing of the other."""
    first: dict[tuple[str, str], str] = {}
    for cause in (found.causes or {}).values():
        other = first.setdefault((cause.regulator, cause.number), cause.id) if cause.number else cause.id
        if other != cause.id:
            report.warn(("causes",), f"{cause.id}.number: {other} has the same one in the register {cause.regulator}")
