"""Times as events write them: RFC 3339 in UTC with Z, from microseconds."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

MICROSECONDS = 1_000_000
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339, in an answer."""


def rfc3339(time: int) -> str:
    """Write a time in microseconds since 1970; a whole second has no fraction."""
    second, fraction = divmod(time, MICROSECONDS)
    return f"{_second(second)}.{fraction:06d}Z" if fraction else f"{_second(second)}Z"


@lru_cache(1024)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
