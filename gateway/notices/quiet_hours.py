"""Quiet hours: when no courtesy is sent, by the clocks of the operator."""

from datetime import datetime, timedelta, tzinfo

import msgspec

MICROSECONDS = 1_000_000


class QuietHours(msgspec.Struct, frozen=True):
    """From one minute of the day until another one, which may be of the next day; equal ones are no quiet hours at all."""

    start: int
    end: int
    zone: tzinfo

    def holds(self, at: int) -> bool:
        """Return whether a time (microseconds) lies in them."""
        local = datetime.fromtimestamp(at / MICROSECONDS, self.zone)
        minute = local.hour * 60 + local.minute
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def next_start(self, at: int) -> int | None:
        """Return when they begin next (microseconds); None where there are none."""
        if self.start == self.end:
            return None
        local = datetime.fromtimestamp(at / MICROSECONDS, self.zone).replace(tzinfo=None, fold=0)
        begins = local.replace(hour=self.start // 60, minute=self.start % 60, second=0, microsecond=0)
        if begins <= local:
            begins += timedelta(days=1)
        return int(begins.replace(tzinfo=self.zone).timestamp()) * MICROSECONDS
