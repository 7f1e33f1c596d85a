"""Usage priced anew: what a session's records cost by a wrong version of their plan is put right by the one in force.

A unit is one session, with the records as they were read beside the lane; whoever was quicker with one of them is found out. A
record keeps what a bundle covered of it: where the right version would have had a bundle cover other usage than the wrong one
did, and there was one or would have been, nobody can say any more what of it was left then, so that such a record stays as it
is and is told of. So does one that a limit of the law counts, unless it is sure that it was not reached by either price. What a
cap counts is priced line by line (charging.rerate_caps), since a cap is of all sessions of its days.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import func, select

from gateway.balance.allowances import MONEY
from gateway.balance.corrections import Charged, Correction, TenthPart, correct
from gateway.balance.profiles import Profile, ProfileRows
from gateway.balance.refunds import SCOPE as REFUNDS
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.request import MICROSECONDS
from gateway.charging.tariff import Tariff
from gateway.charity.accruals import RunningTenth
from gateway.charity.choices import Share
from gateway.charity.choices import at as choice_at
from gateway.charity.policies import WHOLE
from gateway.ledger.account_names import UNASSIGNED
from gateway.ledger.accounts import cause_account
from gateway.ledger.allowance_kinds import ADDS
from gateway.rating.grandfathering import version_for
from gateway.rating.plans import Cap, Plan, Rate, caps_of
from gateway.rating.prices import price
from gateway.rating.rate_keys import rate_by, read_key
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.tables import allowance_entries, idempotency_keys, reratings
from gateway.subscribers.status import TERMINATED

ASKED: Final = 5_000
"""Records that one query names."""
ACTOR: Final = 64
"""Characters that are kept of who had it done."""


class Left(StrEnum):
    """Why a record was left as it is."""

    UNKNOWN = "unknown_version"
    """It is older than versions, and says nothing of what it was priced by."""
    NO_RATE = "no_rate"
    """The version in force has no rate for where it was used or what was called."""
    BUNDLE = "bundle"
    """A bundle covered some of it that covers no such usage by the right version, or one that the line had, or would have been
    sold, covers such usage only by the right version: what was left of it then is not known any more."""
    LIMITED = "limited"
    """A limit of the law, or the customer's own, counts it, and it costs more now, or the line had something taken off within a
    month of it: what was left of the limit by another price is not known any more. Or a cap counts it, and not all usage of its
    month is kept, or some of it was beyond the customer's own limit."""
    PASSED_ON = "passed_on"
    """What a third party has of it is another by the right version: that is to be settled with who was called."""
    ENDED = "line_ended"
    """The line has ended and its wallet is settled."""
    GIVEN_BACK = "given_back"
    """It was refunded, or paid for by credit that ends: what it should have cost is settled."""
    MEANWHILE = "meanwhile"
    """Somebody else priced it anew, or the plan changed: ask again."""


class RatedRecord(msgspec.Struct, frozen=True):
    """A usage record as it stands: with the version, the price and the tenth of its last rerating, if there was one."""

    id: int
    event_at: int
    service: str
    rating_group: int | None
    units: int
    plan: str
    version: int | None
    bundled: bool
    """Whether a bundle covers such usage by the version that priced it at first."""
    limited: bool
    """Whether something was taken off of it, or a limit of the law counts it."""
    caps: tuple[Cap, ...]
    """Those that count it by the version that prices it now."""
    cost: int
    """What it costs by that version without caps."""
    taken_off: bool
    """Whether the line had anything taken off within a month of it: over a cap, or a limit."""
    rate_key: str
    rated_before: int
    covered: int
    rerating: int
    charged: Charged


