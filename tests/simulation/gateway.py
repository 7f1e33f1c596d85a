"""The gateway as `gateway.runtime.daemon` puts it together, without what an operating system alone can give it.

The real context, store, lane, node, links, queue, executor, forwarder and timers. What is not there: signals, systemd, HTTP and
the Unix socket (their actions are called), the status page, traces. What stands outside is reached by the simulated network or,
for the broker and the hosts, by the interface that the gateway has for them.
"""

import asyncio
import contextlib
import contextvars
from functools import partial
from unittest import mock

from sqlalchemy import event
from sqlalchemy.pool import NullPool, QueuePool

from gateway import context as gateway_context
from gateway.api.actions.orders import OrderActions
from gateway.api.actions.spending import SpendingActions
from gateway.api.actions.texts import SmsActions
from gateway.background import Background
from gateway.environment import Environment
from gateway.logs.catalogue import EVENTS
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.runtime import periodic as runtime_periodic
from gateway.runtime.component import Services, stop_in_stages
from gateway.runtime.components import orders as orders_component
from gateway.runtime.components.diameter import DiameterComponent
from gateway.runtime.components.events import EventsComponent
from gateway.runtime.components.leases import LeasesComponent
from gateway.runtime.components.orders import OrdersComponent
from gateway.runtime.components.store import StoreComponent
from gateway.runtime.components.texts import TextsComponent
from gateway.runtime.lane_process import beginning
from gateway.runtime.periodic import PeriodicWork
from gateway.runtime.protocol_events import fields_of, name_of
from gateway.store import engine as gateway_engine
from gateway.store import lane_server, lane_transactions, nodes
from gateway.store.engine import open_reader, open_writer, reading
from gateway.store.errors import StoreError, StoreFenced

from .disk import LaneBusy, PowerCut, stepped_lane
from .lane_process import piped_lane
from .loop import Process

SELDOM = 900.0
"""Seconds between two readings of the whole store from the disk: they find what this world does not do to it."""
IDENTIFIERS = 300
"""Identifiers that a node writes down at once: few, so that it comes to the end of them."""
_compiled = {}


def sharing(make, pool=NullPool):
    """Let every engine use what the first of its kind compiled: a statement takes longer to compile than to run."""

    def made(*arguments, **options):
        with mock.patch.object(gateway_engine, "NullPool", pool):
            engine = make(*arguments, **options)
        first = _compiled.setdefault(make, engine)
        engine._compiled_cache = first._compiled_cache
        engine.dialect = first.dialect
        engine.opened = []
        event.listen(engine, "connect", lambda raw, _record: engine.opened.append(raw))
        return engine

    return made


