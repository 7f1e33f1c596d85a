"""The pace of calls to a host: evenly spread, never more a second than it allows."""

import asyncio
import time

from protocols.rate_limit import TokenBucket


class Pace:
    """Turns of a token bucket, waited for: `rate` of them a second, one at a time; rate 0: no limit."""

    def __init__(self, rate: float) -> None:
        """Take the calls a second."""
        self._bucket = TokenBucket(rate, 1.0, time.monotonic())

    async def turn(self) -> None:
        """Wait for a turn. Whoever comes first goes first."""
        now = time.monotonic()
        turn = self._bucket.reserve(now)
        if turn > now:
            await asyncio.sleep(turn - now)