class Rerated(msgspec.Struct):
    """What came of records: how many were put right, why others were not, and the sums before and after in micro-units."""

    records: int = 0
    left: dict[str, int] = {}
    price_before: int = 0
    price_after: int = 0
    tenth_before: int = 0
    tenth_after: int = 0

    def count(self, before: Charged, after: Charged) -> None:
        """Count one that was put right."""
        self.records += 1
        self.price_before += before.price
        self.price_after += after.price
        self.tenth_before += before.tenth
        self.tenth_after += after.tenth

    def leave(self, why: Left, count: int = 1) -> None:
        """Count records that stay as they are."""
        if count:
            self.left[why] = self.left.get(why, 0) + count

    def add(self, other: "Rerated") -> None:
        """Add what came of others."""
        self.records += other.records
        for why, count in other.left.items():
            self.left[why] = self.left.get(why, 0) + count
        self.price_before += other.price_before
        self.price_after += other.price_after
        self.tenth_before += other.tenth_before
        self.tenth_after += other.tenth_after


class RerateSession(Unit):
    """The records of one session, in order, of which those of a plan since a time are priced by its version in force.

    `apart` says that each stands for itself, as a text does. With `dry_run` nothing is booked.
    """

    touches: ClassVar[tuple[type, ...]] = (WalletRows, ProfileRows)

    subscriber_id: int
    plan: str
    version: int
    since: int
    records: list[RatedRecord]
    actor: str
    apart: bool = False
    dry_run: bool = False

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the subscriber."""
        return (self.subscriber_id,)

    def decide(self, batch: Batch) -> Rerated:
        """Book what puts them right, and tell what came of it."""
        result, policy = Rerated(), batch.policy(ChargingPolicy)
        wallet, profile = (
            batch.row_set(WalletRows).get(self.subscriber_id),
            batch.row_set(ProfileRows).get(self.subscriber_id),
        )
        plan = policy.tariff.plans.get(self.plan)
        mine = self.due(policy.tariff, profile, batch.now)
        settled = given_back(batch, self.subscriber_id, mine)
        result.leave(Left.GIVEN_BACK, len(settled))
        due = [record for record in mine if record.id not in settled]
        if wallet is None or profile is None or wallet.status == TERMINATED:
            result.leave(Left.ENDED, len(due))
        elif plan is None or plan.version != self.version or is_overtaken(batch, self.records):
            result.leave(Left.MEANWHILE, len(due))
        else:
            prices = self._new_prices(batch, plan, due, result)
            if prices:
                self.book(batch, wallet, profile, policy, prices, result)
        return result

    def due(self, tariff: Tariff, profile: Profile | None, now: int, *, capped: bool = False) -> list[RatedRecord]:
        """Return the records that are to be priced anew: those that a cap counts, or the others."""
        plan = tariff.plans.get(self.plan)
        mine = [record for record in self.records if self._is_due(record) and is_capped(plan, record) == capped]
        if profile is not None and plan is not None and plan.id in tariff.kept:
            mine = [each for each in mine if is_theirs(plan, tariff, profile, each.event_at, now)]
        return mine

    def _is_due(self, record: RatedRecord) -> bool:
        mine = record.plan == self.plan and record.event_at >= self.since
        return mine and record.version is not None and record.version != self.version

    def _new_prices(self, batch: Batch, plan: Plan, due: Sequence[RatedRecord], result: Rerated) -> dict[int, int]:
        """Return the right price of each record that can be put right, also where it is the one it has."""
        found = {}
        for record, rate, cost in self.new_costs(batch, plan, due, result):
            is_limited = record.limited or rate.service is not None
            if is_limited and (record.taken_off or cost > record.charged.price):
                result.leave(Left.LIMITED)
            else:
                found[record.id] = cost
        return found

    def new_costs(
        self, batch: Batch, plan: Plan, due: Sequence[RatedRecord], result: Rerated
    ) -> Iterator[tuple[RatedRecord, Rate, int]]:
        """Return the right rate of each record, and what it costs by that without caps and limits; others are left."""
        for record in due:
            rate = rate_by(plan, record.service, record.rating_group, read_key(record.rate_key))
            if rate is None:
                result.leave(Left.NO_RATE)
            elif passed_on_by(rate, record) != record.charged.passed_on:
                result.leave(Left.PASSED_ON)
            elif is_bundled(rate) != record.bundled and self._is_covered_otherwise(batch, plan, record):
                result.leave(Left.BUNDLE)
            else:
                yield record, rate, cost_of(rate, record.rated_before, record.units - record.covered)

    def _is_covered_otherwise(self, batch: Batch, plan: Plan, record: RatedRecord) -> bool:
        """Return whether a bundle may have covered another part of a record, had its version been the right one.

        One that covers no such usage any more matters where it covered some; one that does only now, where the line had one or
        would have been sold it.
        """
        if record.bundled:
            return record.covered > 0
        if plan.bundle is not None and plan.bundle.covers(record.service):
            return True
        own = allowance_entries.c
        had = select(own.id).where(
            own.subscriber_id == self.subscriber_id,
            own.service == record.service,
            own.kind.in_(list(ADDS)),
            own.event_at <= record.event_at + MICROSECONDS,
            own.ends_at >= record.event_at,
        )
        return batch.connection.execute(had.limit(1)).first() is not None

    def book(
        self,
        batch: Batch,
        wallet: Wallet,
        profile: Profile,
        policy: ChargingPolicy,
        prices: dict[int, int],
        result: Rerated,
    ) -> None:
        """Charge records what they should have cost, their tenths too."""
        tariff = policy.tariff
        changed = [record for record in self.records if record.id in prices]
        after = self._charged(changed, profile, tariff, prices)
        for record, charged in zip(changed, after, strict=True):
            result.count(record.charged, charged)
            if not self.dry_run:
                self._correct(batch, wallet, policy, record, charged)

    def _correct(
        self, batch: Batch, wallet: Wallet, policy: ChargingPolicy, record: RatedRecord, charged: Charged
    ) -> None:
        number = batch.take_id()
        prices = (record.charged.price, charged.price)
        row = (number, batch.now, record.id, record.rerating, self.version, *prices, self.actor[:ACTOR])
        batch.add(reratings, row)
        if record.charged == charged:
            return  # the right price is the one that it has
        correction = Correction(number, record.id, record.event_at, record.charged, charged)
        policy.books.post(batch, correct(wallet, policy.books.account, correction))

    def _charged(
        self, changed: Sequence[RatedRecord], profile: Profile, tariff: Tariff, prices: dict[int, int]
    ) -> list[Charged]:
        """Return what records should have been charged, with the tenths by the choice of their time.

        The tenths of a session are together that of the sum of its charges: what rounding would make of each alone is made up
        for at the last one.
        """
        running, tenths = RunningTenth(), []
        for record in changed:
            running = RunningTenth() if self.apart else running
            own = prices[record.id] - record.charged.passed_on
            tenths.append(running.add(own, tariff.policy_at(record.event_at, record.service)))
        if not self.apart and tenths:
            _make_up(tenths, self._missing(tariff, prices, sum(tenths)))
        splitting, found = RunningTenth(), []
        for record, tenth in zip(changed, tenths, strict=True):
            splitting = RunningTenth() if self.apart else splitting
            cost = prices[record.id]
            if cost == record.charged.price and tenth == record.charged.tenth:
                found.append(record.charged)
                continue
            shares = shares_of(record.charged, record.event_at, profile, tariff)
            amounts = splitting.split(tenth, [share for _, share in shares])
            parts = (
                TenthPart(account, amount, share) for (account, share), amount in zip(shares, amounts, strict=True)
            )
            rule = tariff.policy_at(record.event_at, record.service)
            kept = tuple(part for part in parts if part.amount)
            found.append(Charged(cost, rule.id, kept, record.charged.passed_on))
        return found

    def _missing(self, tariff: Tariff, prices: dict[int, int], together: int) -> int:
        """Return by how much the tenths of changed records have to differ for the session's to be that of its sum."""
        begun = {record.rating_group for record in self.records if record.rated_before == 0}
        if any(record.rating_group not in begun or record.version is None for record in self.records):
            return 0  # its first records are not there any more
        base = sum(prices.get(each.id, each.charged.price) - each.charged.passed_on for each in self.records)
        others = sum(record.charged.tenth for record in self.records if record.id not in prices)
        rules = {tariff.policy_at(record.event_at, record.service) for record in self.records}
        if len(rules) > 1:
            return 0  # of a session under two rules no sum has a tenth of its own
        missing = rules.pop().tenth(base) - others - together
        return missing if abs(missing) <= len(self.records) else 0


