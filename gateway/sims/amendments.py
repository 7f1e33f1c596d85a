"""Putting a card's import right: other keys, EID or IMSI under a reason, or the end of a card that never came into service."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.privacy.sealing import Sealer
from gateway.sims.cards import Sim, SimRows
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.tables import sims
from gateway.subscribers.identifier_history import IMSI, IdentifierRows
from provisioning.errors import MoveInvalid, ProvisioningError
from provisioning.keys import Keys
from provisioning.sim_lifecycle import SimState, Trigger


class AmendmentRefused(ProvisioningError):
    """A card that cannot be amended or scrapped as it stands."""

    code = "sim.state"


class Amended(msgspec.Struct, frozen=True):
    """The columns that were put right; none if the card had them all so already."""

    columns: tuple[str, ...]


class _OnStock(Unit):
    """A change of one card by a person; `reason` is why."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, SimRows)

    iccid: str
    actor: str
    reason: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the card."""
        return (self.iccid,) if isinstance(row_set, SimRows) else ()

    def card(self, batch: Batch) -> Sim:
        """Return the card; AmendmentRefused where there is none, or an order works on it."""
        sim = batch.row_set(SimRows).get(self.iccid)
        if sim is None:
            raise AmendmentRefused("this card is not in the inventory; take it in by `tpo sim import`", "sim.unknown")
        if sim.order_id is not None:
            raise AmendmentRefused("an order works on this card; wait for it, or cancel it", "order.busy")
        return sim


class AmendSim(_OnStock):
    """Other keys (sealed under the ICCID), EID or IMSI for a card; None leaves one as it is."""

    imsi: str | None = None
    eid: str | None = None
    sealed: bytes | None = None

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the card, and the new IMSI."""
        if isinstance(row_set, IdentifierRows):
            return () if self.imsi is None else (self.imsi,)
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> Amended | AmendmentRefused:
        """Change what differs, all or nothing."""
        try:
            sim = self.card(batch)
            differing = self._differing(batch, sim)
            if differing:
                sim.move(batch, Trigger.AMEND, self.actor, self.reason, amended=", ".join(differing))
        except AmendmentRefused as refusal:
            return refusal
        except MoveInvalid as refusal:
            return AmendmentRefused(str(refusal))
        if "imsi" in differing and self.imsi is not None:
            sim.imsi = self.imsi
        if "eid" in differing:
            sim.eid = self.eid
        if "keys" in differing:
            sim.keys = self.sealed
        return Amended(differing)

    def _differing(self, batch: Batch, sim: Sim) -> tuple[str, ...]:
        differing = [name for name in ("imsi", "eid") if getattr(self, name) not in (None, getattr(sim, name))]
        if "imsi" in differing:
            self._check_imsi(batch, sim)
        if self.sealed is not None and not self._same_keys(batch.policy(Sealer), sim):
            differing.append("keys")
        return tuple(differing)

    def _check_imsi(self, batch: Batch, sim: Sim) -> None:
        if sim.state is not SimState.IN_STOCK:
            raise AmendmentRefused(
                f"imsi: the card is {sim.state}; only one in stock gets another: swap it for a right one"
            )
        assert self.imsi is not None
        lines = batch.row_set(IdentifierRows)
        if holder_of(batch, self.imsi) is not None or lines.current(IMSI, self.imsi) is not None:
            raise AmendmentRefused("imsi: another card or line has it", "sim.imsi")

    def _same_keys(self, sealer: Sealer, sim: Sim) -> bool:
        if sim.keys is None or self.sealed is None:
            return False
        return Keys.unpack(sealer.open(sim.keys, sim.iccid)) == Keys.unpack(sealer.open(self.sealed, sim.iccid))


class ScrapSim(_OnStock):
    """The end of a card in stock: its keys are forgotten, its IMSI may be another card's."""

    def decide(self, batch: Batch) -> Amended | AmendmentRefused:
        """Destroy it."""
        try:
            sim = self.card(batch)
            if sim.state is not SimState.IN_STOCK:
                to_do = "a line is ended by `tpo sim terminate`, a card replaced by `tpo sim swap`"
                raise AmendmentRefused(f"the card is {sim.state}; only one in stock is scrapped: {to_do}")
            sim.move(batch, Trigger.RETIRE, self.actor, self.reason)
        except AmendmentRefused as refusal:
            return refusal
        sim.keys = None
        return Amended(())


def holder_of(batch: Batch, imsi: str) -> str | None:
    """Return the ICCID of the card that has an IMSI and is not destroyed; None if there is none."""
    rows = batch.row_set(SimRows).rows
    waiting = next(
        (sim.iccid for sim in rows.values() if sim.imsi == imsi and sim.state is not SimState.DESTROYED), None
    )
    stored = _stored_holder(batch.connection, imsi)
    moved = stored is not None and stored in rows and rows[stored].iccid != waiting
    return waiting or (None if moved else stored)


def _stored_holder(connection: Connection, imsi: str) -> str | None:
    found = select(sims.c.iccid).where(sims.c.imsi == imsi, sims.c.state != SimState.DESTROYED)
    return connection.execute(found).scalar()
