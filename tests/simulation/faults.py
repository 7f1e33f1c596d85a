"""What befalls a world: drawn from its seed, one thing after the other, until it is left in peace."""

import asyncio
import contextlib
import math

from gateway.messaging.queue.mt_status import TakeForSending
from gateway.sims.order_steps import BeginStep

from .loop import Process

WATCH_SECONDS = 8.0
"""How long a fault waits for its moment."""
LONG_ENOUGH = 0.2
"""Seconds in which an answer gets to whoever asked."""
BEFORE_SENDING = (TakeForSending, BeginStep)
"""Units whose answer lets something out."""


class Stranger(asyncio.Protocol):
    """Sends octets of chance, some of them under a head that looks like Diameter (RFC 6733 §3), and never says goodbye."""

    def __init__(self, random):
        self.random = random

    def connection_made(self, transport):
        octets = self.random.randbytes(self.random.randint(1, 300))
        if self.random.random() < 0.7:
            size = 20 + len(octets)
            octets = b"\x01" + size.to_bytes(3, "big") + self.random.choice((b"\x80", b"\xc0")) + octets + bytes(15)
        transport.write(octets)


class Faults:
    """The hand that breaks things."""

    def __init__(self, world):
        self.world, self.random = world, world.chance("faults")
        self.count = 0
        self.process = Process("faults")
        self.every = self.random.choice((1.5, 4.0, 12.0))
        """Seconds between two faults, on the average."""
        kinds = [*KINDS]
        self.kinds = self.random.sample(kinds, self.random.randint(2, len(kinds)))
        """Each world has its own weaknesses: what always comes together finds less."""
        if world.in_process:
            self.kinds += self.random.sample([*LANE_KINDS], self.random.randint(1, len(LANE_KINDS)))
        if world.leases.given:
            chosen = self.random.sample([*LEASE_KINDS], self.random.randint(1, len(LEASE_KINDS)))
            self.kinds += chosen * math.ceil(
                len(self.kinds) / len(chosen) / 2
            )  # a third of all that befalls it, or more

    def begin(self):
        self.process.run(self.world.loop.create_task, self._run())

    async def _run(self):
        while True:
            await asyncio.sleep(self.random.expovariate(1 / self.every))
            if self.world.over:
                return
            kind = self.random.choice(self.kinds)
            self.count += 1
            self.world.disturb()
            self.world.story.tell("FAULT", kind)
            (KINDS | LANE_KINDS | LEASE_KINDS)[kind](self)

    def kill(self):
        self._end(power=False)

    def power_cut(self):
        self._end(power=True)

    def kill_in_commit(self):
        """A kill while a batch is in its transaction: whenever one is."""
        self._watch(lambda lane: lane.stepping)

    def kill_after_commit(self):
        """A kill just after a batch has come back, its answers on their way at most."""
        self._watch(lambda lane: not lane.stepping and lane.counters.batches > self._batches)

    def power_cut_before_sync(self):
        """A power cut between a commit and the sync of its log, on a disk so slow that an early answer has come by then."""
        loop, since = self.world.loop, []
        self.world.disk.slow_until = loop.time() + WATCH_SECONDS

        def unsynced_for_long(lane):
            if not lane.unsynced:
                since.clear()
            else:
                since.append(loop.time())
            return bool(since) and loop.time() - since[0] > LONG_ENOUGH

        self._watch(unsynced_for_long, lambda: self._end(power=True))

    def cut_after_commit(self):
        """All connections break just after a batch has come back: answers are lost on their way."""
        self._watch(
            lambda lane: not lane.stepping and lane.counters.batches > self._batches, self.world.network.break_all
        )

    def kill_lane(self):
        """The lane's process alone dies."""
        pipe = self._pipe()
        if pipe is not None:
            pipe.die()

    def kill_lane_in_commit(self):
        self._watch(lambda lane: lane.stepping, self.kill_lane)

    def kill_lane_after_commit(self):
        """It dies just after a batch has come back, its answers on their way at most."""
        self._watch(lambda lane: not lane.stepping and lane.counters.batches > self._batches, self.kill_lane)

    def lane_stands_still(self):
        """It is called stuck after a second, and ended after ten."""
        pipe = self._pipe()
        if pipe is not None and not pipe.process.stopped:
            pipe.stand_still(self.random.choice((self.random.uniform(0.1, 5.0), self.random.uniform(8.0, 20.0))))

    def _pipe(self):
        gateway, pipes = self.world.gateway, self.world.pipes
        if gateway is None or not gateway.ready or not pipes or pipes[-1].gateway is not gateway:
            return None
        return None if pipes[-1].process.dead else pipes[-1]

    def stand_still(self):
        """The process stands still, for longer than its lease or not."""
        self.world.stand_still(self.random.choice((self.random.uniform(1.0, 10.0), self.random.uniform(11.0, 30.0))))

    def stand_still_in_commit(self):
        """It outlives its lease in the transaction of a batch by which a text, or a change at a host, is to go out."""
        self._watch(
            lambda lane: lane.in_transaction and lane.carries(BEFORE_SENDING),
            lambda: self.world.stand_still(self.random.uniform(11.0, 30.0)),
        )

    def stand_still_after_commit(self):
        """It stands still just after a batch has come back."""
        self._watch(lambda lane: not lane.stepping and lane.counters.batches > self._batches, self.stand_still)

    def store_away(self):
        """Nothing can be committed for about a lease or two, while others reach the store."""
        self.world.disk.trouble = "full"
        self.world.disk.trouble_until = self.world.loop.time() + self.random.uniform(8.0, 25.0)

    def _watch(self, condition, strike=None):
        """Strike as soon as a condition of the lane holds: a kill, unless it is something else."""
        gateway = self.world.gateway
        if gateway is None or not gateway.ready:
            return
        lane = gateway.lane
        if lane is None:
            return
        self._batches = lane.counters.batches
        end = self.world.loop.time() + WATCH_SECONDS

        def look():
            if gateway.process.dead or self.world.over or self.world.loop.time() > end:
                return
            if condition(lane):
                self.world.story.tell("FAULT", "it strikes")
                self.world.disturb()
                strike() if strike else self._end(power=False)
            else:
                self.world.loop.call_later(self.random.uniform(0.0003, 0.003), look, context=self.process.context())

        look()

    def restart(self):
        self.world.restart(self._down())

    def _end(self, *, power):
        self.world.kill(power=power, down=self._down())

    def _down(self):
        """How long the gateway is away: between a twentieth of a second and twenty."""
        return math.exp(self.random.uniform(math.log(0.05), math.log(20.0)))

    def cut(self):
        self.world.network.break_one()

    def silence(self):
        self.world.network.silence_one()

    def stall(self):
        self.world.network.stall_one()

    def refuse(self):
        self.world.network.refusing_until = self.world.loop.time() + self.random.uniform(1.0, 15.0)

    def stranger(self):
        """Somebody connects to the gateway's Diameter port, and sends what he likes."""
        self.process.run(self.world.loop.create_task, self._intrude())

    async def _intrude(self):
        with contextlib.suppress(OSError):
            await self.world.network.connect(Stranger(self.random), "127.0.0.1", 3868, None, None)

    def slow_disk(self):
        self.world.disk.slow_until = self.world.loop.time() + self.random.uniform(1.0, 20.0)

    def full_disk(self):
        self.world.disk.trouble = "full"
        self.world.disk.trouble_until = self.world.loop.time() + self.random.uniform(0.5, 15.0)

    def failing_disk(self):
        self.world.disk.trouble = "failing"
        self.world.disk.trouble_until = self.world.loop.time() + self.random.uniform(0.05, 2.0)

    def clock_step(self):
        self.world.step_clock(self.random.choice((-1, 1)) * math.exp(self.random.uniform(0.0, math.log(20_000.0))))

    def broker_away(self):
        self.world.broker.away_until = self.world.loop.time() + self.random.uniform(0.5, 20.0)


