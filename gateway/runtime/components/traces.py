"""Traces: what goes over the wire, for whoever may look, and the last messages that nobody could read."""

import asyncio
from collections.abc import Callable, Iterable
from typing import ClassVar

from prometheus_client.core import Metric

from gateway.metrics.sources import trace_metrics
from gateway.runtime.component import Component, Services, Stage
from gateway.tracing.traces import Traces
from protocols.tap import Tap


class TracesComponent(Component):
    """The traces of this gateway."""

    name: ClassVar[str] = "traces"
    stage: ClassVar[Stage] = Stage.INITIATORS

    def __init__(self, services: Services, set_tap: Callable[[Tap | None], None]) -> None:
        """Take what puts a tap on everything that there is to listen to, or takes it off."""
        later = asyncio.get_running_loop().call_later
        self.traces = Traces(set_tap, services.context.environment, later, services.log)

    async def stop(self) -> None:
        """End all; their files are whole then."""
        await self.traces.stop()

    def metrics(self) -> Iterable[Metric]:
        """Return how many run."""
        return trace_metrics(self.traces)
