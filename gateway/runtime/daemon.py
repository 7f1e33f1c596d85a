"""The daemon: opens the store, starts the components in their order, and stops them stage by stage."""

import asyncio
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial

from prometheus_client.core import Metric

from gateway.background import Background
from gateway.context import GatewayContext
from gateway.environment import Environment, keep_what_lives
from gateway.logs import crashes, get_logger
from gateway.logs.catalogue import EVENTS
from gateway.logs.event_logger import EventLogger
from gateway.logs.limit import INTERVAL
from gateway.metrics.registry import Metrics
from gateway.metrics.sources import process_metrics, task_metrics
from gateway.policies import make_policies
from gateway.runtime.component import Component, NetworkEvent, Services, stop_in_stages
from gateway.runtime.components.api import ApiComponent, Served
from gateway.runtime.components.backup import BackupComponent
from gateway.runtime.components.bills import BillsComponent
from gateway.runtime.components.diameter import DiameterComponent
from gateway.runtime.components.events import EventsComponent
from gateway.runtime.components.giving import GivingComponent
from gateway.runtime.components.leases import LeasesComponent
from gateway.runtime.components.nodes import NodesComponent
from gateway.runtime.components.orders import OrdersComponent
from gateway.runtime.components.sealed_months import SealedMonthsComponent
from gateway.runtime.components.store import StoreComponent
from gateway.runtime.components.texts import TextsComponent
from gateway.runtime.components.traces import TracesComponent
from gateway.runtime.drain import Drain
from gateway.runtime.health import Health
from gateway.runtime.lane_process import LaneProcess, beginning, spawn
from gateway.runtime.periodic import PeriodicWork
from gateway.runtime.protocol_events import fields_of, name_of
from gateway.runtime.reload import Reload
from gateway.runtime.systemd import Notify
from gateway.runtime.thread_switching import ThreadSwitching
from gateway.settings import Settings
from gateway.status_page.alarms import RecentAlarms
from gateway.store.engine import sqlite_path
from gateway.store.errors import StoreError, StoreFenced
from gateway.store.lane import BatchTimes, Job
from gateway.store.lane_stream import SocketStream
from gateway.store.leases import Lease
from gateway.store.process_lane import ProcessLane
from gateway.tracing.undecodable import Undecodable
from protocols.tap import Tap

MICROSECONDS = 1_000_000
SLOW_BATCH = 1.0
"""Seconds that a batch may take before it is logged."""
LANE_PHASES = ("waiting", "loading", "deciding", "saving", "committing")


