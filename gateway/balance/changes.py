"""Changes to the subscriber who has a number now, such as a new choice of causes."""

from collections.abc import Iterable
from typing import Any, ClassVar

from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charity.choices import Share
from gateway.charity.sealed_causes import Consent
from gateway.store.batch import Batch, RowSet, Unit
from gateway.subscribers.identifier_history import IdentifierRows


class SubscriberUnknown(LookupError):
    """No subscriber has this number now."""


class Change(Unit):
    """A change to the subscriber who has a number now; `kind` is what number it is, such as its MSISDN."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, WalletRows, ProfileRows)

    kind: str
    number: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the number, then the subscriber whom it leads to."""
        if isinstance(row_set, IdentifierRows):
            return (self.number,)
        if isinstance(row_set, WalletRows):
            owner = self._owner(batch)
            return () if owner is None else (owner,)
        return ()

    def _owner(self, batch: Batch) -> int | None:
        return batch.row_set(IdentifierRows).owner(self.kind, self.number, batch.now)

    def _wallet(self, batch: Batch) -> Wallet | None:
        owner = self._owner(batch)
        return None if owner is None else batch.row_set(WalletRows).get(owner)


class ChooseCauses(Change):
    """A customer's new choice, shares that add up to one whole; it counts for what is used from now on."""

    shares: tuple[Share, ...]
    consent: Consent = Consent("")

    def decide(self, batch: Batch) -> int | SubscriberUnknown:
        """Write the choice and give the subscriber's id."""
        owner = self._owner(batch)
        if owner is None or batch.row_set(ProfileRows).get(owner) is None:
            return SubscriberUnknown("no subscriber has this number")
        batch.row_set(ProfileRows).begin_choice(batch, owner, self.shares, self.consent)
        return owner
