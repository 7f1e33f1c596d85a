"""What is asked of gifts, as units of the lane: to make one, to take one back, and to make those whose time has come."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, or_, select

from gateway.balance.changes import Change, SubscriberUnknown
from gateway.balance.gifts import (
    Gift,
    GiftPolicy,
    GiftRefused,
    GiftState,
    find_gift,
    give,
    hold_gift,
    opened,
    refusal,
    withdraw,
)
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charity.sealed_causes import CauseSeals
from gateway.ledger.money import is_payable
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.idempotency import KeyConflict
from gateway.store.nodes import in_shard
from gateway.store.tables import gifts
from gateway.subscribers.status import ACTIVE

SWEEP = 500
"""The most gifts that one look finds; the next look goes on."""


class GiftTold(msgspec.Struct, frozen=True):
    """A gift, and whether it was there before under the same reference."""

    gift: Gift
    repeated: bool = False


class MakeGift(Change):
    """A gift to a cause (micro-units), held until it may no more be taken back; once for a channel's reference."""

    cause: str
    amount: int
    currency: str
    channel: str
    reference: str

    def decide(self, batch: Batch) -> GiftTold | SubscriberUnknown | GiftRefused | KeyConflict:
        """Hold it, or say why not."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        same = (gifts.c.channel == self.channel, gifts.c.reference == self.reference)
        row = batch.connection.execute(select(gifts).where(*same)).one_or_none()
        if row is not None:
            return self._repeated(opened(row, batch.policy(CauseSeals)), wallet)
        refused = self._refused(batch, wallet)
        if refused is not None:
            return refused
        source = (self.channel, self.reference)
        return GiftTold(hold_gift(batch, wallet, batch.take_id(), self.cause, self.amount, source))

    def _repeated(self, known: Gift, wallet: Wallet) -> GiftTold | KeyConflict:
        asked = (wallet.subscriber_id, self.cause, self.amount, self.currency)
        if asked != (known.subscriber_id, known.cause, known.amount, known.currency):
            return KeyConflict(f"reference {self.reference!r} was used before, for another gift")
        return GiftTold(known, repeated=True)

    def _refused(self, batch: Batch, wallet: Wallet) -> GiftRefused | None:
        if wallet.status != ACTIVE:
            return GiftRefused("gift.line", "the line is not active")
        if self.currency != wallet.currency:
            return GiftRefused("gift.currency", f"the wallet is in {wallet.currency}, the gift in {self.currency}")
        if self.amount <= 0 or not is_payable(self.amount, self.currency):
            return GiftRefused("gift.amount", "a gift is more than zero, in whole minor units of its currency")
        return refusal(batch.policy(GiftPolicy), wallet, self.cause, self.amount, batch.now)


class WithdrawGift(Change):
    """A gift of a line taken back, while it is held."""

    gift_id: int

    def decide(self, batch: Batch) -> GiftTold | SubscriberUnknown | GiftRefused:
        """Take it back; again, it stays so."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        gift = find_gift(batch, self.gift_id)
        if gift is None or gift.subscriber_id != wallet.subscriber_id:
            return GiftRefused("gift.unknown", "this line has no such gift")
        if gift.state is GiftState.WITHDRAWN:
            return GiftTold(gift, repeated=True)
        if gift.state is not GiftState.HELD or gift.due_at <= batch.now:
            return GiftRefused("gift.made", "the gift is made, and a gift that was made is not given back")
        return GiftTold(withdraw(batch, wallet, gift))


class DueGift(msgspec.Struct, frozen=True):
    """A held gift whose time has come, and whose it is."""

    id: int
    subscriber_id: int


def due_gifts(connection: Connection, now: int, shards: Iterable[int]) -> Sequence[DueGift]:
    """Find the held gifts of these shards whose time has come, the longest due first."""
    owned = or_(*((low & high) for low, high in (in_shard(gifts.c.id, shard) for shard in shards)))
    due = (gifts.c.state == str(GiftState.HELD), gifts.c.due_at <= now, owned)
    rows = select(gifts.c.id, gifts.c.subscriber_id).where(*due).order_by(gifts.c.due_at).limit(SWEEP)
    return [DueGift(*row) for row in connection.execute(rows)]


class CompleteGift(Unit):
    """A held gift made, its time being over; of two sweeps, or after a kill, the second finds nothing to do."""

    touches: ClassVar[tuple[type, ...]] = (WalletRows,)

    gift_id: int
    subscriber_id: int

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the wallet, under whose lock the gift is made."""
        return (self.subscriber_id,)

    def decide(self, batch: Batch) -> GiftTold | None:
        """Make it; None where it is no longer held."""
        wallet, gift = batch.row_set(WalletRows).get(self.subscriber_id), find_gift(batch, self.gift_id)
        if wallet is None or gift is None or gift.state is not GiftState.HELD or gift.due_at > batch.now:
            return None
        return GiftTold(give(batch, wallet, gift))
