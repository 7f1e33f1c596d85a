"""Times as events and answers write them: RFC 3339 in UTC with Z, from microseconds or from the monotonic clock."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from gateway.environment import Environment

MICROSECONDS = 1_000_000
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339, in an answer."""


def rfc3339(time: int) -> str:
    """Write a time in microseconds since 1970; a whole second has no fraction."""
    second, fraction = divmod(time, MICROSECONDS)
    return f"{_second(second)}.{fraction:06d}Z" if fraction else f"{_second(second)}Z"


def since(environment: Environment, then: float) -> str:
    """Write a moment of the monotonic clock as RFC 3339 in UTC, to the second."""
    seconds = environment.clock() / MICROSECONDS - (environment.monotonic() - then)
    return rfc3339(int(seconds) * MICROSECONDS)


@lru_cache(1024)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]
