"""Caps: the most that a line pays in a day or a month for what its plan names, whatever it uses.

Counted is what usage costs without the caps, so that a day's or a month's total is the lesser of the sum and the cap in
whatever order usage is reported. A cap of a month counts what those of a day have left.
"""

from collections.abc import Sequence
from datetime import tzinfo

from gateway.balance.wallets import Wallet, may_count
from gateway.rating.calendars import day_of
from gateway.rating.plans import Cap, Plan, Rate, caps_of


def cap_room(wallet: Wallet, plan: Plan, rate: Rate, service: str, at: int, zone: tzinfo) -> int | None:
    """Return what usage of this rate can still cost at a time (micro-units, microseconds); None where no cap counts it."""
    caps = caps_of(plan, rate, service)
    if not caps:
        return None
    return min(max(0, cap.price - wallet.counters.get(_key(cap, at, zone), 0)) for cap in caps)


def pay_under_caps(wallet: Wallet, plan: Plan, rate: Rate, service: str, at: int, zone: tzinfo, cost: int) -> int:
    """Count what usage costs, and give what of it is to be paid (micro-units); `at` is when it was used."""
    for cap in caps_of(plan, rate, service):
        before = wallet.count(_key(cap, at, zone), cost)
        cost = min(before + cost, cap.price) - min(before, cap.price)
    return cost


class Recount:
    """The counters of a line's caps, counted anew from nothing: what was used of their days and months, one after the other."""

    def __init__(self, zone: tzinfo) -> None:
        """Take the operator's time zone."""
        self._zone = zone
        self._sums: dict[str, int] = {}

    def pay(self, caps: Sequence[Cap], at: int, cost: int) -> int:
        """Count what usage of a time costs, and give what of it is to be paid (micro-units)."""
        for cap in caps:
            key = _key(cap, at, self._zone)
            before = self._sums.get(key, 0)
            self._sums[key] = before + cost
            cost = min(before + cost, cap.price) - min(before, cap.price)
        return cost

    def forget(self, caps: Sequence[Cap], at: int) -> None:
        """Begin the counters of caps that counted a time: what is not paid under them any more is not counted either."""
        for cap in caps:
            self._sums.setdefault(_key(cap, at, self._zone), 0)

    def settle(self, wallet: Wallet, now: int) -> None:
        """Have a wallet go on from these sums, as far as anything can still be used of their days and months."""
        today = f":{day_of(now, self._zone)[2].isoformat()}"
        for key, total in self._sums.items():
            counted = wallet.counters.get(key, 0)
            if counted != total and may_count(key, today):
                wallet.count(key, total - counted)


def month_of(at: int, zone: tzinfo) -> str:
    """Name the month of a time by the clocks of a zone, as 2026-11."""
    return day_of(at, zone)[2].isoformat()[:7]


def ends_at(at: int, zone: tzinfo) -> int:
    """Say when the day of a time ends, after which a cap has room again (microseconds)."""
    return day_of(at, zone)[1]


def _key(cap: Cap, at: int, zone: tzinfo) -> str:
    """Name the counter of a cap and a day or month, which ends with the date; the same services share one over plans."""
    day = day_of(at, zone)[2].isoformat()
    return f"{','.join(cap.services)}:{day[:7] if cap.monthly else day}"
