"""Gather what the status page shows: the running parts are asked in the event loop, the store beside it and not too often."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Final

import msgspec

from gateway.concerns import Concern, Onsets, concern, from_events, sorted_concerns
from gateway.context import GatewayContext
from gateway.events.forwarder import Forwarder
from gateway.messaging.smsc_client import SmscClient
from gateway.messaging.texts import TextState
from gateway.metrics.registry import Metrics
from gateway.privacy.masks import mask
from gateway.sims.order_executor import OrderExecutor
from gateway.status_page.alarms import RecentAlarms
from gateway.status_page.running_concerns import (
    BUSY,
    OLDEST,
    charging_concerns,
    concerns_of,
    giving_concerns,
    process_concerns,
)
from gateway.status_page.running_lines import link_line, outbox, peer_line
from gateway.status_page.sampling import Ring, Totals
from gateway.status_page.stored import read_store
from gateway.status_page.text_concerns import LinkStanding, text_concerns
from gateway.status_page.view import HostReach, Phase, Queue, Stored, Tone, View, ViewLine
from gateway.store.errors import StoreError
from protocols.diameter.node import Node

DURATION: Final = "tpo_charging_request_duration_seconds_bucket"
REQUESTS: Final = "tpo_charging_requests_total"
BATCHES: Final = ("tpo_store_batch_seconds_bucket", "tpo_store_batch_seconds_sum")
MAX_AGE: Final = 4.0
"""Seconds for which what was read from the store is shown again, however many look."""
PATIENCE: Final = 2.0
"""Seconds that a page waits for the store."""


class Parts(msgspec.Struct, frozen=True):
    """The parts of the running gateway; `lag` gives the seconds that its event loop is late."""

    smsc_client: SmscClient
    executor: OrderExecutor
    node: Node | None
    forwarder: Forwarder | None
    lag: Callable[[], float]
    open_texts: Callable[[], Mapping[str, int]] = dict
    """Texts that have not come to their end, by state, as they were counted last."""
    held_reports: Callable[[], int] = int
    fraud_cases: Callable[[], int] = int
    """Usage reports that wait for a decision, as they were counted last."""
    giving_due: Callable[[], int] = int
    """Days that money of causes has waited, where that is over 80 % of its time; else 0."""
    failing: Callable[[], Sequence[str]] = tuple
    """Background tasks that fail again and again."""
    nodes_gone: Callable[[], Sequence[str]] = tuple
    """Other gateways that are gone, whose rows wait, and that nobody has adopted."""
    backup: Callable[[], Sequence[Concern]] = tuple
    """What is wrong with the continuous backup."""
    sealed: Callable[[], Sequence[Concern]] = tuple
    """What is wrong with months that stand in files of their own."""


class StatusCollector:
    """Everything that the page tells of one gateway."""

    def __init__(
        self, context: GatewayContext, metrics: Metrics, recent_alarms: RecentAlarms, parts: Parts, started_at: float
    ) -> None:
        """Take what is looked at; `started_at` is Unix time."""
        self._context, self._metrics, self._recent_alarms, self._parts = context, metrics, recent_alarms, parts
        self._started_at = started_at
        self._ring = Ring()
        self._onsets = Onsets()
        self._stored, self._stored_at = Stored(), float("-inf")
        self._reading: asyncio.Task[None] | None = None

    def sample(self) -> None:
        """Take a reading of what is counted."""
        self._ring.add(self._totals())
        self.concerns()  # so that they have a beginning before somebody looks

    def concerns(self) -> list[Concern]:
        """Say what is not as it should be, as far as it is known without asking the store."""
        return self._concerns(*self._lines(), self._queues(), self._stored)

    def _lines(self) -> tuple[list[ViewLine], list[ViewLine], list[HostReach]]:
        """Return links, peers and hosts."""
        parts, environment = self._parts, self._context.environment
        links = [link_line(link.state(), environment) for link in parts.smsc_client.links().values()]
        peers = [peer_line(peer, environment) for peer in (parts.node.peers_state() if parts.node else [])]
        return links, peers, [HostReach(name, up) for name, up in parts.executor.hosts.items()]

    def _concerns(
        self,
        links: Sequence[ViewLine],
        peers: Sequence[ViewLine],
        hosts: Sequence[HostReach],
        queues: Sequence[Queue],
        stored: Stored,
    ) -> list[Concern]:
        parts, forwarder = self._parts, self._parts.forwarder
        oldest = forwarder.state().oldest_waiting if forwarder is not None else 0.0
        now = self._context.clock()
        found = sorted_concerns(
            [
                *process_concerns(parts.lag(), draining=self._context.draining, failing=parts.failing()),
                *[
                    concern("node.gone", f"gateway {name} is gone, and its work waits", name)
                    for name in parts.nodes_gone()
                ],
                *concerns_of(links, peers, hosts, queues, stored),
                *self._text_concerns(),
                *parts.backup(),
                *parts.sealed(),
                *charging_concerns(self._ring.samples(), parts.held_reports(), parts.fraud_cases()),
                *giving_concerns(parts.giving_due()),
                *([concern("outbox.waiting", f"events wait {oldest:.0f} s for the broker")] if oldest > OLDEST else []),
                *from_events(self._recent_alarms.count_since, now),
            ]
        )
        return self._onsets.dated(found, now)

    async def view(self) -> View:
        """Gather everything as it is now."""
        stored = await self._read_store()
        parts, now = self._parts, self._context.clock()
        links, peers, hosts = self._lines()
        queues = self._queues()
        settings = self._context.settings
        return View(
            operator=settings.operator.name,
            node=self._context.node_name,
            version=version("tpo-gateway"),
            now=now,
            age=now / 1_000_000 - self._started_at,
            state="draining" if self._context.draining else "running",
            concerns=self._concerns(links, peers, hosts, queues, stored),
            links=links,
            peers=peers,
            samples=self._ring.samples(),
            phases=[Phase(name, seconds, p99) for name, seconds, p99 in self._ring.phases()],
            queues=queues,
            hosts=hosts,
            orders_running=parts.executor.running,
            stored=stored,
            recent_alarms=self._recent_alarms.all(),
        )

    def _text_concerns(self) -> list[Concern]:
        """Say what is not as it should be with links and texts."""
        client, open_texts = self._parts.smsc_client, self._parts.open_texts()
        return text_concerns(
            [LinkStanding(name, link.away) for name, link in client.links().items() if link.config.bind != "receiver"],
            client.losses,
            stranded=client.stranded,
            waiting=max(open_texts.get(TextState.QUEUED, 0), client.depth),
            doubtful=open_texts.get(TextState.DOUBTFUL, 0),
            without_route=client.without_route,
        )

    def _totals(self) -> Totals:
        found = self._metrics.registry.restricted_registry([DURATION, REQUESTS, *BATCHES]).collect()
        latency: dict[float, int] = {}
        phases: dict[str, dict[float, int]] = {}
        seconds: dict[str, float] = {}
        refused = 0
        for sample in (each for metric in found for each in metric.samples):
            labels = sample.labels
            if sample.name == DURATION:
                latency[float(labels["le"])] = int(sample.value)
            elif sample.name == REQUESTS and (labels["result"].startswith("3") or labels["result"] == "5012"):
                refused += int(sample.value)
            elif sample.name == BATCHES[0]:
                phases.setdefault(labels["phase"], {})[float(labels["le"])] = int(sample.value)
            elif sample.name == BATCHES[1]:
                seconds[labels["phase"]] = sample.value
        smsc_client = self._parts.smsc_client
        return Totals(
            self._context.monotonic(),
            tuple(sorted(latency.items())),
            smsc_client.sent,
            smsc_client.arrived,
            sum(self._parts.executor.finished.values()),
            refused,
            tuple((phase, seconds.get(phase, 0.0), tuple(sorted(counts.items()))) for phase, counts in phases.items()),
        )

    async def _read_store(self) -> Stored:
        """Read the store, unless it was read just now; one reader at a time, and nobody waits long for it."""
        if self._reading is None and self._context.monotonic() - self._stored_at > MAX_AGE:
            self._reading = asyncio.create_task(self._read_now(), name="status page: the store")
        if self._reading is not None:
            try:
                await asyncio.wait_for(asyncio.shield(self._reading), PATIENCE)
            except TimeoutError:
                return Stored(trouble="it does not answer")
        return self._stored

    async def _read_now(self) -> None:
        try:
            names = {cause.id: cause.name for cause in self._context.settings.causes.values()}
            self._stored = await self._context.read_async(lambda connection: read_store(connection, names))
        except StoreError as error:
            self._stored = Stored(trouble=mask(str(error)) or type(error).__name__)
        finally:
            self._stored_at, self._reading = self._context.monotonic(), None

    def _queues(self) -> list[Queue]:
        lane, forwarder = self._context.lane, self._parts.forwarder
        tone = Tone.BAD if lane.in_trouble or not lane.alive else Tone.WARN if lane.depth > BUSY else Tone.GOOD
        notes = {
            Tone.BAD: "The store is in trouble.",
            Tone.WARN: "The disk is behind.",
            Tone.GOOD: "Units to be committed.",
        }
        parts = Queue(
            "Texts in memory", f"{self._parts.smsc_client.depth:,}", "Parts that wait for a free place in a window."
        )
        return [Queue("Write lane", f"{lane.depth:,}", notes[tone], tone), parts, outbox(forwarder)]
