"""How the forwarder of events does: for the status, the page and the metrics."""

import msgspec

from gateway.events.times import Timestamp


class ForwarderState(msgspec.Struct, frozen=True):
    """The connection to the broker and what waits for it.

    `published` counts outbox rows since the start, `oldest_waiting` is in seconds.
    """

    connected: bool
    connected_since: Timestamp | None
    waiting: int
    oldest_waiting: float
    published: int
    last_error: str | None
