"""The daemon: opens the house, lets the network and the commands in, keeps the timers, and closes everything in order."""

import asyncio
import gc
import signal
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from enum import Enum, IntEnum
from random import random
from typing import Any

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.charging.answers import APPLICATION
from gateway.charging.desk import CREDIT_CONTROL, ChargingDesk
from gateway.charging.supervision import ExpireSession, overdue
from gateway.charity.accrued import SumAccruals, Sums, gather
from gateway.events.forwarder import Forwarder
from gateway.house import House, office
from gateway.logs import get_logger, tell
from gateway.logs.catalogue import EVENTS
from gateway.messaging.exchange import Exchange, Route
from gateway.messaging.sweeping import SweepMessaging
from gateway.ops.metrics import Metrics, build_metrics, lane_metrics
from gateway.ops.server import Server
from gateway.ops.texts import Texts
from gateway.settings import Settings
from gateway.settings.sections import LinkTls, SmppLink
from gateway.store.batch import Unit
from gateway.store.errors import LaneClosed, LaneOverloaded, StoreError
from gateway.store.lane import Job
from gateway.store.sweeper import Sweep
from protocols.diameter.checks import STANDARD, Profile
from protocols.diameter.identity import Application, NodeIdentity, PeerConfig
from protocols.diameter.node import Node
from protocols.diameter.node_events import (
    ConnectFailed,
    HandlerFailed,
    MessageRejected,
    NodeEvent,
    PeerDown,
    PeerRecovered,
    PeerRejected,
    PeerSuspected,
    PeerUp,
    Undecodable,
)
from protocols.diameter.transitions import CloseReason, DisconnectCause
from protocols.smpp import link_events as smpp_events
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import LinkConfig
from protocols.smpp.limits import Limits as SmppLimits
from protocols.smpp.link_events import LinkEvent
from protocols.smpp.receipts import IdForm
from protocols.smpp.transitions import CloseReason as SmppClose

STOP_SECONDS = 10.0
SUPERVISION_SECONDS = 2.0
SUM_SECONDS = 15.0
SWEEP_SECONDS = 60.0
EXPIRE_SECONDS = 5.0
LAG_SECONDS = 0.5
MAX_LAG = 5.0
"""Seconds that the event loop may be late before the process calls itself dead."""
PRODUCT = "TPO gateway"
NODE_EVENTS: dict[type, str] = {
    PeerUp: "diameter.peer.up",
    PeerDown: "diameter.peer.down",
    PeerSuspected: "diameter.peer.suspected",
    PeerRecovered: "diameter.peer.recovered",
    ConnectFailed: "diameter.peer.unreachable",
    PeerRejected: "diameter.peer.rejected",
    MessageRejected: "diameter.message.rejected",
    HandlerFailed: "diameter.handler.failed",
    Undecodable: "diameter.message.undecodable",
}
LINK_EVENTS: dict[type, str] = {
    smpp_events.LinkUp: "smpp.link.up",
    smpp_events.LinkDown: "smpp.link.down",
    smpp_events.ConnectFailed: "smpp.link.unreachable",
    smpp_events.LinkRefused: "smpp.link.refused",
    smpp_events.LinkThrottled: "smpp.link.throttled",
    smpp_events.MessageRejected: "smpp.message.rejected",
    smpp_events.Undecodable: "smpp.message.undecodable",
    smpp_events.HandlerFailed: "smpp.handler.failed",
}


