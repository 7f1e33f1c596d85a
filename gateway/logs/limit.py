"""How many lines a storm may write: a burst, then one every few seconds that says how many others it stands for.

An event that comes with each message (of a peer, a client, a batch) is limited by its name and its main subject, so that one
noisy peer does not silence another. Every line is an event that happened; `suppressed=N` on it stands for N more like it that
were not written, so the sum of 1 + N over the lines of a kind is the number of its events. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from protocols.rate_limit import TokenBucket

BURST: Final = 10
"""Lines of a kind that may go at once after a silence."""
INTERVAL: Final = 5.0
"""Seconds between two lines of a kind in a storm."""
MAX_SUBJECTS: Final = 32
"""Kinds of one event that are told apart; what comes beyond shares one limit. A stranger may make up names as he likes."""
SUBJECTS: Final = ("peer", "identity", "name", "host", "logger")
"""The fields that name whom an event is about, the first one that is there."""
SUPPRESSED: Final = "suppressed"
"""The field that tells how many events like this one were not written."""

Fields = Mapping[str, object]


class _Kind(msgspec.Struct):
    """One event about one subject: its bucket, and the fields of the latest of the events that are held back."""

    bucket: TokenBucket
    held: int = 0
    last: Fields = {}


class Limit:
    """What of a storm is written. It holds at most MAX_SUBJECTS + 1 kinds of an event, and of each its latest fields."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str | None, _Kind]] = {}

    def admit(self, event: str, fields: Fields, now: float) -> Fields | None:
        """Return the fields to write now, with what was held back before; None if this event is held back too."""
        kind = self._kind(event, fields, now)
        if not kind.bucket.available(now, 1):
            kind.held += 1
            kind.last = fields
            return None
        kind.bucket.take(now)
        suppressed, kind.held, kind.last = kind.held, 0, {}
        return _with(fields, suppressed)

    def due(self, now: float) -> Iterator[tuple[str, Fields]]:
        """Return the lines that may go now for what is held back, each with the fields of its latest event."""
        for event, kinds in list(self._kinds.items()):
            for kind in list(kinds.values()):
                if kind.held and kind.bucket.available(now, 1):
                    kind.bucket.take(now)
                    yield event, _release(kind)

    def rest(self) -> Iterator[tuple[str, Fields]]:
        """Return a line for all that is held back, whenever its turn would be: nothing comes after."""
        for event, kinds in list(self._kinds.items()):
            for kind in list(kinds.values()):
                if kind.held:
                    yield event, _release(kind)

    def _kind(self, event: str, fields: Fields, now: float) -> _Kind:
        kinds = self._kinds.setdefault(event, {})
        subject = next((str(fields[name]) for name in SUBJECTS if name in fields), None)
        if subject not in kinds and len(kinds) >= MAX_SUBJECTS:
            _forget_calm(kinds, now)
        if subject not in kinds and len(kinds) >= MAX_SUBJECTS:
            subject = None
        if subject not in kinds:
            kinds[subject] = _Kind(TokenBucket(1 / INTERVAL, BURST, now))
        return kinds[subject]


def _forget_calm(kinds: dict[str | None, _Kind], now: float) -> None:
    """Forget the subjects that have been quiet for so long that they may write a whole burst again."""
    for subject, kind in list(kinds.items()):
        if not kind.held and kind.bucket.available(now, BURST) == BURST:
            del kinds[subject]


def _release(kind: _Kind) -> Fields:
    fields = _with(kind.last, kind.held - 1)
    kind.held, kind.last = 0, {}
    return fields


def _with(fields: Fields, suppressed: int) -> Fields:
    return {**fields, SUPPRESSED: suppressed} if suppressed else fields
