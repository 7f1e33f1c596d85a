"""Changes to the subscriber who has a number now, such as a new choice of causes."""

from collections.abc import Iterable
from typing import Any, ClassVar

from gateway.balance.profiles import Profile, ProfileRows
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charity.choices import Choice, Share
from gateway.store import tables
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
        if isinstance(row_set, (WalletRows, ProfileRows)):
            owner = self._owner(batch)
            return () if owner is None else (owner,)
        return ()

    def _owner(self, batch: Batch) -> int | None:
        return batch.row_set(IdentifierRows).owner(self.kind, self.number, batch.now)

    def _wallet(self, batch: Batch) -> Wallet | None:
        owner = self._owner(batch)
        return None if owner is None else batch.row_set(WalletRows).get(owner)


def change_plan(batch: Batch, profile: Profile, subscriber_id: int, plan: str) -> str:
    """Give a subscriber another plan from now on; gives the one before."""
    before, last = profile.plans[-1] if profile.plans else (0, "")
    valid_from = max(batch.now, before + 1)
    batch.add(tables.subscriptions, (batch.take_id(), subscriber_id, plan, valid_from))
    profile.plans.append((valid_from, plan))
    return last


class ChooseCauses(Change):
    """A customer's new choice, shares that add up to one whole; it counts for what is used from now on."""

    shares: tuple[Share, ...]

    def decide(self, batch: Batch) -> int | SubscriberUnknown:
        """Write the choice and give the subscriber's id."""
        owner = self._owner(batch)
        profile = batch.row_set(ProfileRows).get(owner) if owner is not None else None
        if owner is None or profile is None:
            return SubscriberUnknown("no subscriber has this number")
        before = profile.choices[-1].valid_from if profile.choices else 0
        valid_from = max(batch.now, before + 1)
        for share in self.shares:
            batch.add(tables.choices, (batch.take_id(), owner, share.cause, share.share, valid_from))
        profile.choices.append(Choice(valid_from, self.shares))
        return owner
