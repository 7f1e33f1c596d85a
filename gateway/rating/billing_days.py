"""The calendar of a line's periods: they begin at midnight of its billing day, by the clocks of the operator's zone. Pure.

In a month that is too short the last day stands for the 29th, 30th or 31st; the next month has the day itself again. A midnight
that the clocks leave out is the first moment after it, of one that they show twice it is the first.
"""

from calendar import monthrange
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from gateway.rating.prices import half_even

MICROSECONDS: Final = 1_000_000
LAST_DAY: Final = 31


def day_of_month(time: int, zone: tzinfo) -> int:
    """Return the day of the month at a time (microseconds)."""
    return datetime.fromtimestamp(time // MICROSECONDS, zone).day


def period_of(time: int, billing_day: int, zone: tzinfo) -> tuple[int, int]:
    """Return the beginning and the end (microseconds) of the period that a time is in; `billing_day` is 1 to 31."""
    local = datetime.fromtimestamp(time // MICROSECONDS, zone)
    begins = _midnight(local.year, local.month, billing_day, zone)
    if time < begins:
        return _midnight(*_month(local.year, local.month, -1), billing_day, zone), begins
    return begins, _midnight(*_month(local.year, local.month, 1), billing_day, zone)


def calendar_month(time: int, zone: tzinfo) -> str:
    """Name the month (2026-12) of a time."""
    return f"{datetime.fromtimestamp(time // MICROSECONDS, zone):%Y-%m}"


def days_later(now: int, days: int, zone: tzinfo) -> int:
    """Return the time (microseconds) so many days after `now`, at the same time of day by the clocks of a zone.

    A time that the clocks leave out is the one an hour later, of one that they show twice it is the first.
    """
    seconds, rest = divmod(now, MICROSECONDS)
    then = datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0) + timedelta(days=days)
    return int(then.replace(tzinfo=zone).timestamp()) * MICROSECONDS + rest


def part_of(amount: int, now: int, period: tuple[int, int]) -> int:
    """Return what an amount of a whole period comes to for the rest of it, rounded half-even once."""
    begins, ends = period
    return half_even(amount * (ends - max(now, begins)), ends - begins)


def _month(year: int, month: int, by: int) -> tuple[int, int]:
    years, months = divmod(year * 12 + month - 1 + by, 12)
    return years, months + 1


def _midnight(year: int, month: int, day: int, zone: tzinfo) -> int:
    last = monthrange(year, month)[1]
    midnight = datetime(year, month, min(day, last), tzinfo=zone)
    if midnight.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != midnight.replace(tzinfo=None):
        # It is left out: its own offset names the time before the gap, read as that of after it.
        before = (midnight - timedelta(hours=3)).utcoffset()
        assert before is not None
        return int((midnight.replace(tzinfo=UTC) - before).timestamp()) * MICROSECONDS
    return int(midnight.timestamp()) * MICROSECONDS
