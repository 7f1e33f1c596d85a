"""The journal of allowances: what was granted, and what else moved their units but use.

A usage record says itself how much of it was covered, and by which allowance; only what another one covered of the same record
is an entry. An allowance has what its entries add up to, less what usage records say; `ledger check` looks.
"""

from collections.abc import Iterable

import msgspec

from gateway.balance.allowances import Allowance
from gateway.ledger.allowance_kinds import GRANT
from gateway.store.batch import Batch
from gateway.store.tables import allowance_entries


class AllowanceEntry(msgspec.Struct, frozen=True, gc=False):
    """One entry: `units` of a service are positive where they are added; time in microseconds."""

    subscriber_id: int
    allowance_id: int
    kind: str
    service: str
    units: int
    event_at: int
    usage_id: int | None = None
    reference: str | None = None
    plan: str | None = None
    ends_at: int | None = None


def granted(
    allowance: Allowance, subscriber_id: int, event_at: int, reference: str, kind: str = GRANT
) -> list[AllowanceEntry]:
    """Say what a new allowance holds, an entry for each service of which it has any."""
    return [
        AllowanceEntry(
            subscriber_id,
            allowance.id,
            kind,
            service,
            units,
            event_at,
            None,
            reference,
            allowance.plan,
            allowance.ends_at,
        )
        for service, units in allowance.left.items()
        if units
    ]


def emptied(
    allowance: Allowance,
    subscriber_id: int,
    event_at: int,
    kind: str,
    services: Iterable[str] = (),
    reference: str = "",
) -> list[AllowanceEntry]:
    """Take what is left of some services, of all if none is named, and say so."""
    entries = []
    for service in services or list(allowance.left):
        units = allowance.left.get(service, 0)
        if units:
            allowance.left[service] = 0
            entries.append(
                AllowanceEntry(
                    subscriber_id, allowance.id, kind, service, -units, event_at, reference=reference or None
                )
            )
    return entries


def post(batch: Batch, entries: Iterable[AllowanceEntry]) -> None:
    """Append entries, with the batch."""
    for entry in entries:
        batch.add(allowance_entries, (batch.take_id(), batch.now, *msgspec.structs.astuple(entry)))
