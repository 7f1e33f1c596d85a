"""Priced usage as the books keep it, and the bundles that cover it before the plan's prices apply."""

from collections.abc import Callable
from datetime import tzinfo

import msgspec

from gateway.balance import bookings
from gateway.balance.allowance_entries import AllowanceEntry, emptied, granted
from gateway.balance.allowances import ADD_ON, BUNDLE, ROLLED, Allowance, Covered
from gateway.balance.bookings import Giving
from gateway.balance.wallets import Renewal, Wallet
from gateway.ledger.allowance_kinds import ROLL_IN, ROLL_OUT, USE
from gateway.ledger.entries import Entry
from gateway.rating.billing_days import day_of_month, days_later, part_of, period_of
from gateway.rating.plans import Bundle, Plan

ACTIVE = "active"
"""The status of a line that may be served."""


class UsageRecord(msgspec.Struct, frozen=True, gc=False):
    """A priced Used-Service-Unit; price in micro-units.

    What it was priced by: the plan's `version`, the key of its rate (rating.rate_keys), the units that were charged for before
    it in its session and rating group, and how many of its own allowances covered, first of all `allowance_id`. `capped` is
    what they cost beyond the price: over a cap or a limit.
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
    allowance_id: int | None = None

    def row(self) -> tuple[object, ...]:
        """Return the row of the table `usage`, its columns in order."""
        return msgspec.structs.astuple(self)


def covered_elsewhere(record: UsageRecord, parts: list[Covered]) -> list[AllowanceEntry]:
    """Say what allowances after the first covered of a record."""
    return [
        AllowanceEntry(
            record.subscriber_id, part.allowance.id, USE, record.service, -part.units, record.event_at, record.id
        )
        for part in parts[1:]
    ]


def has_bundle(wallet: Wallet, plan: Plan, at: int) -> bool:
    """Return whether a bundle of this plan was in force at a time (microseconds)."""
    for allowance in wallet.allowances:
        if allowance.plan == plan.id and at < allowance.ends_at and allowance.kind == BUNDLE:
            return True
    return False


def can_be_sold_bundle(wallet: Wallet, plan: Plan, service: str, now: int, zone: tzinfo) -> bool:
    """Return whether the plan has a bundle that covers a service, the line may be served, and the wallet can pay for it whole.

    A bill limit does not count here: the price of the plan's bundle was agreed with the plan.
    """
    bundle = plan.bundle
    if bundle is None or not bundle.covers(service) or wallet.status != ACTIVE:
        return False
    if wallet.spending.barred:
        return False
    return wallet.available >= bundle.price or wallet.available >= price_now(bundle, wallet, now, zone)


class Moved(msgspec.Struct, frozen=True, gc=False):
    """Units of a service that rolled over out of an allowance."""

    allowance: Allowance
    service: str
    units: int


class BundleSale(msgspec.Struct, frozen=True):
    """A bundle sold: whose, what it covers, and the entries to be posted."""

    wallet: Wallet
    allowance: Allowance
    sold: dict[str, int]
    """What it covered when it was sold, by service."""
    entries: list[Entry]
    grants: list[AllowanceEntry]
    renewal: Renewal | None
    """How the line's bundle went on before the sale."""
    rolled: Allowance | None = None
    moved: tuple[Moved, ...] = ()
    """What went on with the sale from the period before, and where it came from."""

    @property
    def unused(self) -> bool:
        """Return whether nothing of it was used or promised yet."""
        if self.allowance.left != self.sold or any(self.allowance.held.values()):
            return False
        rolled = self.rolled
        return rolled is None or (
            sum(rolled.left.values()) == sum(each.units for each in self.moved) and not any(rolled.held.values())
        )

    def undo(self) -> None:
        """Take the sale back, as long as it was not posted: what it was sold for is refused after all."""
        bookings.take_back(self.wallet, self.entries, self.grants)
        self.wallet.allowances.remove(self.allowance)
        if self.rolled is not None:
            self.wallet.allowances.remove(self.rolled)
        for each in self.moved:
            each.allowance.take(each.service, -each.units)
        self.wallet.renewal = self.renewal


class _Terms(msgspec.Struct, frozen=True):
    """What is sold at a moment: until when, for how much, how many units, and the billing day from then on (0: none)."""

    ends_at: int
    price: int
    left: dict[str, int]
    billing_day: int = 0


def price_now(bundle: Bundle, wallet: Wallet, now: int, zone: tzinfo) -> int:
    """Return what a bundle costs a line that is sold it now, in micro-units."""
    return _terms(bundle, wallet, now, zone).price


def _terms(bundle: Bundle, wallet: Wallet, now: int, zone: tzinfo) -> _Terms:
    """A bundle by the month that begins within a period is sold for the rest of it, where its plan says so.

    One that is renewed is sold for its whole period, though that be a moment later than it began.
    """
    left = {"data": bundle.data, "voice": bundle.voice, "sms": bundle.sms}
    renewal = wallet.renewal or Renewal()
    due, day = renewal.is_due(now), renewal.billing_day
    if bundle.days:
        ends_at = days_later(renewal.next_at, bundle.days, zone) if due else 0
        return _Terms(ends_at if ends_at > now else days_later(now, bundle.days, zone), bundle.price, left)
    if not day or not (bundle.pro_rata or due):
        day = day_of_month(now, zone)
        return _Terms(period_of(now, day, zone)[1], bundle.price, left, day)
    if due:
        return _Terms(period_of(now, day, zone)[1], bundle.price, left, day)
    period = period_of(now, day, zone)
    left = {service: part_of(units, now, period) for service, units in left.items()}
    return _Terms(period[1], part_of(bundle.price, now, period), left, day)


