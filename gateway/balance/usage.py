"""Priced usage as the books keep it, and the bundles that cover it before the plan's prices apply."""

from datetime import datetime, timedelta, tzinfo

import msgspec

from gateway.balance import bookings
from gateway.balance.bookings import Giving
from gateway.balance.wallets import Allowance, Wallet
from gateway.ledger.entries import Entry
from gateway.rating.plans import Plan

ACTIVE = "active"
"""The status of a line that may be served."""
MICROSECONDS = 1_000_000


class UsageRecord(msgspec.Struct, frozen=True, gc=False):
    """A priced Used-Service-Unit; price in micro-units.

    What it was priced by: the plan's `version`, the key of its rate (rating.rate_keys), the units that were charged for before
    it in its session and rating group, and how many of its own a bundle covered. `capped` is what they cost beyond the price:
    over a cap or a limit.
    """

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
    version: int | None = None
    rate_key: str = ""
    rated_before: int = 0
    covered: int = 0
    capped: int = 0

    def row(self) -> tuple[object, ...]:
        """Give the row of the table `usage`, its columns in order."""
        return msgspec.structs.astuple(self)


def has_bundle(wallet: Wallet, plan: Plan, at: int) -> bool:
    """Tell whether a bundle of this plan was in force at a time (microseconds)."""
    found = wallet.allowance_at(at, plan.id)
    return found is not None and found.plan == plan.id


def can_be_sold_bundle(wallet: Wallet, plan: Plan, service: str) -> bool:
    """Tell whether the plan has a bundle that covers a service, the line may be served, and the wallet can pay for it whole.

    A bill limit does not count here: the price of the plan's bundle was agreed with the plan.
    """
    bundle = plan.bundle
    if bundle is None or not bundle.covers(service):
        return False
    return wallet.status == ACTIVE and not wallet.spending.barred and wallet.available >= bundle.price


def days_later(now: int, days: int, zone: tzinfo) -> int:
    """Give the time (microseconds) so many days after `now`, at the same time of day by the clocks of a zone.

    A time that the clocks leave out is the one an hour later, of one that they show twice it is the first.
    """
    seconds, rest = divmod(now, MICROSECONDS)
    then = datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0) + timedelta(days=days)
    return int(then.replace(tzinfo=zone).timestamp()) * MICROSECONDS + rest


class BundleSale(msgspec.Struct, frozen=True):
    """A bundle sold: whose, what it covers, and the entries to be posted."""

    wallet: Wallet
    allowance: Allowance
    sold: dict[str, int]
    """What it covered when it was sold, by service."""
    entries: list[Entry]

    @property
    def unused(self) -> bool:
        """Tell whether nothing of it was used or promised yet."""
        return self.allowance.left == self.sold and not any(self.allowance.held.values())

    def undo(self) -> None:
        """Take the sale back, as long as it was not posted: what it was sold for is refused after all."""
        bookings.take_back(self.wallet, self.entries)
        self.wallet.allowances.remove(self.allowance)


def sell_bundle(
    wallet: Wallet, plan: Plan, giving: Giving, *, event_at: int, now: int, number: int, zone: tzinfo
) -> BundleSale | None:
    """Sell the plan's bundle; its tenth accrues on the sale (decision 005). None where the plan has none.

    `zone` is the operator's time zone: the bundle ends at the time of day at which it was sold, also over a change of clocks.
    """
    bundle = plan.bundle
    if bundle is None:
        return None
    left = {"data": bundle.data, "voice": bundle.voice, "sms": bundle.sms}
    allowance = Allowance(plan.id, days_later(now, bundle.days, zone), left)
    wallet.add_allowance(allowance, now)
    return BundleSale(wallet, allowance, dict(left), bookings.sale(wallet, giving, bundle.price, event_at, number))
