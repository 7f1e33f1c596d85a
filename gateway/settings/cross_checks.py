"""Check what no section can know alone; each message names both keys.

A check looks only at sections that are valid in themselves, so that one run tells everything.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.charity.causes import Cause
from gateway.ledger.money import format_amount
from gateway.messaging import addresses
from gateway.messaging.keywords.catalogue import KeywordBook
from gateway.privacy.masks import Secret
from gateway.rating.destinations import are_free
from gateway.rating.paid_service_limits import limit_of
from gateway.rating.plan_taxes import Treatment
from gateway.rating.plans import Plan
from gateway.rating.prices import service_price
from gateway.rating.taxes import Jurisdiction
from gateway.settings.error_messages import Report
from gateway.settings.problems import KeyPath, did_you_mean, dotted
from gateway.settings.sections.api import Api
from gateway.settings.sections.bills import Bills
from gateway.settings.sections.charging import Charging
from gateway.settings.sections.charity import Charity
from gateway.settings.sections.diameter import Diameter, Tls
from gateway.settings.sections.events import Events
from gateway.settings.sections.fraud import Fraud
from gateway.settings.sections.messaging import Messaging
from gateway.settings.sections.notices import Notices
from gateway.settings.sections.operator import Operator
from gateway.settings.sections.privacy import Privacy
from gateway.settings.sections.provisioning import Provisioning, Tmf640Host
from gateway.settings.sections.retention import Retention
from gateway.settings.sections.section import Section
from gateway.settings.sections.smpp import LinkTls, Smpp
from gateway.settings.sections.store import Store
from gateway.settings.values import Endpoint
from provisioning.errors import IdentifierInvalid

MAX_SOCKET_PATH: Final = 107
"""Octets of a Unix socket's path (`man 7 unix`, sun_path less its final zero)."""

MAX_PASSWORD: Final = 8
"""Octets of a link's password, without its NUL (SMPP 3.4 §4.1.1)."""

MIN_KEY: Final = 16
"""Octets of privacy.key: 128 bits, if they are random."""


class Found(msgspec.Struct):
    """The sections that are valid in themselves; the others are None. And where the files are: the folder of gateway.yaml, and
    the files of the configuration by their keys."""

    operator: Operator | None = None
    store: Store | None = None
    api: Api | None = None
    smpp: Smpp | None = None
    messaging: Messaging | None = None
    diameter: Diameter | None = None
    charging: Charging | None = None
    notices: Notices | None = None
    bills: Bills | None = None
    fraud: Fraud | None = None
    provisioning: Provisioning | None = None
    events: Events | None = None
    charity: Charity | None = None
    privacy: Privacy | None = None
    retention: Retention | None = None
    plans: dict[str, Plan] | None = None
    causes: dict[str, Cause] | None = None
    keywords: dict[str, KeywordBook] | None = None
    taxes: dict[str, Jurisdiction] | None = None
    folder: Path | None = None
    files: dict[str, Path] = {}


def check_listeners(found: Found, report: Report) -> None:
    """Refuse two listeners on one port, and a peer or broker that is ourselves."""
    ours = list(_listeners(found))
    for number, (path, endpoint) in enumerate(ours):
        for other_path, other in ours[:number]:
            if endpoint.clashes(other):
                report.error(path, f"{endpoint} is taken by {dotted(other_path)}")
    for path, remote in _remotes(found):
        for other_path, endpoint in ours:
            if remote == endpoint and remote.port:
                report.error(path, f"{remote} is our own {dotted(other_path)}")


def _listeners(found: Found) -> Iterator[tuple[KeyPath, Endpoint]]:
    if found.api:
        yield ("api", "listen"), found.api.listen
    if found.diameter:
        for number, listener in enumerate(found.diameter.listen):
            yield ("diameter", "listen", number), listener.address


def _remotes(found: Found) -> Iterator[tuple[KeyPath, Endpoint]]:
    for number, link in enumerate(found.smpp.links if found.smpp else []):
        yield ("smpp", "links", number, "host"), link.address
    if found.diameter:
        for number, peer in enumerate(found.diameter.peers):
            if peer.connect:
                yield ("diameter", "peers", number, "connect"), peer.connect
    for number, host in enumerate(found.provisioning.hosts if found.provisioning else []):
        for key, endpoint in host.remotes.items():
            yield ("provisioning", "hosts", number, key), endpoint
    if found.events and found.events.mqtt:
        yield ("events", "mqtt", "url"), found.events.mqtt.broker


