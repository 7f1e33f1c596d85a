"""The last ten minutes as rates: totals are read every five seconds, and what lies between two readings is a sample."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

SECONDS: Final = 5.0
"""Between two samples."""
KEPT: Final = 120
"""Samples: ten minutes of them."""
QUANTILE: Final = 0.99


class Totals(msgspec.Struct, frozen=True):
    """What was counted since the start, at a moment of the monotonic clock.

    `latency` counts charging requests by how long they took: (upper bound in seconds, how many took at most so long), the
    last bound being infinity.
    """

    at: float
    latency: tuple[tuple[float, int], ...]
    texts_out: int
    texts_in: int
    orders: int
    refused: int = 0
    """Charging requests that were refused for a fault of ours or for overload."""
    phases: tuple[tuple[str, float, tuple[tuple[float, int], ...]], ...] = ()
    """The parts of the write lane's time: name, seconds, and how many batches by how long it took, as `latency` is."""


class Sample(msgspec.Struct, frozen=True):
    """What happened between two readings: rates a second, orders a minute; `p99` in seconds, None where nobody asked."""

    requests: float
    p99: float | None
    texts_out: float
    texts_in: float
    orders: float
    refused: float = 0.0


class Ring:
    """The samples of the last ten minutes, the oldest first."""

    def __init__(self) -> None:
        """Start with none."""
        self._last: Totals | None = None
        self._totals: deque[Totals] = deque(maxlen=KEPT)
        self._samples: deque[Sample] = deque(maxlen=KEPT)

    def add(self, totals: Totals) -> None:
        """Take a reading; the first one is where counting begins."""
        last, self._last = self._last, totals
        self._totals.append(totals)
        if last is not None and totals.at > last.at:
            self._samples.append(between(last, totals))

    def samples(self) -> list[Sample]:
        """Return all samples, the oldest first."""
        return list(self._samples)

    def phases(self) -> list[tuple[str, float, float | None]]:
        """Return where the write lane's time went meanwhile: (part, seconds, the 99th percentile of its batches)."""
        if not self._totals:
            return []
        before = {name: (seconds, dict(counts)) for name, seconds, counts in self._totals[0].phases}
        found = []
        for name, seconds, counts in self._totals[-1].phases:
            then, known = before.get(name, (0.0, {}))
            buckets = [(bound, count - known.get(bound, 0)) for bound, count in counts]
            found.append((name, seconds - then, quantile(QUANTILE, buckets)))
        return found


def between(before: Totals, after: Totals) -> Sample:
    """Turn two readings into a sample."""
    seconds = after.at - before.at
    known = dict(before.latency)
    buckets = [(bound, count - known.get(bound, 0)) for bound, count in after.latency]
    return Sample(
        requests=(buckets[-1][1] if buckets else 0) / seconds,
        p99=quantile(QUANTILE, buckets),
        texts_out=(after.texts_out - before.texts_out) / seconds,
        texts_in=(after.texts_in - before.texts_in) / seconds,
        orders=(after.orders - before.orders) * 60 / seconds,
        refused=(after.refused - before.refused) / seconds,
    )


def quantile(share: float, buckets: Sequence[tuple[float, int]]) -> float | None:
    """Estimate a quantile from cumulative buckets, evenly spread within the bucket that it falls in, as Prometheus does.

    What lies beyond the last finite bound counts as that bound. None where nothing was counted.
    """
    if not buckets or not buckets[-1][1]:
        return None
    rank = share * buckets[-1][1]
    for (low, below), (high, count) in pairwise([(0.0, 0), *buckets]):
        if count >= rank:
            return low if high == float("inf") else low + (high - low) * (rank - below) / max(count - below, 1)
    return None
