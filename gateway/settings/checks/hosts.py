"""Checks of the hosts that SIMs are activated at."""

from __future__ import annotations

from gateway.settings.checks.found import Found
from gateway.settings.checks.tls import authority_fails
from gateway.settings.error_messages import Report
from gateway.settings.problems import KeyPath, did_you_mean, dotted
from gateway.settings.sections.provisioning import Tmf640Host


def check_hosts(found: Found, report: Report) -> None:
    """Refuse two hosts with one name, or for one plan, and keys that do not go together."""
    names: dict[str, str] = {}
    plans: dict[str, str] = {}
    for number, host in enumerate(found.provisioning.hosts if found.provisioning else []):
        path: KeyPath = ("provisioning", "hosts", number)
        if host.name in names:
            report.error((*path, "name"), f"{host.name} is {names[host.name]} already")
        names.setdefault(host.name, f"{dotted(path)}.name")
        if isinstance(host, Tmf640Host):
            _check_api(path, host, report)
        for place, plan in enumerate(host.plans):
            where: KeyPath = (*path, "plans", place)
            if found.plans is not None and plan not in found.plans:
                report.error(where, f"there is no plan {plan}{did_you_mean(plan, found.plans)}")
            if plan in plans:
                report.error(where, f"{plan} is {plans[plan]} already: one host serves a plan")
            plans.setdefault(plan, dotted(where))


def _check_api(path: KeyPath, host: Tmf640Host, report: Report) -> None:
    if host.url.startswith("http:"):
        if host.ca is not None:
            report.error((*path, "ca"), f"is for TLS, but {dotted(path)}.url is http://, not https://")
        if host.token is not None and not host.remotes["url"].is_loopback:
            report.warn((*path, "token"), f"goes in clear: {dotted(path)}.url is http://, not https://")
    if host.ca is not None and (message := authority_fails(host.ca)):
        report.error((*path, "ca"), message)
