"""What a subscriber's wallet and choice are changed by: a top-up, booked once a reference, and a new choice of causes."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from gateway.charity.choices import Choice, Share
from gateway.ledger.accounts import CASH
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.ledger.wallets import Wallet, WalletShelf
from gateway.store import tables
from gateway.store.batch import Batch, Shelf
from gateway.store.keys import Kept, KeyConflict, KeyShelf, digest
from gateway.subscribers.lines import LineShelf
from gateway.subscribers.profiles import ProfileShelf


class SubscriberUnknown(LookupError):
    """No subscriber has this number now."""


class _Change:
    """A change to the subscriber who has a number now."""

    alone: ClassVar[bool] = False
    touches: ClassVar[tuple[type, ...]] = (LineShelf, WalletShelf, ProfileShelf)

    def __init__(self, kind: str, number: str) -> None:
        self._kind, self._number = kind, number

    def keys(self, shelf: Shelf[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the number, then the subscriber whom it leads to."""
        if isinstance(shelf, LineShelf):
            return (self._number,)
        if isinstance(shelf, (WalletShelf, ProfileShelf)):
            owner = self._owner(batch)
            return () if owner is None else (owner,)
        return ()

    def _owner(self, batch: Batch) -> int | None:
        return batch.shelf(LineShelf).owner(self._kind, self._number, batch.now)

    def _wallet(self, batch: Batch) -> Wallet | None:
        owner = self._owner(batch)
        return None if owner is None else batch.shelf(WalletShelf).get(owner)


class ToppedUp(msgspec.Struct, frozen=True):
    """The balance after a top-up, in micro-units; `repeated` if this reference was booked before."""

    subscriber_id: int
    currency: str
    balance: int
    repeated: bool = False


class TopUp(_Change):
    """Money paid in by a customer: cash -> wallet, once a reference."""

    touches: ClassVar[tuple[type, ...]] = (KeyShelf, *_Change.touches)

    def __init__(self, kind: str, number: str, amount: int, reference: str, books: Books) -> None:
        """Take the line's number, an amount in micro-units and the payer's own reference."""
        super().__init__(kind, number)
        self._amount, self._reference, self._books = amount, reference, books

    def keys(self, shelf: Shelf[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the reference too."""
        return (self._reference,) if isinstance(shelf, KeyShelf) else super().keys(shelf, batch)

    def decide(self, batch: Batch) -> ToppedUp | SubscriberUnknown | KeyConflict:
        """Book the top-up, or tell what it came to before."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        keys, scope = batch.shelf(KeyShelf), f"topup:{wallet.subscriber_id}"
        asked = digest(self._amount)
        kept = keys.find(scope, self._reference)
        if kept is not None:
            return _repeated(kept, asked, self._reference)
        entry = Entry(
            kind="topup",
            debit=self._books.account(CASH),
            credit=wallet.subscriber_id,
            amount=self._amount,
            currency=wallet.currency,
            event_at=batch.now,
            reference=self._reference,
        )
        self._books.move(batch, entry)
        result = ToppedUp(wallet.subscriber_id, wallet.currency, wallet.balance)
        keys.keep(batch, scope, self._reference, Kept(asked, msgspec.json.encode(result)))
        return result


class ChooseCauses(_Change):
    """A customer's new choice; it counts for what is used from now on."""

    def __init__(self, kind: str, number: str, shares: tuple[Share, ...]) -> None:
        """Take the line's number and shares that add up to one whole."""
        super().__init__(kind, number)
        self._shares = shares

    def decide(self, batch: Batch) -> int | SubscriberUnknown:
        """Write the choice and give the subscriber's id."""
        owner = self._owner(batch)
        profile = batch.shelf(ProfileShelf).get(owner) if owner is not None else None
        if owner is None or profile is None:
            return SubscriberUnknown("no subscriber has this number")
        before = profile.choices[-1].valid_from if profile.choices else 0
        valid_from = max(batch.now, before + 1)
        for share in self._shares:
            batch.add(tables.choices, (batch.take_id(), owner, share.cause, share.share, valid_from))
        profile.choices.append(Choice(valid_from, self._shares))
        return owner


def _repeated(kept: Kept, asked: str, reference: str) -> ToppedUp | KeyConflict:
    if kept.digest != asked:
        return KeyConflict(f"reference {reference!r} was booked before with another amount")
    return msgspec.structs.replace(msgspec.json.decode(kept.result, type=ToppedUp), repeated=True)