def _make_up(tenths: list[int], missing: int) -> None:
    """Add what is missing to the last tenth that can take it."""
    for place in reversed(range(len(tenths))):
        if tenths[place] and tenths[place] + missing >= 0:
            tenths[place] += missing
            return


def is_theirs(plan: Plan, tariff: Tariff, profile: Profile, event_at: int, now: int) -> bool:
    """Return whether a plan's version in force is a line's; one that keeps an earlier version was, and is, priced by that.

    It goes by the subscription of the time of use.
    """
    subscribed, versions = profile.subscription_at(event_at), tariff.kept.get(plan.id)
    if subscribed is None or versions is None:
        return True
    theirs = version_for(versions, subscribed[0], now)
    return theirs is not None and theirs.version == plan.version


def given_back(batch: Batch, subscriber_id: int, records: Sequence[RatedRecord]) -> frozenset[int]:
    """Name the records of a line that were refunded, or that credit which ends paid for."""
    keys, own, found = idempotency_keys.c, allowance_entries.c, set[int]()
    for begin in range(0, len(records), ASKED):
        some = [record.id for record in records[begin : begin + ASKED]]
        refunds = select(keys.key).where(keys.scope == REFUNDS, keys.key.in_([str(number) for number in some]))
        paid = select(own.usage_id).where(
            own.subscriber_id == subscriber_id, own.service == MONEY, own.usage_id.in_(some)
        )
        found.update(map(int, batch.connection.scalars(refunds)), batch.connection.scalars(paid))
    return frozenset(found)


