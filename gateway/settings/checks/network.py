"""Checks of addresses across sections: nothing listens twice at one place, and who is named can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.settings.checks.found import Found
from gateway.settings.checks.tls import authority_fails, check_certificate, tls_in
from gateway.settings.error_messages import Report
from gateway.settings.problems import KeyPath, dotted
from gateway.settings.values import Endpoint

MAX_SOCKET_PATH: Final = 107
"""Octets of a Unix socket's path (`man 7 unix`, sun_path less its final zero)."""


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
    """Warn of listeners that nobody may use, and of one that anybody may."""
    diameter, api = found.diameter, found.api
    if diameter and diameter.listen and not diameter.peers:
        report.warn(("diameter", "listen"), "nobody may connect: diameter.peers is empty")
    if api and not api.listen.is_loopback and not api.tokens:
        report.warn(("api", "listen"), "can be reached from other machines, but api.tokens is empty: nobody may use it")


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
    for path, tls in tls_in(found):
        check_certificate(path, tls, report)
    mqtt = found.events.mqtt if found.events else None
    if mqtt and mqtt.ca and (message := authority_fails(mqtt.ca)):
        report.error(("events", "mqtt", "ca"), message)
