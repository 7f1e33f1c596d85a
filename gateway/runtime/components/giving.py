"""What the gateway does for causes by itself: it confirms each month's tenths once the month is over."""

import asyncio
import threading
from typing import ClassVar, Final

from gateway.api.months_confirmed import confirm_due
from gateway.runtime.component import Component, Services, Stage
from gateway.store.errors import LaneClosed
from gateway.store.leases import first_owner

LOOK_SECONDS: Final = 60.0
PAUSE: Final = 0.05
"""Seconds of rest after each part of a month that is read: charging goes first."""


class GivingComponent(Component):
    """Confirms months every `charity.confirm_every`; of gateways that share a store the one does that owns the first shard."""

    name: ClassVar[str] = "giving"
    stage: ClassVar[Stage] = Stage.DOORS

    def __init__(self, services: Services) -> None:
        """Take what it works with; nothing is done before `start`."""
        self._context, self._background = services.context, services.background
        self._ending = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._confirmed_at = float("-inf")
        """Seconds of the clock that never goes back, when months were looked at last."""

    async def start(self) -> None:
        """Begin to look whether something is due."""
        self._tasks = [self._background.every("confirm months", LOOK_SECONDS, self._confirm)]

    async def stop(self) -> None:
        """Stop after the part of a month that is being read; it is begun anew by the next start."""
        self._ending.set()
        for task in self._tasks:
            task.cancel()

    async def _confirm(self) -> None:
        every, now = self._context.settings.charity.confirm_every, self._context.monotonic()
        if not every or now - self._confirmed_at < every or not await self._is_mine():
            return
        await self._context.in_thread(confirm_due, self._context, self._rest)
        self._confirmed_at = now

    async def _is_mine(self) -> bool:
        return await self._context.read_async(first_owner) == self._context.node.id

    def _rest(self, _work: str, _rows: int) -> None:
        if self._ending.wait(PAUSE):
            raise LaneClosed("the gateway is stopping")
