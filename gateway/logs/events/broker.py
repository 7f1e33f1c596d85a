"""Log events of the broker that events are published to."""

from typing import Final

from gateway.logs.events.event import LogEvent

EVENTS: Final = {
    "events.broker.up": LogEvent("info", "The broker is connected; events flow.", "Nothing."),
    "events.broker.down": LogEvent(
        "warning",
        "The broker can't be reached; events wait in the store, charging goes on.",
        "Look at the broker. Nothing is lost while the disk has room.",
    ),
}
