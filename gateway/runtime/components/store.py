"""The store and its write lane, which are open before any other component and closed after all of them."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from prometheus_client.core import Metric

from gateway.balance.still_needed import check_nothing_needed_goes
from gateway.context import GatewayContext, OpenAccounts
from gateway.metrics.sources import lane_metrics
from gateway.runtime.component import Change, Component, Prepared, Stage
from gateway.store.async_submit import submit
from gateway.store.errors import StoreError
from gateway.store.versions import BeginVersions, PrepareVersions
from gateway.versions import contents_of, with_history


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
        now = context.clock()
        await context.read_async(
            lambda c: check_nothing_needed_goes(c, new.plans, new.causes, now, context.cause_seals)
        )
        accounts: Mapping[str, int] = await submit(context.lane, OpenAccounts(list(new.causes)))
        numbers: list[int] = await submit(context.lane, PrepareVersions(contents_of(new)))
        prepared = dict.fromkeys(numbers, now)
        settings = await context.read_async(lambda c: with_history(new, c, now, prepared))
        use = await context.prepare_settings(settings, accounts)

        def apply() -> None:
            use()
            if numbers:  # before anything that is decided by them
                context.lane.post(BeginVersions(numbers, now), _begun)

        return Prepared(apply)

    def metrics(self) -> Iterable[Metric]:
        """Return the lane's figures."""
        return lane_metrics(self._context.lane)


def _begun(_answer: object, _error: StoreError | None) -> None:
    """Nothing waits for it: where it is not committed the lane has ended, and the next start records the files again."""