def check_peers(found: Found, report: Report) -> None:
    """Refuse a peer that is us, one that is given twice, and one that could never reach us."""
    diameter = found.diameter
    if diameter is None:
        return
    ours = {diameter.identity.lower(): "diameter.identity"}
    for number, alias in enumerate(diameter.aliases):
        ours.setdefault(alias.lower(), f"diameter.aliases[{number}]")
    seen: dict[str, str] = {}
    for number, peer in enumerate(diameter.peers):
        path: KeyPath = ("diameter", "peers", number)
        name = peer.identity.lower()
        if name in ours:
            report.error((*path, "identity"), f"{peer.identity} is our own {ours[name]}")
        if name in seen:
            report.error((*path, "identity"), f"{peer.identity} is {seen[name]} already")
        seen.setdefault(name, f"{dotted(path)}.identity")
        if peer.connect is None and not diameter.listen:
            report.error(path, "has no connect, so it connects to us, but diameter.listen is empty")
        if peer.connect is None and peer.tls:
            report.error((*path, "tls"), "is for connect; a peer that connects to us takes the tls of diameter.listen")


def check_reach(found: Found, report: Report) -> None:
    """Warn of doors that nobody may use, and of one that stands open."""
    diameter, api = found.diameter, found.api
    if diameter and diameter.listen and not diameter.peers:
        report.warn(("diameter", "listen"), "nobody may connect: diameter.peers is empty")
    if api and not api.listen.is_loopback and not api.tokens:
        report.warn(("api", "listen"), "can be reached from other machines, but api.tokens is empty: nobody may use it")


def check_tokens(found: Found, report: Report) -> None:
    """Refuse two tokens with one name, or one value under two names."""
    seen: list[tuple[str, str, Secret]] = []
    for number, token in enumerate(found.api.tokens if found.api else []):
        path: KeyPath = ("api", "tokens", number)
        for other_path, name, secret in seen:
            if token.name == name:
                report.error((*path, "name"), f"{token.name} is {other_path}.name already")
            if token.token == secret:
                report.error((*path, "token"), f"is the same as {other_path}.token")
        seen.append((dotted(path), token.name, token.token))


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
    if host.ca is not None and (message := _authority_fails(host.ca)):
        report.error((*path, "ca"), message)


def check_broker(found: Found, report: Report) -> None:
    """Refuse broker keys that need one another and don't have it."""
    mqtt = found.events.mqtt if found.events else None
    if mqtt is None:
        return
    if mqtt.password and mqtt.username is None:
        report.error(("events", "mqtt", "password"), "needs events.mqtt.username")
    if mqtt.ca and not mqtt.tls:
        report.error(("events", "mqtt", "ca"), "is for TLS, but events.mqtt.url is mqtt://, not mqtts://")


def check_paths(found: Found, report: Report) -> None:
    """Refuse a socket whose path the system can't hold, and certificates that don't load."""
    if found.api and len(str(found.api.socket).encode()) > MAX_SOCKET_PATH:
        report.error(("api", "socket"), f"is longer than {MAX_SOCKET_PATH} octets: {found.api.socket}")
    for path, tls in _tls(found):
        _check_certificate(path, tls, report)
    mqtt = found.events.mqtt if found.events else None
    if mqtt and mqtt.ca and (message := _authority_fails(mqtt.ca)):
        report.error(("events", "mqtt", "ca"), message)


def _tls(found: Found) -> Iterator[tuple[KeyPath, Tls | LinkTls]]:
    for number, link in enumerate(found.smpp.links if found.smpp else []):
        if link.tls:
            yield ("smpp", "links", number, "tls"), link.tls
    for number, listener in enumerate(found.diameter.listen if found.diameter else []):
        if listener.tls:
            yield ("diameter", "listen", number, "tls"), listener.tls
    for number, peer in enumerate(found.diameter.peers if found.diameter else []):
        if peer.tls:
            yield ("diameter", "peers", number, "tls"), peer.tls


