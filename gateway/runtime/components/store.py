"""The store and its write lane, which are open before any other component and closed after all of them."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from prometheus_client.core import Metric

from gateway.balance.standing import check_nothing_needed_goes
from gateway.context import GatewayContext, OpenAccounts
from gateway.metrics.sources import lane_metrics
from gateway.runtime.component import Change, Component, Prepared, Stage
from gateway.store.async_submit import submit


class StoreComponent(Component):
    """The open context: settings in force, store, lane."""

    name: ClassVar[str] = "store"
    stage: ClassVar[Stage] = Stage.LANE
    stop_seconds: ClassVar[float] = 60.0

    def __init__(self, context: GatewayContext) -> None:
        """Take the context, which is open."""
        self._context = context

    async def stop(self) -> None:
        """Commit what waits, and let the next writer in."""
        await self._context.in_thread(self._context.close)

    async def prepare(self, change: Change) -> Prepared:
        """See that customers keep what they stand on, open the accounts of new causes, and make the lane ready."""
        context, new = self._context, change.settings
        plans, causes = (context.settings.plans, new.plans), (context.settings.causes, new.causes)
        await context.read_async(lambda c: check_nothing_needed_goes(c, plans, causes, context.clock()))
        accounts: Mapping[str, int] = await submit(self._context.lane, OpenAccounts(list(change.settings.causes)))
        return Prepared(await self._context.prepare_settings(change.settings, accounts))

    def metrics(self) -> Iterable[Metric]:
        """Give the lane's figures."""
        return lane_metrics(self._context.lane)
