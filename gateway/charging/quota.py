"""How much quota is granted: one request charges what was used, gives back what was held, holds for what it grants. Pure."""

from collections.abc import Callable

import msgspec

from gateway.balance import bookings
from gateway.balance.bookings import Giving
from gateway.balance.profiles import Profile
from gateway.balance.usage import BundleSale, UsageRecord, can_be_sold_bundle, has_bundle, sell_bundle
from gateway.balance.wallets import Wallet
from gateway.charging.held_reports import EXCESS, UNPRICED, HeldReport
from gateway.charging.request import EVENT, TERMINATION, ChargingRequest, Item, Traffic, Used
from gateway.charging.session import Grant, Group, Session, give_back_covered
from gateway.charging.tariff import Tariff
from gateway.charity.choices import at as choice_at
from gateway.ledger.entries import Entry
from gateway.rating.plans import FREE, Plan, Rate, destination_of, rate_of
from gateway.rating.prices import affordable, price


class Quota(msgspec.Struct, frozen=True, gc=False):
    """Granted units of the service; `final` when there is no money for more."""

    units: int
    final: bool


def _traffic(request: ChargingRequest, session: Session) -> Traffic:
    """Tell what kind of call or text a request is about.

    A session is one call: what it was said to be once it stays, though a later request names no called party, or the number
    that a free or emergency call was routed to. An event stands alone.
    """
    said = request.traffic or Traffic.OUTGOING
    if request.request_type == EVENT or said is Traffic.EMERGENCY or not session.traffic:
        return said
    return Traffic(session.traffic)


