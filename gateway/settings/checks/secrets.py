"""Checks of tokens, keys and other secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gateway.privacy.masks import Secret
from gateway.settings.checks.found import Found
from gateway.settings.error_messages import Report
from gateway.settings.problems import KeyPath, dotted
from gateway.settings.sections.section import Section

MIN_KEY: Final = 16
"""Octets of privacy.key: 128 bits, if they are random."""
MIN_TOKEN: Final = 8
"""Characters of a token that lets somebody in; less is guessed by whoever asks often enough (NIST SP 800-63B §5.1.1.1)."""
SHORT_TOKEN: Final = 16
"""Characters below which a token is warned of: 64 bits, if they are random digits in hexadecimal."""
_MAKE_ONE: Final = "make one with `openssl rand -hex 24`"


def check_tokens(found: Found, report: Report) -> None:
    """Refuse two tokens with one name, one value under two names, and one that can be guessed."""
    seen: list[tuple[str, str, Secret]] = []
    for number, token in enumerate(found.api.tokens if found.api else []):
        path: KeyPath = ("api", "tokens", number)
        for other_path, name, secret in seen:
            if token.name == name:
                report.error((*path, "name"), f"{token.name} is {other_path}.name already")
            if token.token == secret:
                report.error((*path, "token"), f"is the same as {other_path}.token")
        length = len(token.token.reveal())
        if length < MIN_TOKEN:
            report.error((*path, "token"), f"can be guessed: it must have at least {MIN_TOKEN} characters; {_MAKE_ONE}")
        elif length < SHORT_TOKEN:
            report.warn((*path, "token"), f"has fewer than {SHORT_TOKEN} characters, which can be guessed; {_MAKE_ONE}")
        seen.append((dotted(path), token.name, token.token))


def check_secrets(found: Found, report: Report) -> None:
    """Warn of secrets that others can read; refuse a key that can be guessed, and a token that no header carries as it is."""
    for name in ("store", "api", "smpp", "provisioning", "events", "privacy"):
        for path, secret in secrets_in(getattr(found, name), (name,)):
            _check_origin(path, secret, report)
            if path[-1] == "token" and not _is_carried(secret.reveal()):
                report.error(
                    path, "has a blank at an end, a control character or a byte order mark: nobody could show it"
                )
    if found.privacy and found.privacy.key and len(found.privacy.key.reveal().encode()) < MIN_KEY:
        report.error(("privacy", "key"), f"must have at least {MIN_KEY} octets")


def _is_carried(token: str) -> bool:
    """Whether a header's value is this token once what surrounds a value is left out (RFC 9110 §5.5)."""
    return token == token.strip() and token.isprintable()


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
