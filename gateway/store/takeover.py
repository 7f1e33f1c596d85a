"""Taking over from a gateway that is gone, as units of the lane: by itself when its lease is over, or by somebody's order."""

from typing import ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.store import leases
from gateway.store.batch import Batch, Unit
from gateway.store.leases import Lapsed
from gateway.store.nodes import owned
from gateway.store.tables import nodes
from gateway.store.waiting_rows import is_waited_for


class RenewLease(Unit):
    """A unit that changes nothing: its transaction renews the lease."""

    def decide(self, batch: Batch) -> None:
        """Nothing."""


class AdoptNode(Unit):
    """Take over what a node owns that is at this epoch of its lease, once that is over; by `force` also before."""

    alone: ClassVar[bool] = True

    node: int
    epoch: int
    force: bool = False

    def decide(self, batch: Batch) -> tuple[int, ...]:
        """Give the shards that came with it, none where it is alive or another gateway was quicker."""
        return leases.adopt(batch.connection, self.node, self.epoch, batch.node.id, force=self.force)


class RetireNodes(Unit):
    """Say of the adopted nodes of a name that they will not come back."""

    alone: ClassVar[bool] = True

    name: str

    def decide(self, batch: Batch) -> int:
        """Give how many there were."""
        return leases.retire(batch.connection, self.name)


class Standing(msgspec.Struct, frozen=True):
    """How a node stands among the others: the shards that it owns, with the names of their makers, and who is gone.

    `gone` are those whose lease is over and whose rows wait: one that was stopped with nothing left to do is left alone, and
    goes on under its number when it is back.
    """

    owned: dict[int, str]
    gone: list[Lapsed]


def look_around(connection: Connection, node: int, *, events: bool) -> Standing:
    """Tell how a node stands; `events`: there is a broker that events wait for."""
    shards = owned(connection, node)
    names = dict(connection.execute(select(nodes.c.id, nodes.c.name).where(nodes.c.id.in_(shards))).tuples().all())
    gone = [
        lapsed
        for lapsed in leases.lapsed(connection, node)
        if is_waited_for(connection, owned(connection, lapsed.node), events=events)
    ]
    return Standing({shard: names[shard] for shard in shards}, gone)
