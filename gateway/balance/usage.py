"""Priced usage as the books keep it, and the bundles that cover it before the plan's prices apply."""

import msgspec

from gateway.balance import bookings
from gateway.balance.bookings import Giving
from gateway.balance.wallets import Allowance, Wallet
from gateway.ledger.entries import Entry
from gateway.rating.plans import Plan

ACTIVE = "active"
"""The status of a line that may be served."""
DAY_US = 86_400_000_000


class UsageRecord(msgspec.Struct, frozen=True, gc=False):
    """A priced Used-Service-Unit; price in micro-units."""

    id: int
    event_at: int
    subscriber_id: int
    session: int
    service: str
    rating_group: int | None
    octets: int
    seconds: int
    units: int
    price: int
    currency: str
    plan: str

    def row(self) -> tuple[object, ...]:
        """Give the row of the table `usage`, its columns in order."""
        return msgspec.structs.astuple(self)


def has_bundle(wallet: Wallet, plan: Plan, at: int) -> bool:
    """Tell whether a bundle of this plan was in force at a time (microseconds)."""
    found = wallet.allowance_at(at, plan.id)
    return found is not None and found.plan == plan.id


def can_be_sold_bundle(wallet: Wallet, plan: Plan) -> bool:
    """Tell whether the plan has a bundle, the line may be served, and the wallet can pay for it whole."""
    bundle = plan.bundle
    return bundle is not None and wallet.status == ACTIVE and wallet.available >= bundle.price


class BundleSale(msgspec.Struct, frozen=True):
    """A bundle sold: whose, what it covers, and the entries to be posted."""

    wallet: Wallet
    allowance: Allowance
    entries: list[Entry]

    def undo(self) -> None:
        """Take the sale back, as long as it was not posted: what it was sold for is refused after all."""
        bookings.take_back(self.wallet, self.entries)
        self.wallet.allowances.remove(self.allowance)


def sell_bundle(
    wallet: Wallet, plan: Plan, giving: Giving, *, event_at: int, now: int, number: int
) -> BundleSale | None:
    """Sell the plan's bundle; its tenth accrues on the sale (decision 005). None where the plan has none."""
    bundle = plan.bundle
    if bundle is None:
        return None
    left = {"data": bundle.data, "voice": bundle.voice, "sms": bundle.sms}
    allowance = Allowance(plan.id, now + bundle.days * DAY_US, left)
    wallet.add_allowance(allowance, now)
    return BundleSale(wallet, allowance, bookings.sale(wallet, giving, bundle.price, event_at, number))
