"""Closes months into bills beside charging, and goes on where a close was begun and not finished (decision 055)."""

import asyncio
import threading
from collections.abc import Iterable
from typing import ClassVar, Final

from prometheus_client.core import Metric

from gateway.api.action import AsyncAction, RunningAction
from gateway.api.actions.bill_views import close_view
from gateway.api.actions.bills import begin_close
from gateway.api.answers.bills import CloseView
from gateway.api.callers import ADMIN, Caller
from gateway.api.requests.bills import BillMonth
from gateway.billing import close_job, dunning_job
from gateway.billing.cuts import RUNNING, Close
from gateway.metrics.sources import bill_metrics
from gateway.runtime.component import Component, Services, Stage
from gateway.store.errors import LaneClosed, StoreError

TURN_SECONDS: Final = 60.0
DUNNING_SECONDS: Final = 60.0
PAUSE: Final = 0.05
"""Seconds between two steps, behind which charging waits in the lane."""
SECOND: Final = 1_000_000
"""Microseconds."""


class BillsComponent(Component):
    """Runs the close that was begun by somebody, or by a gateway whose work this one has taken over, one at a time."""

    name: ClassVar[str] = "bills"
    stage: ClassVar[Stage] = Stage.INITIATORS

    def __init__(self, services: Services) -> None:
        """Take what it works with; nothing is done before `start`."""
        self._context, self._background, self._log = services.context, services.background, services.log
        self._wake, self._ending = asyncio.Event(), threading.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.close: Close | None = None
        """The close that runs, as it stood after its last step."""

    async def start(self) -> None:
        """Look for a close that runs."""
        self._tasks = [
            self._background.keep("close months", self._turns),
            self._background.every("dunning", DUNNING_SECONDS, self._dun),
        ]

    async def stop(self) -> None:
        """Stop after the step that runs; the next start goes on behind it."""
        self._ending.set()
        self._wake.set()
        for task in self._tasks:
            task.cancel()

    async def _dun(self) -> None:
        """Take the lines whose bills are overdue, or were paid, to their next states."""
        done = await self._context.in_thread(dunning_job.turn, self._context)
        for why in done.refused:
            self._log("bill.dunning.refused", {"detail": why})
        if done.steps:
            self._log("bill.dunning.done", {"looked": done.looked, **done.steps})

    def actions(self) -> dict[str, RunningAction]:
        """Return what may be asked of it."""
        return {"bill.close": AsyncAction(self._begin, ADMIN, BillMonth)}

    async def _begin(self, request: BillMonth, caller: Caller) -> CloseView:
        """Begin to close a month, or tell how far it is; the answer does not wait for its end."""
        begun = await self._context.in_thread(begin_close, self._context, request, caller)
        if begun.state == RUNNING:
            self._wake.set()
        return close_view(begun)

    async def _turns(self) -> None:
        while True:
            await self._turn()
            try:
                await asyncio.wait_for(self._wake.wait(), TURN_SECONDS)
            except TimeoutError:
                continue
            finally:
                self._wake.clear()

    async def _turn(self) -> None:
        found = await self._context.read_async(close_job.unfinished)
        if found is None or found.node not in self._context.node.owned:
            return
        self._log("bill.close.running", {"period": found.period, "bills": found.bills})
        try:
            done = await self._context.in_thread(self._run, found)
        except LaneClosed:
            raise  # the gateway stops, and goes on behind the last step at its next start
        except StoreError as error:
            self._log("bill.close.failed", {"period": found.period, "detail": str(error)})
            return
        finally:
            self.close = None
        if done.state != RUNNING:
            told = {"period": done.period, "bills": done.bills, "credit_notes": done.credit_notes}
            self._log("bill.month.closed", told)

    def _run(self, close: Close) -> Close:
        context = self._context
        due = context.settings.bills.due * SECOND
        return close_job.run(context, close, due, ended=self._ending.is_set, told=self._note_progress)

    def _note_progress(self, close: Close) -> None:
        """Note how far it is, and rest: charging goes first."""
        self.close = close
        self._ending.wait(PAUSE)

    def metrics(self) -> Iterable[Metric]:
        """Return how many bills the close that runs has made."""
        return bill_metrics(self.close.bills if self.close is not None else 0, running=self.close is not None)
