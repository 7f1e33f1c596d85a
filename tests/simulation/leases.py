"""Leases in a world: a file has none, so some worlds give the gateway one as a server would, and a neighbour who adopts it.

The statement that renews is as the product's but for its clock; the lane, the lease and who asks it are the product's own. The
neighbour looks as `gateway.runtime.components.leases` does, adopts, or comes to nothing, and does no work of his own: what a
gateway sends after somebody may have adopted it is a broken promise by itself, whether or not he did.
"""

import asyncio
import contextlib
import sqlite3
from unittest import mock

from sqlalchemy.pool import QueuePool

from gateway import context as gateway_context
from gateway.store import leases, nodes
from gateway.store.engine import open_reader, open_writer, reading
from gateway.store.statements import Asked

from .loop import Process
from .smsc import PORT

SECONDS = 10
"""How long a lease holds (`store.takeover` where nothing else is said)."""
SHARE = 0.4
"""Of all worlds: those with leases."""
OTHER = "other.tpo.example"
SUBMIT_SM = 0x00000004
_RENEW = "UPDATE nodes SET renewed_at = ? WHERE id = ? AND epoch = ? AND owner = id"


class Renewal(Asked):
    """What came of a renewal: a row, or none."""

    def __init__(self, rows):
        super().__init__(None)
        self._rows = [()] * rows


class Leases:
    """Who may be adopted when, who was, and whether anything was sent or committed after that."""

    def __init__(self, world):
        self.world, self.random = world, world.chance("leases")
        self.given = self.random.random() < SHARE
        """Whether this world has leases."""
        self.begun, self.renewed = {}, {}
        """By node and epoch: when its latest transaction asked for the lease, and when the latest that was committed had."""
        self.adopted = set()
        self.process = Process("adopter")

    @contextlib.contextmanager
    def replaced(self):
        """Have the gateway work on the file of this world as on a server's store that others share."""
        if not self.given:
            yield
            return
        with (
            mock.patch.object(gateway_context, "has_one_writer", return_value=False),
            mock.patch.object(leases, "ask", self._ask),
        ):
            yield

    def _ask(self, connection, node):
        """What `leases.ask` does on a server."""
        self.begun[node.id, node.epoch] = self.world.loop.time()
        return Renewal(connection.exec_driver_sql(_RENEW, (self.world.wall_clock(), node.id, node.epoch)).rowcount)

    # What is proven

    def entered(self, node):
        self.renewed[node.id, node.epoch] = self.world.loop.time()

    def committed(self, node):
        """A transaction of this node's lane is on the disk."""
        if not self.given:
            return
        tenure = (node.id, node.epoch)
        if tenure in self.adopted:
            self.world.broken(f"number {node.id} committed after it was adopted")
        self.renewed[tenure] = self.begun.get(tenure, self.renewed[tenure])

    def sends(self, gateway, what):
        """A life of the gateway lets something out that must not go out twice: nobody may have adopted it by now."""
        if not self.given:
            return
        node = gateway.context.node
        ago = self.world.loop.time() - self.renewed[node.id, node.epoch]
        if ago >= SECONDS:
            self.world.broken(
                f"{what} was sent {ago:.1f} s after the lease was renewed last, and it holds for {SECONDS} s"
            )

    def writes(self, wire, data):
        """Octets leave for a socket: a text is looked for among them (SMPP 3.4 §3.2; each write is of whole messages)."""
        gateway = self.world.gateway
        if gateway is None or wire.process is not gateway.process or wire.get_extra_info("peername")[1] != PORT:
            return
        while len(data) >= 16:
            if int.from_bytes(data[4:8], "big") == SUBMIT_SM:
                self.sends(gateway, "a text")
            data = data[int.from_bytes(data[:4], "big") :]

    def check(self):
        """Whoever was adopted has come to its end."""
        node = self.world.gateway.context.node
        if (node.id, node.epoch) in self.adopted:
            self.world.broken(f"number {node.id} was adopted, and works on")

    # The neighbour

    def begin(self):
        if self.given:
            self.process.run(self.world.loop.create_task, self._look())

    async def _look(self):
        url = self.world.settings.store.connect_url
        sharing = self.world.sharing
        reader, writer = sharing(open_reader, QueuePool)(url), sharing(open_writer)(url, existing=True)
        sightings, given_up = leases.Sightings(), set()
        while not self.world.over:
            await asyncio.sleep(1.0)
            with reading(reader) as connection:
                found = leases.others(connection, 0)
            for other in sightings.silent(found, self.world.loop.time()):
                seen = (other.node, other.renewed_at)
                if other.name == OTHER or seen in given_up:
                    continue
                if self.random.random() < 0.5:
                    given_up.add(seen)
                    self.world.story.tell("adopter", f"comes to nothing with number {other.node}")
                else:
                    self._adopt(writer, other)
        reader.dispose()

    def _adopt(self, writer, other):
        """Take it over, unless a transaction of its holds its row and is not to be ended.

        SQLite has but one lock, so whoever has that has the row.
        """
        lane = self.world.gateway.lane
        if lane is not None and lane.in_transaction:
            if self.random.random() < 0.5:
                self._finds_locked(other)
                return
            self.world.story.tell("adopter", f"ends the transaction of number {other.node}")
            lane.end_transaction()
        try:
            with writer.begin() as connection:
                microseconds = SECONDS * leases.MICROSECONDS
                adopter = nodes.enter(connection, OTHER, self.world.wall_clock(), microseconds)
                taken = leases.adopt(connection, other.node, other.epoch, other.renewed_at, adopter.id)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            self._finds_locked(other)  # by a lane whose process is about to end, say
            return
        if taken:
            self.adopted.add((other.node, other.epoch))
            self.world.counts["adopted"] += 1
            self.world.story.tell("adopter", f"adopts number {other.node} as number {adopter.id}")

    def _finds_locked(self, other):
        self.world.story.tell("adopter", f"finds the row of number {other.node} locked")
