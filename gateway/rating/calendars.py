"""Which tariff period a time is in, by the clocks and public holidays of a place, and when that changes.

Days and months of caps are those of the same clocks.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from gateway.rating.plans import HOLIDAY, Period

SECOND = 1_000_000
"""Microseconds."""
DAY_MINUTES = 24 * 60
KEPT = 1024
"""Stretches of time that are remembered: the present one, and those of late reports."""


class Calendar:
    """The tariff periods of a plan in a time zone; `holidays` is whose public holidays count, such as GB-ENG."""

    def __init__(self, periods: Sequence[Period], zone: tzinfo, holidays: str = "") -> None:
        """Take the periods in the order in which they count."""
        self._periods, self._zone, self._holidays = periods, zone, holidays
        self._found = (0, 0, "")

    def period(self, at: int) -> str:
        """Name the period of a time (microseconds); empty outside all of them."""
        return self.stretch(at)[2]

    def stretch(self, at: int) -> tuple[int, int, str]:
        """Return the time around `at` in which nothing changes, from and until (microseconds), and the period's name.

        What comes after may have the same name: a stretch is never longer than a day.
        """
        if not self._found[0] <= at < self._found[1]:
            self._found = self._look(at)
        return self._found

    def next_change(self, at: int, until: int) -> int | None:
        """Say when the period of a time ends, if that is before `until` (microseconds)."""
        name, end = self.period(at), self.stretch(at)[1]
        while end < until:
            if self.period(end) != name:
                return end
            end = self.stretch(end)[1]
        return None

    def _look(self, at: int) -> tuple[int, int, str]:
        """Look between the changes of the day by its own clocks; a day with a change of clocks is cut there, too."""
        begins, ends, _ = day_of(at, self._zone)
        cuts = {begins, ends, *_clock_changes(begins, ends, self._zone)}
        local = _local(begins, self._zone)
        for minute in {minute for each in self._periods for minute in (each.begins, each.ends)}:
            wall = datetime(local.year, local.month, local.day, tzinfo=None) + timedelta(minutes=minute)  # noqa: DTZ001  (by the wall's clock)
            for fold in (0, 1):
                cuts.add(int(wall.replace(tzinfo=self._zone, fold=fold).timestamp()) * SECOND)
        start = max(cut for cut in cuts if cut <= at)
        return start, min(cut for cut in cuts if cut > at), self._name(_local(start, self._zone))

    def _name(self, local: datetime) -> str:
        minute, today = local.hour * 60 + local.minute, local.date()
        yesterday = today - timedelta(days=1)
        for period in self._periods:
            if period.begins < period.ends:
                fits = period.begins <= minute < period.ends and self._is_of(today, period)
            else:
                fits = (minute >= period.begins and self._is_of(today, period)) or (
                    minute < period.ends and self._is_of(yesterday, period)
                )
            if fits:
                return period.id
        return ""

    def _is_of(self, day: date, period: Period) -> bool:
        return day.weekday() in period.days or (
            HOLIDAY in period.days and bool(self._holidays) and day in public_holidays(self._holidays, day.year)
        )


@lru_cache(256)
def calendar_of(periods: tuple[Period, ...], zone: tzinfo, holidays: str) -> Calendar:
    """Return the calendar of some periods, the same one for the same periods, so that what it found is found again."""
    return Calendar(periods, zone, holidays)


@lru_cache(64)
def public_holidays(place: str, year: int) -> frozenset[date]:
    """Return the public holidays of a country or a part of it (ISO 3166: GB, GB-ENG) in a year. LookupError: no such place."""
    import holidays  # noqa: PLC0415  (most plans have no holidays, and a start takes longer with them)

    country, _, part = place.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError as error:
        message = f"no holidays are known of {place}"
        raise LookupError(message) from error


@lru_cache(KEPT)
def _day(begins: date, zone: tzinfo) -> tuple[int, int, date]:
    after = begins + timedelta(days=1)
    return _midnight(begins, zone), _midnight(after, zone), begins


def day_of(at: int, zone: tzinfo) -> tuple[int, int, date]:
    """Return when the day of a time (microseconds) begins and ends by the clocks of a zone, and its date."""
    return _day(_local(at, zone).date(), zone)


def _midnight(day: date, zone: tzinfo) -> int:
    """Return when a day begins: in some zones clocks leave midnight out, and the day begins when they go on."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * SECOND


def _local(at: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC).astimezone(zone)


def _clock_changes(begins: int, ends: int, zone: tzinfo) -> list[int]:
    """Find the second at which clocks change between two times, of which there is at most one a day."""
    if _local(begins, zone).utcoffset() == _local(ends, zone).utcoffset():
        return []
    before, after = begins // SECOND, ends // SECOND
    first = _local(begins, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _local(middle * SECOND, zone).utcoffset() == first else (before, middle)
    return [after * SECOND]
