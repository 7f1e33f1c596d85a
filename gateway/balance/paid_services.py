"""What a line paid for services by its phone bill in a month: premium calls and gifts (rating.paid_service_limits)."""

from datetime import tzinfo
from typing import Final

from gateway.balance.wallets import Wallet
from gateway.rating.calendars import day_of
from gateway.rating.paid_service_limits import PaidServiceLimit

KEY: Final = "paid"


def left_of_month(wallet: Wallet, limit: PaidServiceLimit, at: int, zone: tzinfo) -> int:
    """Return what may still be paid so in the month of a time, in micro-units."""
    return max(0, limit.monthly - wallet.counters.get(_key(at, zone), 0))


def count_paid(wallet: Wallet, amount: int, at: int, zone: tzinfo) -> None:
    """Count what was paid so at a time."""
    if amount:
        wallet.count(_key(at, zone), amount)


def forget_paid(wallet: Wallet, amount: int, at: int, zone: tzinfo) -> None:
    """Count no more what was counted at a time and came to nothing."""
    if _key(at, zone) in wallet.counters:
        wallet.count(_key(at, zone), -amount)


def _key(at: int, zone: tzinfo) -> str:
    return f"{KEY}:{day_of(at, zone)[2].isoformat()[:7]}"
