"""Checks of certificates, keys and authorities."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

from gateway.settings.checks.found import Found
from gateway.settings.error_messages import Report
from gateway.settings.problems import KeyPath, dotted
from gateway.settings.sections.diameter import Tls
from gateway.settings.sections.smpp import LinkTls


def tls_in(found: Found) -> Iterator[tuple[KeyPath, Tls | LinkTls]]:
    """Return every TLS setting of links, listeners and peers, with its key."""
    for number, link in enumerate(found.smpp.links if found.smpp else []):
        if link.tls:
            yield ("smpp", "links", number, "tls"), link.tls
    for number, listener in enumerate(found.diameter.listen if found.diameter else []):
        if listener.tls:
            yield ("diameter", "listen", number, "tls"), listener.tls
    for number, peer in enumerate(found.diameter.peers if found.diameter else []):
        if peer.tls:
            yield ("diameter", "peers", number, "tls"), peer.tls


def check_certificate(path: KeyPath, tls: Tls | LinkTls, report: Report) -> None:
    """Refuse a certificate without its key, one that does not load, and an authority that is none."""
    if tls.cert and tls.key:
        _check_chain(path, tls.cert, tls.key, report)
    elif tls.cert or tls.key:
        there, absent = ("cert", "key") if tls.cert else ("key", "cert")
        report.error((*path, there), f"needs {dotted((*path, absent))}")
    if message := authority_fails(tls.ca):
        report.error((*path, "ca"), message)


def _check_chain(path: KeyPath, cert: Path, key: Path, report: Report) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password keeps OpenSSL from asking at the terminal for that of an encrypted key.
        context.load_cert_chain(cert, key, password="")
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        report.error((*path, "cert"), f"doesn't load with its key ({dotted((*path, 'key'))}): {reason}")


def authority_fails(ca: Path) -> str | None:
    """Return why a file holds no authority; None where it does."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca)
    except (ssl.SSLError, OSError):
        return f"holds no certificate in PEM form: {ca}"
    return None
