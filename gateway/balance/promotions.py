"""Credit that the company gives a customer: once a reference, until a time, spent first or last as the operator set."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

import msgspec

from gateway.balance import allowance_entries, bookings
from gateway.balance.changes import Change, SubscriberUnknown
from gateway.ledger.books import Books
from gateway.store.batch import Batch, RowSet
from gateway.store.idempotency import KeptResult, KeyConflict, KeyRows, digest

SCOPE: Final = "promotion"
DAY_US: Final = 86_400_000_000


class Promoted(msgspec.Struct, frozen=True):
    """A wallet with the credit that it was given; money in micro-units, time in microseconds."""

    subscriber_id: int
    balance: int
    currency: str
    ends_at: int
    repeated: bool = False


class GivePromotion(Change):
    """Give credit of so many micro-units that ends at a time; `reference` is unique for its channel."""

    amount: int
    currency: str
    days: int
    channel: str
    reference: str

    touches: ClassVar[tuple[type, ...]] = (KeyRows, *Change.touches)

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the reference too."""
        return (self._key,) if isinstance(row_set, KeyRows) else super().keys(row_set, batch)

    @property
    def _key(self) -> tuple[str, str]:
        return f"{SCOPE}:{self.channel}"[:64], self.reference

    def decide(self, batch: Batch) -> Promoted | SubscriberUnknown | KeyConflict:
        """Book it, or tell that it was booked before."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        if wallet.currency != self.currency:
            return KeyConflict(f"currency: the wallet is in {wallet.currency}, the credit in {self.currency}")
        asked = digest(wallet.subscriber_id, self.amount, self.days)
        keys = batch.row_set(KeyRows)
        known = keys.find(*self._key)
        if known is not None and known.digest != asked:
            return KeyConflict(f"reference {self.reference!r} was used before, for another line, amount or time")
        if known is not None:
            ends_at = int(known.result)
            return Promoted(wallet.subscriber_id, wallet.balance, wallet.currency, ends_at, repeated=True)
        books, ends_at = batch.policy(Books), batch.now + self.days * DAY_US
        booked = bookings.promotion(wallet, books.account, self.amount, ends_at, batch.now, batch.take_id())
        books.post(batch, booked.entries)
        allowance_entries.post(batch, booked.uses)
        keys.keep(batch, *self._key, KeptResult(asked, str(ends_at).encode()), for_ever=True)
        return Promoted(wallet.subscriber_id, wallet.balance, wallet.currency, ends_at)
