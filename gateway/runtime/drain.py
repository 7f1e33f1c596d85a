"""Leaving in peace: nothing new is taken in, what runs comes to its end, then the gateway stops.

New charging sessions are refused as 3004 (TOO_BUSY) rather than their peers left (DPR): a refused client turns to another
gateway with its new session, while those that run here still report here. The DPR comes when they are over, or the time is.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

import msgspec
from sqlalchemy import Connection, func, select

from gateway.api.action import AsyncAction, RunningAction
from gateway.api.answers.nodes import DrainLeft, DrainState
from gateway.api.callers import ADMIN, VIEWER, Caller
from gateway.api.problems import conflict
from gateway.api.requests.fields import Nothing
from gateway.api.requests.nodes import BeginDrain
from gateway.runtime.component import Component, Services, Stage
from gateway.store.errors import StoreError
from gateway.store.tables import sessions

LOOK_SECONDS = 0.5
FOLLOW_SECONDS = 0.5
"""How long whoever follows waits for the end of the waiting, before it is told how far things are."""
PATIENCE_SECONDS = 5.0
"""How long a look at the store may take: one that hangs must not hold up the end."""


class Drain(Component):
    """The last phase before the end; it is entered once, and not left again."""

    name: ClassVar[str] = "drain"
    stage: ClassVar[Stage] = Stage.INITIATORS

    def __init__(
        self, services: Services, *, texts: Callable[[], int], orders: Callable[[], int], end: Callable[[], None]
    ) -> None:
        """Take what counts the parts of texts and the orders under way; `end` stops the gateway."""
        self._context, self._log, self._background = services.context, services.log, services.background
        self._texts, self._orders, self._end = texts, orders, end
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._left: DrainLeft | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    def actions(self) -> dict[str, RunningAction]:
        """Return what `tpo drain` asks for: to begin ({timeout}, seconds), and how it goes on."""

        async def begin(request: BeginDrain, _caller: Caller) -> DrainState:
            self.begin(request.timeout)
            return self._state()

        async def follow(_request: Nothing, _caller: Caller) -> DrainState:
            if self._task is None:
                raise conflict("drain.none", "this gateway does not drain: begin with `tpo drain`")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), FOLLOW_SECONDS)
            return self._state()

        return {
            "gateway.drain": AsyncAction(begin, ADMIN, BeginDrain),
            "gateway.drain.follow": AsyncAction(follow, VIEWER, Nothing),
        }

    def begin(self, seconds: float) -> None:
        """Refuse what is new and wait at most so long for what runs; a second call only sets the time anew."""
        self._context.draining = True
        self._until = self._loop.time() + seconds
        self._log("daemon.draining", {"seconds": seconds})
        if self._task is None:
            self._task = self._background.keep("draining", self._wait)

    async def stop(self) -> None:
        """Wait no longer; what is new stays refused."""
        self._over.set()
        if self._task is not None:
            self._task.cancel()

    def state(self) -> DrainState | None:
        """Return what is waited for; None while nobody drains."""
        return None if self._task is None else self._state()

    def _state(self) -> DrainState:
        seconds = max(0.0, round(self._until - self._loop.time(), 1))
        return DrainState(self._left, seconds, self._over.is_set())

    async def _wait(self) -> None:
        while self._loop.time() < self._until:
            self._left = await self._look()
            if not self._left:
                break
            await asyncio.sleep(LOOK_SECONDS)
        if self._left:
            self._log("daemon.drain.incomplete", msgspec.to_builtins(self._left))
        self._over.set()
        self._end()

    async def _look(self) -> DrainLeft:
        node = self._context.node.id

        def count(connection: Connection) -> int:
            rows = select(func.count()).where(sessions.c.node == node, sessions.c.closed_at.is_(None))
            return connection.execute(rows.select_from(sessions)).scalar_one()

        found: int | None
        try:
            found = await asyncio.wait_for(self._context.read_async(count), PATIENCE_SECONDS)
        except (StoreError, TimeoutError):  # whatever runs then runs on; the time ends it
            found = None
        return DrainLeft(found, self._texts(), self._orders())
