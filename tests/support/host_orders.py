"""Orders of every kind against a real adapter and its host, in this process, with time that passes when it is waited for."""

import asyncio
import itertools
import shutil
from contextlib import asynccontextmanager

import msgspec
from sqlalchemy import select

from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.policies import make_policies
from gateway.settings import load
from gateway.sims import order_executor as conducting
from gateway.sims.accept_order import Asked
from gateway.sims.bulk_import import ImportSim, Reader
from gateway.sims.host_runtime import HostRuntime
from gateway.sims.order_executor import OrderExecutor
from gateway.sims.orders import from_row as order_of
from gateway.sims.policy import SimsPolicy
from gateway.sims.queries import history, show_order
from gateway.store import tables
from gateway.store.async_submit import submit
from gateway.store.engine import open_reader
from provisioning.orders import Kind, OrderRequest
from support.gateways import ROOT
from support.keys import SHARED_KEY
from support.patience import PATIENCE
from support.session_play import blank_store

QUARANTINE = 3_600_000_000
PLAN, OTHER_PLAN = "payg-gb", "bundle-gb"
EARLIER = {
    "activate": (),
    "suspend": ("activate",),
    "resume": ("activate", "suspend"),
    "swap": ("activate",),
    "terminate": ("activate",),
    "renumber": ("activate",),
    "replan": ("activate",),
    "retire": ("activate", "terminate"),
}
"""What has been done to a card before an order of each kind."""
CARDS = itertools.count(1)


class Card:
    """A card of ours with its number, and the card that a swap would put in its place."""

    def __init__(self, n):
        self.n = n
        self.iccid, self.imsi = f"894410{n:013d}", f"23415{n:010d}"
        self.ki, self.opc = f"{n:032x}", f"{n + (1 << 64):032x}"
        self.msisdn, self.other_msisdn = f"4477009{n:05d}", f"4477008{n:05d}"

    @property
    def row(self):
        return {"iccid": self.iccid, "imsi": self.imsi, "ki": self.ki, "opc": self.opc}


class Clock:
    def __init__(self):
        self.now = 1_700_000_000_000_000

    def __call__(self):
        self.now += 1
        return self.now


