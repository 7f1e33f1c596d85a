"""Another plan for a line: at once, at once with the rest of its bundle given back, or when its period ends."""

from enum import StrEnum

from gateway.balance import allowance_entries
from gateway.balance.allowances import BUNDLE
from gateway.balance.billing_days import period_of
from gateway.balance.bookings import Giving
from gateway.balance.endings import leave_bundles
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import Wallet
from gateway.charging.credit_control import ChargingPolicy
from gateway.charity.choices import at as choice_at
from gateway.store.batch import Batch


class Effective(StrEnum):
    """When a plan begins."""

    NOW = ""
    """At once; a bundle that was sold stays the customer's until it ends, and is used first."""
    PRO_RATA = "pro-rata"
    """At once; a bundle that was sold ends, and its price for the rest of its time is given back."""
    RENEWAL = "renewal"
    """When the period that was paid for ends; at once where there is none."""


def change_plan(batch: Batch, wallet: Wallet, plan: str, effective: Effective) -> str:
    """Begin a plan, in place of any that waits for the renewal; gives the plan before."""
    profiles, policy, owner = batch.row_set(ProfileRows), batch.policy(ChargingPolicy), wallet.subscriber_id
    profiles.drop_waiting(batch, owner)
    profile = profiles.rows[owner]
    before = profile.plan_at(batch.now) or ""
    if plan == before:
        return before  # what waited was called off
    if effective is Effective.PRO_RATA:

        def giving(sold_at: int) -> Giving:
            return policy.tariff.giving(choice_at(profile.choices, sold_at), sold_at)

        booked = leave_bundles(wallet, before, giving, batch.now)
        policy.books.post(batch, booked.entries)
        allowance_entries.post(batch, booked.uses)
    begins = _period_end(wallet, policy, batch.now) if effective is Effective.RENEWAL else batch.now
    return profiles.begin_plan(batch, owner, plan, begins)


def _period_end(wallet: Wallet, policy: ChargingPolicy, now: int) -> int:
    running = [each.ends_at for each in wallet.allowances if each.kind == BUNDLE and each.ends_at > now]
    if running:
        return max(running)
    day = wallet.renewal.billing_day if wallet.renewal is not None else 0
    return period_of(now, day, policy.tariff.zone)[1] if day else now
