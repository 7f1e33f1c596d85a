"""Times of the process's own clock, as people read them."""

from gateway.environment import Environment
from gateway.events.times import rfc3339


def since(environment: Environment, then: float) -> str:
    """Write a moment of the monotonic clock as RFC 3339 in UTC, to the second."""
    seconds = environment.clock() / 1_000_000 - (environment.monotonic() - then)
    return rfc3339(int(seconds) * 1_000_000)
