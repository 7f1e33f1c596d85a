"""The daemon: opens the store, lets the network and the commands in, keeps the timers, and closes everything in order."""

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress

from prometheus_client.core import Metric

from gateway.api.answers import GatewayStatus
from gateway.api.order_actions import OrderActions
from gateway.api.server import Server
from gateway.api.session_actions import SessionActions
from gateway.api.sms_actions import SmsActions
from gateway.api.subscriber_routes import LISTENER, SubscriberRoutes
from gateway.api.trace_actions import TraceActions
from gateway.background import Background
from gateway.charging.gy.peer_restarts import PeerRestarts
from gateway.charging.gy.reauth_abort import SessionRequests
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.events.forwarder import Forwarder
from gateway.logs import crashes, get_logger
from gateway.logs.catalogue import EVENTS
from gateway.logs.event_logger import EventLogger
from gateway.logs.limit import INTERVAL
from gateway.messaging.queue.query_sm import QueryEvent
from gateway.messaging.smsc_client import SmscClient
from gateway.messaging.text_events import TextEvent
from gateway.metrics.registry import Metrics
from gateway.metrics.sources import (
    event_metrics,
    lane_metrics,
    link_metrics,
    order_metrics,
    peer_metrics,
    process_metrics,
    task_metrics,
    text_metrics,
    trace_metrics,
)
from gateway.policies import make_policies
from gateway.runtime.drain import Drain
from gateway.runtime.factories import (
    Listening,
    make_credit_control_server,
    make_node,
    make_order_executor,
    make_peer_restarts,
    make_session_requests,
    make_smsc_client,
)
from gateway.runtime.periodic import PeriodicWork
from gateway.runtime.protocol_events import fields_of, name_of
from gateway.runtime.reload import Reload, Running
from gateway.runtime.status import gateway_status
from gateway.runtime.systemd import Notify
from gateway.settings import Settings
from gateway.sims.order_executor import OrderExecutor
from gateway.status_page.alarms import RecentAlarms
from gateway.status_page.collect import Parts, StatusCollector
from gateway.status_page.routes import StatusPage
from gateway.store.errors import StoreError
from gateway.store.lane import Job
from gateway.tracing.traces import Traces
from gateway.tracing.undecodable import Undecodable
from protocols.diameter.node import Node, NodeEvent
from protocols.diameter.transitions import DisconnectCause
from protocols.smpp.node_events import LinkEvent
from protocols.tap import Tap

STOP_SECONDS = 10.0
MAX_LAG = 5.0
"""Seconds that the event loop may be late before the process calls itself dead."""


