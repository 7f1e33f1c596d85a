"""The metrics of charging requests, counted by the event loop alone: by their result, and by how long they took.

The library's counters and histograms take locks for each observation, which one thread needs not: that was a thirtieth of the
loop's CPU of a request.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from gateway.charging.gy.server import Observed
from gateway.metrics.catalogue import FAMILIES, family

REQUESTS: Final = "tpo_charging_requests_total"
DURATION: Final = "tpo_charging_request_duration_seconds"
REQUEST_TYPES: Final = {0: "unread", 1: "initial", 2: "update", 3: "termination", 4: "event"}


class ChargingRequests(Collector):
    """Counts answered requests since the process started; `bounds` are the upper ones of the buckets, in seconds."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Start at zero."""
        self._bounds = bounds
        self._buckets = [0] * (len(bounds) + 1)
        """How many requests took as long as each bound says and longer than the one before; the last: longer than any."""
        self._seconds = 0.0
        self._results: dict[tuple[int, str], int] = {}

    def observe(self, observed: Observed) -> None:
        """Count one answered request; on the event loop's thread only."""
        key = (observed.request_type, observed.result)
        self._results[key] = self._results.get(key, 0) + 1
        self._buckets[bisect_left(self._bounds, observed.seconds)] += 1
        self._seconds += observed.seconds

    def describe(self) -> Iterable[Metric]:
        """Name both metrics: the status page asks the registry for them by name."""
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        """Return both metrics as they are now."""
        results = sorted(self._results.items())
        yield family(REQUESTS, [((REQUEST_TYPES[kind], result), count) for (kind, result), count in results])
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        buckets = list(zip(names, map(float, accumulate(self._buckets)), strict=True))
        yield HistogramMetricFamily(DURATION, FAMILIES[DURATION].meaning, buckets=buckets, sum_value=self._seconds)