class CreditControlRun:
    """The state that one request is decided on, and what came of it: journal entries, usage records, and reports held back."""

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
        *,
        own_line: bool = False,
    ) -> None:
        """Take the request and the rows it is about; they are changed in place. `own_line`: another line of ours is called."""
        self.request, self.session, self.wallet, self.plan, self.tariff = request, session, wallet, plan, tariff
        self.now, self._take_id = now, take_id
        self._giving = Giving(tariff.policy, choice_at(profile.choices, request.as_of), tariff.account)
        self.traffic = _traffic(request, session)
        self.network = request.network or session.network
        self._prices = plan.prices(self.network) or plan
        """Those of the network; of one without any nothing is decided that they matter for."""
        self.destination = session.destination
        if request.called:
            self.destination = destination_of(self._prices, request.service, request.called, own=own_line)
        self.abroad = self._prices is not plan
        self._cap = tariff.cap_abroad if self.abroad else 0
        self._unlimited = wallet.spending.limit < 0 and not self._cap
        self._begins = session.last_number < 0
        self._believed: dict[str, int] = {}
        self._given: set[tuple[str, str]] = set()
        self._sale: BundleSale | None = None
        self.unpriced = False
        """Whether units without a price were asked for, or alone reported."""
        self.entries: list[Entry] = []
        self.usage: list[UsageRecord] = []
        self.held: list[HeldReport] = []
        self.absorbed = 0
        """Micro-units of what was reported that are beyond a limit of the customer's, and are not billed."""
        self.is_beyond = False
        """Whether some of that was used in this month."""
        self.limited = ""
        """The limit of the customer's that left no room for something, though there was money."""

    def _limit(self) -> None:
        """Note which limit, and not the wallet, is what leaves nothing to promise, or to bill."""
        month = self.tariff.months.number(self.now)
        if self.is_beyond or self._spendable < self.wallet.available:
            self.limited = self.wallet.spending.narrower(month, self._cap)

    @property
    def _spendable(self) -> int:
        if self._unlimited:  # as nearly always
            return self.wallet.balance - self.wallet.reserved
        return self.wallet.spendable(self.tariff.months.number(self.now), self._cap)

    def review(self, item: Item) -> tuple[Used, ...]:
        """Give the reported units that could have been used, and put the others aside for somebody to look at.

        Units of a rating group could be used as far as they were granted, a few slices more (clients overshoot), or as far as
        a network could carry them since the group's last report, whichever is more. Units without a price are put aside, too.
        """
        sound = []
        for used in item.used:
            reason = self._doubt(used, item)
            if reason is None:
                sound.append(used)
            else:
                place = len(self.held)
                self.held.append(HeldReport(place, reason, item.rating_group, used.octets, used.seconds, used.units))
        return tuple(sound)

    def has_no_price(self, item: Item) -> bool:
        """Tell whether an item asks for units without a price, or counts by such alone and leaves it to us what to give."""
        reports = False
        for used in item.used:
            reports = reports or used.unpriced
        if not (reports or item.unpriced) or self.traffic is Traffic.EMERGENCY:
            return False
        found = item.unpriced or (bool(self.rate(item).price) and not item.requested)
        self.unpriced = self.unpriced or found
        return found

    def sell_bundle(self, reports: list[tuple[Item, tuple[Used, ...]]]) -> None:
        """Sell the plan's bundle where priced units are used or wanted while none is in force, and the wallet can pay for it.

        Its tenth accrues on the sale. A line that is not active is sold nothing.
        """
        if not can_be_sold_bundle(self.wallet, self.plan, self.request.service):
            return
        if any(self._needs_bundle(item, used) for item, used in reports):
            event_at, number, zone = self.request.event_at, self._take_id(), self.tariff.zone
            sold = sell_bundle(
                self.wallet, self.plan, self._giving, event_at=event_at, now=self.now, number=number, zone=zone
            )
            self._sale = sold
            self.entries += sold.entries if sold is not None else []

    def undo_unused_sale(self) -> bool:
        """Take back the sale of a bundle of which this request came to use nothing, such as one that was refused."""
        sale = self._sale
        if sale is None or not sale.unused:
            return False
        sale.undo()
        self.entries = [entry for entry in self.entries if entry not in sale.entries]
        self._sale = None
        return True

    def charge(self, item: Item, reported: tuple[Used, ...]) -> None:
        """Charge the units of an item: from the bundle in force when they were used first, the rest by its price."""
        group = self.session.group(item.rating_group)
        group.reported_at = self.now
        rate = self.rate(item)
        for used in reported:
            self._charge_used(used, group, rate, item.rating_group)

    def rate(self, item: Item) -> Rate:
        """Give the price of an item's units."""
        traffic = self.traffic
        at_home = self._prices is self.plan
        if traffic is Traffic.EMERGENCY or (traffic is Traffic.FREE and at_home):
            return FREE  # what is free to call in a country is so from there
        incoming, destination = traffic is Traffic.INCOMING, self.destination
        return rate_of(
            self._prices, self.request.service, item.rating_group, incoming=incoming, destination=destination
        )

    def could_be_wanted(self, item: Item, units: int) -> bool:
        """Tell whether a one-time event may be of so many units: as many as its session could report at once."""
        return self.traffic is Traffic.EMERGENCY or units <= self._most(self.session.group(item.rating_group))

    def release(self, item: Item) -> None:
        """Give back what the item's grants held: their usage was reported, or a new grant takes their place.

        A grant that this request brought stays: the same rating group may stand in it several times.
        """
        if self._begins:
            return  # what it holds was granted by this request
        key = self._holding(item)
        grants = self.session.groups[key].grants
        for name in self._grants_of(item, grants):
            if (key, name) not in self._given:
                self._give_back(grants.pop(name))

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
        rate = self.rate(item)
        wanted = self.tariff.terms.wanted(service, item.requested or 0)
        if not item.used:  # else its report has released them
            self.release(item)
        covered = self._cover(rate, wanted)
        ahead = group.rated + sum(other.paid for other in group.grants.values())
        spendable = self._spendable
        paid = affordable(rate, ahead, wanted - covered, spendable)
        if covered + paid == 0:
            self._limit()
            return None
        held = price(rate, ahead + paid) - price(rate, ahead)
        self._hold(group, item, Grant(paid, held), covered)
        more = self._cover(rate, 1) or affordable(rate, ahead + paid, 1, spendable - held)
        return Quota(covered + paid, final=covered + paid < wanted or not more)

    def debit(self, item: Item) -> Quota | None:
        """Charge a one-time event at once, whole or not at all (RFC 8506 §6.3); without a new bundle where that is too dear."""
        quota = self._debit(item)
        return self._debit(item) if quota is None and self.undo_unused_sale() else quota

    def _debit(self, item: Item) -> Quota | None:
        service = self.request.service
        group = self.session.group(item.rating_group)
        rate = self.rate(item)
        wanted = max(item.requested or 0, 1)
        free = self._cover(rate, wanted)
        cost = price(rate, group.rated + wanted - free) - price(rate, group.rated)
        if cost > max(self._spendable, 0):
            self._limit()
            return None
        amounts = {"data": Used(wanted, 0, 0), "voice": Used(0, wanted, 0), "sms": Used(0, 0, wanted)}
        self._charge_used(amounts[service], group, rate, item.rating_group)
        return Quota(wanted, final=False)

    def _holding(self, item: Item) -> str:
        """Name the rating group whose grants an item speaks of: clients leave the Rating-Group out as they like.

        Where its own group has none, an item without a Rating-Group is about the only one that has some (RFC 8506 §8.16), and
        what was used under a Rating-Group was used of a grant without one.
        """
        key = self.session.key(item.rating_group)
        if self.session.named_group(key).grants:
            return key
        others = [name for name, group in self.session.groups.items() if group.grants]
        if not key:
            return others[0] if len(others) == 1 and not item.service_identifier else key
        return "" if "" in others and self._reports(item) else key

    def _grants_of(self, item: Item, grants: dict[str, Grant]) -> list[str]:
        """Name the grants of a rating group that an item speaks of: clients leave the Service-Identifier out as they like, too.

        Without one it is all of them (RFC 8506 §8.16); else those of its identifiers, or else the one without any. What was
        used where nothing was granted was used of the others.
        """
        if not item.service_identifier:
            return list(grants)
        wanted = set(item.service_identifier)
        named = [name for name in grants if name and wanted & set(map(int, name.split(",")))]
        if named or "" in grants:
            return named or [""]
        return list(grants) if self._reports(item) else []

    def _reports(self, item: Item) -> bool:
        return any(used.quantity(self.request.service) for used in item.used)

    def _doubt(self, used: Used, item: Item) -> str | None:
        """Say why a report is put aside; None if it is taken."""
        if used.unpriced and self.rate(item).price:
            return UNPRICED
        return None if self._could_be_used(used, item) else EXCESS

    def _could_be_used(self, used: Used, item: Item) -> bool:
        """Tell whether units could be used together with those that this request reported of their group before."""
        key = self.session.key(item.rating_group)
        together = used.quantity(self.request.service) + self._believed.get(key, 0)
        group = self.session.named_group(key)
        granted = 0
        for grant in group.grants.values():
            granted += grant.paid + grant.covered
        if not used.countable or (together > granted and together > self._most(group)):
            return False
        self._believed[key] = together
        return True

    def _most(self, group: Group) -> int:
        """Give the most units that this request may report of a rating group."""
        terms, service = self.tariff.terms, self.request.service
        granted = sum(grant.paid + grant.covered for grant in group.grants.values())
        return max(granted + terms.tolerance * terms.slice(service), terms.carried(service, self._elapsed(group)))

    def _elapsed(self, group: Group) -> int:
        """Give the time (microseconds) in which a group's report may have come together.

        One that was made before the last one came, such as one of many that a client kept while it could not reach us, may
        cover any of the session's time.
        """
        if self._begins:
            return self.tariff.terms.unknown(self.request.service)
        opened_at, last, as_of = self.session.opened_at, group.reported_at, self.request.as_of
        return max(0, as_of - opened_at if last and as_of < last else self.now - (last or opened_at))

    def _needs_bundle(self, item: Item, used: tuple[Used, ...]) -> bool:
        """Tell whether an item has a price, and units that are used or wanted at a time for which no bundle was sold."""
        rate = self.rate(item)
        if not rate.price or not rate.in_bundle:
            return False
        if any(unit.quantity(self.request.service) for unit in used) and not has_bundle(
            self.wallet, self.plan, self.request.as_of
        ):
            return True
        wants = item.requested is not None and self.request.request_type != TERMINATION
        return wants and not self.session.terminated and not has_bundle(self.wallet, self.plan, self.now)

    def _charge_used(self, used: Used, group: Group, rate: Rate, rating_group: int | None) -> None:
        quantity = used.quantity(self.request.service)
        covered = 0
        if quantity and rate.price and rate.in_bundle and self.wallet.allowances:
            allowance = self.wallet.allowance_at(self.request.as_of, self.plan.id)
            if allowance is not None:
                covered = allowance.consume(self.request.service, quantity)
                self.wallet.changed = True
        before = group.rated
        group.rated += quantity - covered
        group.covered += covered
        cost = price(rate, group.rated) - price(rate, before)
        billed = self._bill(cost) if cost else 0
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
            billed,
            self.wallet.currency,
            self.plan.id,
        )  # fmt: skip  (one line a thought)
        self.usage.append(record)
        event_at, running = self.request.event_at, self.session.tenth
        if billed:
            self.entries += bookings.charge(self.wallet, self._giving, billed, event_at, record.id, running)
        if cost > billed:
            self.absorbed += cost - billed
            months = self.tariff.months
            if months.number(self.request.as_of) == months.number(self.now):  # a late report says nothing of this month
                self.is_beyond = True
                self._limit()
            account, currency = self.tariff.account, self.wallet.currency
            self.entries += bookings.absorb(account, cost - billed, currency, event_at, record.id)

    def _bill(self, cost: int) -> int:
        """Count a cost in the month of its use, and give how much of it may be billed."""
        wallet, month = self.wallet, self.tariff.months.number(self.request.as_of)
        if self._unlimited:
            wallet.spending.add(cost, month, self.now, abroad=self.abroad)
            return cost
        return wallet.bill(cost, month, self.now, abroad=self.abroad, cap=self._cap)

    def _cover(self, rate: Rate, wanted: int) -> int:
        """Count the units that the running bundle can promise; free units need no promise."""
        if not rate.price or not rate.in_bundle or not self.wallet.allowances:
            return 0
        allowance = self.wallet.allowance_at(self.now, self.plan.id)
        return min(wanted, allowance.available(self.request.service, self.now)) if allowance is not None else 0

    def _hold(self, group: Group, item: Item, grant: Grant, covered: int) -> None:
        allowance = self.wallet.allowance_at(self.now, self.plan.id) if covered else None
        if allowance is not None:
            allowance.hold(self.request.service, covered)
            grant.covered, grant.bundle_ends_at = covered, allowance.ends_at
        self.session.reserved += grant.held
        self.wallet.hold(grant.held)
        name = item.grant_key
        before = group.grants.get(name)
        if before is not None:
            grant.paid, grant.held = grant.paid + before.paid, grant.held + before.held
            grant.covered += before.covered
            grant.bundle_ends_at = grant.bundle_ends_at or before.bundle_ends_at
        group.grants[name] = grant
        self._given.add((self.session.key(item.rating_group), name))

    def _give_back(self, grant: Grant) -> None:
        give_back_covered(grant, self.session.service, self.wallet)
        self.session.reserved -= grant.held
        self.wallet.hold(-grant.held)
