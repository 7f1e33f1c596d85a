"""Waiting for the lane in an event loop: for work that is not a stream of requests."""

import asyncio
from collections.abc import Callable
from typing import Any

from gateway.store.batch import Unit
from gateway.store.errors import StoreError
from gateway.store.write_lane import WriteLane


async def submit(lane: WriteLane, unit: Unit, *, then: Callable[[Any], None] | None = None) -> Any:  # noqa: ANN401  (whatever the unit answers)
    """Put a unit through a lane that delivers to this loop, and give its answer; StoreError tells why it was not done.

    `then` gets the answer in the order of the commits, and also when nobody waits for it any more: the awaiting task goes on
    later, when answers of units that were committed after this one have been taken.
    """
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def done(answer: Any, error: StoreError | None) -> None:  # noqa: ANN401  (as above)
        if error is None and then is not None:
            then(answer)
        if not future.done():
            future.set_exception(error) if error is not None else future.set_result(answer)

    lane.post(unit, done)
    return await future
