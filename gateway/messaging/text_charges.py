"""The money of a text: held when it is accepted, charged when it is delivered, given back when it is not."""

import msgspec

from gateway.balance import allowance_entries, allowances, bookings
from gateway.balance.allowances import Covered, Place, Promise
from gateway.balance.caps import pay_under_caps
from gateway.balance.profiles import Profile, ProfileRows
from gateway.balance.usage import (
    BundleSale,
    UsageRecord,
    can_be_sold_bundle,
    covered_elsewhere,
    has_bundle,
    sell_bundle,
)
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.tariff import Tariff
from gateway.charity.accruals import RunningTenth
from gateway.charity.choices import at as choice_at
from gateway.charity.policies import SALE
from gateway.events.outbox import RATED, OutboxRows
from gateway.messaging.texts import Text, TextState
from gateway.rating.calendars import calendar_of
from gateway.rating.destinations import Destination
from gateway.rating.plans import Plan, Rate, destination_of, rate_of
from gateway.rating.prices import price
from gateway.rating.rate_keys import EMERGENCY, PLAIN, TOLL_FREE, RateKey, rate_by, read_key
from gateway.store import tables
from gateway.store.batch import Batch

SMS = "sms"


class Hold(msgspec.Struct, frozen=True):
    """What a text's payer promises for it: money in micro-units, and parts by which allowances."""

    money: int = 0
    covered: int = 0
    promised: tuple[Promise, ...] = ()
    version: int | None = None
    rate_key: str = ""
    """The plan's version and the key of its rate, which is what it was priced by."""


def plan_of(profile: Profile | None, tariff: Tariff, now: int) -> Plan | None:
    """Return the payer's plan, None where there is none with a price."""
    return None if profile is None else tariff.plan_of(profile, now)


def key_of(plan: Plan, number: str, tariff: Tariff, now: int, *, own: bool) -> RateKey:
    """Return the key of the price of a text to a number (E.164 digits); `own`: it is another line of ours."""
    called = destination_of(plan, SMS, number, own=own)
    rate = rate_of(plan, SMS, None, destination=called)
    period = calendar_of(plan.periods, tariff.zone, plan.holidays).period(now) if rate.at else ""
    if period not in rate.at:
        period = ""
    return RateKey(destination=called, period=period) if called or period else PLAIN


def free_hold(plan: Plan | None, called: Destination) -> Hold:
    """Return the hold of a text to an emergency, or to a number that costs nothing: none, by the rate of that."""
    key = RateKey(EMERGENCY if called is Destination.EMERGENCY else TOLL_FREE)
    return Hold(version=None if plan is None else plan.version, rate_key=str(key))


def rate_to(plan: Plan, key: RateKey) -> Rate:
    """Return the price of a text by the key of it."""
    rate = rate_of(plan, SMS, None, destination=key.destination)
    return rate.at[key.period] if key.period else rate


def hold(wallet: Wallet, plan: Plan, key: RateKey, parts: int, now: int, month: int) -> Hold | None:
    """Hold the price of so many parts, from allowances first; None, and nothing held, if the wallet cannot pay.

    Nor where a limit of the customer's leaves no room in this month (balance.spending).

    What a cap would leave of the price is found out when the text is charged.
    """
    rate = rate_to(plan, key)
    split: list[Covered] = []
    if rate.costs and wallet.allowances:
        place = Place(in_bundle=rate.in_bundle, apart=not rate.in_bundle)
        split = allowances.promised(wallet.allowances, SMS, parts, now, place)
    covered = sum(part.units for part in split)
    money = price(rate, parts - covered)
    if money > max(wallet.spendable(month), 0):
        return None
    wallet.hold(money)
    return Hold(money, covered, tuple(allowances.hold(split, SMS)), plan.version, str(key))


