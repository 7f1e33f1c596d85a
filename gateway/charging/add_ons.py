"""Add-ons: allowances that a customer buys beside the plan's bundle, once a reference."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

import msgspec

from gateway.balance.changes import Change, SubscriberUnknown
from gateway.balance.families import lend, with_causes_of
from gateway.balance.profiles import Profile, ProfileRows
from gateway.balance.usage import ACTIVE, sell_add_on
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.charity.choices import at as choice_at
from gateway.charity.policies import SALE
from gateway.ledger.money import format_amount
from gateway.store.batch import Batch, RowSet
from gateway.store.idempotency import KeptResult, KeyConflict, KeyRows, digest
from gateway.subscribers.identifier_history import Family, IdentifierRows

SCOPE: Final = "add-on"


class AddOnBought(msgspec.Struct, frozen=True):
    """An add-on that a line has: until when (microseconds), what it cost in micro-units, and what is left in the wallet."""

    subscriber_id: int
    ends_at: int
    price: int
    balance: int
    currency: str
    repeated: bool = False


class AddOnRefused(ValueError):
    """An add-on that cannot be bought: the plan has none of the name, the line is not active, or the money is not there."""

    def __init__(self, code: str, detail: str) -> None:
        """Take a stable code and a sentence."""
        super().__init__(detail)
        self.code = code


class _Kept(msgspec.Struct, frozen=True):
    ends_at: int
    price: int


class BuyAddOn(Change):
    """Buy an add-on of the line's plan; `reference` is the buyer's own, and buys once."""

    touches: ClassVar[tuple[type, ...]] = (KeyRows, *Change.touches)

    add_on: str
    channel: str
    reference: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the reference, and whoever pays for the line too."""
        if isinstance(row_set, KeyRows):
            return (self._key,)
        family = self._family(batch)
        if family is not None and isinstance(row_set, WalletRows):
            return (*super().keys(row_set, batch), family.payer_id)
        return super().keys(row_set, batch)

    def _family(self, batch: Batch) -> Family | None:
        owner = self._owner(batch)
        return None if owner is None else batch.row_set(IdentifierRows).family_of(owner)

    @property
    def _key(self) -> tuple[str, str]:
        return f"{SCOPE}:{self.channel}"[:64], self.reference

    def decide(self, batch: Batch) -> AddOnBought | SubscriberUnknown | KeyConflict | AddOnRefused:
        """Sell it, or tell that it was sold before."""
        wallet = self._wallet(batch)
        profile = batch.row_set(ProfileRows).get(wallet.subscriber_id) if wallet is not None else None
        if wallet is None or profile is None:
            return SubscriberUnknown("no subscriber has this number")
        asked, known = digest(wallet.subscriber_id, self.add_on), batch.row_set(KeyRows).find(*self._key)
        if known is not None and known.digest != asked:
            return KeyConflict(f"reference {self.reference!r} was used before, for another line or add-on")
        if known is not None:
            kept = msgspec.json.decode(known.result, type=_Kept)
            return _bought(wallet, kept, repeated=True)
        return self._buy(batch, wallet, profile, asked)

    def _buy(self, batch: Batch, wallet: Wallet, profile: Profile, asked: str) -> AddOnBought | AddOnRefused:
        policy, family = batch.policy(ChargingPolicy), self._family(batch)
        tariff, loan = policy.tariff, None
        if family is not None:
            profile = with_causes_of(profile, batch.row_set(ProfileRows).get(family.payer_id))
            payer = batch.row_set(WalletRows).get(family.payer_id)
            loan = lend(wallet, payer, family, batch.now, tariff.zone)
        try:
            return self._sell(batch, wallet, profile, asked)
        finally:
            if loan is not None:
                policy.books.post(batch, loan.settle(batch.now))

    def _sell(self, batch: Batch, wallet: Wallet, profile: Profile, asked: str) -> AddOnBought | AddOnRefused:
        policy = batch.policy(ChargingPolicy)
        tariff = policy.tariff
        plan = tariff.plan_of(profile, batch.now)
        add_on = None if plan is None else plan.add_ons.get(self.add_on)
        if plan is None or add_on is None:
            there = ", ".join(sorted(plan.add_ons)) if plan is not None else ""
            return AddOnRefused(
                "add_on.unknown", f"the line's plan has no add-on {self.add_on!r}; it has: {there or 'none'}"
            )
        if wallet.status != ACTIVE:
            return AddOnRefused("add_on.line", f"the line is {wallet.status}: it buys nothing until it is active again")
        giving = tariff.giving(choice_at(profile.choices, batch.now), batch.now, SALE)
        sold = sell_add_on(wallet, self.add_on, add_on, giving, now=batch.now, number=batch.take_id(), zone=tariff.zone)
        if sold is None:
            price = format_amount(add_on.price, wallet.currency)
            return AddOnRefused("add_on.credit", f"the wallet cannot pay {price} {wallet.currency} for it")
        policy.book(batch, sold.entries, (), sold.grants)
        kept = _Kept(sold.allowance.ends_at, sold.price)
        once = KeptResult(asked, msgspec.json.encode(kept))
        batch.row_set(KeyRows).keep(batch, *self._key, once, for_ever=True)
        return _bought(wallet, kept)


def _bought(wallet: Wallet, kept: _Kept, *, repeated: bool = False) -> AddOnBought:
    return AddOnBought(
        wallet.subscriber_id, kept.ends_at, kept.price, wallet.balance, wallet.currency, repeated=repeated
    )