class Daemon:
    """One run of the gateway, from its settings to its last commit."""

    def __init__(
        self, settings: Settings, environment: Environment | None = None, lane_process: LaneProcess | None = None
    ) -> None:
        """Take checked settings, and the process of the write lane unless that is to be a thread; nothing is opened yet."""
        self._lane_process = lane_process
        self._settings = settings
        self._environment = environment or Environment()
        self._log = get_logger()
        self._event_logger = EventLogger(self._log, self._environment.monotonic)
        self._metrics = Metrics()
        self._recent_alarms, self._undecodable = RecentAlarms(), Undecodable()
        self._switching = ThreadSwitching(self._environment.monotonic)
        self._notify = Notify()
        self._background = Background(self._log_event, environment=self._environment)
        self._stop = asyncio.Event()
        self._end_error: StoreError | None = None
        """Why this gateway has to end by itself."""
        self._started_at = self._environment.clock() / MICROSECONDS
        self._loop = asyncio.get_running_loop()
        self._context: GatewayContext
        self._components: list[Component] = []
        self._started: list[Component] = []
        self._reload: Reload | None = None
        self._sighup = False
        """Whether a SIGHUP has come whose reload was not asked for yet."""

    async def run(self, announce: Callable[[str], None] = lambda _line: None) -> None:
        """Open everything, serve until a signal says stop, close everything; StoreError or OSError where it cannot open.

        StoreFenced where another gateway has taken over: then everything was closed before.
        """
        crashes.install(self._loop, self._count)
        self._event_logger.capture_libraries()
        self._log.info("daemon.starting", operator=self._settings.operator.name)
        for warning in self._settings.warnings:
            self._log.warning("config.warning", problem=str(warning))
        self._context = await self._environment.in_thread(
            GatewayContext,
            self._settings,
            make_policies,
            deliver=self._deliver,
            alarm=self._take_alarm,
            log=self._log_event,
            observe=self._observe_batch,
            environment=self._environment,
            lane_process=self._make_lane if self._lane_process is not None else None,
        )
        self._started.append(StoreComponent(self._context))
        try:
            health = await self._start()
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self._stop.set)
            self._loop.add_signal_handler(signal.SIGHUP, self._take_sighup)
            keep_what_lives()
            announce("ready")
            self._notify.ready()
            self._background.keep("signs of life", lambda: self._give_signs_of_life(health))
            self._background.every("held-back log lines", INTERVAL, self._settle_log)
            await self._stop.wait()
        finally:
            await self._close()
        if self._end_error is not None:
            raise self._end_error

    async def _start(self) -> Health:
        """Make all components and start them in their order."""
        context, settings = self._context, self._settings
        services = Services(context, self._metrics, self._background, self._log_event, self._on_network)
        texts = TextsComponent(services)
        diameter = DiameterComponent(services, settings.diameter) if settings.diameter is not None else None
        events = EventsComponent(services, settings.events.mqtt) if settings.events.mqtt is not None else None
        store = sqlite_path(settings.store.url)
        backup = BackupComponent(services, store, settings.store.backup) if store and settings.store.backup else None
        sealed = SealedMonthsComponent(services, store) if store else None
        bills = BillsComponent(services)
        orders = OrdersComponent(services, texts.client, diameter)
        leases = LeasesComponent(services, texts.client)
        reauthorise = diameter.session_requests.reauthorise if diameter is not None else None
        periodic = PeriodicWork(services, texts.client, orders.executor, reauthorise)
        traces = TracesComponent(services, self._set_tap)
        nodes = NodesComponent(services)
        reload = self._reload = Reload(context, self._components, self._log_event)
        drain = Drain(
            services,
            texts=lambda: texts.client.busy,
            orders=lambda: orders.executor.running,
            end=self._stop.set,
        )
        health = Health(context, self._background, periodic)
        served = Served(
            texts=texts,
            diameter=diameter,
            events=events,
            backup=backup,
            sealed=sealed,
            bills=bills,
            orders=orders,
            traces=traces,
            leases=leases,
            periodic=periodic,
            reload=reload,
            drain=drain,
            nodes=nodes,
            undecodable=self._undecodable,
            recent_alarms=self._recent_alarms,
            started_at=self._started_at,
        )
        api = ApiComponent(services, health, served)
        workers = (leases, texts, diameter, events, backup, sealed, bills, orders, traces, reload, drain, nodes)
        made = (*self._started, *workers, api, periodic, GivingComponent(services, texts.client))
        self._components.extend(component for component in made if component is not None)
        self._metrics.collect_from(lambda: self._collect(periodic))
        for component in self._components[1:]:
            self._started.append(component)
            await component.start()
        self._log.info("daemon.ready", api=str(api.port), diameter=diameter.node.ports if diameter else [])
        return health

    async def _close(self) -> None:
        """Stop what was started, stage by stage."""
        self._context.draining = True
        self._log.info("daemon.stopping")
        self._notify.stopping()
        await stop_in_stages(self._started, self._log_event)
        self._event_logger.finish()
        self._log.info("daemon.stopped")

    def _make_lane(self, context: GatewayContext, lease: Lease) -> ProcessLane:
        """Have the write lane work in its own process."""
        assert self._lane_process is not None

        return ProcessLane(
            self._stream_of(self._lane_process),
            lambda: self._stream_of(spawn()),
            loop=self._loop,
            begin=partial(beginning, context, lease),
            lock=context.lock,
            ground=context.ground,
            lease=lease,
            policies=make_policies(context),
            monotonic=self._environment.monotonic,
            in_thread=self._environment.in_thread,
            deliver=self._finish,
            observe=self._observe_batch,
            alarm=self._take_alarm,
            log=self._log_event,
            on_end=self._take_lost_lane,
        )

    def _stream_of(self, process: LaneProcess) -> SocketStream:
        return SocketStream(process.pid, process.stream, self._loop)

    def _deliver(self, jobs: list[Job]) -> None:
        """Hand finished jobs from the lane's thread to the loop; after the loop has ended nobody waits for them."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._finish, jobs, self._environment.monotonic())

    def _finish(self, jobs: list[Job], delivered: float) -> None:
        """Call back everybody who posted a unit; an error of one of them keeps it from none of the others."""
        began = self._environment.monotonic()
        for job in jobs:
            try:
                job.done(job.answer, job.error)
            except Exception as error:  # noqa: BLE001  (logged as a crash of a callback)
                what = f"the answer to {type(job.unit).__name__}"
                self._loop.call_exception_handler({"message": what, "exception": error})
        self._metrics.observe_phase("delivering", began - delivered)
        self._metrics.observe_phase("answering", self._environment.monotonic() - began)

    def _observe_batch(self, times: BatchTimes) -> None:
        """Count where the time of a batch went, and log a slow one; on the lane's thread, where it is one."""
        parts = {phase: getattr(times, phase) for phase in LANE_PHASES}
        for phase, seconds in parts.items():
            self._metrics.observe_phase(phase, seconds)
        if self._lane_process is None:
            self._switching.observe(times.loading + times.deciding + times.saving)
        if sum(parts.values()) - times.waiting > SLOW_BATCH:
            shown = {phase: round(seconds * 1000) for phase, seconds in parts.items()}
            self._log_event("store.batch.slow", {"units": times.units, "unit": times.kind, **shown})

    def _take_sighup(self) -> None:
        """SIGHUP: what becomes of it is written in the log. Any number of them ask for one reload beside the one that runs."""
        if not self._sighup and not (self._reload is not None and self._reload.waits):
            self._sighup = True
            self._background.once("reload", self._reload_settings)

    async def _reload_settings(self) -> None:
        self._sighup = False
        if self._reload is not None:
            self._notify.reloading(self._environment.monotonic)
            try:
                await self._reload.reload()
            finally:
                self._notify.ready()

    def _take_alarm(self, event: str, detail: str) -> None:
        """Log what the store tells of, on any thread; a gateway that another one has taken over from ends."""
        self._log_event(event, {"detail": detail})
        if event == StoreFenced.code:
            self._end(StoreFenced(detail))

    def _take_lost_lane(self, error: StoreError) -> None:
        self._log_event(error.code, {"detail": str(error)})
        self._end(error)

    def _end(self, error: StoreError) -> None:
        """Come to an end in order, since nothing can be written any more; on any thread."""
        self._end_error = error
        with suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._stop.set)

    def _log_event(self, event: str, fields: Mapping[str, object]) -> None:
        """Log an event that has a name in the catalogue, at its level there; what is worse than information is counted."""
        self._count(event, fields)
        self._event_logger.log(event, fields)

    def _count(self, event: str, fields: Mapping[str, object]) -> None:
        """Count an event that is worse than information, and keep its latest words for the status page."""
        if EVENTS[event].level != "info":
            self._metrics.alarms.labels(event).inc()
            self._recent_alarms.record(event, fields, self._environment.clock())

    def _set_tap(self, tap: Tap | None) -> None:
        """Have all that goes over the wire copied, or nothing any more."""
        for component in self._components:
            component.set_tap(tap)

    def _on_network(self, event: NetworkEvent) -> None:
        self._undecodable.record(event, self._environment.clock())
        self._log_event(name_of(event), fields_of(event))

    async def _give_signs_of_life(self, health: Health) -> None:
        """Report to the service manager that we live, for as long as we do; it restarts us when the signs end."""
        while self._notify.interval is not None:
            if all(health.live().values()):
                self._notify.alive()
            await asyncio.sleep(self._notify.interval)

    async def _settle_log(self) -> None:
        """Write what the log has held back for long enough: the last of a storm, even if nothing follows it."""
        self._event_logger.settle()

    def _collect(self, periodic: PeriodicWork) -> Iterable[Metric]:
        lane = self._context.process_lane
        yield from process_metrics(self._started_at, periodic.lag, lane.pid if lane is not None else None)
        yield from task_metrics(self._background.surprises)
        for component in self._components:
            yield from component.metrics()
