"""How long the machine keeps a process waiting that has only to wake up: what a bound in seconds is held against."""

import asyncio
import time
from contextlib import asynccontextmanager


class Lateness:
    """`most`: seconds by which a sleep ended too late, at the most, since this was made."""

    def __init__(self):
        self.most = 0.0

    async def watch(self):
        """Sleep for a hundredth of a second, again and again."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            self.most = max(self.most, time.monotonic() - began - 0.01)


@asynccontextmanager
async def lateness():
    """Watch while the block runs."""
    watched = Lateness()
    watching = asyncio.create_task(watched.watch())
    try:
        yield watched
    finally:
        watching.cancel()
