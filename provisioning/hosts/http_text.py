"""HTTP requests and answers as the texts of HTTP/1.1, for whoever listens in; nothing of credentials gets into one.

Only headers of a fixed list are written: what a host makes up besides, cookies and tokens among it, is nobody's business.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

from yarl import URL

from protocols.tap import Endpoint

_SHOWN: Final = ("Accept", "Content-Type", "Location", "Link", "Retry-After")
"""Content-Length is written besides, as the body is: unchunked, unpacked."""


def request(method: str, url: URL, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Write a request (RFC 9112 §3)."""
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}", *_shown(headers)]
    return _message(lines, body)


def response(status: int, reason: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Write an answer (RFC 9112 §4)."""
    return _message([f"HTTP/1.1 {status} {reason}", *_shown(headers)], body)


def remote(url: URL) -> Endpoint:
    """Return the host's address and port, as far as the URL tells them: a name is no address."""
    host = url.host or ""
    try:
        ip_address(host)
    except ValueError:
        host = ""
    return host, url.port or 0


def _shown(headers: Mapping[str, str]) -> list[str]:
    return [f"{name}: {headers[name]}" for name in _SHOWN if name in headers]


def _message(lines: list[str], body: bytes | None) -> bytes:
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + (body or b"")
