"""How much quota is granted: one request charges what was used, gives back what was held, holds for what it grants. Pure."""

from collections.abc import Callable

import msgspec

from gateway.balance import allowances, bookings
from gateway.balance.allowance_entries import AllowanceEntry
from gateway.balance.allowances import Covered
from gateway.balance.caps import cap_room, ends_at, pay_under_caps
from gateway.balance.paid_services import count_paid, left_of_month
from gateway.balance.profiles import Profile
from gateway.balance.usage import (
    BundleSale,
    UsageRecord,
    can_be_sold_bundle,
    covered_elsewhere,
    has_bundle,
    sell_bundle,
)
from gateway.balance.wallets import Wallet
from gateway.charging.held_reports import EXCESS, UNPRICED, HeldReport
from gateway.charging.pricing import Pricing, dearer
from gateway.charging.request import MICROSECONDS, TERMINATION, ChargingRequest, Item, Traffic, Used
from gateway.charging.session import Grant, Group, Session, give_back_covered, group_key
from gateway.charging.tariff import Tariff
from gateway.charity.choices import at as choice_at
from gateway.charity.policies import SALE
from gateway.ledger.entries import Entry
from gateway.rating.paid_service_limits import limit_of
from gateway.rating.plans import Plan, Rate
from gateway.rating.prices import affordable, price, service_price

NO_PARTS: list[Covered] = []
"""Nothing is covered."""


class Quota(msgspec.Struct, frozen=True, gc=False):
    """Granted units of the service; `final` when there is no money for more."""

    units: int
    final: bool


