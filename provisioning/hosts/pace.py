"""The pace of calls to a host: evenly spread, never more a second than it allows."""

import asyncio
from collections.abc import Callable

from protocols.rate_limit import TokenBucket


class Pace:
    """Turns of a token bucket, waited for: `rate` of them a second, one at a time; rate 0: no limit."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        """Take the calls a second, and a clock of seconds that never goes back."""
        self._clock = clock
        self._bucket = TokenBucket(rate, 1.0, clock())

    async def turn(self) -> None:
        """Wait for a turn. Whoever comes first goes first."""
        now = self._clock()
        turn = self._bucket.reserve(now)
        if turn > now:
            await asyncio.sleep(turn - now)
