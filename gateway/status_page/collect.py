"""Gather what the status page shows: the running parts are asked in the event loop, the store beside it and not too often."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from gateway.api.times import since
from gateway.charity.months import title
from gateway.charity.public_sums import SMALLER
from gateway.charity.publication import published
from gateway.concerns import Concern, Onsets, concern, from_events, sorted_concerns
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.events.forwarder import Forwarder
from gateway.ledger.accounts import UNASSIGNED
from gateway.messaging.smsc_client import SmscClient
from gateway.messaging.texts import TextState
from gateway.metrics.registry import Metrics
from gateway.privacy.masks import mask
from gateway.sims import queries
from gateway.sims.order_executor import OrderExecutor
from gateway.status_page.alarms import RecentAlarms
from gateway.status_page.formats import NOTHING
from gateway.status_page.sampling import Ring, Sample, Totals
from gateway.status_page.text_concerns import LinkStanding, text_concerns
from gateway.status_page.view import (
    CauseSum,
    Doubtful,
    Given,
    HostReach,
    Order,
    Phase,
    Queue,
    Stored,
    Tone,
    View,
    ViewLine,
)
from gateway.store.errors import StoreError
from gateway.store.tables import texts
from protocols.diameter.node import Node
from protocols.diameter.node_events import PeerState
from protocols.smpp.node_events import LinkState

DURATION: Final = "tpo_charging_request_duration_seconds_bucket"
REQUESTS: Final = "tpo_charging_requests_total"
BATCHES: Final = ("tpo_store_batch_seconds_bucket", "tpo_store_batch_seconds_sum")
MOST_COUNTED: Final = 20_000
"""Open texts that are counted at most: the page must not slow down what it watches."""
SHOWN: Final = 8
"""Orders and doubtful texts that are shown."""
MAX_AGE: Final = 4.0
"""Seconds for which what was read from the store is shown again, however many look."""
LATE: Final = 0.5
"""Seconds that the event loop may be late before the page says so."""
PATIENCE: Final = 2.0
"""Seconds that a page waits for the store."""
OLDEST: Final = 300.0
"""Seconds that an event may wait for the broker."""
MINUTE: Final = 12
"""Samples of one minute."""
SLOW: Final = 0.1
"""Seconds of the slowest charging request in a hundred, and below the share of refused ones, before a minute is a concern."""
REFUSED: Final = 0.01
BUSY: Final = 2048
"""Units that wait in the write lane, a quarter of what it takes, above which it is said to be behind."""


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


def outbox(forwarder: Forwarder | None) -> Queue:
    """Return the events that wait for the broker."""
    if forwarder is None:
        return Queue("Event outbox", NOTHING, "No broker is configured; `tpo events` reads them.")
    state = forwarder.state()
    if state.connected:
        return Queue("Event outbox", f"{state.waiting:,}", "The broker is connected.", Tone.GOOD)
    why = f": {mask(state.last_error)}" if state.last_error else ""
    return Queue("Event outbox", f"{state.waiting:,}", f"The broker is not connected{why}.", Tone.BAD)


def link_line(link: LinkState, environment: Environment) -> ViewLine:
    """Return an SMPP link."""
    now = environment.monotonic()
    if link.state.name.startswith("BOUND"):
        pauses = link.paused_until is not None and link.paused_until > now
        state = "suspended" if link.suspended else "throttled" if pauses else "up"
        tone = Tone.WARN if link.suspended or pauses else Tone.GOOD
    else:
        state, tone = ("down", Tone.BAD) if link.wanted else ("taken down", Tone.QUIET)
    remark = "" if link.retry_at is None else f"dialled again in {max(0.0, link.retry_at - now):.0f} s"
    if link.system_id and state != "down":
        remark = f"{link.state.value.replace('_', ' ').upper().replace('BOUND ', '')} to {link.system_id}"
    counters = link.counters
    figures = (
        ("sent", f"{counters.requests_out:,}"),
        ("received", f"{counters.requests_in:,}"),
        ("in flight", f"{link.waiting:,}"),
        ("throttled", f"{counters.throttled:,}"),
        ("doubtful", f"{counters.doubtful:,}"),
    )
    began, age = since(environment, link.since), now - link.since
    return ViewLine(link.name, state, tone, began, age, link.address, mask(remark), figures)


def peer_line(peer: PeerState, environment: Environment) -> ViewLine:
    """Return a Diameter peer."""
    now = environment.monotonic()
    up = peer.state == "open"
    state = "down" if not up else "up" if peer.watchdog == "okay" else "suspect"
    tone = {"up": Tone.GOOD, "suspect": Tone.WARN, "down": Tone.BAD}[state]
    remark = f"realm {peer.realm}" if up else f"{peer.state.replace('_', ' ')}, realm {peer.realm}"
    figures = (
        ("requests", f"{peer.requests_in:,}"),
        ("answers", f"{peer.answers_out:,}"),
        ("in work", f"{peer.outstanding:,}"),
        ("rejected", f"{peer.rejected:,}"),
        ("ours", f"{peer.requests_out:,}"),
    )
    began, age = since(environment, peer.since), now - peer.since
    return ViewLine(peer.identity, state, tone, began, age, peer.address, mask(remark), figures)


def process_concerns(lag: float, *, draining: bool, failing: Sequence[str] = ()) -> list[Concern]:
    """Say what is not as it should be with the process itself."""
    found = [concern("process.draining", "the gateway is draining: it takes nothing new")] if draining else []
    if lag > LATE:
        found.append(concern("process.late", f"the event loop is {lag:.1f} s late"))
    found += [concern("task.failing", f"the task {name} fails again and again", name) for name in failing]
    return found


LINES: Final = {
    ("link", "down"): "link.down",
    ("link", "throttled"): "link.throttled",
    ("link", "suspended"): "link.suspended",
    ("peer", "down"): "peer.down",
    ("peer", "suspect"): "peer.suspect",
}
QUEUES: Final = {
    ("Write lane", Tone.BAD): "store.trouble",
    ("Write lane", Tone.WARN): "lane.behind",
    ("Event outbox", Tone.BAD): "broker.down",
}


def concerns_of(
    links: Sequence[ViewLine],
    peers: Sequence[ViewLine],
    hosts: Sequence[HostReach],
    queues: Sequence[Queue],
    stored: Stored,
) -> list[Concern]:
    """Say what is not as it should be with what the page shows; `gateway.concerns` has the kinds."""
    found = []
    for kind, lines in (("link", links), ("peer", peers)):
        troubled = (Tone.BAD, Tone.WARN)
        found += [
            concern(LINES.get((kind, line.state), f"{kind}.down"), f"{kind} {line.name} is {line.state}", line.name)
            for line in lines
            if line.tone in troubled
        ]
    found += [
        concern("host.unreachable", f"host {host.name} does not answer", host.name)
        for host in hosts
        if not host.reachable
    ]
    found += [
        concern(QUEUES.get((queue.name, queue.tone), "lane.behind"), f"{queue.name}: {queue.note.rstrip('.')}")
        for queue in queues
        if queue.tone in (Tone.BAD, Tone.WARN)
    ]
    if stored.trouble:
        found.append(concern("store.unreadable", "the store cannot be read"))
    if not links and not peers:
        found.append(concern("config.empty", "no link and no peer is configured: nothing is charged, no text goes out"))
    return found


def charging_concerns(samples: Sequence[Sample], held_reports: int, fraud_cases: int = 0) -> list[Concern]:
    """Say what is wrong with charging: a minute of slow or refused requests, and reports that wait for a decision."""
    found, minute = [], samples[-MINUTE:]
    slow = [sample.p99 for sample in minute if sample.p99 is not None]
    if len(minute) == MINUTE and slow and min(slow) > SLOW:
        found.append(
            concern("charging.slow", f"one charging request in a hundred takes {min(slow) * 1000:.0f} ms or more")
        )
    requests, refused = (sum(getattr(sample, name) for sample in minute) for name in ("requests", "refused"))
    if refused > REFUSED * max(requests, refused):
        words = f"{refused / max(requests, refused):.0%} of charging requests were refused in the last minute"
        found.append(concern("charging.refused", words))
    if fraud_cases:
        found.append(concern("fraud.suspected", f"{fraud_cases:,} lines passed a fraud limit and wait for somebody"))
    if held_reports:
        found.append(concern("reports.held", f"{held_reports:,} usage reports wait for a decision"))
    return found


def giving_concerns(days: int) -> list[Concern]:
    """Say that money of causes has waited for most of its time: `days` is how long, 0 where none has."""
    if not days:
        return []
    words = f"money of causes has waited for {days} days, over 80 % of the time in which they must have it"
    return [concern("charity.transmit_due", words)]


def read_store(connection: Connection, causes: Mapping[str, str]) -> Stored:
    """Read what stands in the store: open texts by state, the doubtful ones, the last orders, and what was published of giving.

    `causes` are the names of the causes by id.
    """
    return Stored(_open_texts(connection), _doubtful(connection), _orders(connection), given(connection, causes))


def given(connection: Connection, causes: Mapping[str, str]) -> Given:
    """Return the public-safe sums of the month that was published last: the page tells no other figure of giving."""
    found = published(connection)
    if found is None:
        return Given()
    period, figures = found
    names = {UNASSIGNED: "No cause chosen yet", SMALLER: SMALLER.capitalize(), **causes}
    sums = [CauseSum(names.get(each.cause, each.cause), each.currency, each.amount) for each in figures]
    return Given(title(period), sums)


def _open_texts(connection: Connection) -> list[tuple[str, str]]:
    some = select(texts.c.state).where(texts.c.final == 0).limit(MOST_COUNTED + 1).subquery()
    found = connection.execute(select(some.c.state, func.count()).group_by(some.c.state))
    counted: dict[str, int] = {str(state): int(number) for state, number in found}
    more = "+" if sum(counted.values()) > MOST_COUNTED else ""
    states = (TextState.QUEUED, TextState.SUBMITTED, TextState.DOUBTFUL)
    return [(str(state), f"{counted.get(state, 0):,}{more}") for state in states]


def _doubtful(connection: Connection) -> list[Doubtful]:
    columns = (texts.c.id, texts.c.destination, texts.c.link, texts.c.updated_at)
    found = (
        select(*columns).where(texts.c.final == 0, texts.c.state == TextState.DOUBTFUL).order_by(texts.c.valid_until)
    )
    return [
        Doubtful(str(row.id), hidden(row.destination), row.link, row.updated_at)
        for row in connection.execute(found.limit(SHOWN))
    ]


def _orders(connection: Connection) -> list[Order]:
    return [
        Order(
            id=order.id,
            kind=order.kind,
            state=order.state,
            card=hidden(order.iccid),
            host=order.host or "",
            at=order.updated_at,
            error=mask(order.error or ""),
        )
        for order in queries.list_orders(connection, SHOWN)
    ]


def hidden(number: str) -> str:
    """Leave two digits of a number at its end: less than in logs, as a page is looked at over shoulders."""
    return f"…{number[-2:]}"
