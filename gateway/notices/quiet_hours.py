"""Quiet hours: when no courtesy is sent, by the clocks of the operator and of wherever a number of North America may be."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

MICROSECONDS = 1_000_000
NORTH_AMERICA: Final = "1"
"""The calling code of countries whose customers of one operator live by up to nine clocks."""
EXCHANGE: Final = 7
"""Digits that say where a number of North America is: country code, area and exchange."""
MOST_ZONES: Final = 4
"""A number that may be in more of them is of no area, such as 800 and 500."""


class QuietHours(msgspec.Struct, frozen=True):
    """From one minute of the day until another one, which may be of the next day; equal ones are no quiet hours at all.

    They hold while the operator's clocks show them, or those of any place where a number that is given may be.
    """

    start: int
    end: int
    zone: tzinfo

    def holds(self, at: int, number: str = "") -> bool:
        """Return whether a time (microseconds) lies in them."""
        return any(self._holds(at, zone) for zone in (self.zone, *_zones(number)))

    def next_start(self, at: int, number: str = "") -> int | None:
        """Return when they begin next (microseconds); None where there are none."""
        if self.start == self.end:
            return None
        return min(self._next_start(at, zone) for zone in (self.zone, *_zones(number)))

    def _holds(self, at: int, zone: tzinfo) -> bool:
        local = datetime.fromtimestamp(at / MICROSECONDS, zone)
        minute = local.hour * 60 + local.minute
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def _next_start(self, at: int, zone: tzinfo) -> int:
        local = datetime.fromtimestamp(at / MICROSECONDS, zone).replace(tzinfo=None, fold=0)
        begins = local.replace(hour=self.start // 60, minute=self.start % 60, second=0, microsecond=0)
        if begins <= local:
            begins += timedelta(days=1)
        return int(begins.replace(tzinfo=zone).timestamp()) * MICROSECONDS


def _zones(number: str) -> Sequence[tzinfo]:
    """Return the time zones that a number (E.164 digits) of North America may be in."""
    return _zones_of(number[:EXCHANGE]) if number.startswith(NORTH_AMERICA) else ()


@lru_cache(4096)
def _zones_of(first: str) -> Sequence[tzinfo]:
    import phonenumbers.timezone  # noqa: PLC0415  (its tables take 2 MB, which only operators in North America need)

    parsed = phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{first[1:]:0<10}"))
    names = phonenumbers.timezone.time_zones_for_geographical_number(parsed)
    known = [name for name in names if name != phonenumbers.timezone.UNKNOWN_TIMEZONE]
    return tuple(ZoneInfo(name) for name in known) if len(known) <= MOST_ZONES else ()
