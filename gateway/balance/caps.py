"""Caps: the most that a line pays in a day or a month for what its plan names, whatever it uses.

Counted is what usage costs without the caps, so that a day's or a month's total is the lesser of the sum and the cap in
whatever order usage is reported. A cap of a month counts what those of a day have left.
"""

from datetime import tzinfo

from gateway.balance.wallets import Wallet
from gateway.rating.calendars import day_of
from gateway.rating.plans import Cap, Plan, Rate, caps_of


def cap_room(wallet: Wallet, plan: Plan, rate: Rate, service: str, at: int, zone: tzinfo) -> int | None:
    """Give what usage of this rate can still cost at a time (micro-units, microseconds); None where no cap counts it."""
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


def ends_at(at: int, zone: tzinfo) -> int:
    """Say when the day of a time ends, after which a cap has room again (microseconds)."""
    return day_of(at, zone)[1]


def _key(cap: Cap, at: int, zone: tzinfo) -> str:
    """Name the counter of a cap and a day or month, which ends with the date; the same services share one over plans."""
    day = day_of(at, zone)[2].isoformat()
    return f"{','.join(cap.services)}:{day[:7] if cap.monthly else day}"
