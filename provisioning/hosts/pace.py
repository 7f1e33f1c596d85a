"""The pace of calls to a host: evenly spread, never more a second than it allows."""

import asyncio
import time


class Pace:
    """Turns, `rate` of them a second; rate 0: no limit. Whoever comes first goes first."""

    def __init__(self, rate: float) -> None:
        """Take the calls a second."""
        self._gap = 1.0 / rate if rate else 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for a turn."""
        if not self._gap:
            return
        now = time.monotonic()
        mine = max(now, self._next)
        self._next = mine + self._gap
        if mine > now:
            await asyncio.sleep(mine - now)
