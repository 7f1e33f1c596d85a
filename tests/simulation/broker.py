"""A broker at the forwarder's interface (`gateway.events.broker.Broker`): it keeps what it is given, and goes away at times."""

import asyncio

from gateway.events.broker import BrokerError


class BrokerModel:
    """What has reached the broker; it outlives every gateway."""

    def __init__(self, world):
        self.world, self.random = world, world.chance("broker")
        self.away_until = 0.0
        self.bodies, self.order, self.firsts = set(), [], []
        self.repeats = 0

    @property
    def away(self):
        return self.world.loop.time() < self.away_until

    def take(self, row):
        """An event has arrived."""
        if (row.topic, row.body) in self.bodies:
            self.repeats += 1
            return
        self.bodies.add((row.topic, row.body))
        self.order.append((row.topic, row.body))
        self.firsts.append(row.id)


class BrokerConnection:
    """One connection to it."""

    def __init__(self, model, gateway, may_send):
        self.model, self.gateway, self.may_send = model, gateway, may_send

    def _check(self):
        if self.model.away:
            raise BrokerError("the broker is away")

    async def open(self):
        await asyncio.sleep(self.model.world.network.delay())
        self._check()

    async def publish(self, rows):
        """Take them in order; it may go away in the middle, or before its acknowledgements are through."""
        acknowledged = []
        for row in rows:
            await asyncio.sleep(self.model.world.network.delay() / 10)
            if self.model.away:
                return acknowledged, BrokerError("the broker is away")
            if not self.may_send():  # asked before each event, as the real one does
                return acknowledged, BrokerError("this gateway stood still")
            self.model.world.leases.sends(self.gateway, "an event")
            self.model.take(row)
            if self.model.random.random() < 0.01:
                return acknowledged, BrokerError("an acknowledgement was lost")
            acknowledged.append(row.id)
        return acknowledged, None

    async def idle(self, seconds):
        await asyncio.sleep(seconds)
        self._check()

    async def close(self):
        """Nobody minds."""

    def abandon(self):
        """Nobody minds."""
