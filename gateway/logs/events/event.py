"""What the catalogue says of a log event."""

from typing import NamedTuple


class LogEvent(NamedTuple):
    """The level that an event is logged at, one sentence on what it means, and what an operator does about it.

    One that is told `per_message` (or per session, batch, attempt of a stranger) may come in storms: its lines are limited
    (gateway.logs.limit). What tells of the life of a part, an order or a card is never left out.
    """

    level: str
    meaning: str
    action: str
    per_message: bool = False