def is_overtaken(batch: Batch, records: Sequence[RatedRecord]) -> bool:
    """Return whether one of some records was priced anew since they were read."""
    known = {record.id: record.rerating for record in records}
    numbers = list(known)
    for begin in range(0, len(numbers), ASKED):
        some = numbers[begin : begin + ASKED]
        latest = select(reratings.c.record_id, func.max(reratings.c.id)).where(reratings.c.record_id.in_(some))
        found = dict(map(tuple, batch.connection.execute(latest.group_by(reratings.c.record_id))))
        if any(found.get(number, 0) != known[number] for number in some):
            return True
    return False


def is_capped(plan: Plan | None, record: RatedRecord) -> bool:
    """Return whether a cap counts a record, by the version that prices it or by the right one."""
    if record.caps or plan is None or not plan.caps:
        return bool(record.caps)
    rate = rate_by(plan, record.service, record.rating_group, read_key(record.rate_key))
    return rate is not None and bool(caps_of(plan, rate, record.service))


def cost_of(rate: Rate, before: int, units: int) -> int:
    """Return what units cost that follow others of their session and rating group."""
    return price(rate, before + units) - price(rate, before)


def passed_on_by(rate: Rate, record: RatedRecord) -> int:
    """Return what a third party has of a record by a rate, without a tenth, in micro-units, as far as no limit is reached."""
    if rate.service is None or rate.service.tenth:
        return 0
    return cost_of(rate.service.rate, record.rated_before, record.units - record.covered)


def is_bundled(rate: Rate | None) -> bool:
    """Return whether a bundle covers what has this rate."""
    return rate is not None and rate.costs and rate.in_bundle


def shares_of(charged: Charged, event_at: int, profile: Profile, tariff: Tariff) -> list[tuple[int, int]]:
    """Return accounts and shares by the choice of an event's time: what its tenth was split by, where that is whole."""
    parts = [(part.account, part.share) for part in charged.parts]
    if sum(share for _, share in parts) == WHOLE:
        return parts
    # An Event-Timestamp says no more than the second.
    as_of = event_at + (0 if event_at % MICROSECONDS else MICROSECONDS - 1)
    chosen = choice_at(profile.choices, as_of) or (Share(UNASSIGNED, WHOLE),)
    return [
        (tariff.account(UNASSIGNED if part.cause == UNASSIGNED else cause_account(part.cause)), part.share)
        for part in sorted(chosen, key=lambda part: part.cause)
    ]
