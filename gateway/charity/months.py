"""Calendar months on the operator's clock, written as periods such as `2026-11`."""

from datetime import UTC, datetime, tzinfo
from typing import Final

MICROSECONDS: Final = 1_000_000
DECEMBER: Final = 12
QUARTER: Final = 3


def period_of(at: int, zone: tzinfo) -> str:
    """Return the month that a moment (UTC microseconds) lies in."""
    return datetime.fromtimestamp(at / MICROSECONDS, zone).strftime("%Y-%m")


def following(period: str) -> str:
    """Return the month after a month."""
    year, month = _parts(period)
    return f"{year + month // DECEMBER:04d}-{month % DECEMBER + 1:02d}"


def end_of(period: str, zone: tzinfo) -> int:
    """Return the first moment after a month, in UTC microseconds."""
    year, month = _parts(following(period))
    return int(datetime(year, month, 1, tzinfo=zone).astimezone(UTC).timestamp()) * MICROSECONDS


def begin_of(period: str, zone: tzinfo) -> int:
    """Return the first moment of a month, in UTC microseconds."""
    year, month = _parts(period)
    return int(datetime(year, month, 1, tzinfo=zone).astimezone(UTC).timestamp()) * MICROSECONDS


def quarter_of(period: str) -> tuple[str, str]:
    """Return the first and the last month of the calendar quarter that a month lies in."""
    year, month = _parts(period)
    first = (month - 1) // QUARTER * QUARTER + 1
    return f"{year:04d}-{first:02d}", f"{year:04d}-{first + QUARTER - 1:02d}"


def title(period: str) -> str:
    """Write a month for people: `November 2026`."""
    year, month = _parts(period)
    return datetime(year, month, 1, tzinfo=UTC).strftime("%B %Y")


def _parts(period: str) -> tuple[int, int]:
    year, _, month = period.partition("-")
    return int(year), int(month)
