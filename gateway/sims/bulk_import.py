"""Taking cards into the inventory: each row by itself, its keys sealed before anything else happens to them."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec
from sqlalchemy import select

from gateway.privacy.sealing import Sealer
from gateway.sims.amendments import holder_of
from gateway.sims.cards import UNKNOWN, Sim, SimRows
from gateway.sims.policy import SimsPolicy
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.tables import lines, subscriptions
from gateway.subscribers.identifier_history import ICCID, IMSI, MSISDN, IdentifierRows
from provisioning.identifiers import OpcWatch, eid, iccid, imported_iccid, imsi, luhn_ok, read_keys
from provisioning.keys import Keys
from provisioning.sim_lifecycle import SimState, Trigger

COLUMNS = ("iccid", "imsi", "ki", "opc", "eid")


class SimRow(msgspec.Struct, frozen=True):
    """A checked row; `sealed` are the keys under the ICCID, None for a card without keys of ours."""

    iccid: str
    imsi: str
    eid: str | None
    sealed: bytes | None
    warning: str = ""


class Imported(msgspec.Struct, frozen=True):
    """What became of a row: created, unchanged, differs or refused; `message` says why, or warns."""

    outcome: str
    message: str = ""


class Reader:
    """Checks the rows of one file; the keys that it read are gone when it is."""

    def __init__(self, sealer: Sealer, *, check_iccid: bool = False) -> None:
        """Take what seals, and whether an ICCID needs its right check digit, and may not look rounded."""
        self._sealer = sealer
        self._read_iccid = imported_iccid if check_iccid else iccid
        self._set_tap = OpcWatch()

    def read(self, line: int, row: Mapping[str, str]) -> SimRow:
        """Check one row, which stands in that line; IdentifierInvalid names the column at fault, and shows nothing of a key."""
        card = self._read_iccid(row.get("iccid", ""))
        keys = read_keys(row)
        if keys is not None:
            self._set_tap.check(keys, line)
        given_eid = row.get("eid", "").strip()
        return SimRow(
            iccid=card,
            imsi=imsi(row.get("imsi", "")),
            eid=eid(given_eid) if given_eid else None,
            sealed=None if keys is None else self._sealer.seal(keys.pack(), card),
            warning="" if luhn_ok(card) else "the ICCID's check digit is wrong, or left out",
        )


class ImportSim(Unit):
    """One checked row, and who imports it.

    A card that a customer has already is adopted with its number, plan and subscriber.
    """

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, SimRows)

    row: SimRow
    actor: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the card and its numbers."""
        return (self.row.iccid, self.row.imsi) if isinstance(row_set, IdentifierRows) else (self.row.iccid,)

    def decide(self, batch: Batch) -> Imported:
        """Create the card, or tell how the row stands to the one that is there."""
        row = self.row
        known = batch.row_set(SimRows).get(row.iccid)
        if known is not None:
            return self._compare(known, batch.policy(Sealer))
        if holder_of(batch, row.imsi) is not None:
            return Imported("refused", "imsi: another card has it already")
        by_card = batch.row_set(IdentifierRows).current(ICCID, row.iccid)
        by_imsi = batch.row_set(IdentifierRows).current(IMSI, row.imsi)
        if (by_card and by_card.subscriber_id) != (by_imsi and by_imsi.subscriber_id):
            return Imported("refused", "iccid and imsi: they belong to different customers' lines")
        sim = self._make(batch)
        batch.row_set(SimRows).rows[row.iccid] = sim
        if by_card is not None:
            self._adopt(batch, sim, by_card.subscriber_id)
        return Imported("created", row.warning)

    def _compare(self, known: Sim, sealer: Sealer) -> Imported:
        row = self.row

        def keys(sealed: bytes) -> Keys:
            return Keys.unpack(sealer.open(sealed, row.iccid))

        differing = [name for name in ("imsi", "eid") if getattr(row, name) != getattr(known, name)]
        if (row.sealed is None) != (known.keys is None) or (
            row.sealed is not None and known.keys is not None and keys(row.sealed) != keys(known.keys)
        ):
            differing.append("keys")
        if differing:
            return Imported("differs", f"{', '.join(differing)}: not as first imported; nothing was changed")
        return Imported("unchanged", row.warning)

    def _make(self, batch: Batch) -> Sim:
        row = self.row
        return Sim(
            iccid=row.iccid,
            imsi=row.imsi,
            eid=row.eid,
            keys=row.sealed,
            host="",
            plan="",
            msisdn=None,
            subscriber_id=None,
            state=SimState.IN_STOCK,
            suspended_for=frozenset(),
            observed=UNKNOWN,
            observed_at=0,
            order_id=None,
            free_at=None,
            created_at=batch.now,
            updated_at=batch.now,
            fresh=True,
            changed=True,
        )

    def _adopt(self, batch: Batch, sim: Sim, subscriber_id: int) -> None:
        """Take over what a customer's line tells: it is live on the host already."""
        number = select(lines.c.value).where(
            lines.c.subscriber_id == subscriber_id, lines.c.kind == MSISDN, lines.c.valid_to.is_(None)
        )
        plan = (
            select(subscriptions.c.plan)
            .where(subscriptions.c.subscriber_id == subscriber_id)
            .order_by(subscriptions.c.valid_from.desc())
        )
        sim.subscriber_id = subscriber_id
        sim.msisdn = batch.connection.execute(number).scalar()
        sim.plan = batch.connection.execute(plan).scalar() or ""
        sim.host = batch.policy(SimsPolicy).hosts.get(sim.plan, "")
        sim.move(batch, Trigger.ADOPT, self.actor)
