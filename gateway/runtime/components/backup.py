"""The continuous backup of an SQLite store (decision 034)."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import msgspec
from prometheus_client.core import Metric

from gateway.api.answers.nodes import BackupView
from gateway.concerns import Concern, concern
from gateway.events.times import rfc3339
from gateway.metrics.sources import backup_metrics
from gateway.runtime.component import Component, Services, Stage
from gateway.settings.sections.store import StoreBackup
from gateway.store.recovery.continuous import ContinuousBackup, Terms
from gateway.store.recovery.lent_changes import HeardChanges

LOOK_SECONDS = 1.0
MICROSECONDS = 1_000_000
PATIENCE = 30
"""Seconds that a backup may be behind beyond twice its interval before it is a concern."""


class BackupComponent(Component):
    """Looks at the lane each second, and writes to the folder as often as the settings say."""

    name: ClassVar[str] = "backup"
    stage: ClassVar[Stage] = Stage.WORKERS

    def __init__(self, services: Services, store: Path, settings: StoreBackup) -> None:
        """Make it from the settings in force; nothing is written before `start`."""
        context = services.context
        self._context, self._background = context, services.background
        terms = msgspec.convert(settings, Terms, from_attributes=True)
        self._backup = ContinuousBackup(
            store,
            terms,
            context.lane,
            clock=context.clock,
            in_thread=context.in_thread,
            log=services.log,
            reader=HeardChanges(store) if context.process_lane is not None else None,
        )
        self._since = context.clock()
        self._tasks: list[asyncio.Task[None]] = []
        self._copying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; a folder that cannot be written is a concern, and keeps nobody from being charged."""
        self._context.lend_changes(self._backup.reader, self._backup.finish)
        self._tasks = [
            self._background.once("begin the backup", self._write),
            self._background.every("look for changes", LOOK_SECONDS, self._backup.look),
            self._background.every("write the backup", self._backup.terms.every, self._write),
        ]

    async def _write(self) -> None:
        await self._backup.write()
        if self._backup.copy_waits and (self._copying is None or self._copying.done()):
            self._copying = self._background.once("copy the store", self._backup.copy)

    async def stop(self) -> None:
        """Stop the timers and a whole copy that is being made; what is committed after this is written when the lane ends."""
        await self._backup.stop()
        for task in self._tasks:
            task.cancel()
        if self._copying is not None:
            await asyncio.wait([self._copying])

    @property
    def behind(self) -> float:
        """For how many seconds what was committed has been on one disk alone, at most."""
        safe = self._backup.safe_at
        return max(0.0, (self._context.clock() - (self._since if safe is None else safe)) / MICROSECONDS)

    def view(self) -> BackupView:
        """Say how it does."""
        backup, safe = self._backup, self._backup.safe_at
        return BackupView(
            folder=str(backup.terms.folder),
            safe_until=None if safe is None else rfc3339(safe),
            behind=round(self.behind, 1),
            trouble=backup.trouble,
        )

    def concerns(self) -> list[Concern]:
        """Say whether it is behind."""
        if self.behind <= 2 * self._backup.terms.every + PATIENCE:
            return []
        why = self._backup.trouble or ("the first whole copy is being made" if self._backup.safe_at is None else "")
        words = f"the backup is {self.behind:.0f} s behind: a lost disk loses what was charged since"
        return [concern("backup.behind", f"{words} ({why})" if why else words)]

    def metrics(self) -> Iterable[Metric]:
        """Return how far behind it is, and how much it wrote."""
        return backup_metrics(self.behind, self._backup.octets)
