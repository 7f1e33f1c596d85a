"""The money of a text: held when it is accepted, charged when it is delivered, given back when it is not."""

import msgspec

from gateway.balance import bookings
from gateway.balance.bookings import Giving
from gateway.balance.profiles import Profile, ProfileRows
from gateway.balance.usage import BundleSale, UsageRecord, can_be_sold_bundle, has_bundle, sell_bundle
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.tariff import Tariff
from gateway.charity.accruals import RunningTenth
from gateway.charity.choices import at as choice_at
from gateway.events.outbox import RATED, OutboxRows
from gateway.messaging.texts import Text, TextState
from gateway.rating.plans import Plan, Rate, destination_of, rate_of
from gateway.rating.prices import price
from gateway.store import tables
from gateway.store.batch import Batch

SMS = "sms"


class Hold(msgspec.Struct, frozen=True):
    """What a text's payer promises for it: money in micro-units, and parts of a running bundle."""

    money: int = 0
    covered: int = 0
    bundle_ends_at: int = 0


def plan_of(profile: Profile | None, tariff: Tariff, now: int) -> Plan | None:
    """Give the payer's plan, None where there is none with a price."""
    return None if profile is None else tariff.plans.get(profile.plan_at(now) or "")


def rate_to(plan: Plan, number: str, *, own: bool) -> Rate:
    """Give the price of a text to a number (E.164 digits); `own`: it is another line of ours."""
    return rate_of(plan, SMS, None, destination=destination_of(plan, SMS, number, own=own))


def hold(wallet: Wallet, plan: Plan, rate: Rate, parts: int, now: int, month: int) -> Hold | None:
    """Hold the price of so many parts, from the bundle first; None, and nothing held, if the wallet cannot pay.

    Nor where a limit of the customer's leaves no room in this month (balance.spending).
    """
    allowance = wallet.allowance_at(now, plan.id)
    by_bundle = allowance is not None and rate.price and rate.in_bundle
    covered = min(parts, allowance.available(SMS, now)) if allowance is not None and by_bundle else 0
    money = price(rate, parts - covered)
    if money > max(wallet.spendable(month), 0):
        return None
    wallet.hold(money)
    if covered and allowance is not None:
        allowance.hold(SMS, covered)
        return Hold(money, covered, allowance.ends_at)
    return Hold(money)


def sell_needed_bundle(
    batch: Batch, wallet: Wallet, plan: Plan, rate: Rate, profile: Profile, policy: ChargingPolicy
) -> BundleSale | None:
    """Sell the plan's bundle where a text has a price and none is in force, as a call or a data session would."""
    if (
        not (rate.price and rate.in_bundle)
        or has_bundle(wallet, plan, batch.now)
        or not can_be_sold_bundle(wallet, plan, SMS)
    ):
        return None
    giving = Giving(policy.tariff.policy, choice_at(profile.choices, batch.now), policy.tariff.account)
    zone = policy.tariff.zone
    return sell_bundle(wallet, plan, giving, event_at=batch.now, now=batch.now, number=batch.take_id(), zone=zone)


def settle(batch: Batch, text: Text, policy: ChargingPolicy) -> int:
    """Charge a final text that was delivered, or give back what was held for one that was not; gives what it costs."""
    wallet = batch.row_set(WalletRows).get(text.payer) if text.payer is not None else None
    if wallet is None:
        return 0
    money, covered = text.held, text.covered
    wallet.hold(-money)
    allowance = wallet.allowance_ending(text.bundle_ends_at) if covered else None
    if allowance is not None:
        allowance.hold(SMS, -covered)
        if text.state is TextState.DELIVERED:
            allowance.consume(SMS, covered)
    text.held = text.covered = 0
    if text.state is not TextState.DELIVERED:
        return 0
    _charge(batch, text, money, wallet, policy)
    return money


def _charge(batch: Batch, text: Text, money: int, wallet: Wallet, policy: ChargingPolicy) -> None:
    profile = batch.row_set(ProfileRows).get(wallet.subscriber_id)
    plan = profile.plan_at(text.created_at) if profile is not None else None
    billed = wallet.bill(money, policy.tariff.months.number(text.created_at), batch.now)
    record = UsageRecord(
        id=batch.take_id(),
        event_at=text.created_at,
        subscriber_id=wallet.subscriber_id,
        session=text.id,
        service=SMS,
        rating_group=None,
        octets=0,
        seconds=0,
        units=len(text.parts),
        price=billed,
        currency=wallet.currency,
        plan=plan or "",
    )
    batch.add(tables.usage, record.row())
    batch.row_set(OutboxRows).collect(batch, RATED, policy.rated(record))
    if billed:
        shares = choice_at(profile.choices, text.created_at) if profile is not None else ()
        giving = Giving(policy.tariff.policy, shares, policy.tariff.account)
        policy.books.post(batch, bookings.charge(wallet, giving, billed, text.created_at, record.id, RunningTenth()))
    account, currency = policy.tariff.account, wallet.currency
    policy.books.post(batch, bookings.absorb(account, money - billed, currency, text.created_at, record.id))
