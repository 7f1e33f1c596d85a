"""What the log warned of since the start: counted by event, with what to do about it from the catalogue."""

from collections import deque
from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.logs.catalogue import EVENTS
from gateway.logs.masking import mask_fields
from gateway.privacy.masks import mask

RANK: Final = {"critical": 0, "error": 1, "warning": 2}
REMEMBERED: Final = 256
"""Times of one event that are kept."""
MAX_WORDS: Final = 160
"""Characters of an event's fields that are shown."""


class RecentAlarm(msgspec.Struct):
    """An event of level warning or above: how often, when the last time (UTC microseconds), and with which fields."""

    event: str
    count: int
    at: int
    words: str

    @property
    def level(self) -> str:
        """How bad it is."""
        return EVENTS[self.event].level

    @property
    def action(self) -> str:
        """What to do about it."""
        return EVENTS[self.event].action

    @property
    def meaning(self) -> str:
        """What it means."""
        return EVENTS[self.event].meaning


class RecentAlarms:
    """All troubles since the start; there are at most as many as the catalogue has events."""

    def __init__(self) -> None:
        """Begin without any."""
        self._known: dict[str, RecentAlarm] = {}
        self._times: dict[str, deque[int]] = {}

    def record(self, event: str, fields: Mapping[str, object], at: int) -> None:
        """Count an event; one that is mere information is passed over."""
        if EVENTS[event].level not in RANK:
            return
        self._times.setdefault(event, deque(maxlen=REMEMBERED)).append(at)
        count = self._known[event].count if event in self._known else 0
        self._known[event] = RecentAlarm(event, count + 1, at, words(fields))

    def count_since(self, event: str, moment: int) -> int:
        """Count how often an event came since a moment, as far as that is remembered."""
        return sum(at >= moment for at in self._times.get(event, ()))

    def all(self) -> list[RecentAlarm]:
        """Return all, the worst first, then the latest."""
        return sorted(self._known.values(), key=lambda trouble: (RANK[trouble.level], -trouble.at))


def words(fields: Mapping[str, object]) -> str:
    """Write an event's fields in one line, masked as the log masks them, and cut."""
    shown: Mapping[str, object] = mask_fields(None, "", {name: fields[name] for name in fields if name != "exc_info"})
    line = mask(", ".join(f"{name}: {value}" for name, value in shown.items() if value not in (None, "")))
    return line if len(line) <= MAX_WORDS else f"{line[: MAX_WORDS - 1]}…"
