"""The other gateways on the same store: how they are asked, and how this one answers them. On an SQLite file there are none."""

import asyncio
from contextlib import suppress
from typing import ClassVar, Final

from gateway.api.node_requests import NodeRequests, NoOthers, OtherNodes, Perform
from gateway.runtime.component import Component, Services, Stage
from gateway.store.engine import sqlite_path
from gateway.store.errors import StoreError
from gateway.store.notifications import Notifications

LOOK_SECONDS: Final = 1.0
"""Between two looks for what waits, where no notification comes first."""


class NodesComponent(Component):
    """What comes from the other gateways, and goes to them."""

    name: ClassVar[str] = "nodes"
    stage: ClassVar[Stage] = Stage.API

    def __init__(self, services: Services) -> None:
        """Take what is open; nobody is asked or answered before `start`."""
        context = services.context
        self._context, self._background = context, services.background
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._notifications: Notifications | None = None
        self._watched: int | None = None
        """The file descriptor that notifications come by."""
        self._requests: NodeRequests | None = None
        url = context.settings.store.connect_url
        if sqlite_path(url) is None:
            self._notifications = Notifications(url, context.node.id)
            self._requests = NodeRequests(
                (context.node.id, context.node_name),
                context.lane,
                context.sealer,
                read=context.read_async,
                clock=context.clock,
                random=context.environment.random,
                background=services.background,
                log=services.log,
            )

    @property
    def others(self) -> OtherNodes:
        """The way to the other gateways."""
        return self._requests or NoOthers(self._context.node_name)

    def serve(self, perform: Perform) -> None:
        """Answer them by what this does."""
        if self._requests is not None:
            self._requests.serve(perform)

    async def start(self) -> None:
        """Listen for notifications, and look now and then all the same."""
        if self._requests is not None:
            await self._listen()
            self._task = self._background.keep("hear other gateways", self._hear)

    async def stop(self) -> None:
        """Stop listening to other gateways."""
        if self._task is not None:
            self._task.cancel()
        self._deafen()

    async def _hear(self) -> None:
        while True:
            await self._listen()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            assert self._requests is not None
            await self._requests.look()

    async def _listen(self) -> None:
        """Listen, unless it is done already; where it cannot be done, the looks alone find what waits."""
        if self._watched is None and self._notifications is not None:
            with suppress(StoreError):
                self._watched = await self._context.in_thread(self._notifications.open)
                self._loop.add_reader(self._watched, self._readable)

    def _readable(self) -> None:
        assert self._notifications is not None
        try:
            if self._notifications.take():
                self._woken.set()
        except (
            StoreError
        ):  # the connection has ended: the next look finds what came meanwhile, and another one is opened
            self._deafen()
            self._woken.set()

    def _deafen(self) -> None:
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._watched = None
        if self._notifications is not None:
            self._notifications.close()
