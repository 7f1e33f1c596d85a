"""Handing units of texts to the write lane: one by one, or gathered through one turn of the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from gateway.store.batch import Unit
from gateway.store.errors import LaneClosed, LaneOverloaded, OutcomeUnknown, StoreError
from gateway.store.write_lane import WriteLane


def _nothing() -> None:
    """What to do about a failure that needs nothing done."""


class Post(Protocol):
    """Hands a unit to the lane; one of the functions is called with what came of it, on the loop."""

    def __call__(
        self,
        unit: Unit,
        done: Callable[[Any], None],
        failed: Callable[[], None] = _nothing,
        lost: Callable[[], None] | None = None,
    ) -> None:
        """Call `done` with the unit's answer; `failed` if nothing was committed; `lost` if nobody knows, or else `failed`."""


class LaneClient:
    """Posts units to the lane, and calls once a turn what has gathered some."""

    def __init__(self, lane: WriteLane) -> None:
        """Take the lane."""
        self._lane = lane
        self._flushes: tuple[Callable[[], None], ...] = ()
        self._due = False

    def post(
        self,
        unit: Unit,
        done: Callable[[Any], None],
        failed: Callable[[], None] = _nothing,
        lost: Callable[[], None] | None = None,
    ) -> None:
        """Hand a unit to the lane (`Post`)."""

        def finish(answer: Any, error: StoreError | None) -> None:  # noqa: ANN401  (whatever the unit answers)
            if error is None:
                done(answer)
            elif lost is not None and isinstance(error, OutcomeUnknown):
                lost()
            else:
                failed()

        try:
            self._lane.post(unit, finish)
        except (LaneOverloaded, LaneClosed):
            failed()

    def flush_in_order(self, *flushes: Callable[[], None]) -> None:
        """Say what posts the things that gather: what the SMSC answered goes before the receipts that follow from it."""
        self._flushes = flushes

    def flush_soon(self) -> None:
        """Have everything that has gathered posted at the next turn of the loop."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Have everything that has gathered posted now."""
        self._due = False
        for flush in self._flushes:
            flush()
