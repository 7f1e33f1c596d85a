"""One request at the desk: charge what was used, give back what was held, hold for what is granted. Pure."""

from collections.abc import Callable

import msgspec

from gateway.charging.request import MICROSECONDS, ChargingRequest, Item, Used
from gateway.charging.session import Grant, Group, Session
from gateway.charging.tariff import Tariff
from gateway.charity.accruals import accrue
from gateway.charity.choices import at as choice_at
from gateway.ledger.accounts import REVENUE
from gateway.ledger.entries import Entry
from gateway.ledger.wallets import Allowance, Wallet
from gateway.rating.plans import Plan, Rate
from gateway.rating.prices import affordable, price
from gateway.subscribers.profiles import Profile

DAY_US = 86_400 * MICROSECONDS


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


class Quota(msgspec.Struct, frozen=True, gc=False):
    """Granted units of the service; `final` when there is no money for more."""

    units: int
    final: bool


class Case:
    """The state that one request is decided on, and what came of it: journal entries and usage records."""

    def __init__(
        self,
        request: ChargingRequest,
        session: Session,
        wallet: Wallet,
        profile: Profile,
        plan: Plan,
        tariff: Tariff,
        now: int,
        take_id: Callable[[], int],
    ) -> None:
        """Take the request and the rows it is about; they are changed in place."""
        self.request, self.session, self.wallet, self.plan, self.tariff = request, session, wallet, plan, tariff
        self.now, self._take_id = now, take_id
        self._shares = choice_at(profile.choices, request.as_of)
        self.entries: list[Entry] = []
        self.usage: list[UsageRecord] = []

    def sell_bundle(self) -> None:
        """Sell the plan's bundle if none is running and the wallet can pay for it; its tenth accrues on the sale."""
        bundle, running = self.plan.bundle, self.wallet.allowance
        if bundle is None or (running is not None and running.plan == self.plan.id and self.now < running.ends_at):
            return
        if self.wallet.available < bundle.price:
            return
        left = {"data": bundle.data, "voice": bundle.voice, "sms": bundle.sms}
        self.wallet.allowance = Allowance(self.plan.id, self.now + bundle.days * DAY_US, left)
        self._charge("sale", bundle.price, None, f"sale:{self._take_id()}")

    def charge(self, item: Item) -> None:
        """Charge every reported unit of an item: from the bundle first, the rest by its price."""
        group = self.session.group(item.rating_group)
        rate = self.plan.rate(self.request.service, item.rating_group)
        for used in item.used:
            self._charge_used(used, group, rate, item.rating_group)

    def release(self, item: Item) -> None:
        """Give back what the item's grant held: its usage was reported, or a new grant takes its place."""
        group = self.session.group(item.rating_group)
        grant = group.grants.pop(item.grant_key, None)
        if grant is not None:
            self._give_back(grant)

    def release_all(self) -> None:
        """Give back whatever the session still holds."""
        for group in self.session.groups.values():
            for grant in group.grants.values():
                self._give_back(grant)
            group.grants = {}

    def grant(self, item: Item) -> Quota | None:
        """Promise quota and hold its price; None if the wallet cannot pay for a single unit."""
        service = self.request.service
        group = self.session.group(item.rating_group)
        rate = self.plan.rate(service, item.rating_group)
        wanted = self.tariff.terms.wanted(service, item.requested or 0)
        if item.grant_key in group.grants:
            self.release(item)
        covered = self._cover(rate, wanted)
        ahead = group.rated + sum(other.paid for other in group.grants.values())
        paid = affordable(rate, ahead, wanted - covered, self.wallet.available)
        if covered + paid == 0:
            return None
        self._hold(group, item, Grant(paid, price(rate, ahead + paid) - price(rate, ahead)), covered)
        more = self._cover(rate, 1) or affordable(rate, ahead + paid, 1, self.wallet.available)
        return Quota(covered + paid, final=covered + paid < wanted or not more)

    def debit(self, item: Item) -> Quota | None:
        """Charge a one-time event at once, whole or not at all (RFC 8506 §6.3)."""
        service = self.request.service
        group = self.session.group(item.rating_group)
        rate = self.plan.rate(service, item.rating_group)
        wanted = max(item.requested or 0, 1)
        free = self._cover(rate, wanted)
        cost = price(rate, group.rated + wanted - free) - price(rate, group.rated)
        if cost > max(self.wallet.available, 0):
            return None
        amounts = {"data": Used(wanted, 0, 0), "voice": Used(0, wanted, 0), "sms": Used(0, 0, wanted)}
        self._charge_used(amounts[service], group, rate, item.rating_group)
        return Quota(wanted, final=False)

    def _charge_used(self, used: Used, group: Group, rate: Rate, rating_group: int | None) -> None:
        quantity = used.quantity(self.request.service)
        allowance = self.wallet.allowance
        covered = 0
        if allowance is not None and rate.price and quantity:
            covered = allowance.consume(self.request.service, quantity, self.request.event_at)
            self.wallet.changed = True
        before = group.rated
        group.rated += quantity - covered
        group.covered += covered
        cost = price(rate, group.rated) - price(rate, before)
        record = UsageRecord(
            self._take_id(),
            self.request.event_at,
            self.wallet.subscriber_id,
            self.session.id,
            self.request.service,
            rating_group,
            used.octets,
            used.seconds,
            used.units,
            cost,
            self.wallet.currency,
            self.plan.id,
        )  # fmt: skip  (one line a thought)
        self.usage.append(record)
        if cost:
            self._charge("charge", cost, record.id, None)

    def _charge(self, kind: str, amount: int, usage_id: int | None, reference: str | None) -> None:
        account = self.tariff.account
        charge = Entry(
            kind=kind,
            debit=self.wallet.subscriber_id,
            credit=account(REVENUE),
            amount=amount,
            currency=self.wallet.currency,
            event_at=self.request.event_at,
            usage_id=usage_id,
            reference=reference,
        )
        self.wallet.move(-amount)
        self.entries.append(charge)
        self.entries += accrue(charge, self._shares, self.tariff.policy, account)

    def _cover(self, rate: Rate, wanted: int) -> int:
        """Count the units that the running bundle can promise; free units need no promise."""
        allowance = self.wallet.allowance
        if allowance is None or not rate.price:
            return 0
        return min(wanted, allowance.available(self.request.service, self.now))

    def _hold(self, group: Group, item: Item, grant: Grant, covered: int) -> None:
        allowance = self.wallet.allowance
        if covered and allowance is not None:
            allowance.hold(self.request.service, covered)
            grant.covered, grant.bundle_ends_at = covered, allowance.ends_at
        group.grants[item.grant_key] = grant
        self.session.reserved += grant.held
        self.wallet.hold(grant.held)

    def _give_back(self, grant: Grant) -> None:
        allowance = self.wallet.allowance
        if grant.covered and allowance is not None and allowance.ends_at == grant.bundle_ends_at:
            allowance.hold(self.session.service, -grant.covered)
        self.session.reserved -= grant.held
        self.wallet.hold(-grant.held)