KINDS = {
    "kill": Faults.kill,
    "restart": Faults.restart,
    "power cut": Faults.power_cut,
    "kill in a commit": Faults.kill_in_commit,
    "kill after a commit": Faults.kill_after_commit,
    "power cut before a sync": Faults.power_cut_before_sync,
    "connection cut": Faults.cut,
    "all cut after a commit": Faults.cut_after_commit,
    "connection silent": Faults.silence,
    "connection stalled": Faults.stall,
    "connections refused": Faults.refuse,
    "stranger": Faults.stranger,
    "slow disk": Faults.slow_disk,
    "full disk": Faults.full_disk,
    "failing disk": Faults.failing_disk,
    "clock step": Faults.clock_step,
    "broker away": Faults.broker_away,
}
"""By what the story calls them."""
LANE_KINDS = {
    "lane killed": Faults.kill_lane,
    "lane killed in a commit": Faults.kill_lane_in_commit,
    "lane killed after a commit": Faults.kill_lane_after_commit,
    "lane stands still": Faults.lane_stands_still,
}
"""Those of worlds whose lane has its own process."""
LEASE_KINDS = {
    "stands still": Faults.stand_still,
    "stands still in a commit": Faults.stand_still_in_commit,
    "stands still after a commit": Faults.stand_still_after_commit,
    "store away": Faults.store_away,
}
"""Those of worlds with leases."""
