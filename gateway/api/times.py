"""Times of the process's own clock, as people read them."""

import time

from gateway.events.times import rfc3339


def since(then: float) -> str:
    """Write a moment of the monotonic clock as RFC 3339 in UTC, to the second."""
    return rfc3339(int(time.time() - (time.monotonic() - then)) * 1_000_000)
