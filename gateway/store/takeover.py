"""Taking over from a gateway that is gone, as units of the lane: by itself when its lease is over, or by somebody's order."""

from typing import ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.store import leases
from gateway.store.batch import Batch, Unit
from gateway.store.leases import Other
from gateway.store.nodes import owned
from gateway.store.tables import nodes
from gateway.store.waiting_rows import kinds_waiting


class RenewLease(Unit):
    """A unit that changes nothing: its transaction renews the lease."""

    def decide(self, batch: Batch) -> None:
        """Nothing."""


class AdoptNode(Unit):
    """Take over what a node owns that is at this epoch of its lease and has not renewed it since `renewed_at`; None: anyway."""

    alone: ClassVar[bool] = True

    node: int
    epoch: int
    renewed_at: int | None

    def decide(self, batch: Batch) -> tuple[int, ...]:
        """Give the shards that came with it, none where it is alive or another gateway was quicker."""
        return leases.adopt(batch.connection, self.node, self.epoch, self.renewed_at, batch.node.id)


class RetireNodes(Unit):
    """Say of the adopted nodes of a name that they will not come back."""

    alone: ClassVar[bool] = True

    name: str

    def decide(self, batch: Batch) -> int:
        """Give how many there were."""
        return leases.retire(batch.connection, self.name)


class Standing(msgspec.Struct, frozen=True):
    """How a node stands among the others: the shards that it owns, with the names of their makers, and who else is there."""

    owned: dict[int, str]
    others: list[Other]


def look_around(connection: Connection, node: int) -> Standing:
    """Tell how a node stands."""
    shards = owned(connection, node)
    makers = connection.execute(select(nodes.c.id, nodes.c.name).where(nodes.c.id.in_(shards)))
    names = {row.id: row.name for row in makers}
    return Standing({shard: names[shard] for shard in shards}, leases.others(connection, node))


class Gone(msgspec.Struct, frozen=True):
    """Another node that has given no sign of life, and the kinds of rows that wait for it (store.waiting_rows)."""

    node: Other
    waiting: frozenset[str]


def look_closer(connection: Connection, silent: list[Other]) -> list[Gone]:
    """Tell what waits for nodes that give no sign of life."""
    return [Gone(each, kinds_waiting(connection, owned(connection, each.node))) for each in silent]
