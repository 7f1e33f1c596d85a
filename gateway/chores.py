"""What the gateway does at intervals: supervise sessions, publish a month's sums of giving, expire texts and ask for silent
ones, sweep what is past its retention."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

from gateway.charging.supervision import ExpireSession, overdue
from gateway.charity.accrued import MonthReader, PublishMonth
from gateway.house import House
from gateway.messaging.exchange import Exchange
from gateway.messaging.reading import count_open
from gateway.messaging.sweeping import SweepMessaging
from gateway.sims.conductor import Conductor
from gateway.store.errors import LaneClosed, LaneOverloaded, StoreError
from gateway.store.sweeper import Sweep
from gateway.store.waiting import submit

SUPERVISION_SECONDS = 2.0
PUBLISH_SECONDS = 60.0
READING_PAUSE = 0.2
"""Seconds between two parts of a month's journal that is being added up: charging goes first."""
SWEEP_SECONDS = 60.0
EXPIRE_SECONDS = 5.0
INQUIRE_SECONDS = 5.0
COUNT_SECONDS = 5.0
COUNT_SHARE = 20
"""Open texts are counted again after this many times the time that counting took, lest a long queue costs a core."""
LAG_SECONDS = 0.5
Work = Callable[[], Coroutine[Any, Any, None]]


class Chores:
    """The gateway's timers; what one of them fails at is told, and tried again at its next turn."""

    def __init__(
        self,
        house: House,
        exchange: Exchange,
        conductor: Conductor,
        alarm: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        """Take what is worked on; nothing runs before `start`."""
        self._house, self._exchange, self._alarm = house, exchange, alarm
        self._conductor = conductor
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()
        self._lag_due = float("inf")
        self.lag = 0.0
        """Seconds that the event loop was late at its last look."""
        self._count_due = 0.0
        self.open_texts: dict[str, int] = {}
        """Texts that have not come to their end, by state."""

    def start(self) -> None:
        """Start every timer."""
        self._every(LAG_SECONDS, self._measure_lag)
        self._every(SUPERVISION_SECONDS, self._supervise)
        self._every(PUBLISH_SECONDS, self._publish_months)
        self._every(EXPIRE_SECONDS, self._exchange.expire)
        self._every(INQUIRE_SECONDS, self._exchange.inquire)
        self._every(COUNT_SECONDS, self._count_texts)
        self._every(SWEEP_SECONDS, self._sweep)
        self._every(SWEEP_SECONDS, self._conductor.retire_due)

    def stop(self) -> None:
        """Stop every timer."""
        for task in self._tasks:
            task.cancel()

    def _every(self, seconds: float, work: Work) -> None:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await work()
                except (StoreError, OSError) as error:
                    self._alarm("daemon.timer.failed", {"timer": work.__name__.lstrip("_"), "detail": str(error)})

        self._tasks.append(asyncio.create_task(repeat(), name=work.__name__))

    async def _measure_lag(self) -> None:
        now = self._loop.time()
        self.lag = max(0.0, now - self._lag_due)
        self._lag_due = now + LAG_SECONDS

    async def _count_texts(self) -> None:
        began = self._loop.time()
        if began < self._count_due:
            return
        node = self._house.node.id
        self.open_texts = await asyncio.to_thread(self._house.read, lambda connection: count_open(connection, node))
        ended = self._loop.time()
        self._count_due = ended + COUNT_SHARE * (ended - began)

    async def _supervise(self) -> None:
        now = self._house.clock()
        for session_id in await asyncio.to_thread(self._house.read, lambda connection: overdue(connection, now)):
            with suppress(LaneOverloaded, LaneClosed):
                if await submit(self._house.lane, ExpireSession(session_id)):
                    self._alarm("charging.session.expired", {"session_id": session_id})

    async def _publish_months(self) -> None:
        """Publish every month that is over and was not published, the oldest first."""
        while await self._publish_month():
            continue

    async def _publish_month(self) -> bool:
        house = self._house
        zone, now = ZoneInfo(house.settings.operator.timezone), house.clock()
        reader: MonthReader = await asyncio.to_thread(house.read, lambda connection: MonthReader(connection, zone, now))
        if reader.period is None:
            return False
        more = True
        while more:
            more = await asyncio.to_thread(house.read, reader.advance)
            await asyncio.sleep(READING_PAUSE)
        month = await asyncio.to_thread(reader.month)
        if await submit(house.lane, PublishMonth(house.node_name, month)):
            told = {"period": month.period, "figures": len(month.decision.figures)}
            self._alarm("charity.month.published", told)
        return True

    async def _sweep(self) -> None:
        settings = self._house.settings
        broker = settings.events.mqtt is not None
        while await submit(self._house.lane, Sweep(settings.retention, published_only=broker)):
            continue
        while await submit(
            self._house.lane, SweepMessaging(self._exchange.office, settings.retention.texts * 1_000_000)
        ):
            continue