class CreditControlRun:
    """The state that one request is decided on, and what came of it: journal entries, usage records, and reports held back."""

    unpriced = False
    """Whether units without a price were asked for, or alone reported."""
    tariff_change = 0
    """When granted units begin to cost something else (microseconds); 0: they do not."""
    validity = 0
    """How long they hold (seconds); 0: as the terms say."""
    absorbed = 0
    """Micro-units of what was reported that are beyond a limit of the customer's, and are not billed."""
    is_beyond = False
    """Whether some of that was used in this month."""
    limited = ""
    """The limit of the customer's that left no room for something, though there was money."""
    _sale: BundleSale | None = None
    _priced: tuple[Rate | None, int, int] = (None, 0, 0)
    """The rate, the total and the price of the latest report."""

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
        self._giving = tariff.giving(choice_at(profile.choices, request.as_of), request.as_of, request.service)
        self.pricing = Pricing(request, session, plan, tariff, own_line=own_line)
        self.abroad = self.pricing.is_abroad
        self._cap = tariff.cap_abroad if self.abroad else 0
        self._unlimited = wallet.spending.limit < 0 and not self._cap
        self._begins = session.last_number < 0
        self._believed: dict[str, int] = {}
        self._given: set[tuple[str, str]] = set()
        self.entries: list[Entry] = []
        self.usage: list[UsageRecord] = []
        self.grants: list[AllowanceEntry] = []
        self.held: list[HeldReport] = []

    def _limit(self) -> None:
        """Note which limit, and not the wallet, is what leaves nothing to promise, or to bill."""
        month = self.tariff.months.number(self.now)
        if self.is_beyond or self._spendable < self.wallet.available:
            self.limited = self.wallet.spending.narrower(month, self._cap)

    @property
    def _spendable(self) -> int:
        if self._unlimited:  # as nearly always
            return self.wallet.available
        return self.wallet.spendable(self.tariff.months.number(self.now), self._cap)

    def review(self, item: Item) -> tuple[Used, ...]:
        """Return the reported units that could have been used, and put the others aside for somebody to look at.

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
        """Return whether an item asks for units without a price, or counts by such alone and leaves it to us what to give."""
        reports = False
        for used in item.used:
            reports = reports or used.unpriced
        if not (reports or item.unpriced) or self.pricing.traffic is Traffic.EMERGENCY:
            return False
        found = item.unpriced or (self.pricing.base(item).ever_costs and not item.requested)
        self.unpriced = self.unpriced or found
        return found

    def sell_bundle(self, reports: list[tuple[Item, tuple[Used, ...]]]) -> None:
        """Sell the plan's bundle where priced units are used or wanted while none is in force, and the wallet can pay for it.

        Its tenth accrues on the sale. A line that is not active is sold nothing.
        """
        zone = self.tariff.zone
        if self.plan.bundle is None or not can_be_sold_bundle(
            self.wallet, self.plan, self.request.service, self.now, zone
        ):
            return
        if any(self._needs_bundle(item, used) for item, used in reports):
            event_at, take_id = self.request.event_at, self._take_id
            giving = self.tariff.giving(self._giving.shares, self.request.as_of, SALE)
            sold = sell_bundle(
                self.wallet, self.plan, giving, event_at=event_at, now=self.now, take_id=take_id, zone=zone
            )
            self._sale = sold
            if sold is not None:
                self.entries += sold.entries
                self.grants += sold.grants

    def undo_unused_sale(self) -> bool:
        """Take back the sale of a bundle of which this request came to use nothing, such as one that was refused."""
        sale = self._sale
        if sale is None or not sale.unused:
            return False
        sale.undo()
        self.entries = [entry for entry in self.entries if entry not in sale.entries]
        self.grants = [grant for grant in self.grants if grant not in sale.grants]
        self._sale = None
        return True

    def charge(self, item: Item, reported: tuple[Used, ...]) -> None:
        """Charge the units of an item: from the bundle in force when they were used first, the rest by its price."""
        group = self.session.group(item.rating_group)
        for used in reported:
            self._charge_used(used, group, self.pricing.of_use(item, used, group), item.rating_group)
        group.reported_at = self.now

    def could_be_wanted(self, item: Item, units: int) -> bool:
        """Return whether a one-time event may be of so many units: as many as its session could report at once."""
        return self.pricing.traffic is Traffic.EMERGENCY or units <= self._most(self.session.group(item.rating_group))

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
        wanted = self.tariff.terms.wanted(service, item.requested or 0)
        if not item.used:  # else its report has released them
            self.release(item)
        ahead = group.rated
        for other in group.grants.values():
            ahead += other.paid
        terms = self.tariff.terms
        rate, change = self.pricing.of_grant(item, self.now, terms.validity)
        if change is not None:
            rate = dearer(rate, change.rate, ahead, wanted)
        parts = self._cover(rate, wanted)
        covered = sum(part.units for part in parts) if parts else 0
        priced = self._priced  # by the report just before, mostly
        before = priced[2] if priced[0] is rate and priced[1] == ahead else price(rate, ahead)
        paid, room = self._affordable(rate, ahead, wanted - covered, before)
        after = price(rate, ahead + paid)
        held = after - before if room is None else min(room, after - before)
        if covered + paid == 0:
            self._limit()
            return None
        self._hold(group, item, Grant(paid, held, covered), parts)
        more = bool(self._cover(rate, 1)) or self._affordable(rate, ahead + paid, 1, after)[0]
        if change is not None:
            self.tariff_change = min(self.tariff_change or change.at, change.at)
        if room is not None:
            left = ends_at(self.now, self.tariff.zone) - self.now
            self.validity = min(terms.validity, -(-left // MICROSECONDS))
        return Quota(covered + paid, final=covered + paid < wanted or not more)

    def _affordable(self, rate: Rate, ahead: int, wanted: int, before: int) -> tuple[int, int | None]:
        """Return how many units the wallet can pay for after those `ahead`, and what a cap leaves where it pays for that.

        `before` is the price of those ahead. Where the wallet has what a cap leaves, it can pay for any number, until the
        cap's day ends; else there is no such room (None).
        """
        money = self._spendable
        if rate.service is not None:
            wanted = self._allowed(rate, ahead, wanted)
        if self.plan.caps:
            zone = self.tariff.zone
            room = cap_room(self.wallet, self.plan, rate, self.request.service, self.now, zone)
            if room is not None and max(money, 0) >= room:
                return wanted, room
        return affordable(rate, ahead, wanted, money, before), None

    def _allowed(self, rate: Rate, ahead: int, wanted: int) -> int:
        """Return how many units of a service that others are paid for are within the law's limits (balance.paid_services)."""
        limit = limit_of(self.tariff.country, self.wallet.currency)
        if limit is None or rate.service is None:
            return wanted
        of_call = price(rate.service.rate, ahead)
        left = min(limit.each - of_call, left_of_month(self.wallet, limit, self.now, self.tariff.zone))
        return affordable(rate.service.rate, ahead, wanted, left, of_call)

    def debit(self, item: Item) -> Quota | None:
        """Charge a one-time event at once, whole or not at all (RFC 8506 §6.3); without a new bundle where that is too dear."""
        quota = self._debit(item)
        return self._debit(item) if quota is None and self.undo_unused_sale() else quota

    def _debit(self, item: Item) -> Quota | None:
        service = self.request.service
        group = self.session.group(item.rating_group)
        wanted = max(item.requested or 0, 1)
        amounts = {"data": Used(wanted, 0, 0), "voice": Used(0, wanted, 0), "sms": Used(0, 0, wanted)}
        priced = self.pricing.of_use(item, amounts[service], group)
        to_pay = wanted - sum(part.units for part in self._cover(priced[0], wanted))
        if self._affordable(priced[0], group.rated, to_pay, price(priced[0], group.rated))[0] < to_pay:
            self._limit()
            return None
        self._charge_used(amounts[service], group, priced, item.rating_group)
        return Quota(wanted, final=False)

    def _holding(self, item: Item) -> str:
        """Name the rating group whose grants an item speaks of: clients leave the Rating-Group out as they like.

        Where its own group has none, an item without a Rating-Group is about the only one that has some (RFC 8506 §8.16), and
        what was used under a Rating-Group was used of a grant without one.
        """
        key = group_key(item.rating_group)
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
        if used.unpriced and self.pricing.base(item).ever_costs:
            return UNPRICED
        return None if self._could_be_used(used, item) else EXCESS

    def _could_be_used(self, used: Used, item: Item) -> bool:
        """Return whether units could be used together with those that this request reported of their group before."""
        key = group_key(item.rating_group)
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
        """Return the most units that this request may report of a rating group."""
        terms, service = self.tariff.terms, self.request.service
        granted = sum(grant.paid + grant.covered for grant in group.grants.values())
        return max(granted + terms.tolerance * terms.slice(service), terms.carried(service, self._elapsed(group)))

    def _elapsed(self, group: Group) -> int:
        """Return the time (microseconds) in which a group's report may have come together.

        One that was made before the last one came, such as one of many that a client kept while it could not reach us, may
        cover any of the session's time.
        """
        if self._begins:
            return self.tariff.terms.unknown(self.request.service)
        opened_at, last, as_of = self.session.opened_at, group.reported_at, self.request.as_of
        return max(0, as_of - opened_at if last and as_of < last else self.now - (last or opened_at))

    def _needs_bundle(self, item: Item, used: tuple[Used, ...]) -> bool:
        """Return whether an item has a price, and units that are used or wanted at a time for which no bundle was sold."""
        rate = self.pricing.base(item)
        if rate.at:
            priced = [self.pricing.of_use(item, unit, self.session.group(item.rating_group))[0] for unit in used]
            rate = next((each for each in priced if each.costs), self.pricing.of_grant(item, self.now, 0)[0])
        if not rate.costs or not rate.in_bundle:
            return False
        if any(unit.quantity(self.request.service) for unit in used) and not has_bundle(
            self.wallet, self.plan, self.request.as_of
        ):
            return True
        wants = item.requested is not None and self.request.request_type != TERMINATION
        return wants and not self.session.terminated and not has_bundle(self.wallet, self.plan, self.now)

    def _charge_used(self, used: Used, group: Group, priced: tuple[Rate, str], rating_group: int | None) -> None:
        service, wallet, (rate, rate_key) = self.request.service, self.wallet, priced
        quantity = used.quantity(service)
        covered, parts = 0, NO_PARTS
        if quantity and wallet.allowances and rate.costs:
            place = self.pricing.place(rate)
            parts = allowances.covered(wallet.allowances, service, quantity, self.request.as_of, place)
            if parts:
                covered = sum(part.units for part in parts)
                wallet.changed = True
        before = group.rated
        group.rated += quantity - covered
        group.covered += covered
        after = price(rate, group.rated)
        cost = after - price(rate, before)
        self._priced = (rate, group.rated, after)
        paid, passed_on = cost, 0
        if cost and (self.plan.caps or rate.service is not None):
            paid, passed_on = self._within_limits(rate, before, group.rated, cost)
        billed = self._bill(paid) if paid else 0
        record = UsageRecord(
            self._take_id(),
            self.request.event_at,
            self.wallet.subscriber_id,
            self.session.id,
            service,
            rating_group,
            used.octets,
            used.seconds,
            used.units,
            billed,
            self.wallet.currency,
            self.plan.id,
            self.plan.version,
            rate_key,
            before,
            covered,
            cost - billed,
            parts[0].allowance.id if parts else None,
        )  # fmt: skip  (one line a thought)
        self.usage.append(record)
        if len(parts) > 1:
            self.grants += covered_elsewhere(record, parts)
        if billed:
            self._post(record, min(passed_on, billed))
        if paid > billed:
            self._absorb(record, paid - billed)

    def _bill(self, cost: int) -> int:
        """Count a cost in the month of its use, and give how much of it may be billed."""
        wallet, month = self.wallet, self.tariff.months.number(self.request.as_of)
        if self._unlimited:
            wallet.spending.add(cost, month, self.now, abroad=self.abroad)
            return cost
        return wallet.bill(cost, month, self.now, abroad=self.abroad, cap=self._cap)

    def _absorb(self, record: UsageRecord, amount: int) -> None:
        """Book what is beyond a limit of the customer's; of last month's, a late report says nothing of this one."""
        account, currency, months = self.tariff.account, self.wallet.currency, self.tariff.months
        self.entries += bookings.absorb(account, amount, currency, record.event_at, record.id)
        self.absorbed += amount
        if months.number(self.request.as_of) == months.number(self.now):
            self.is_beyond = True
            self._limit()

    def _within_limits(self, rate: Rate, before: int, after: int, cost: int) -> tuple[int, int]:
        """Return what is to be paid of a cost under the plan's caps and the law's limits, and what of it has no tenth."""
        wallet, at, zone = self.wallet, self.request.event_at, self.tariff.zone
        if rate.service is None:
            return pay_under_caps(wallet, self.plan, rate, self.request.service, at, zone, cost), 0
        wanted = passed_on = service_price(rate, after) - service_price(rate, before)
        limit = limit_of(self.tariff.country, wallet.currency)
        if limit is not None:
            of_call = limit.each - min(service_price(rate, before), limit.each)
            passed_on = min(wanted, of_call, left_of_month(wallet, limit, at, zone))
            count_paid(wallet, passed_on, at, zone)
        return cost - wanted + passed_on, 0 if rate.service.tenth else passed_on

    def _post(self, record: UsageRecord, passed_on: int) -> None:
        """Post what a record costs; what a third party has of it stands by itself where no tenth accrues on it."""
        event_at, running = self.request.event_at, self.session.tenth
        own = record.price - passed_on
        if own:
            self._post_booked(bookings.charge(self.wallet, self._giving, own, event_at, record.id, running))
        if passed_on:
            account = self.tariff.account
            self._post_booked(bookings.service_charge(self.wallet, account, passed_on, event_at, record.id))

    def _post_booked(self, booked: bookings.Booked) -> None:
        self.entries += booked.entries
        self.grants += booked.uses

    def _cover(self, rate: Rate, wanted: int) -> list[Covered]:
        """Find the units that allowances in force can promise; free units need no promise."""
        if not self.wallet.allowances or not rate.costs:
            return NO_PARTS
        service, place = self.request.service, self.pricing.place(rate)
        return allowances.promised(self.wallet.allowances, service, wanted, self.now, place)

    def _hold(self, group: Group, item: Item, grant: Grant, parts: list[Covered]) -> None:
        if parts:
            grant.promised = allowances.hold(parts, self.request.service)
        self.session.reserved += grant.held
        self.wallet.hold(grant.held)
        name = item.grant_key
        before = group.grants.get(name)
        if before is not None:
            grant.paid, grant.held = grant.paid + before.paid, grant.held + before.held
            grant.covered += before.covered
            grant.promised = [*before.promised, *grant.promised]
            grant.bundle_ends_at = before.bundle_ends_at
        group.grants[name] = grant
        self._given.add((group_key(item.rating_group), name))

    def _give_back(self, grant: Grant) -> None:
        give_back_covered(grant, self.session.service, self.wallet)
        self.session.reserved -= grant.held
        self.wallet.hold(-grant.held)