class Daemon:
    """One run of the gateway, from its settings to its last commit."""

    def __init__(self, settings: Settings) -> None:
        """Take checked settings; nothing is opened yet."""
        self._settings = settings
        self._log = get_logger()
        self._metrics = Metrics()
        self._stop = asyncio.Event()
        self._draining = False
        self._lag, self._lag_due = 0.0, float("inf")
        self._started_at = time.time()
        self._timers: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()
        self._house: House
        self._node: Node | None = None
        self._forwarder: Forwarder | None = None
        self._exchange: Exchange | None = None
        self._server: Server

    async def run(self, announce: Callable[[str], None] = lambda _line: None) -> None:
        """Open everything, serve until a signal says stop, close everything; StoreError or OSError where it cannot open."""
        self._log.info("daemon.starting", operator=self._settings.operator.name)
        for warning in self._settings.warnings:
            self._log.warning("config.warning", problem=str(warning))
        self._house = await asyncio.to_thread(
            House,
            self._settings,
            deliver=self._deliver,
            alarm=lambda event, detail: self._alarm(event, {"detail": detail}),
        )
        try:
            await self._open()
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self._stop.set)
            self._log.info("daemon.ready", api=str(self._server.port), diameter=self._node.ports if self._node else [])
            gc.collect()
            gc.freeze()  # what lives as long as the process is never looked through again
            announce("ready")
            await self._stop.wait()
        finally:
            await self._close()

    async def _open(self) -> None:
        house, settings = self._house, self._settings
        if settings.diameter is not None:
            self._node = self._make_node(house)
            await self._node.start()
        if settings.events.mqtt is not None:
            self._forwarder = Forwarder(house, settings.events.mqtt, on_event=self._on_broker)
            self._forwarder.start()
        self._exchange = self._make_exchange(house)
        await self._exchange.start()
        texts = Texts(house, self._exchange)
        self._server = Server(house, self._metrics, texts, live=self._live, ready=self._ready, status=self.status)
        self._metrics.collect_from(build_metrics)
        self._metrics.collect_from(lambda: lane_metrics(house.lane))
        self._metrics.collect_from(self._own_metrics)
        await self._server.start()
        self._every(LAG_SECONDS, self._measure_lag)
        self._every(SUPERVISION_SECONDS, self._supervise)
        self._every(SUM_SECONDS, self._sum_accruals)
        self._every(SWEEP_SECONDS, self._sweep)
        self._every(EXPIRE_SECONDS, self._exchange.expire)

    async def _close(self) -> None:
        """Say goodbye to the peers while their answers still go out, then drain the lane; a step's failure stops no other."""
        self._draining = True
        self._log.info("daemon.stopping")
        for timer in self._timers:
            timer.cancel()
        steps: list[Coroutine[Any, Any, object]] = []
        if self._node is not None:
            steps.append(self._node.stop(DisconnectCause.REBOOTING, STOP_SECONDS))
        if self._exchange is not None:
            steps.append(self._exchange.stop(STOP_SECONDS))
        if self._forwarder is not None:
            steps.append(self._forwarder.stop())
        if hasattr(self, "_server"):
            steps.append(self._server.stop())
        for step in steps:
            try:
                await asyncio.wait_for(step, STOP_SECONDS + 2)
            except (OSError, StoreError, TimeoutError) as error:
                self._alarm("daemon.stop.incomplete", {"detail": repr(error)})
        await asyncio.to_thread(self._house.close)
        self._log.info("daemon.stopped")

    def _make_node(self, house: House) -> Node:
        diameter = self._settings.diameter
        assert diameter is not None
        lenient = Profile(STANDARD.grouped, lenient=True)
        desk = ChargingDesk(
            house.desk(),
            house.lane,
            origin_host=diameter.identity,
            origin_realm=diameter.realm,
            deadline=self._settings.charging.deadline,
            clock=house.clock,
            monotonic=time.monotonic,
            observe=self._metrics.observe,
            alarm=lambda event, fields: self._alarm(event, dict(fields)),
            profiles={peer.identity: lenient for peer in diameter.peers if peer.profile == "lenient"},
        )
        identity = NodeIdentity(
            origin_host=diameter.identity,
            origin_realm=diameter.realm,
            product_name=PRODUCT,
            origin_state_id=house.node.origin_state_id,
            aliases=tuple(diameter.aliases),
            served_realms=tuple(diameter.served_realms),
        )
        peers = [
            PeerConfig(
                identity=peer.identity,
                realm=peer.realm,
                connect=(peer.connect.host, peer.connect.port) if peer.connect else None,
                tls=_client_context(peer.tls) if peer.tls else None,
                allowed_addresses=tuple(map(str, peer.addresses)),
                relay=peer.relay,
            )
            for peer in diameter.peers
        ]
        listen = [
            (at.address.host, at.address.port, _server_context(at.tls) if at.tls else None) for at in diameter.listen
        ]
        application = Application(desk.handle, frozenset({CREDIT_CONTROL}))
        return Node(
            identity,
            peers,
            {APPLICATION: application},
            listen,
            clock=time.monotonic,
            random=random,
            on_event=self._on_node,
        )

    def _make_exchange(self, house: House) -> Exchange:
        links = self._settings.smpp.links
        self._office = office(house, Alphabet(links[0].default_alphabet) if links else Alphabet.GSM7)
        return Exchange(
            self._office,
            house.lane,
            [_route(link) for link in links],
            read=house.read,
            node=house.node.id,
            clock=house.clock,
            monotonic=time.monotonic,
            random=random,
            on_event=self._on_link,
        )

    def _deliver(self, jobs: list[Job]) -> None:
        """Hand finished jobs from the lane's thread to the loop; after the loop has ended nobody waits for them."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_finish, jobs)

    def _alarm(self, event: str, fields: Mapping[str, object]) -> None:
        """Log an event that has a name in the catalogue, at its level there; what is worse than information is counted."""
        if EVENTS[event].level != "info":
            self._metrics.alarms.labels(event).inc()
        tell(self._log, event, **{name: _shown(value) for name, value in fields.items()})

    def _on_node(self, event: NodeEvent) -> None:
        name = NODE_EVENTS[type(event)]
        if isinstance(event, PeerDown) and event.reason in (CloseReason.LEFT, CloseReason.STOPPED):
            name = "diameter.peer.left"
        self._alarm(name, msgspec.structs.asdict(event))

    def _on_link(self, event: LinkEvent) -> None:
        name = LINK_EVENTS[type(event)]
        if isinstance(event, smpp_events.LinkDown) and event.reason in (SmppClose.LEFT, SmppClose.STOPPED):
            name = "smpp.link.left"
        self._alarm(name, msgspec.structs.asdict(event))

    def _on_broker(self, name: str, **fields: object) -> None:
        self._alarm(name, fields)

    def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await work()
                except (StoreError, OSError) as error:
                    self._alarm("daemon.timer.failed", {"timer": work.__name__.lstrip("_"), "detail": str(error)})

        self._timers.append(asyncio.create_task(repeat(), name=work.__name__))

    async def _submit(self, unit: Unit[Any]) -> Any:  # noqa: ANN401  (whatever the unit answers)
        future: asyncio.Future[Any] = self._loop.create_future()

        def done(answer: Any, error: StoreError | None) -> None:  # noqa: ANN401  (whatever the unit answers)
            if not future.cancelled():
                future.set_exception(error) if error is not None else future.set_result(answer)

        self._house.lane.post(unit, done)
        return await future

    async def _measure_lag(self) -> None:
        now = self._loop.time()
        self._lag = max(0.0, now - self._lag_due)
        self._lag_due = now + LAG_SECONDS

    async def _supervise(self) -> None:
        def look() -> list[str]:
            with self._house.reading() as connection:
                return overdue(connection, self._house.clock())

        for session_id in await asyncio.to_thread(look):
            with suppress(LaneOverloaded, LaneClosed):
                if await self._submit(ExpireSession(session_id)):
                    self._alarm("charging.session.expired", {"session_id": session_id})

    async def _sum_accruals(self) -> None:
        def look() -> Sums | None:
            with self._house.reading() as connection:
                return gather(connection, self._house.node.id, self._house.clock())

        while (sums := await asyncio.to_thread(look)) is not None:
            await self._submit(SumAccruals(self._house.node_name, sums))

    async def _sweep(self) -> None:
        retention, broker = self._settings.retention, self._settings.events.mqtt is not None
        while await self._submit(Sweep(retention, published_only=broker)):
            continue
        await self._submit(SweepMessaging(self._office, retention.texts * 1_000_000))

    def _live(self) -> dict[str, bool]:
        return {"event_loop": self._lag < MAX_LAG, "store": self._house.lane.alive}

    def _ready(self) -> dict[str, bool]:
        return {"not_draining": not self._draining, "store": self._house.lane.alive and not self._house.lane.in_trouble}

    def _own_metrics(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("tpo_event_loop_lag_seconds", "How late the event loop was lately", self._lag)
        yield GaugeMetricFamily("tpo_start_time_seconds", "When this process started, Unix time", self._started_at)
        if self._node is not None:
            peers = GaugeMetricFamily("tpo_diameter_peer_up", "1 while the peer's connection is open", labels=["peer"])
            for peer in self._node.peers_state():
                peers.add_metric([peer.identity], 1.0 if peer.state == "open" else 0.0)
            yield peers
        if self._exchange is not None:
            yield GaugeMetricFamily("tpo_sms_queue_depth", "Parts of texts that wait in memory", self._exchange.depth)
            links = GaugeMetricFamily("tpo_smpp_link_up", "1 while the link is bound", labels=["link"])
            for link_name, link in self._exchange.links().items():
                links.add_metric([link_name], 1.0 if link.bound else 0.0)
            yield links
        if self._forwarder is not None:
            state = self._forwarder.state()
            yield GaugeMetricFamily("tpo_events_waiting", "Outbox rows that the broker has not got", state.waiting)
            yield GaugeMetricFamily(
                "tpo_events_oldest_waiting_seconds", "Age of the oldest of them", state.oldest_waiting
            )
            yield GaugeMetricFamily(
                "tpo_events_broker_up", "1 while connected to the broker", 1.0 if state.connected else 0.0
            )

    def status(self) -> dict[str, Any]:
        """Tell what `tpo status` shows."""
        counters = self._house.lane.counters
        return {
            "state": "draining" if self._draining else "running",
            "node": self._house.node_name,
            "since": self._started_at,
            "ready": self._ready(),
            "lane": {"waiting": self._house.lane.depth, **msgspec.to_builtins(counters)},
            "peers": [msgspec.to_builtins(peer) for peer in self._node.peers_state()] if self._node else [],
            "events": msgspec.to_builtins(self._forwarder.state()) if self._forwarder else None,
        }


def _route(link: SmppLink) -> Route:
    """Turn a link's settings into what the exchange needs."""
    config = LinkConfig(
        name=link.name,
        host=link.host,
        port=link.port,
        system_id=link.system_id,
        password=link.password.reveal() if link.password is not None else "",
        system_type=link.system_type,
        bind=link.bind,
        interface_version=0x50 if link.version == "5.0" else 0x34,
        tls=_link_context(link.tls) if link.tls else None,
        limits=SmppLimits(
            window=link.window,
            rate=float(link.rate),
            enquire_link=float(link.enquire_link),
            response_timeout=float(link.response_timeout),
        ),
    )
    alphabet, form = Alphabet(link.default_alphabet), IdForm(link.message_id)
    return Route(config, alphabet, form, link.doubtful, float(link.doubtful_wait))


def _link_context(tls: LinkTls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(tls.ca))
    if tls.cert is not None and tls.key is not None:
        context.load_cert_chain(tls.cert, tls.key)
    return context


def _shown(value: object) -> object:
    """Give a field of an event as a log line has it: enums by what they mean, numbers as they are."""
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, Enum):
        return str(value.value)
    return value if value is None or isinstance(value, int | float) else str(value)


def _finish(jobs: list[Job]) -> None:
    for job in jobs:
        job.done(job.answer, job.error)


def _server_context(tls: Any) -> ssl.SSLContext:  # noqa: ANN401  (settings.sections.Tls)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tls.ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tls.cert, tls.key)
    return context


def _client_context(tls: Any) -> ssl.SSLContext:  # noqa: ANN401  (as above)
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(tls.ca))
    context.load_cert_chain(tls.cert, tls.key)
    return context
