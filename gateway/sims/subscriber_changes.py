"""Another plan or number for a line that no host of ours has to be told of: changed in our books alone, with its history."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.balance.changes import Change, SubscriberUnknown
from gateway.balance.families import payers_of
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import WalletRows
from gateway.charging.plan_changes import Effective, change_plan
from gateway.privacy.masks import mask
from gateway.sims.accept_order import check_number
from gateway.sims.cards import HolderRows, Sim, SimRows
from gateway.sims.policy import SimsPolicy
from gateway.store.batch import Batch, RowSet
from gateway.store.tables import lines, sims
from gateway.subscribers.history import NUMBER, PLAN, record
from gateway.subscribers.identifier_history import ICCID, MSISDN, IdentifierRows
from provisioning.orders import OrderRefused
from provisioning.sim_lifecycle import Trigger


class SubscriberChanged(msgspec.Struct, frozen=True):
    """Whose plan or number was changed."""

    subscriber_id: int


class LineAtHost(msgspec.Struct, frozen=True):
    """The line's card is at a host, which has to be told first, by an order for it; nothing was changed."""

    iccid: str


Changed = SubscriberChanged | LineAtHost | SubscriberUnknown | OrderRefused


class _LineChange(Change):
    """A change of the line that has a number now; `actor` wants it for `reason`."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, SimRows, HolderRows, WalletRows, ProfileRows)

    actor: str
    reason: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the subscriber's card, too."""
        if isinstance(row_set, SimRows):
            owner = self._owner(batch)
            return () if owner is None else _cards(batch.connection, owner)
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> Changed:
        """Change it, or say why not."""
        owner = self._owner(batch)
        if owner is None:
            return SubscriberUnknown("no subscriber has this number now")
        sim = next((sim for sim in batch.row_set(SimRows).rows.values() if sim.subscriber_id == owner), None)
        if sim is not None and sim.host:
            return LineAtHost(sim.iccid)
        try:
            self.change(batch, owner, sim)
        except OrderRefused as refusal:
            return refusal
        return SubscriberChanged(owner)

    def change(self, batch: Batch, owner: int, sim: Sim | None) -> None:
        """Do it; `sim` is the subscriber's card, None for a line whose card is not in the inventory. OrderRefused."""
        raise NotImplementedError

    def amend(self, batch: Batch, sim: Sim | None, column: str) -> None:
        """Write the change into the card's history as well."""
        if sim is not None:
            sim.move(batch, Trigger.AMEND, self.actor, self.reason, amended=column)


class ChangePlan(_LineChange):
    """Another plan, from when on `effective` says."""

    plan: str
    effective: Effective = Effective.NOW

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name whoever pays for the line, or did, too: its tenths may have gone to their causes."""
        owner = self._owner(batch) if isinstance(row_set, WalletRows) else None
        return super().keys(row_set, batch) if owner is None else (owner, *payers_of(batch.connection, owner))

    def change(self, batch: Batch, owner: int, sim: Sim | None) -> None:
        """Begin the plan."""
        profiles, policy = batch.row_set(ProfileRows), batch.policy(SimsPolicy)
        profile = profiles.rows[owner]
        wallet = batch.row_set(WalletRows).rows[owner]
        if profile.plans and profile.plans[-1][1] == self.plan:  # also one that waits
            raise OrderRefused(f"the line has the plan {self.plan!r} already", "order.plan")
        if policy.currencies.get(self.plan) != wallet.currency:
            raise OrderRefused(f"the plan {self.plan!r} is in another currency than the line's wallet", "order.plan")
        before = change_plan(batch, wallet, self.plan, self.effective)
        if sim is not None:
            sim.plan = self.plan
        self.amend(batch, sim, "plan")
        record(batch, owner, PLAN, (before, self.plan), self.actor, self.reason)


class ChangeNumber(_LineChange):
    """Another number from now on; the old one goes into quarantine. `returning`: this one comes out of it."""

    msisdn: str
    returning: bool = False

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name both numbers."""
        if isinstance(row_set, IdentifierRows):
            return (self.number, self.msisdn)
        return (self.msisdn,) if isinstance(row_set, HolderRows) else super().keys(row_set, batch)

    def change(self, batch: Batch, owner: int, sim: Sim | None) -> None:
        """Move the subscriber to the number."""
        check_number(batch, self.msisdn, returning=self.returning)
        identifiers = batch.row_set(IdentifierRows)
        identifiers.end(MSISDN, self.number, batch.now)
        identifiers.begin(batch, MSISDN, self.msisdn, owner)
        if sim is not None:
            sim.msisdn = self.msisdn
        self.amend(batch, sim, "msisdn")
        record(batch, owner, NUMBER, (mask(self.number), mask(self.msisdn)), self.actor, self.reason)


def _cards(connection: Connection, owner: int) -> list[str]:
    by_line = select(lines.c.value).where(
        lines.c.subscriber_id == owner, lines.c.kind == ICCID, lines.c.valid_to.is_(None)
    )
    return list(connection.scalars(select(sims.c.iccid).where(sims.c.iccid.in_(by_line))))
