"""Moves the months that are over out of an SQLite store into read-only files, beside charging (decision 037).

A month is written, read back and copied to the backup before one commit lets its files count; only then its rows leave the
store. Whoever is killed before that commit leaves files that nobody names, and begins anew; after it, the rows go on leaving.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, Final, Protocol

from prometheus_client.core import Metric

from gateway.charity.publication import MARK
from gateway.concerns import Concern, concern
from gateway.metrics.sources import sealed_metrics
from gateway.runtime.component import Component, Services, Stage
from gateway.store.async_submit import submit
from gateway.store.errors import StoreUnavailable, UnitPoisoned
from gateway.store.sealed_months.copies import copy_missing, missing, remove_given_up
from gateway.store.sealed_months.next_month import MonthSpan, next_month
from gateway.store.sealed_months.records import (
    FOLDER,
    JOURNAL,
    USAGE,
    SealedFile,
    SealedMonth,
    damage,
    folder_of,
    sealed_months,
)
from gateway.store.sealed_months.units import DropUsage, RemoveSealed, SealMonth
from gateway.store.sealed_months.writing import Comparison, FileWriter, remove_unfinished

TURN_SECONDS: Final = 60.0
SHARE: Final = 1.0
"""Seconds of pause after each second of a thread's work: charging goes first."""
REMOVING_SHARE: Final = 3.0
"""The same after a step of the lane, behind which charging waits."""
GIVEN_UP_SECONDS: Final = 86_400
"""A file stays so long after it was given up: a check that began before may still read it."""
MICROSECONDS: Final = 1_000_000


class Steps(Protocol):
    """Work that is done in steps, on any thread."""

    def advance(self) -> bool:
        """Do the next one, and tell whether there is more."""


