"""Whether the gateway lives, and whether it may be given work."""

import msgspec

from gateway.background import Background
from gateway.context import GatewayContext
from gateway.runtime.periodic import PeriodicWork

MAX_LAG = 5.0
"""Seconds that the event loop may be late before the process calls itself dead."""


class Health(msgspec.Struct, frozen=True):
    """What /livez, /readyz and the service manager are told."""

    context: GatewayContext
    background: Background
    periodic: PeriodicWork

    def live(self) -> dict[str, bool]:
        """Say of each thing that the process cannot do without whether it runs."""
        return {"event_loop": self.periodic.lag < MAX_LAG, "store": self.context.lane.alive}

    def ready(self) -> dict[str, bool]:
        """Say of each thing that work cannot be taken in without whether it is well."""
        lane = self.context.lane
        return {
            "not_draining": not self.context.draining,
            "store": lane.alive and not lane.in_trouble and self.context.may_send,
            **{f"task: {name}": False for name in self.background.failing},
        }