def _check_certificate(path: KeyPath, tls: Tls | LinkTls, report: Report) -> None:
    if tls.cert and tls.key:
        _check_chain(path, tls.cert, tls.key, report)
    elif tls.cert or tls.key:
        there, absent = ("cert", "key") if tls.cert else ("key", "cert")
        report.error((*path, there), f"needs {dotted((*path, absent))}")
    if message := _authority_fails(tls.ca):
        report.error((*path, "ca"), message)


def _check_chain(path: KeyPath, cert: Path, key: Path, report: Report) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password keeps OpenSSL from asking at the terminal for that of an encrypted key.
        context.load_cert_chain(cert, key, password="")
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        report.error((*path, "cert"), f"doesn't load with its key ({dotted((*path, 'key'))}): {reason}")


def _authority_fails(ca: Path) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca)
    except (ssl.SSLError, OSError):
        return f"holds no certificate in PEM form: {ca}"
    return None


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


def check_matching(found: Found, report: Report) -> None:
    """Refuse a campaign for a cause that the file of causes does not have."""
    campaigns = found.charity.matching if found.charity else []
    for campaign in campaigns if found.causes is not None else ():
        for cause in campaign.causes:
            if cause not in (found.causes or {}):
                report.error(("charity", "matching"), f"{campaign.id}: there is no cause {cause!r}")


def check_free_numbers(found: Found, report: Report) -> None:
    """Refuse a price for numbers that are free to call in the operator's country."""
    country = found.operator.country if found.operator else ""
    for plan in (found.plans or {}).values():
        for first, rates in plan.destinations.items():
            priced = any(rate is not None and rate.ever_costs for rate in (rates.voice, rates.sms))
            if priced and are_free(first, country):
                report.error(("plans",), f"{plan.id}.destinations.{first}: these numbers are free to call in {country}")


def check_secrets(found: Found, report: Report) -> None:
    """Warn of secrets that others can read; refuse a key that can be guessed."""
    for name in ("store", "api", "smpp", "provisioning", "events", "privacy"):
        for path, secret in secrets_in(getattr(found, name), (name,)):
            _check_origin(path, secret, report)
    if found.privacy and found.privacy.key and len(found.privacy.key.reveal().encode()) < MIN_KEY:
        report.error(("privacy", "key"), f"must have at least {MIN_KEY} octets")


def _check_origin(path: KeyPath, secret: Secret, report: Report) -> None:
    kind, _, name = secret.origin.partition(":")
    if kind == "literal":
        report.warn(path, "a literal secret is read by all who read this file; use {env: NAME} or {file: PATH}")
    elif kind == "file" and Path(name).stat().st_mode & 0o007:
        report.warn(path, f"every user of this machine can read {name}; chmod o= would mend it")


def secrets_in(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Secret]]:  # noqa: ANN401  (any setting)
    """Find every secret in a section, with its place."""
    if isinstance(value, Secret):
        yield path, value
    elif isinstance(value, Section):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name), (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from secrets_in(item, (*path, number))


def check_fraud_plans(found: Found, report: Report) -> None:
    """Refuse fraud limits of a plan that there is not."""
    for plan in found.fraud.plans if found.fraud and found.plans is not None else ():
        if found.plans is not None and plan not in found.plans:
            detail = f"there is no such plan in plans{did_you_mean(plan, found.plans)}"
            report.error(("fraud", "plans", plan), detail, at_key=True)


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
        elif plan.tax.treatment is Treatment.INCLUSIVE and plan.tax.kind not in {
            rate.kind for rate in jurisdiction.rates
        }:
            report.error(("plans",), f"{where}: {jurisdiction.id} in taxes has no rates of kind {plan.tax.kind}")


CHECKS: Final[tuple[Callable[[Found, Report], None], ...]] = (
    check_listeners,
    check_peers,
    check_reach,
    check_tokens,
    check_links,
    check_routes,
    check_short_codes,
    check_grants,
    check_free_numbers,
    check_fraud_plans,
    check_paid_services,
    check_matching,
    check_taxes,
    check_hosts,
    check_broker,
    check_paths,
    check_secrets,
    check_successors,
)