class SealedMonthsComponent(Component):
    """One turn each minute: what was begun goes on, what is past retention goes, and what is over is sealed."""

    name: ClassVar[str] = "sealed months"
    stage: ClassVar[Stage] = Stage.INITIATORS

    def __init__(self, services: Services, store: Path) -> None:
        """Take the store's file; nothing is done before `start`."""
        self._context, self._background, self._log = services.context, services.background, services.log
        self._store, self._folder = store, folder_of(store)
        self._verified: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self.months: list[SealedMonth] = []
        """As they were at the last turn."""
        self.missing: list[str] = []
        """Files that are not there, or not whole."""
        self.trouble = ""
        """Why no month can be sealed, or leave the store; empty where all is well."""
        self.copied = self.removed = 0
        """Rows, since the start."""

    async def start(self) -> None:
        """Start the turns."""
        self._tasks = [self._background.keep("seal months", self._turns)]

    async def stop(self) -> None:
        """Stop between two steps; a file that is not finished is begun anew by the next start."""
        for task in self._tasks:
            task.cancel()

    async def _turns(self) -> None:
        while True:
            await self.turn()
            await asyncio.sleep(TURN_SECONDS)

    async def turn(self) -> None:
        """Do all that there is to do; a file in trouble keeps nobody from being charged, and is told."""
        try:
            await self._turn()
        except (OSError, StoreUnavailable, UnitPoisoned) as error:
            if str(error) != self.trouble:
                self._log("store.sealing.failed", {"detail": str(error)})
            self.trouble = str(error)
        else:
            self.trouble = ""

    async def _turn(self) -> None:
        await self._context.in_thread(remove_unfinished, self._store)
        await self._look()
        await self._give_up_usage()
        await self._copy_to_backup(file for month in self.months for file in month.files)
        for month in self.months:
            if not month.is_removed:
                await self._remove(month)
        while (span := await self._next()) is not None:
            await self._seal(span)

    async def _look(self) -> None:
        """Read which months there are, and see that their files are there."""
        self.months = await self._context.read_async(sealed_months)
        files = [file for month in self.months for file in month.files]
        found = await self._context.in_thread(missing, self._folder, files)
        for name in sorted(set(found) - set(self.missing)):
            self._log("store.sealed.missing", {"file": str(self._folder / name)})
        self.missing = found

    async def _give_up_usage(self) -> None:
        """Remove what was given up and no report reads any more, and give up what is due now."""
        settings, now = self._context.settings, self._context.clock()
        files = [month.usage for month in self.months]
        read_until = now - GIVEN_UP_SECONDS * MICROSECONDS
        await self._context.in_thread(remove_given_up, self._folder, files, read_until)
        if settings.store.backup is not None:
            kept_until = read_until - settings.store.backup.keep * MICROSECONDS
            await self._context.in_thread(remove_given_up, settings.store.backup.folder / FOLDER, files, kept_until)
        if any(month.usage.dropped_at is None for month in self.months):
            for name in await submit(self._context.lane, DropUsage(settings.retention.usage)):
                self._log("store.month.dropped", {"partition": name})

    async def _copy_to_backup(self, files: Iterable[SealedFile]) -> None:
        backup = self._context.settings.store.backup
        if backup is None:
            return
        there = [file for file in files if file.file not in self.missing]
        for file in await self._context.in_thread(copy_missing, self._folder, backup.folder / FOLDER, there):
            self._log("store.sealed.copied", {"file": str(backup.folder / FOLDER / file.file)})

    async def _next(self) -> MonthSpan | None:
        """Find the month that is to be sealed; it has to be published first, which reads the store alone."""
        after = self._context.settings.store.seal_after
        if not after:
            return None
        before = self._context.clock() - after * MICROSECONDS
        return await self._context.read_async(lambda connection: next_month(connection, before, MARK))

    async def _seal(self, span: MonthSpan) -> None:
        context, began = self._context, self._context.monotonic()
        files = [await self._write(span, content) for content in (JOURNAL, USAGE)]
        await self._copy_to_backup(files)
        await submit(context.lane, SealMonth(files))
        self._verified |= {file.file for file in files}
        journal, usage = files
        told = {"entries": journal.rows, "usage": usage.rows, "octets": journal.octets + usage.octets}
        self._log(
            "store.month.sealed", {"period": span.period, **told, "seconds": round(context.monotonic() - began, 1)}
        )
        self.months = await context.read_async(sealed_months)
        await self._remove(self.months[-1])

    async def _write(self, span: MonthSpan, content: str) -> SealedFile:
        context = self._context
        writer = await context.in_thread(FileWriter, self._store, span, content)
        try:
            await self._in_steps(writer, self._count_copied)
            return await context.in_thread(writer.finish, context.clock())
        except Exception:
            await context.in_thread(writer.abandon)
            raise

    def _count_copied(self, steps: Steps) -> None:
        if isinstance(steps, FileWriter):
            self.copied, steps.rows = self.copied + steps.rows, 0

    async def _in_steps(self, steps: Steps, then: Callable[[Steps], None] = lambda _steps: None) -> None:
        """Do work of a thread in steps, and rest after each as long as it took."""
        more = True
        while more:
            began = self._context.monotonic()
            more = await self._context.in_thread(steps.advance)
            then(steps)
            await asyncio.sleep(SHARE * (self._context.monotonic() - began))

    async def _remove(self, month: SealedMonth) -> None:
        """Delete a month's rows from the store, once it is sure in this run that its files have them."""
        for file in month.files:
            if file.file not in self._verified:
                found = await self._context.in_thread(damage, self._folder, file)
                if found is not None:
                    raise StoreUnavailable(f"{found}; the store keeps the rows of {month.period} that it has")
            path = self._folder / file.file
            rest = await self._context.in_thread(Comparison, self._store, path, file.content, file.ranges)
            await self._in_steps(rest)
            rest.close()
            self._verified.add(file.file)
        removed = rows = 0
        began = self._context.monotonic()
        while rows := await submit(self._context.lane, RemoveSealed(month.period)):
            removed += rows
            self.removed += rows
            await asyncio.sleep(REMOVING_SHARE * (self._context.monotonic() - began))
            began = self._context.monotonic()
        self._log("store.month.moved", {"period": month.period, "rows": removed})

    def concerns(self) -> list[Concern]:
        """Say what is wrong with sealed months."""
        found = [concern("sealed.missing", f"{self._folder / name} is missing, or not whole") for name in self.missing]
        return found + ([concern("sealed.trouble", self.trouble)] if self.trouble else [])

    def metrics(self) -> Iterable[Metric]:
        """Return how many months are sealed, and how many rows were moved."""
        return sealed_metrics(len(self.months), len(self.missing), self.copied, self.removed)
