"""Service-Context-Ids of the 3GPP, and which service each is of (TS 32.299 §7.1.12)."""

import re
from functools import lru_cache
from typing import Final

from gateway.charging.request import DATA, SMS, VOICE

_CONTEXT: Final = re.compile(r"(?:^|\.)(32\d{3})@3gpp\.org$", re.IGNORECASE)
_SERVICES: Final = {"32251": DATA, "32255": DATA, "32260": VOICE, "32276": VOICE, "32274": SMS}
_LONGEST: Final = 255


@lru_cache(256)
def standard_service(name: str) -> str | None:
    """Return the service of a Service-Context-Id, None where the specification that it names is none with a price; clients
    have few of them."""
    return _SERVICES.get(specification(name))


def specification(name: str) -> str:
    """Return the number of the specification that a Service-Context-Id names, whatever stands before it; empty for others."""
    match = _CONTEXT.search(name.rstrip(" .\0")) if len(name) <= _LONGEST else None
    return match.group(1) if match else ""