def sell_bundle(
    wallet: Wallet, plan: Plan, giving: Giving, *, event_at: int, now: int, take_id: Callable[[], int], zone: tzinfo
) -> BundleSale | None:
    """Sell the plan's bundle; its tenth accrues on the sale (decision 005). None where the plan has none.

    `zone` is the operator's time zone: a bundle of days ends at the time of day at which it was sold, also over a change of
    clocks, one by the month at midnight of the line's billing day. What is left of the one before rolls over with it.
    """
    bundle = plan.bundle
    if bundle is None:
        return None
    terms, before = _terms(bundle, wallet, now, zone), wallet.renewal
    moved = _rolls_over(wallet, plan.id, now)
    rolled, rolls = _roll_over(wallet, plan.id, moved, terms.ends_at, now, take_id) if moved else (None, [])
    number = take_id()
    allowance = Allowance(
        plan.id, terms.ends_at, terms.left, id=number, starts_at=now, zones=bundle.zones, roll_over=bundle.roll_over,
        fair_use=dict(bundle.fair_use),
    )  # fmt: skip
    wallet.add_allowance(allowance)
    wallet.renewal = _renewal_after(before, terms)
    reference = bookings.sale_reference(wallet, number, whole=terms.price == bundle.price)
    booked = bookings.sale(wallet, giving, terms.price, event_at, reference)
    allowance.price = bookings.paid(booked)
    grants = [*booked.uses, *rolls, *granted(allowance, wallet.subscriber_id, now, reference)]
    return BundleSale(wallet, allowance, dict(terms.left), booked.entries, grants, before, rolled, moved)


class AddOnSale(msgspec.Struct, frozen=True):
    """An add-on sold: what it covers, its price in micro-units, and the entries to be posted."""

    allowance: Allowance
    price: int
    entries: list[Entry]
    grants: list[AllowanceEntry]


def sell_add_on(
    wallet: Wallet, name: str, add_on: Bundle, giving: Giving, *, now: int, number: int, zone: tzinfo
) -> AddOnSale | None:
    """Sell an add-on by its name, its tenth on the sale; None, and nothing is moved, where the wallet cannot pay for it.

    One by the month ends with the line's period, and costs its part where the plan says so.
    """
    terms = _terms(add_on, wallet, now, zone)
    if wallet.available < terms.price:
        return None
    allowance = Allowance(
        name, terms.ends_at, terms.left, id=number, starts_at=now, kind=ADD_ON, zones=add_on.zones,
        fair_use=dict(add_on.fair_use),
    )  # fmt: skip
    wallet.add_allowance(allowance)
    reference = f"add-on:{number}"
    booked = bookings.sale(wallet, giving, terms.price, now, reference)
    allowance.price = bookings.paid(booked)
    grants = granted(allowance, wallet.subscriber_id, now, reference)
    return AddOnSale(allowance, terms.price, booked.entries, [*booked.uses, *grants])


def _renewal_after(before: Renewal | None, terms: _Terms) -> Renewal | None:
    if before is None and not terms.billing_day:
        return None
    renewal = before or Renewal()
    day, next_at = terms.billing_day or renewal.billing_day, terms.ends_at if renewal.consent_at else 0
    return msgspec.structs.replace(renewal, billing_day=day, next_at=next_at)


def _rolls_over(wallet: Wallet, plan: str, now: int) -> tuple[Moved, ...]:
    """Find what is left of a bundle of the plan that has ended, where it was sold so. What rolled over once does not again."""
    return tuple(
        Moved(allowance, service, allowance.left[service])
        for allowance in wallet.allowances
        if allowance.kind == BUNDLE and allowance.plan == plan and allowance.ends_at <= now
        for service in dict.fromkeys(allowance.roll_over)
        if allowance.left.get(service, 0)
    )


def _roll_over(
    wallet: Wallet, plan: str, moved: tuple[Moved, ...], ends_at: int, now: int, take_id: Callable[[], int]
) -> tuple[Allowance, list[AllowanceEntry]]:
    left: dict[str, int] = {}
    for each in moved:
        left[each.service] = left.get(each.service, 0) + each.units
    rolled = Allowance(plan, ends_at, left, id=take_id(), starts_at=now, kind=ROLLED, zones=moved[0].allowance.zones)
    reference = f"roll-over:{rolled.id}"
    entries: list[AllowanceEntry] = []
    for each in moved:
        entries += emptied(each.allowance, wallet.subscriber_id, now, ROLL_OUT, (each.service,), reference)
    wallet.add_allowance(rolled)
    return rolled, [*entries, *granted(rolled, wallet.subscriber_id, now, reference, ROLL_IN)]
