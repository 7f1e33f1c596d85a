"""The forwarder: what waits in the outbox goes to the broker, in order, and is marked once the broker has it.

Rows are read in chunks beside the lane, published with QoS 1 and then marked by a unit of the lane. A row is marked only
after its acknowledgement, so an event may come twice and never not at all; and since a chunk starts at the oldest row
that is not marked, every first coming is in order, but for an event that the broker refuses and takes later. While the
broker is away, rows wait on disk and memory stays as it is.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from random import Random
from typing import Final, Protocol

from gateway.background import LAST_DELAY, Background, new_backoff
from gateway.environment import Environment
from gateway.events.broker import TIMEOUT, Broker, BrokerSettings
from gateway.events.forwarder_state import ForwarderState
from gateway.events.outbox_queue import MAX_ROWS, Backlog, MarkPublished, WaitingRow, backlog, read_waiting
from gateway.events.times import MICROSECONDS, rfc3339
from gateway.store.async_read import AsyncRead
from gateway.store.errors import LaneClosed, StoreError
from gateway.store.nodes import Node
from gateway.store.write_lane import WriteLane

PAUSE: Final = 0.2
"""Seconds between two looks into the outbox while there is little in it: rows gather, and are marked together."""
STORE_PAUSE: Final = 1.0
"""Seconds until a store that could not be read is tried again; the lane and the counting tell of its trouble."""
MEASURE_SECONDS: Final = 5.0
STOP_SECONDS: Final = 5.0


class OpenStore(Protocol):
    """What the forwarder works on."""

    @property
    def lane(self) -> WriteLane:
        """The lane that marks."""

    @property
    def node(self) -> Node:
        """The node whose shards' rows are forwarded."""

    @property
    def node_name(self) -> str:
        """Its name, which begins the MQTT client identifier."""

    @property
    def may_send(self) -> bool:
        """Whether no other gateway can have taken over."""

    @property
    def clock(self) -> Callable[[], int]:
        """The time in microseconds."""

    @property
    def environment(self) -> Environment:
        """Its clocks, chance and threads."""

    @property
    def read_async(self) -> AsyncRead:
        """What reads the store."""


class Forwarder:
    """A task that publishes the events of one node's shards for as long as the gateway runs.

    `on_event` is told `events.broker.up` {broker} and `events.broker.down` {broker, error, retry_in}.
    """

    def __init__(
        self,
        store: OpenStore,
        settings: BrokerSettings,
        *,
        on_event: Callable[..., None],
        timeout: float = TIMEOUT,
        background: Background | None = None,
    ) -> None:
        """Take the open store and the broker's settings; nothing runs before `start`."""
        self._store, self._settings, self._timeout = store, settings, timeout
        self._on_event, self._background = on_event, background or Background()
        random = store.environment.random
        self._backoff = new_backoff(random)
        self._client_id = f"tpo-{store.node_name[:40]}-{random.getrandbits(32):08x}"
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._backlog = Backlog()
        self._connected_at: int | None = None
        self._published = 0
        self._last_error: str | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        keep = self._background.keep
        self._tasks = [keep("forward events", self._forward), keep("measure the outbox", self._measure)]

    async def stop(self, within: float = STOP_SECONDS) -> None:
        """Finish what is under way, for so many seconds at most, then let go."""
        self._stopping.set()
        if not self._tasks:
            return
        forward, measure = self._tasks
        measure.cancel()
        await asyncio.wait((forward,), timeout=within)
        forward.cancel()
        await asyncio.gather(forward, measure, return_exceptions=True)

    def state(self) -> ForwarderState:
        """Return how things stand; the backlog is a few seconds old at most."""
        oldest, since = self._backlog.oldest_at, self._connected_at
        return ForwarderState(
            connected=since is not None,
            connected_since=None if since is None else rfc3339(since),
            waiting=self._backlog.waiting,
            oldest_waiting=0.0 if oldest is None else max(0.0, (self._store.clock() - oldest) / MICROSECONDS),
            published=self._published,
            last_error=self._last_error,
        )

    async def _forward(self) -> None:
        in_thread = self._store.environment.in_thread
        while not self._stopping.is_set():
            broker = Broker(
                self._settings,
                self._client_id,
                in_thread=in_thread,
                timeout=self._timeout,
                may_send=lambda: self._store.may_send,
            )
            try:
                if await self._unless_stopping(broker.open()):
                    await self._pump(broker)
                await broker.close()
            except Exception as error:  # noqa: BLE001  (whatever it is, events must not pile up for ever because of it)
                broker.abandon()
                await self._wait_after(error)
            finally:
                broker.abandon()
                self._connected_at = None

    async def _pump(self, broker: Broker) -> None:
        """Publish until told to stop; whatever goes wrong is raised."""
        self._connected_at = self._store.clock()
        self._on_event("events.broker.up", broker=self._address())
        while not self._stopping.is_set():
            rows = await self._read_rows(broker)
            acknowledged, error = await broker.publish(rows) if rows else ([], None)
            if acknowledged:
                await self._mark(acknowledged)
                self._published += len(acknowledged)
                self._backoff.reset()
            if error is not None:
                raise error
            if len(rows) < MAX_ROWS:
                await self._unless_stopping(broker.idle(PAUSE))

    async def _read_rows(self, broker: Broker) -> list[WaitingRow]:
        """Read what waits, again after a while where the store is in trouble: that is not the broker's fault."""
        try:
            return await self._store.read_async(lambda connection: read_waiting(connection, self._store.node.owned))
        except StoreError:
            await self._unless_stopping(broker.idle(STORE_PAUSE))
            return []

    async def _mark(self, rows: Sequence[int]) -> None:
        """Mark rows, again until it is on disk: reading them once more would publish them once more."""
        delays = new_backoff(Random(0))  # noqa: S311  (nobody else waits for this lane)
        while True:
            try:
                await self._submit(MarkPublished(list(rows)))
            except LaneClosed:
                raise
            except StoreError:
                await asyncio.sleep(delays.next())
            else:
                return

    async def _submit(self, unit: MarkPublished) -> None:
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()

        def settle(error: StoreError | None) -> None:
            if not finished.done():
                finished.set_result(None) if error is None else finished.set_exception(error)

        def done(_answer: object, error: StoreError | None) -> None:  # the number of rows, known already
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(settle, error)

        self._store.lane.post(unit, done)
        await finished

    async def _wait_after(self, error: Exception) -> None:
        if self._stopping.is_set():
            return
        up_for = 0 if self._connected_at is None else self._store.clock() - self._connected_at
        if up_for > LAST_DELAY * MICROSECONDS:
            self._backoff.reset()
        delay = self._backoff.next()
        self._connected_at = None
        self._last_error = str(error) or type(error).__name__
        self._on_event("events.broker.down", broker=self._address(), error=self._last_error, retry_in=round(delay, 1))
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._stopping.wait()

    async def _unless_stopping(self, work: Coroutine[None, None, None]) -> bool:
        """Do something, or give it up when the forwarder is to stop; False if it was given up."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            return task.done()
        finally:
            task.cancel()
            stop.cancel()

    async def _measure(self) -> None:
        while True:
            self._backlog = await self._store.read_async(lambda connection: backlog(connection, self._store.node.owned))
            await asyncio.sleep(MEASURE_SECONDS)

    def _address(self) -> str:
        return f"{self._settings.broker.host}:{self._settings.broker.port}"
