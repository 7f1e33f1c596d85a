"""The cards of the inventory, by ICCID, and every move of their lives with its history."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from gateway.store.batch import Batch, RowSet
from gateway.store.errors import RowUnknown
from gateway.store.known_values import member_of, unknown
from gateway.store.statements import Insert, SelectAmong, Update
from gateway.store.tables import sim_history, sims
from provisioning.hosts.interface import Access, Condition
from provisioning.sim_lifecycle import SimState, SuspendReason, Trigger, follow, read_reasons, write_reasons

UNKNOWN = "unknown"
"""What is observed of a card that no host was asked about, or that stands there as nobody wanted it."""


class Sim(msgspec.Struct):
    """One card; times in microseconds. `keys` are sealed, `msisdn` is the number that it has or is to have."""

    iccid: str
    imsi: str
    eid: str | None
    keys: bytes | None
    host: str
    plan: str
    msisdn: str | None
    subscriber_id: int | None
    state: SimState
    suspended_for: frozenset[SuspendReason]
    observed: str
    observed_at: int
    order_id: int | None
    free_at: int | None
    created_at: int
    updated_at: int
    fresh: bool = False
    changed: bool = False

    def move(
        self,
        batch: Batch,
        trigger: Trigger,
        actor: str,
        reason: str = "",
        order_id: int | None = None,
        *,
        amended: str | None = None,
    ) -> None:
        """Go on in its life and write that into its history; MoveInvalid where there is no such way."""
        before, self.state = self.state, follow(self.state, trigger)
        self.touch(batch.now)
        row = (batch.take_id(), self.iccid, batch.now, trigger, before, self.state, actor, reason, order_id, amended)
        batch.add(sim_history, row)

    def touch(self, now: int) -> None:
        """Have the changed row written."""
        self.updated_at, self.changed = now, True

    def see(self, access: str, now: int) -> None:
        """Note how the host held it when it was read."""
        self.observed, self.observed_at, self.changed = access, now, True

    @property
    def wanted(self) -> Condition | None:
        """How the host is to hold it by our intent; None while an order works on it."""
        match self.state:
            case SimState.ACTIVE:
                return Condition(Access.OPEN, self.msisdn)
            case SimState.SUSPENDED:
                return Condition(Access.BARRED, self.msisdn)
            case SimState.QUARANTINED:
                return Condition(Access.BARRED)
            case SimState.DESTROYED:
                return Condition(Access.ABSENT)
        return None


_LOAD = SelectAmong(select(sims), sims.c.iccid, str, lock=sims)
_INSERT = Insert(sims)
_COLUMNS = (
    "imsi", "eid", "keys", "host", "plan", "msisdn", "subscriber_id", "state", "suspended_for",
    "observed", "observed_at", "order_id", "free_at", "updated_at",
)  # fmt: skip
_SAVE = Update(sims, _COLUMNS, ["iccid"])


class SimRows(RowSet[str, Sim]):
    """The cards that a batch touches, by ICCID."""

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read and lock these cards."""
        for row in _LOAD.run(connection, sorted(keys)):
            self.rows[row[0]] = from_row(row)

    def save(self, connection: Connection) -> None:
        """Write new and changed cards; a number is let go before another card takes it."""
        changed = sorted((sim for sim in self.rows.values() if sim.changed), key=lambda sim: sim.msisdn is not None)
        _SAVE.run(connection, [_values(sim) for sim in changed if not sim.fresh])
        _INSERT.run(connection, [_row(sim) for sim in changed if sim.fresh])


def from_row(row: tuple[Any, ...]) -> Sim:
    """Make a card of its row."""
    fields = list(row)
    fields[8], fields[9] = member_of(SimState, fields[8], "sims", fields[0]), _reasons(fields[9], fields[0])
    return Sim(*fields)


def _reasons(text: str, iccid: str) -> frozenset[SuspendReason]:
    try:
        return read_reasons(text)
    except ValueError:
        message = unknown(f"suspended_for {text!r}", "sims", iccid)
        raise RowUnknown(message) from None


def _row(sim: Sim) -> tuple[Any, ...]:
    fields = list(msgspec.structs.astuple(sim)[:16])
    fields[9] = write_reasons(sim.suspended_for)
    return tuple(fields)


def _values(sim: Sim) -> tuple[Any, ...]:
    values = msgspec.structs.asdict(sim) | {"suspended_for": write_reasons(sim.suspended_for)}
    return (*(values[name] for name in _COLUMNS), sim.iccid)


_HOLDERS = SelectAmong(select(sims.c.msisdn, sims.c.iccid), sims.c.msisdn, str)


class HolderRows(RowSet[str, str]):
    """Which card has a number or is to have it, by MSISDN."""

    def load(self, connection: Connection, keys: set[str]) -> None:
        """Read the holders of these numbers."""
        self.rows.update(dict(_HOLDERS.run(connection, sorted(keys))))
