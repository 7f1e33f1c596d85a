"""Events: what waits in the outbox goes to the broker."""

from collections.abc import Iterable
from typing import ClassVar

from prometheus_client.core import Metric

from gateway.events.broker import BrokerSettings
from gateway.events.forwarder import Forwarder
from gateway.metrics.sources import event_metrics
from gateway.runtime.component import Component, Services, Stage


class EventsComponent(Component):
    """The forwarder to the broker."""

    name: ClassVar[str] = "events"
    stage: ClassVar[Stage] = Stage.WORKERS

    def __init__(self, services: Services, settings: BrokerSettings) -> None:
        """Make it from the settings in force."""

        def log(name: str, **fields: object) -> None:
            services.log(name, fields)

        self.forwarder = Forwarder(services.context, settings, on_event=log, background=services.background)

    async def start(self) -> None:
        """Begin to connect."""
        self.forwarder.start()

    async def stop(self) -> None:
        """Finish what is under way, then let go."""
        await self.forwarder.stop()

    def metrics(self) -> Iterable[Metric]:
        """Return what waits for the broker."""
        return event_metrics(self.forwarder.state())
