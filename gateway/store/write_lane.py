"""What everybody who changes state sees of the write lane, whether it is a thread of this process or a process of its own."""

from collections.abc import Callable
from typing import Any, Protocol

from gateway.store.batch import Policies, Unit
from gateway.store.errors import StoreError
from gateway.store.lane import LaneCounters
from gateway.store.leases import Lease

Done = Callable[[Any, StoreError | None], None]
"""Called with a unit's answer and None, or with None and what kept it from being done."""


class WriteLane(Protocol):
    """A FIFO of units, committed in batches (`gateway.store.lane`, `gateway.store.process_lane`)."""

    counters: LaneCounters
    lease: Lease
    policies: Policies
    """What units are decided with, as this process knows it."""

    def start(self) -> None:
        """Begin to take units; StoreError where that cannot be."""

    def post(self, unit: Unit, done: Done, *, not_after: float = float("inf")) -> None:
        """Queue a unit; `done` gets its outcome. LaneOverloaded or LaneClosed are raised here, at once."""

    def run(self, unit: Unit) -> Any:  # noqa: ANN401  (the unit decides what it answers)
        """Queue a unit and wait for its answer on a thread of one's own; raises what kept it from being done."""

    def expire(self) -> None:
        """Give up the units whose time is over; to be called often."""

    def close(self) -> None:
        """Take no more units, finish those that wait, and return when the last is committed."""

    @property
    def depth(self) -> int:
        """How many units wait."""

    @property
    def alive(self) -> bool:
        """Whether it works, or will again."""

    @property
    def in_trouble(self) -> bool:
        """Whether nothing can be written just now, as far as is known."""