class OrderRig:
    """A gateway's orders with one host; `adapter` makes what speaks with it, anew for each executor."""

    def __init__(self, context, clock, adapter):
        self.context, self.clock, self._adapter = context, clock, adapter
        self.executor = None
        self.alarms, self.enqueued = [], []
        # Kept: to open the store takes longer than to look at an order, which is looked at again and again.
        self._watching = open_reader(context.settings.store.connect_url).connect()

    def start(self, *, slots=8, poll=0.01, verify=5.0, notice=0.0, hosts=None):
        """Start an executor."""
        if hosts is None:
            hosts = {"lab": HostRuntime(self._adapter(), asyncio.Semaphore(slots), poll, verify)}
        hosts_of, currencies = dict.fromkeys((PLAN, OTHER_PLAN), "lab"), dict.fromkeys((PLAN, OTHER_PLAN), "GBP")
        policy = SimsPolicy("test", hosts_of, currencies, QUARANTINE, self.compose, str)
        self.context.lane.policies = {**self.context.lane.policies, SimsPolicy: policy}
        self.executor = OrderExecutor(
            self.context,
            hosts,
            notice=notice,
            reauthorise=self.reauthorise,
            abort=self.abort,
            enqueue=self.enqueued.extend,
            alarm=lambda event, fields: self.alarms.append((event, fields)),
        )
        self.executor.start()
        return self.executor

    def compose(self, _kind, _msisdn, _now):
        """The text about an order; none."""

    async def reauthorise(self, _subscriber_id):
        """Nobody's sessions are asked for."""

    async def abort(self, _subscriber_id):
        """Nobody's sessions end."""

    async def stop(self):
        if self.executor is not None:
            await self.executor.stop()
            self.executor = None

    def close(self):
        self._watching.close()

    async def take_in(self, *rows):
        """Import cards."""
        reader = Reader(self.context.sealer)
        for number, row in enumerate(rows, 1):
            unit = ImportSim(reader.read(number, row), "tester")
            assert (await submit(self.context.lane, unit)).outcome == "created"

    async def place(self, kind, card, new=None, *, adopt=False):
        """Have an order accepted; gives its id."""
        request = {
            "activate": OrderRequest(msisdn=card.msisdn, plan=PLAN, cause="wwf", adopt=adopt),
            "suspend": OrderRequest(reason="lost"),
            "resume": OrderRequest(reason="lost"),
            "renumber": OrderRequest(msisdn=card.other_msisdn, reason="mistyped"),
            "replan": OrderRequest(plan=OTHER_PLAN, reason="as asked"),
            "swap": OrderRequest(new_iccid=new.iccid if new else ""),
        }.get(kind, OrderRequest())
        if kind == "retire":
            self.clock.now += QUARANTINE
        taken = await self.executor.accept("shop", None, Asked(Kind(kind), card.iccid, request, "alice"))
        return taken.order_id

    async def ended(self, order_id, crashed=None):
        """Let time pass until an order is at its end; `crashed`: an event that has the gateway begin anew."""
        async with asyncio.timeout(PATIENCE):
            while self.executor.running or (order := self.order(order_id)).open:
                if crashed is not None and crashed.is_set():
                    crashed.clear()
                    await self.stop()
                    self.start()
                if not self.executor.running and order.due_at > self.clock.now:
                    self.clock.now = order.due_at
                    self.executor._wake.set()  # rather than that it looks a hundred times a second
                await asyncio.sleep(0.004)
        return self.order(order_id)

    async def carry_out(self, kind, card, new=None, crashed=None, **options):
        """Place an order and see it to its end."""
        return await self.ended(await self.place(kind, card, new, **options), crashed)

    async def ready_for(self, kind):
        """A card of ours that stands where an order of a kind begins, and another one from stock."""
        card, new = Card(next(CARDS)), Card(next(CARDS))
        await self.take_in(card.row, new.row)
        for earlier in EARLIER[kind]:
            assert (await self.carry_out(earlier, card)).state == "done"
        return card, new

    def order(self, order_id):
        wanted = select(tables.orders).where(tables.orders.c.id == order_id)
        found = order_of(tuple(self._watching.execute(wanted).one()))
        self._watching.rollback()
        return found

    def seen(self, card):
        """How the host held a card when it was last read."""
        with self.context.reading() as connection:
            return connection.execute(select(tables.sims.c.observed).where(tables.sims.c.iccid == card.iccid)).scalar()

    def shown(self, order_id):
        with self.context.reading() as connection:
            return msgspec.to_builtins(show_order(connection, order_id))

    def history(self, card):
        with self.context.reading() as connection:
            return msgspec.to_builtins(history(connection, card.iccid))


@asynccontextmanager
async def order_rig(folder, adapter, monkeypatch):
    """A rig over a new store, its executor started."""
    monkeypatch.setattr(conducting, "SCAN_SECONDS", 0.05)
    blank_store(folder / "blank.db")
    shutil.copy(folder / "blank.db", folder / "tpo.db")
    async with opened(folder, lambda context, clock: OrderRig(context, clock, adapter)) as rig:
        rig.start()
        yield rig


@asynccontextmanager
async def opened(folder, make):
    """What `make(context, clock)` gives, over the store `tpo.db` of a folder; its executor is stopped at the end."""
    path = folder / "gateway.yaml"
    path.write_text(
        f"""operator: {{name: Test operator}}
store: {{url: "sqlite:///tpo.db"}}
api: {{listen: "127.0.0.1:0", socket: tpo.sock}}
plans: {ROOT}/config/plans.yaml
causes: {ROOT}/config/causes.yaml
privacy: {{key: "{SHARED_KEY}"}}
"""
    )
    loop, clock = asyncio.get_running_loop(), Clock()

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    environment = Environment(clock=clock)
    context = await asyncio.to_thread(
        GatewayContext, load(path, {}), make_policies, deliver=deliver, environment=environment
    )
    rig = make(context, clock)
    try:
        yield rig
    finally:
        await rig.stop()
        rig.close()
        await asyncio.to_thread(context.close)
