"""What a line was charged in this month and the last, and the limits that hold it: its bill limit, the cap abroad, a bar.

A customer may say what a bill comes to at most, every month's or that of one, and that may be nothing (Communications Act 2003
s.124S; bills are of calendar months, so these are its billing periods). It counts what is charged for use; the price of the
plan's own bundle is agreed with the plan, and is not counted. A limit is passed only where the customer agreed for that month;
what is reported beyond it is booked as absorbed, and never billed (decision 052).

Months are those of the operator's time zone; an event belongs to the month in which it was, so that a late report counts
where it was used. Money in micro-units.
"""

from datetime import UTC, datetime, tzinfo

import msgspec

MICROSECONDS = 1_000_000
HOUR_US = 3_600 * MICROSECONDS
NO_LIMIT = -1
BILL, ABROAD = "bill", "abroad"
"""The limits that a line may have."""
SET, REMOVED, AGREED = "set", "removed", "agreed"
"""What a customer may decide about one."""


class BillingMonths:
    """Numbers calendar months (year times twelve, and the month) in a time zone; the last one is remembered with its bounds."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        """Take the operator's time zone."""
        self._zone = zone
        self._number = self._start = self._end = 0

    def number(self, at: int) -> int:
        """Return the month of a time (microseconds)."""
        if not self._start <= at < self._end:
            self._look_up(at)
        return self._number

    def bounds(self, month: int) -> tuple[int, int]:
        """Return when a month begins, and when the next one does (microseconds)."""
        first = datetime(month // 12, month % 12 + 1, 1, tzinfo=self._zone)
        following = datetime((month + 1) // 12, (month + 1) % 12 + 1, 1, tzinfo=self._zone)
        return int(first.timestamp()) * MICROSECONDS, int(following.timestamp()) * MICROSECONDS

    def _look_up(self, at: int) -> None:
        local = datetime.fromtimestamp(at // MICROSECONDS, self._zone)
        self._number = local.year * 12 + local.month - 1
        self._start, self._end = self.bounds(self._number)


def month_of(period: str) -> int:
    """Return the number of a month such as `2026-11`."""
    year, month = period.split("-")
    return int(year) * 12 + int(month) - 1


def period_of(month: int) -> str:
    """Write a month's number as `2026-11`."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


class Spending(msgspec.Struct, array_like=True):
    """What is known of one line's spending; it stands in its wallet's row, so that it costs no statement of its own.

    `charged` and `abroad` are of `month`, `before` and `abroad_before` of the month before, `charged_in_hour` of `hour`, which
    counts from 1970.
    `limit` is the bill limit, NO_LIMIT where there is none. `agreed` and `cap_agreed` are months in which the customer agreed
    that bill limit, or cap abroad, may be passed. `country` is the MCC in which the line was last used, if a request said it.
    `marks` are what was noticed, and in which period: the names are of whoever looks (gateway.notices, gateway.fraud).
    """

    month: int = 0
    charged: int = 0
    before: int = 0
    abroad: int = 0
    abroad_before: int = 0
    hour: int = 0
    charged_in_hour: int = 0
    limit: int = NO_LIMIT
    agreed: int = 0
    cap_agreed: int = 0
    barred: bool = False
    """Nothing with a price is served: a person has to look at what was used (gateway.fraud)."""
    country: str = ""
    marks: dict[str, int] = {}
    months: dict[int, int] = {}
    """Limits of single months, in place of that of all: NO_LIMIT where there is none in that month."""

    def limit_in(self, month: int) -> int:
        """Return the bill limit of a month; NO_LIMIT without one."""
        return self.months.get(month, self.limit) if self.months else self.limit

    def charged_in(self, month: int) -> int:
        """Return what was charged in a month: this one, or the last."""
        if month == self.month:
            return self.charged
        return self.before if month == self.month - 1 else 0

    def abroad_in(self, month: int) -> int:
        """Return what was charged abroad in a month: this one, or the last."""
        if month == self.month:
            return self.abroad
        return self.abroad_before if month == self.month - 1 else 0

    def room(self, month: int) -> int | None:
        """Return what may still be charged in a month by the bill limit; None without one, or where more was agreed to."""
        limit = self.limit_in(month)
        if limit < 0 or self.agreed == month:
            return None
        return max(0, limit - self.charged_in(month))

    def room_abroad(self, month: int, cap: int) -> int | None:
        """Return what may still be charged abroad in a month by the operator's `cap`; None without one (0), or where agreed."""
        if not cap or self.cap_agreed == month:
            return None
        return max(0, cap - self.abroad_in(month))

    def least_room(self, month: int, cap: int) -> int | None:
        """Return what may still be charged in a month by both; `cap` is that for use abroad, 0 for use at home."""
        if self.limit < 0 and not cap and not self.months:
            return None  # as nearly always
        rooms = [room for room in (self.room(month), self.room_abroad(month, cap)) if room is not None]
        return min(rooms, default=None)

    def narrower(self, month: int, cap: int) -> str:
        """Name the limit that leaves less room in a month."""
        room, abroad = self.room(month), self.room_abroad(month, cap)
        return ABROAD if abroad is not None and (room is None or abroad < room) else BILL

    def add(self, amount: int, month: int, now: int, *, abroad: bool) -> None:
        """Count a charge that is billed `now` for use in a month."""
        if month > self.month:
            self.begin(month)
        if month == self.month:
            self.charged += amount
            if abroad:
                self.abroad += amount
        elif month == self.month - 1:
            self.before += amount
            self.abroad_before += amount if abroad else 0
        hour = now // HOUR_US
        if hour != self.hour:
            self.hour, self.charged_in_hour = hour, 0
        self.charged_in_hour += amount

    def begin(self, month: int) -> None:
        """Begin a month, if it is later than the one that is counted."""
        if month > self.month:
            follows = month == self.month + 1
            self.before, self.abroad_before = (self.charged, self.abroad) if follows else (0, 0)
            self.month, self.charged, self.abroad = month, 0, 0


decode = msgspec.msgpack.Decoder(Spending).decode
encode = msgspec.msgpack.Encoder().encode