def give_back(wallet: Wallet, text: Text) -> list[Covered]:
    """Give back what was promised for a text, and tell which allowances are still there that had promised it."""
    wallet.hold(-text.held)
    if text.bundle_ends_at and text.covered:  # of before 2026-12
        allowance = wallet.allowance_ending(text.bundle_ends_at)
        if allowance is None:
            return []
        allowance.hold(SMS, -text.covered)
        return [Covered(allowance, text.covered)]
    return list(allowances.give_back(wallet.allowances, SMS, list(text.promised)))


def sell_needed_bundle(
    batch: Batch, wallet: Wallet, plan: Plan, rate: Rate, profile: Profile, policy: ChargingPolicy
) -> BundleSale | None:
    """Sell the plan's bundle where a text has a price and none is in force, as a call or a data session would."""
    if (
        not (rate.costs and rate.in_bundle)
        or has_bundle(wallet, plan, batch.now)
        or not can_be_sold_bundle(wallet, plan, SMS, batch.now, policy.tariff.zone)
    ):
        return None
    giving = policy.tariff.giving(choice_at(profile.choices, batch.now), batch.now, SALE)
    zone = policy.tariff.zone
    return sell_bundle(wallet, plan, giving, event_at=batch.now, now=batch.now, take_id=batch.take_id, zone=zone)


def settle(batch: Batch, text: Text, policy: ChargingPolicy) -> int:
    """Charge a final text that was delivered, or give back what was held for one that was not; gives what it costs."""
    wallet = batch.row_set(WalletRows).get(text.payer) if text.payer is not None else None
    if wallet is None:
        return 0
    money, split = text.held, give_back(wallet, text)
    text.held = text.covered = 0
    if text.state is not TextState.DELIVERED:
        return 0
    _charge(batch, text, money, _consumed(split), wallet, policy)
    return money


def _under_caps(money: int, text: Text, plan: Plan | None, wallet: Wallet, tariff: Tariff) -> int:
    """Return what is to be paid of a text's price under its plan's caps."""
    if not money or plan is None or not plan.caps:
        return money
    rate = rate_by(plan, SMS, None, read_key(text.rate_key or ""))
    return money if rate is None else pay_under_caps(wallet, plan, rate, SMS, text.created_at, tariff.zone, money)


def _consumed(split: list[Covered]) -> list[Covered]:
    """Take the parts from their allowances, as far as these still have them: one may have ended meanwhile."""
    parts = []
    for each in split:
        units = min(each.units, each.allowance.left.get(SMS, 0))
        if units:
            each.allowance.take(SMS, units)
            parts.append(Covered(each.allowance, units))
    return parts


def _charge(
    batch: Batch, text: Text, money: int, covered: list[Covered], wallet: Wallet, policy: ChargingPolicy
) -> None:
    profile = batch.row_set(ProfileRows).get(wallet.subscriber_id)
    plan = plan_of(profile, policy.tariff, text.created_at)
    cost, tariff = money, policy.tariff
    money = _under_caps(cost, text, plan, wallet, tariff)
    billed = wallet.bill(money, tariff.months.number(text.created_at), batch.now)
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
        plan=(profile.plan_at(text.created_at) if profile is not None else None) or "",
        version=text.version,
        rate_key=text.rate_key or "",
        covered=sum(part.units for part in covered),
        capped=cost - billed,
        allowance_id=covered[0].allowance.id if covered else None,
    )
    batch.add(tables.usage, record.row())
    allowance_entries.post(batch, covered_elsewhere(record, covered))
    batch.row_set(OutboxRows).collect(batch, RATED, policy.rated(record))
    if billed:
        shares = choice_at(profile.choices, text.created_at) if profile is not None else ()
        giving = policy.tariff.giving(shares, text.created_at, SMS)
        booked = bookings.charge(wallet, giving, billed, text.created_at, record.id, RunningTenth())
        policy.books.post(batch, booked.entries)
        allowance_entries.post(batch, booked.uses)
    policy.books.post(
        batch, bookings.absorb(tariff.account, money - billed, wallet.currency, text.created_at, record.id)
    )
