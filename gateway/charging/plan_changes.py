"""Another plan for a line: at once, at once with the rest of its bundle given back, or when its period ends."""

from enum import StrEnum

import msgspec

from gateway.balance import allowance_entries
from gateway.balance.allowances import BUNDLE
from gateway.balance.bookings import Giving
from gateway.balance.changes import Change, SubscriberUnknown
from gateway.balance.endings import leave_bundles
from gateway.balance.families import payer_at
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import Wallet
from gateway.charging.credit_control import ChargingPolicy
from gateway.charity.choices import at as choice_at
from gateway.charity.policies import SALE
from gateway.rating.billing_days import period_of
from gateway.rating.plans import Plan
from gateway.store.batch import Batch
from gateway.subscribers.history import PRICES, record


class Effective(StrEnum):
    """When a plan begins."""

    NOW = ""
    """At once; a bundle that was sold stays the customer's until it ends, and is used first."""
    PRO_RATA = "pro-rata"
    """At once; a bundle that was sold ends, and its price for the rest of its time is given back."""
    RENEWAL = "renewal"
    """When the period that was paid for ends; at once where there is none."""


def change_plan(batch: Batch, wallet: Wallet, plan: str, effective: Effective) -> str:
    """Begin a plan, in place of any that waits for the renewal; gives the plan before.

    Whoever pays for the line, or did (`balance.families.payers_of`), is among the wallets of the batch: without a choice of the
    line's own its tenths went to theirs.
    """
    profiles, policy, owner = batch.row_set(ProfileRows), batch.policy(ChargingPolicy), wallet.subscriber_id
    profiles.drop_waiting(batch, owner)
    profile = profiles.rows[owner]
    before = profile.plan_at(batch.now) or ""
    if plan == before:
        return before  # what waited was called off
    if effective is Effective.PRO_RATA:

        def giving(sold_at: int) -> Giving:
            chosen = choice_at(profile.choices, sold_at)
            if not chosen and (payer := payer_at(batch.connection, owner, sold_at)) is not None:
                chosen = choice_at(profiles.rows[payer].choices, sold_at)
            return policy.tariff.giving(chosen, sold_at, SALE)

        booked = leave_bundles(wallet, before, giving, batch.now)
        policy.books.post(batch, booked.entries)
        allowance_entries.post(batch, booked.uses)
    begins = _period_end(wallet, policy, batch.now) if effective is Effective.RENEWAL else batch.now
    return profiles.begin_plan(batch, owner, plan, begins)


class PricesAgreed(msgspec.Struct, frozen=True):
    """Whose customer agreed to the prices of today: the plan, and the numbers of the version before and the one from now on."""

    subscriber_id: int
    plan: str
    before: int | None
    version: int | None


class AgreeToPrices(Change):
    """Have a line that keeps an earlier version of its plan go by the one in force: its customer agreed, says `actor`."""

    actor: str
    reason: str

    def decide(self, batch: Batch) -> PricesAgreed | SubscriberUnknown:
        """Subscribe it anew, unless it has the version in force already."""
        wallet, profiles = self._wallet(batch), batch.row_set(ProfileRows)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        tariff, owner = batch.policy(ChargingPolicy).tariff, wallet.subscriber_id
        name = profiles.rows[owner].plan_at(batch.now) or ""
        held, latest = tariff.plan_of(profiles.rows[owner], batch.now), tariff.plans.get(name)
        agreed = PricesAgreed(owner, name, _number(held), _number(latest))
        if latest is not None and agreed.before != agreed.version:
            profiles.begin_anew(batch, owner)
            record(batch, owner, PRICES, (str(agreed.before), str(agreed.version)), self.actor, self.reason)
        return agreed


def _number(plan: Plan | None) -> int | None:
    return None if plan is None else plan.version


def _period_end(wallet: Wallet, policy: ChargingPolicy, now: int) -> int:
    running = [each.ends_at for each in wallet.allowances if each.kind == BUNDLE and each.ends_at > now]
    if running:
        return max(running)
    day = wallet.renewal.billing_day if wallet.renewal is not None else 0
    return period_of(now, day, policy.tariff.zone)[1] if day else now
