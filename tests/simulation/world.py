"""One world: everything that a seed decides, from its first second to the proof of its promises."""

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from support import new_stores

from gateway import settings as gateway_settings
from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.sims.host_runtime import HostRuntime
from gateway.store.async_submit import submit
from gateway.store.errors import StoreError
from protocols.descriptors import DESCRIPTORS

from .broker import BrokerConnection, BrokerModel
from .desk import Desk
from .disk import Disk
from .faults import Faults
from .gateway import Gateway, replaced, sharing
from .handsets import Handsets
from .history import History
from .host import HostConnection, HostModel
from .lane_process import SHARE
from .leases import Leases
from .loop import Process, Stuck, VirtualLoop, run
from .network import SimulatedNetwork
from .pgw import Pgw
from .shop import Shop
from .smsc import Smsc
from .story import Story
from .text_sender import TextSender

ROOT = Path(__file__).resolve().parents[2]
MEMORY = Path("/dev/shm")
BEGINNING = 1_750_000_000_000_000
"""Microseconds: 2025-06-15."""
CONFIG = """
operator: {{name: Simulated}}
store: {{url: "sqlite:///var/tpo.db"}}
api: {{listen: "127.0.0.1:8080"}}
diameter:
  identity: ocs.tpo.example
  realm: tpo.example
  listen: ["127.0.0.1:3868"]
  peers: [{{identity: pgw.host.example, realm: host.example}}]
smpp:
  links:
    - {{name: a, host: 127.0.0.1, port: 2775, system_id: tpo, enquire_link: 10, query_after: 60}}
    - {{name: b, host: 127.0.0.1, port: 2775, system_id: tpo, enquire_link: 10, query_after: 60}}
messaging: {{short_codes: ["70070"], answers_per_hour: 100}}
provisioning:
  swap_notice: 5
  hosts:
    - {{name: host, adapter: osmohlr, plans: [payg-gb, bundle-gb, capped-gb], ctrl: "127.0.0.1:4259", vty: "127.0.0.1:4258"}}
charging: {{slice: 2000000, validity: 600}}
events: {{mqtt: {{url: "mqtt://127.0.0.1:1883"}}}}
privacy: {{key: "{key}"}}
plans: plans.yaml
causes: {root}/config/causes.yaml
keywords: {root}/config/keywords.yaml
"""
CAPPED = """
capped-gb:
  name: Capped
  currency: GBP
  data: {price: 0.01, per: 1000000, at: {rush: {price: 0.02, per: 1000000}}}
  voice: {price: 0.03, per: 60}
  sms: {price: 0.02, per: 1}
  rating_groups: {200: free}
  periods: {rush: {begins: "16:07", ends: "16:08"}}
  caps: [{services: [data, sms], day: 0.09, month: 0.50}]
"""
"""A plan beside those that we ship: a tariff period while the world runs, from 16:06:40 on, and caps that are soon reached."""
PLANS = ("payg-gb", "bundle-gb", "payg-gb", "capped-gb")
LASTING = 30.0
"""Virtual seconds for which a fault of the disk, or a connection that went silent, has its effect."""
SETTLE_SECONDS = 900.0
"""Virtual seconds in peace, until which everything has to have come to its end."""


class Customer:
    """Somebody with a line."""

    def __init__(self, place, plan, balance):
        self.imsi, self.msisdn = f"23415000000000{place}", f"44770090000{place}"
        self.iccid, self.plan, self.balance = f"8944{self.imsi}", plan, balance
        self.numbers = (self.imsi, self.msisdn, self.iccid)