class Daemon:
    """One run of the gateway, from its settings to its last commit."""

    def __init__(self, settings: Settings, environment: Environment | None = None) -> None:
        """Take checked settings; nothing is opened yet."""
        self._settings = settings
        self._log = get_logger()
        self._environment = environment = environment or Environment()
        self._event_logger = EventLogger(self._log, environment.monotonic)
        self._metrics = Metrics()
        self._recent_alarms = RecentAlarms()
        self._notify = Notify()
        self._background = Background(self._alarm, environment=environment)
        self._stop = asyncio.Event()
        self._started_at = environment.clock() / 1_000_000
        self._loop = asyncio.get_running_loop()
        self._context: GatewayContext
        self._node: Node | None = None
        self._session_requests: SessionRequests | None = None
        self._peer_restarts: PeerRestarts | None = None
        self._forwarder: Forwarder | None = None
        self._smsc_client: SmscClient | None = None
        self._executor: OrderExecutor | None = None
        self._periodic: PeriodicWork | None = None
        self._page: StatusPage | None = None
        self._reloading: Reload | None = None
        self._draining: Drain | None = None
        self._traces = Traces(self._set_tap, environment, self._loop.call_later, self._alarm)
        self._undecodable = Undecodable()
        self._server: Server

    async def run(self, announce: Callable[[str], None] = lambda _line: None) -> None:
        """Open everything, serve until a signal says stop, close everything; StoreError or OSError where it cannot open."""
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
            alarm=lambda event, detail: self._alarm(event, {"detail": detail}),
            log=self._alarm,
            environment=self._environment,
        )
        try:
            await self._open()
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self._stop.set)
            self._loop.add_signal_handler(signal.SIGHUP, self._reload)
            self._log.info("daemon.ready", api=str(self._server.port), diameter=self._node.ports if self._node else [])
            gc.collect()
            gc.freeze()  # what lives as long as the process is never looked through again
            announce("ready")
            self._notify.ready()
            self._background.keep("signs of life", self._give_signs_of_life)
            self._background.every("held-back log lines", INTERVAL, self._tell_what_is_held_back)
            await self._stop.wait()
        finally:
            await self._close()

    async def _open(self) -> None:
        context, settings = self._context, self._settings
        metrics = self._metrics
        listening = Listening(
            metrics.observe, metrics.observe_session_request, self._alarm, self._on_network, self._background
        )
        self._smsc_client = make_smsc_client(context, settings.smpp.links, listening)
        await self._smsc_client.start()
        charging = None
        if settings.diameter is not None:
            self._peer_restarts = make_peer_restarts(context, settings.diameter, listening)
            charging = make_credit_control_server(context, settings.diameter, listening)
            self._node = make_node(context, settings.diameter, charging, listening)
            self._session_requests = make_session_requests(context, settings.diameter, self._node, listening)
            await self._node.start()
        if settings.events.mqtt is not None:
            mqtt = settings.events.mqtt
            self._forwarder = Forwarder(context, mqtt, on_event=self._on_broker, background=self._background)
            self._forwarder.start()
        self._executor = make_order_executor(context, self._smsc_client, self._session_requests, listening)
        self._executor.start()
        self._periodic = PeriodicWork(context, self._smsc_client, self._executor, self._alarm, self._background)
        self._metrics.collect_from(self._own_metrics)
        running = Running(
            context,
            self._smsc_client,
            self._executor,
            charging,
            self._node,
            self._session_requests,
            self._peer_restarts,
        )
        self._reloading = Reload(running, self._alarm)
        self._draining = Drain(running, self._alarm, self._stop.set, self._background)
        texts = SmsActions(context, self._smsc_client)
        sims = OrderActions(context, self._executor)
        self._page = self._make_page(self._smsc_client, self._executor, self._periodic)
        actions = {**texts.actions(), **SessionActions(context, self._session_requests).actions(), **sims.actions()}
        actions |= {**self._reloading.actions(), **self._draining.actions()}
        traces = TraceActions(context, self._traces, self._undecodable, self._smsc_client, self._executor, self._node)
        actions |= traces.actions()
        self._server = Server(
            context,
            metrics,
            texts,
            actions=actions,
            routes=[*SubscriberRoutes(context, sims, self._executor).routes(), *self._page.routes()],
            open_paths=(LISTENER,),
            live=self._live,
            ready=self._ready,
            status=self.status,
            alarm=self._alarm,
        )
        await self._server.start()
        self._periodic.start()
        self._page.start()

    def _make_page(self, smsc_client: SmscClient, executor: OrderExecutor, periodic: PeriodicWork) -> StatusPage:
        parts = Parts(smsc_client, executor, self._node, self._forwarder, lambda: periodic.lag)
        return StatusPage(
            StatusCollector(self._context, self._metrics, self._recent_alarms, parts, self._started_at),
            self._background,
        )

    async def _close(self) -> None:
        """Say goodbye to the peers while their answers still go out, then drain the lane; a step's failure stops no other."""
        self._context.draining = True
        self._log.info("daemon.stopping")
        if self._draining is not None:
            self._draining.close_doors()
            self._draining.cancel()
        self._notify.stopping()
        if self._periodic is not None:
            self._periodic.stop()
        if self._page is not None:
            self._page.stop()
        steps: list[Coroutine[None, None, object]] = [self._traces.stop()]
        if self._reloading is not None:
            steps.append(self._reloading.end())
        if self._executor is not None:
            steps.append(self._executor.stop())
        if self._node is not None:
            steps.append(self._node.stop(DisconnectCause.REBOOTING, STOP_SECONDS))
        if self._smsc_client is not None:
            steps.append(self._smsc_client.stop(STOP_SECONDS))
        if self._forwarder is not None:
            steps.append(self._forwarder.stop())
        if hasattr(self, "_server"):
            steps.append(self._server.stop())
        for step in steps:
            try:
                await asyncio.wait_for(step, STOP_SECONDS + 2)
            except (OSError, StoreError, TimeoutError) as error:
                self._alarm("daemon.stop.incomplete", {"detail": repr(error)})
        await self._environment.in_thread(self._context.close)
        self._event_logger.finish()
        self._log.info("daemon.stopped")

    def _deliver(self, jobs: list[Job]) -> None:
        """Hand finished jobs from the lane's thread to the loop; after the loop has ended nobody waits for them."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_finish, self._loop, jobs)

    def _reload(self) -> None:
        """SIGHUP: what becomes of it is told in the log."""
        self._background.once("reload", self._take_over)

    async def _take_over(self) -> None:
        if self._reloading is not None:
            self._notify.reloading(self._environment.monotonic)
            try:
                await self._reloading.reload()
            finally:
                self._notify.ready()

    def _alarm(self, event: str, fields: Mapping[str, object]) -> None:
        """Log an event that has a name in the catalogue, at its level there; what is worse than information is counted."""
        self._count(event, fields)
        self._event_logger.log(event, fields)

    def _count(self, event: str, fields: Mapping[str, object]) -> None:
        """Count an event that is worse than information, and keep its latest words for the status page."""
        if EVENTS[event].level != "info":
            self._metrics.alarms.labels(event).inc()
            self._recent_alarms.record(event, fields, self._environment.clock())

    def _set_tap(self, tap: Tap | None) -> None:
        """Have all that goes over the wire told, or nothing any more."""
        for listened in (self._node, self._smsc_client, self._executor):
            if listened is not None:
                listened.set_tap(tap)

    def _on_network(self, event: NodeEvent | LinkEvent | QueryEvent | TextEvent) -> None:
        self._undecodable.record(event, self._environment.clock())
        self._alarm(name_of(event), fields_of(event))
        if self._peer_restarts is not None:
            self._peer_restarts.record(event)

    def _on_broker(self, name: str, **fields: object) -> None:
        self._alarm(name, fields)

    def _live(self) -> dict[str, bool]:
        return {
            "event_loop": self._periodic is not None and self._periodic.lag < MAX_LAG,
            "store": self._context.lane.alive,
        }

    async def _give_signs_of_life(self) -> None:
        """Tell the service manager that we live, for as long as we do; it restarts us when the signs end."""
        while self._notify.interval is not None:
            if all(self._live().values()):
                self._notify.alive()
            await asyncio.sleep(self._notify.interval)

    async def _tell_what_is_held_back(self) -> None:
        """Give the log its due for as long as we live: the last of a storm is told even if nothing follows it."""
        self._event_logger.settle()

    def _ready(self) -> dict[str, bool]:
        return {
            "not_draining": not self._context.draining,
            "store": self._context.lane.alive and not self._context.lane.in_trouble,
            **{f"task: {name}": False for name in self._background.failing},
        }

    def _own_metrics(self) -> Iterable[Metric]:
        yield from process_metrics(self._started_at, self._periodic.lag if self._periodic is not None else 0.0)
        yield from task_metrics(self._background.surprises)
        yield from trace_metrics(self._traces)
        yield from lane_metrics(self._context.lane)
        if self._node is not None:
            yield from peer_metrics(self._node)
        if self._smsc_client is not None:
            yield from link_metrics(self._smsc_client)
            yield from text_metrics(self._smsc_client, self._periodic.open_texts if self._periodic is not None else {})
        if self._executor is not None:
            yield from order_metrics(self._executor)
        if self._forwarder is not None:
            yield from event_metrics(self._forwarder.state())

    def status(self) -> GatewayStatus:
        """Tell what `tpo status` shows."""
        return gateway_status(
            self._context,
            self._node,
            self._forwarder,
            started_at=self._started_at,
            ready=self._ready(),
            drain=self._draining.state() if self._draining else None,
            traces=self._traces.running,
        )


def _finish(loop: asyncio.AbstractEventLoop, jobs: list[Job]) -> None:
    """Tell everybody what became of their units; an error of one of them keeps it from none of the others."""
    for job in jobs:
        try:
            job.done(job.answer, job.error)
        except Exception as error:  # noqa: BLE001  (told as a crash of a callback)
            loop.call_exception_handler({"message": f"the answer to {type(job.unit).__name__}", "exception": error})
