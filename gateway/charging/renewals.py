"""What is due of a wallet by the calendar: its bundle is renewed, what ended is taken away.

Wallets say when something of them is due (`due_at`); the gateway that owns their shard looks for them at intervals, and has
each one done by a unit of its own, which finds nothing to do where it was done before: also where it was killed between.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, or_, select

from gateway.balance import allowance_entries, bookings
from gateway.balance.allowance_entries import emptied
from gateway.balance.allowances import MONEY, UNITS, Allowance, ends_for_good
from gateway.balance.families import families_of, lend, with_causes_of
from gateway.balance.profiles import Profile, ProfileRows
from gateway.balance.usage import ACTIVE, price_now, sell_bundle
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.charity.choices import at as choice_at
from gateway.charity.policies import SALE
from gateway.ledger.allowance_kinds import EXPIRY
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.nodes import in_shard
from gateway.store.tables import wallets
from gateway.subscribers.identifier_history import Family

SWEEP: Final = 500
"""The most wallets that one look finds; the next look goes on."""


def due_wallets(connection: Connection, now: int, shards: Iterable[int]) -> Sequence[int]:
    """Find the wallets of these shards of which something is due, the longest due first, by subscriber."""
    owned = or_(*((low & high) for low, high in (in_shard(wallets.c.subscriber_id, shard) for shard in shards)))
    due = select(wallets.c.subscriber_id).where(wallets.c.due_at <= now, owned).order_by(wallets.c.due_at)
    return connection.scalars(due.limit(SWEEP)).all()


class DoneByCalendar(msgspec.Struct, frozen=True):
    """What was done: a bundle renewed, or not for want of money; allowances that ended."""

    renewed: bool = False
    unpaid: bool = False
    ended: int = 0

    @property
    def anything(self) -> bool:
        """Whether anything was done."""
        return self.renewed or self.unpaid or self.ended > 0


class KeepWallet(Unit):
    """Do what is due of one wallet."""

    touches: ClassVar[tuple[type, ...]] = (WalletRows, ProfileRows)

    subscriber_id: int

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the subscriber, and whoever pays for it."""
        family = self._family(batch)
        return (self.subscriber_id,) if family is None else (self.subscriber_id, family.payer_id)

    def _family(self, batch: Batch) -> Family | None:
        return families_of(batch.connection, (self.subscriber_id,)).get(self.subscriber_id)

    def decide(self, batch: Batch) -> DoneByCalendar:
        """Renew first, so that what is left rolls over; then take away what has ended for good."""
        wallet = batch.row_set(WalletRows).get(self.subscriber_id)
        if wallet is None or wallet.due_at is None or wallet.due_at > batch.now:
            return DoneByCalendar()
        wallet.changed = True
        renewed = unpaid = False
        if wallet.renewal is not None and wallet.renewal.is_due(batch.now):
            family, tariff = self._family(batch), batch.policy(ChargingPolicy).tariff
            payer = batch.row_set(WalletRows).get(family.payer_id) if family is not None else None
            loan = lend(wallet, payer, family, batch.now, tariff.zone) if family is not None else None
            renewed = _renew(batch, wallet, family)
            if loan is not None:
                batch.policy(ChargingPolicy).books.post(batch, loan.settle(batch.now))
            unpaid = not renewed
            if unpaid:
                wallet.renewal = msgspec.structs.replace(wallet.renewal, next_at=0)
        return DoneByCalendar(renewed, unpaid, end(batch, wallet))


def _renew(batch: Batch, wallet: Wallet, family: Family | None) -> bool:
    """Sell the next period of the plan that the line has now; tell whether it was sold.

    Where the money is not there, or the line is not active, the bundle is sold as any other is: when it is needed.
    """
    profiles, policy = batch.row_set(ProfileRows).rows, batch.policy(ChargingPolicy)
    profile = profiles.get(wallet.subscriber_id, Profile())
    if family is not None:
        profile = with_causes_of(profile, profiles.get(family.payer_id))
    tariff, now = policy.tariff, batch.now
    plan = tariff.plan_of(profile, now)
    if wallet.status != ACTIVE or plan is None or plan.bundle is None or plan.currency != wallet.currency:
        return False
    if wallet.available < price_now(plan.bundle, wallet, now, tariff.zone):
        return False
    giving = tariff.giving(choice_at(profile.choices, now), now, SALE)
    sold = sell_bundle(wallet, plan, giving, event_at=now, now=now, take_id=batch.take_id, zone=tariff.zone)
    if sold is not None:
        policy.book(batch, sold.entries, (), sold.grants)
    return True


def end(batch: Batch, wallet: Wallet) -> int:
    """Take away what has ended for good, and write down what was left of it; tell how many allowances there were.

    Of credit that ended stays what is held for a session, until that is over.
    """
    ended = [allowance for allowance in wallet.allowances if ends_for_good(allowance) <= batch.now]
    for allowance in ended:
        if MONEY in allowance.left:
            _lapse(batch, wallet, allowance)
        allowance_entries.post(batch, emptied(allowance, wallet.subscriber_id, batch.now, EXPIRY, UNITS))
        if not allowance.left.get(MONEY):
            wallet.allowances.remove(allowance)
    return sum(allowance not in wallet.allowances for allowance in ended)


def _lapse(batch: Batch, wallet: Wallet, ended: Allowance) -> None:
    amount = min(ended.left[MONEY], max(0, wallet.balance - wallet.reserved))
    if not amount:
        return
    policy = batch.policy(ChargingPolicy)
    tariff = policy.tariff
    number, vat = batch.take_id(), tariff.credit_vat
    booked = bookings.lapse(wallet, tariff.account, ended, amount, vat, batch.now, number)
    policy.book(batch, booked.entries, (), booked.uses)
