"""Checks of SMPP links, routes and short codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.messaging import addresses
from gateway.settings.checks.found import Found
from gateway.settings.error_messages import Report
from gateway.settings.problems import KeyPath, did_you_mean, dotted
from gateway.settings.sections.operator import Operator
from provisioning.errors import IdentifierInvalid

MAX_PASSWORD: Final = 8
"""Octets of a link's password, without its NUL (SMPP 3.4 §4.1.1)."""


def check_links(found: Found, report: Report) -> None:
    """Refuse two links with one name and a password that no bind can carry; warn of receipts that have no way in."""
    links = found.smpp.links if found.smpp else []
    seen: dict[str, str] = {}
    for number, link in enumerate(links):
        path: KeyPath = ("smpp", "links", number)
        if link.name in seen:
            report.error((*path, "name"), f"{link.name} is {seen[link.name]} already")
        seen.setdefault(link.name, f"{dotted(path)}.name")
        password = link.password.reveal() if link.password else ""
        if not password.isascii() or not password.isprintable() or len(password) > MAX_PASSWORD:
            wire = f"must be at most {MAX_PASSWORD} printable ASCII characters (SMPP 3.4 §4.1.1)"
            report.error((*path, "password"), wire)
        if "doubtful_wait" in link.model_fields_set and link.doubtful != "wait":
            report.warn(
                (*path, "doubtful_wait"), f"is for doubtful: wait, but {dotted(path)}.doubtful is {link.doubtful}"
            )
        if "attempts" in link.model_fields_set and link.doubtful == "fail":
            report.warn((*path, "attempts"), f"is for texts that are sent again, but {dotted(path)}.doubtful is fail")
    if links and found.messaging and found.messaging.receipts and not any(link.receives for link in links):
        report.warn(
            ("smpp", "links"), "none of them receives, so no receipt (messaging.receipts) and no text can come in"
        )


def check_routes(found: Found, report: Report) -> None:
    """Refuse a route by a link that there is not, or that carries nothing; warn of what no text would ever take."""
    smpp = found.smpp
    if smpp is None or not smpp.routes:
        return
    links = {link.name: link for link in smpp.links}
    named: set[str] = set()
    catch_all = ""
    for number, route in enumerate(smpp.routes):
        path: KeyPath = ("smpp", "routes", number)
        if catch_all:
            report.warn(path, f"is never taken: {catch_all} takes every text")
        for place, name in enumerate(route.links):
            where: KeyPath = (*path, "links", place)
            if name not in links:
                report.error(where, f"there is no link {name}{did_you_mean(name, links)}")
            elif links[name].bind == "receiver":
                report.error(where, f"{name} is a receiver: it carries no texts out")
            elif name in route.links[:place]:
                report.error(where, f"{name} is {dotted((*path, 'links', route.links.index(name)))} already")
        _check_senders(path, route.senders, found.operator, report)
        named.update(route.links)
        if route.catches_all:
            catch_all = catch_all or dotted(path)
    if not catch_all:
        report.warn(("smpp", "routes"), "none takes every text: those that none takes wait, and expire")
    for number, link in enumerate(smpp.links):
        if link.bind != "receiver" and link.name not in named:
            report.warn(
                ("smpp", "links", number), f"no route names {link.name}: it carries only answers to its own texts"
            )


def _check_senders(path: KeyPath, senders: Sequence[str], operator: Operator | None, report: Report) -> None:
    """Refuse a sender that no text can have."""
    if operator is None:
        return
    for place, given in enumerate(senders):
        try:
            addresses.sender(given, operator.country)
        except IdentifierInvalid as error:
            report.error((*path, "senders", place), f"no text comes from it: {error}")


def check_short_codes(found: Found, report: Report) -> None:
    """Refuse a short code or number that is given twice; warn of a code that answers nothing."""
    codes = found.messaging.short_codes if found.messaging else []
    for number, code in enumerate(codes):
        path: KeyPath = ("messaging", "short_codes", number)
        if code in codes[:number]:
            report.error(path, f"{code} is messaging.short_codes[{codes.index(code)}] already")
        elif found.keywords is not None and code not in found.keywords:
            report.warn(path, f"texts to {code} are not answered: keywords has no services for it")
    numbers = found.messaging.numbers if found.messaging else []
    for number, own in enumerate(numbers):
        if own in numbers[:number]:
            report.error(("messaging", "numbers", number), f"{own} is messaging.numbers[{numbers.index(own)}] already")
