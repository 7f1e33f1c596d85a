"""The clock of a simulated year, which stands still until somebody moves it."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

MICROSECONDS = 1_000_000
DAY = timedelta(days=1)


class Clock:
    """UTC microseconds; `zone` is the operator's, by which days and months begin."""

    def __init__(self, zone: ZoneInfo, start: datetime) -> None:
        """Stand at `start`."""
        self.zone = zone
        self.now = microseconds(start)

    def __call__(self) -> int:
        """Return the time, as the gateway asks for it."""
        return self.now

    def move(self, to: datetime) -> None:
        """Go on to a moment; one that is over is left where it is."""
        self.now = max(self.now, microseconds(to))

    @property
    def moment(self) -> datetime:
        """The time on the operator's clock."""
        return datetime.fromtimestamp(self.now / MICROSECONDS, UTC).astimezone(self.zone)

    def at(self, day: datetime, hour: int, minute: int = 0) -> datetime:
        """Return a time of a day on the operator's clock."""
        return datetime.combine(day.date(), time(hour, minute), self.zone)

    def midnight(self, day: datetime) -> datetime:
        """Return the end of a day."""
        return datetime.combine(day.date() + DAY, time(), self.zone)


def microseconds(moment: datetime) -> int:
    """Write a moment as UTC microseconds."""
    return int(moment.astimezone(UTC).timestamp() * MICROSECONDS)