class World:
    """A gateway and its neighbours, for `seconds` of faults and as long in peace as they need."""

    def __init__(self, seed, *, seconds=60.0, listen=None):
        self.seed, self.seconds = seed, seconds
        self.loop = VirtualLoop()
        self.story, self.counts = Story(self.loop, listen), Counter()
        self.over = False
        self.broken_by = []
        self._clock_offset, self.clock_stepped = 0, False
        self._disturbances = []
        self.gateway, self.lives = None, 0
        self.parts, self.witnesses = [], []
        self.in_process = self.chance("lane").random() < SHARE
        """Whether the write lane has a process of its own."""
        self.pipes = []

    def lanes(self):
        """All lanes that may be at work: that of the gateway, or those of processes that have not come to their end."""
        if self.in_process:
            return [pipe.lane for pipe in self.pipes if pipe.lane is not None]
        context = self.gateway.context if self.gateway is not None else None
        return [context.lane] if context is not None else []

    def chance(self, name):
        """A source of chance of its own for each part: what one draws does not change another's."""
        return Random(f"{self.seed} {name}")

    def wall_clock(self):
        return BEGINNING + self._clock_offset + int(self.loop.time() * 1_000_000)

    def disturb(self):
        """Note that something befell the gateway, its store or its network just now."""
        self._disturbances.append(self.loop.time())

    def disturbed_between(self, since, until):
        """Whether something befell the gateway, from so long before that it may still have had its effect."""
        return any(since - LASTING < at < until for at in self._disturbances)

    def step_clock(self, seconds):
        self.clock_stepped = True
        self._clock_offset += int(seconds * 1_000_000)
        self.story.tell("clock", f"steps by {seconds:.1f} s")

    def broken(self, what):
        self.history.breach(what)

    def run(self):
        """Play it; gives what was broken."""
        folder = Path(tempfile.mkdtemp(prefix="tpo-sim-", dir=MEMORY if MEMORY.is_dir() else None))
        try:
            self._settle_in(folder)
            with replaced(self):
                try:
                    run(self.loop, self._play())
                except Stuck as stuck:
                    self.broken(f"stuck: {stuck}")
                except StoreError as error:
                    self.broken(f"the store cannot be read: {error!r}")
                except Exception as error:
                    error.add_note(f"in the world of seed {self.seed}")
                    raise
            for error in self.loop.errors:
                self.broken(f"an error that nobody took: {error.get('exception') or error.get('message')!r}")
        finally:
            self.loop.close()
            shutil.rmtree(folder)
            for spender in list(
                DESCRIPTORS._spenders
            ):  # of lives that ended without a word: the next world begins anew
                DESCRIPTORS.remove(spender)
        return self.history.broken

    def _settle_in(self, folder):
        config = folder / "gateway.yaml"
        config.write_text(CONFIG.format(root=ROOT, key="5" * 64))
        (folder / "taxes.yaml").write_text((ROOT / "config" / "taxes.yaml").read_text())
        (folder / "plans.yaml").write_text((ROOT / "config" / "plans.yaml").read_text() + CAPPED)
        (folder / "taxes.yaml").write_text((ROOT / "config" / "taxes.yaml").read_text())
        self.settings = gateway_settings.load(config)
        new_stores.place(folder / "var" / "tpo.db")
        draw = self.chance("world")
        self.customers = [
            Customer(place, plan, draw.choice((0, 300_000, 5_000_000, 50_000_000)))
            for place, plan in enumerate(PLANS, start=1)
        ]
        self.disk = Disk(self.chance("disk"))
        nature = Process("nature")
        self.network = SimulatedNetwork(self.loop, self.chance("network"), nature.context(), draw.choice((0.002, 0.05)))
        self.history, self.broker = History(self), BrokerModel(self)
        self.leases, self.sharing = Leases(self), sharing
        self.network.on_write = self.leases.writes

    async def _play(self):
        self.host = HostModel(self)
        self._live()
        await self._until(lambda: self.gateway.ready, 60.0, "the gateway starts")
        for customer in self.customers:
            row = Enrolment(customer.msisdn, customer.imsi, customer.iccid, customer.plan, "wateraid", customer.balance)
            enrolled = await self.gateway.ask(lambda gateway, row=row: submit(gateway.context.lane, Enrol(row, "GBP")))
            assert enrolled.outcome == "created"
        self.desk = Desk(self, self.host)
        self.pgw = Pgw(self)
        handsets = Handsets(self)
        smsc = handsets.smsc = Smsc(self, handsets.heard)
        self.parts = [Shop(self), smsc, handsets, TextSender(self, smsc), self.desk]
        self.witnesses = [part for part in self.parts if part is not smsc]
        self.faults = Faults(self)
        self.faults.begin()
        self.leases.begin()
        await asyncio.sleep(self.seconds)
        self.over = True
        self.story.tell("world", "is left in peace")
        await self._settle()
        self.history.check()
        self.leases.check()
        self.story.tell("world", f"{len(self.history.broken)} promises broken")

    async def _settle(self):
        self.disk.heal()
        self.network.heal()
        self.broker.away_until = 0.0
        await self._until(lambda: self.gateway is not None and self.gateway.ready, 60.0, "the gateway is back")
        await self._until(lambda: not self.pgw.running, SETTLE_SECONDS, "all sessions ended")
        for part in self.parts:
            await self._until(part.is_done, SETTLE_SECONDS, f"{type(part).__name__} is done")
        await self._until(self._nothing_waits, SETTLE_SECONDS, "the outbox is empty")

    def _nothing_waits(self):
        from gateway.events.outbox_queue import backlog

        context = self.gateway.context
        shards = range(1, context.node.id + 2)  # an adopter's may be behind ours: what waits for it comes to us, too
        return context.lane.depth == 0 and not self.gateway.look(lambda c: backlog(c, shards)).waiting

    async def _until(self, condition, seconds, what):
        end = self.loop.time() + seconds
        while not self.history.broken and not condition():
            if self.loop.time() > end:
                self.broken(f"in {seconds:.0f} s of peace this did not come: {what}")
                return
            await asyncio.sleep(0.5)

    # The gateway's lives

    def _live(self):
        self.lives += 1
        self.gateway = Gateway(self, self.lives)

    def kill(self, *, power, down):
        if self.gateway is None or self.gateway.process.dead:
            return
        self.gateway.kill(power=power)
        self._live_again(down)

    def _live_again(self, down):
        self.loop.call_later(down, self._live, context=Process("init").context())

    @property
    def lost(self):
        """What is told of a power cut's loss; None in a world of leases, where a neighbour has the file open, too."""
        return None if self.leases.given else self._lose

    def _lose(self, frames):
        if frames:
            self.counts["commits lost"] += 1
            self.story.tell("disk", f"{frames} frames of the log were not on it")

    def restart(self, down):
        """Have the gateway stop in order, and start again some time after it has."""
        gateway = self.gateway
        if gateway is not None and gateway.ready:
            gateway.process.run(self.loop.create_task, gateway.stop(lambda: self._live_again(down)))

    def stand_still(self, seconds):
        """Have the gateway run nothing for so long; its sockets stay open, and its kernel takes what comes."""
        gateway = self.gateway
        if gateway is None or gateway.process.dead or gateway.process.stopped:
            return
        self.story.tell("gateway", f"stands still for {seconds:.1f} s")
        gateway.process.stopped = True
        self.loop.call_later(seconds, self._go_on, gateway.process, context=Process("init").context())

    def _go_on(self, process):
        if not process.dead:
            self.story.tell("gateway", "goes on")
            self.disturb()
            self.loop.resume(process)
            self.network.resume(process)

    def fenced(self, gateway):
        """Another one has taken over from a gateway: it ends, and a service manager starts the next one."""
        if not gateway.stopping:
            self.loop.create_task(gateway.stop(lambda: self._live_again(1.0)))

    # What the gateway is given in place of the outside

    def make_broker(self, *_arguments, may_send, **_options):
        return BrokerConnection(self.broker, self.gateway, may_send)

    def make_host_runtime(self, host, _context):
        connection = HostConnection(self.host, host.name, self.gateway)
        return HostRuntime(connection, asyncio.Semaphore(host.concurrency), 0.5, 5.0)
