"""What the gateway does for causes by itself: months' tenths are confirmed, customers of closed causes asked, and what was kept
of gifts of customers who were erased goes when its time is over."""

import asyncio
import threading
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from gateway.api.actions.charity_months import confirm_due
from gateway.background import Work
from gateway.balance.gift_erasure import ForgetGifts, erased_givers
from gateway.charity.closed_causes import DAY_US, KeepClosed, asked_up_to, askings, choosers
from gateway.messaging.smsc_client import SmscClient
from gateway.notices.choice_questions import AskChoosers, Asked
from gateway.runtime.component import Component, Services, Stage
from gateway.store.async_submit import submit
from gateway.store.errors import LaneClosed
from gateway.store.leases import first_owner

LOOK_SECONDS: Final = 60.0
PAUSE: Final = 0.05
"""Seconds of rest after each part of a month that is read: charging goes first."""
FORGET_SECONDS: Final = 86_400.0
ASKED_AT_ONCE: Final = 100
"""Customers of a closed cause who are asked in one go, and between two of those so many seconds."""
ASK_PAUSE: Final = 2.0


class GivingComponent(Component):
    """Confirms months every `charity.confirm_every`; of gateways that share a store the one does that owns the first shard.

    Each asks the customers of closed causes whose lines are its own.
    """

    name: ClassVar[str] = "giving"
    stage: ClassVar[Stage] = Stage.INITIATORS

    def __init__(self, services: Services, smsc_client: SmscClient) -> None:
        """Take what it works with; nothing is done before `start`."""
        self._context, self._background, self._log = services.context, services.background, services.log
        self._smsc_client = smsc_client
        self._ending = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._confirmed_at = float("-inf")
        """Seconds of the clock that never goes back, when months were looked at last."""
        self._forgot_at = float("-inf")

    async def start(self) -> None:
        """Begin to look whether something is due."""
        self._tasks = [
            self._background.keep(name, partial(self._repeat, work))
            for name, work in (
                ("confirm months", self._confirm),
                ("ask customers of closed causes", self._ask),
                ("forget kept gifts", self._forget),
            )
        ]

    async def stop(self) -> None:
        """Stop after the part of a month that is being read; it is begun anew by the next start."""
        self._ending.set()
        for task in self._tasks:
            task.cancel()

    async def _repeat(self, work: Work) -> None:
        """Look at once, as a kill may have come in between, and then again and again."""
        while True:
            await work()
            await asyncio.sleep(LOOK_SECONDS)

    async def _confirm(self) -> None:
        every, now = self._context.settings.charity.confirm_every, self._context.monotonic()
        if not every or now - self._confirmed_at < every or not await self._is_mine():
            return
        await self._context.in_thread(confirm_due, self._context, self._rest)
        self._confirmed_at = now

    async def _forget(self) -> None:
        """Once a day, forget what was kept of customers who were erased, and is not needed any more."""
        now = self._context.monotonic()
        if now - self._forgot_at < FORGET_SECONDS or not await self._is_mine():
            return
        for giver in await self._context.read_async(erased_givers):
            done = await submit(self._context.lane, ForgetGifts(giver))
            if any(done.gone.values()):
                self._log("subscriber.gifts.forgotten", {"rows": sum(done.gone.values())})
        self._forgot_at = now

    async def _is_mine(self) -> bool:
        return await self._context.read_async(first_owner) == self._context.node.id

    def _rest(self, _work: str, _rows: int) -> None:
        if self._ending.wait(PAUSE):
            raise LaneClosed("the gateway is stopping")

    async def _ask(self) -> None:
        """Ask the customers of each closed cause that has no successor, as far as they were not asked."""
        context = self._context
        causes = context.settings.causes.values()
        closed = sorted(cause.id for cause in causes if not cause.open and cause.successor is None)
        known = await context.read_async(askings)
        if sorted(known) != closed and await self._is_mine():
            await submit(context.lane, KeepClosed(closed))
            known = await context.read_async(askings)
        for cause in known:
            for shard in context.node.owned:
                await self._ask_shard(cause, shard)

    async def _ask_shard(self, cause: str, shard: int) -> None:
        context = self._context
        while (after := await context.read_async(partial(asked_up_to, cause=cause, shard=shard))) is not None:
            look = partial(choosers, seals=context.cause_seals, cause=cause, shard=shard, after=after)
            page = await context.read_async(partial(look, now=context.clock(), most=ASKED_AT_ONCE))
            unit = AskChoosers(cause, shard, after, page.last, page.subscribers, self._last_day())
            asked: Asked = await submit(context.lane, unit, then=lambda done: self._smsc_client.enqueue(done.texts))
            if asked.waits:
                return
            if page.last is None:
                self._log("charity.closed.asked", {"cause": cause})
            if asked.texts:
                await asyncio.sleep(ASK_PAUSE)

    def _last_day(self) -> str:
        """Return until when who is asked now may choose, as it is written for people."""
        settings = self._context.settings
        at = self._context.clock() + settings.charity.ask_days * DAY_US
        return (
            f"{datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(ZoneInfo(settings.operator.timezone)):%Y-%m-%d}"
        )