@contextlib.contextmanager
def replaced(world):
    """Put in place what the gateway has no parameter for, while a world runs."""
    dialect = sharing(open_writer)("sqlite:///", existing=True).dialect
    original = dialect.do_commit

    def commit(connection):
        committing = [lane for lane in world.lanes() if lane.commits_by(connection)]
        if committing:
            committing[0].commit(original, connection)
        else:
            original(connection)

    with (
        mock.patch.object(gateway_context, "open_writer", sharing(open_writer)),
        mock.patch.object(lane_server, "open_writer", sharing(open_writer)),
        mock.patch.object(
            gateway_context, "open_reader", sharing(open_reader, QueuePool)
        ),  # opening costs more than reading
        mock.patch.object(dialect, "do_commit", commit),
        mock.patch.object(runtime_periodic, "INSPECT_SECONDS", SELDOM),
        mock.patch.object(nodes, "BLOCK", IDENTIFIERS),
        mock.patch.object(lane_transactions, "IDS_LEFT", IDENTIFIERS // 2),
        mock.patch.object(orders_component, "make_host_runtime", world.make_host_runtime),
        mock.patch("gateway.events.forwarder.Broker", world.make_broker),
        world.leases.replaced(),
    ):
        yield


class Gateway:
    """One life of the gateway."""

    def __init__(self, world, number):
        self.world, self.loop = world, world.loop
        self.process = Process(f"gateway {number}", model=False)
        self.number = number
        self.context = self.sms = self.orders = self.spending = None
        self.ready, self.stopping, self.components = False, False, []
        self.process.run(self.loop.create_task, self._start())

    async def _start(self):
        world, loop = self.world, self.loop
        environment = Environment(
            clock=world.wall_clock, monotonic=loop.time, random=world.chance(self.process.name),
            in_thread=self._in_thread, network=world.network,
        )  # fmt: skip
        background = Background(self.log, environment=environment)
        while not all(pipe.over for pipe in world.pipes):  # noqa: ASYNC110  (the lane of the life before has the lock)
            await asyncio.sleep(0.02)
        piped = self._piped_lane if world.in_process else None
        try:
            self.context = gateway_context.GatewayContext(
                world.settings, make_policies, deliver=self._deliver,
                alarm=self._take_alarm, log=self.log, environment=environment,
                make_lane=stepped_lane(loop, world.disk, world.leases.committed, world.lost),
                lane_process=piped,
            )  # fmt: skip
        except StoreError as error:
            world.broken(f"the gateway does not start: {error!r}")
            return
        while piped is not None and not self.context.lane.ready:  # noqa: ASYNC110  (of a process)
            await asyncio.sleep(0.02)
        world.leases.entered(self.context.node)
        services = Services(self.context, Metrics(), background, self.log, self._on_network)
        texts = TextsComponent(services)
        diameter = DiameterComponent(services, world.settings.diameter)
        events = EventsComponent(services, world.settings.events.mqtt)
        orders = OrdersComponent(services, texts.client, diameter)
        leases = LeasesComponent(services, texts.client)
        periodic = PeriodicWork(services, texts.client, orders.executor)
        self.sms, self.orders = SmsActions(self.context, texts.client), OrderActions(self.context, orders.executor)
        self.spending = SpendingActions(self.context, background, diameter.session_requests)
        self.components.append(StoreComponent(self.context))
        for component in (leases, texts, diameter, events, orders, periodic):
            self.components.append(component)
            await component.start()
        self.ready = True
        world.story.tell("gateway", f"ready, start {self.context.node.starts}")

    def _piped_lane(self, context, lease):
        return piped_lane(
            self.world, self, context, lease, deliver=lambda jobs, _sent: self._finish(jobs), alarm=self._take_alarm,
            log=self.log, on_end=lambda _error: self.loop.call_soon(self.world.fenced, self),
            begin=partial(beginning, context, lease), policies=make_policies(context),
        )  # fmt: skip

    @property
    def lane(self):
        """The lane that works for this life now; None while there is none."""
        if self.context is None or not self.world.in_process:
            return self.context.lane if self.context is not None else None
        return self.world.pipes[-1].lane if self.world.pipes[-1].gateway is self else None

    def look(self, look):
        """Look into the store, as nobody within the world could: also at what is not on the disk yet."""
        with reading(self.context._reader) as connection:
            return look(connection)

    def _take_alarm(self, event, detail):
        """What the store tells of: a gateway that another one has taken over from ends, as the daemon does."""
        self.log(event, {"detail": detail})
        if event == StoreFenced.code:
            self.loop.call_soon(self.world.fenced, self)

    def log(self, event, fields):
        """An event of the catalogue; what is said after the end of the world is said to nobody."""
        if self.loop.is_closed():
            return
        told = " ".join(f"{name}={value}" for name, value in fields.items() if name != "exc_info")
        self.world.story.tell("gateway", f"{event} {told}")
        self.world.counts[event] += 1
        if EVENTS[event].level in ("error", "critical") and event in WRONG:
            self.world.broken(f"{event} {told}")

    async def stop(self, ended):
        """Come to an end in order, as after SIGTERM; `ended` is called then."""
        self.ready, self.stopping, self.context.draining = False, True, True
        await stop_in_stages(self.components, self.log)
        self.process.dead = True
        self.world.network.kill(self.process, power=False)
        ended()

    def kill(self, *, power):
        """End this life at once: `kill -9`, or with `power` its whole machine."""
        self.process.dead, self.ready = True, False
        self.world.network.kill(self.process, power=power)
        context = self.context
        if context is not None:
            context._reader.dispose()
            for raw in context._reader.opened:  # also those that somebody reads by: of a dead process none is open
                raw.close()
            if self.world.in_process:
                for pipe in self.world.pipes:
                    pipe.die(power=True) if power else pipe.gateway_is_gone()
            else:
                context.lane.power_cut = power
                if not context.lane.stepping:  # else it lets go as it comes back from there
                    context.lane.let_go()
            if not context.lane.closed:
                context.lock.release()

    async def _in_thread(self, function, *arguments, **options):
        future = self.loop.create_future()

        def run():
            try:
                found = function(*arguments, **options)
            except PowerCut:
                return
            except LaneBusy:  # what comes before its unit changes nothing
                self.loop.call_later(0.002, run)
            except Exception as error:  # noqa: BLE001  (whatever it raises is the caller's)
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(found)

        self.loop.call_later(0.0003, run)
        return await future

    def _deliver(self, jobs):
        self.loop.call_soon(self._finish, jobs)

    def _finish(self, jobs):
        for job in jobs:
            try:
                job.done(job.answer, job.error)
            except Exception as error:  # noqa: BLE001  (told, as the daemon does)
                self.loop.call_exception_handler(
                    {"message": f"the answer to {type(job.unit).__name__}", "exception": error}
                )

    def _on_network(self, event):
        self.log(name_of(event), fields_of(event))

    async def ask(self, work, patience=5.0):
        """Ask this life something over a connection that may break: RuntimeError, TimeoutError where no answer came."""
        if not self.ready or self.process.dead:
            raise ConnectionError("nobody is there")
        loop, answer = self.loop, self.loop.create_future()
        network = self.world.network

        def settle(found, error):
            if not answer.done():
                answer.set_exception(error) if error else answer.set_result(found)

        async def run():
            found, error = None, None
            try:
                found = await work(self)
            except Exception as raised:  # noqa: BLE001  (whatever it raises is whoever asked's)
                error = raised
            loop.call_later(network.delay(), settle, found, error, context=context)

        context = contextvars.copy_context()
        loop.call_later(network.delay(), lambda: loop.create_task(run()), context=self.process.context())
        async with asyncio.timeout(patience):
            return await answer


WRONG = {"daemon.task.failed", "diameter.handler.failed", "smpp.handler.failed", "store.unit.poisoned", "store.corrupt",
         "store.replaced"}  # fmt: skip
"""Log events that never come in a sound program, whatever befalls it here."""
