"""The gateway's metrics (Prometheus): prefix `tpo_`, base units, few labels, never a number of a customer."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from gateway.charging.gy.server import Observed
from gateway.logs.catalogue import EVENTS
from gateway.metrics.catalogue import FAMILIES
from gateway.metrics.charging_requests import ChargingRequests

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
PHASES = ("waiting", "loading", "deciding", "saving", "committing", "delivering", "answering")
"""The parts of a batch's time, one after the other."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it untyped; it spares a gauge beside each series


class Metrics:
    """One registry of its own; what is counted elsewhere is collected when somebody looks (gateway.metrics.sources)."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry(auto_describe=False)
        requests = ChargingRequests(SECONDS)
        self.registry.register(requests)
        self.observe: Callable[[Observed], None] = requests.observe
        """Counts one answered charging request; on the event loop's thread only."""
        self._session_requests = self._counter("tpo_diameter_session_requests_total")
        self.refused_tokens = self._counter("tpo_api_tokens_refused_total")
        for reason in ("missing", "wrong", "limited"):
            self.refused_tokens.labels(reason)
        self.alarms = self._counter("tpo_alarms_total")
        for name, event in EVENTS.items():
            if event.level != "info":  # from zero: an alert on the increase would not see the first one otherwise
                self.alarms.labels(name)
        batches = "tpo_store_batch_seconds"
        found = FAMILIES[batches]
        self._phases = Histogram(batches, found.meaning, found.labels, buckets=SECONDS, registry=self.registry)
        self._phase = {phase: self._phases.labels(phase) for phase in PHASES}

    def observe_phase(self, phase: str, seconds: float) -> None:
        """Count how long one of `PHASES` took for one batch; from any thread."""
        self._phase[phase].observe(seconds)

    def observe_session_request(self, command: str, result: str) -> None:
        """Count one request to a session's client: RAR or ASR."""
        self._session_requests.labels(command, result).inc()

    def collect_from(self, source: Callable[[], Iterable[Metric]]) -> None:
        """Add figures that are read when the metrics are asked for."""
        self.registry.register(_Source(source))

    def text(self) -> bytes:
        """Write everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str) -> Counter:
        found = FAMILIES[name]
        return Counter(name, found.meaning, found.labels, registry=self.registry)


class _Source(Collector):
    def __init__(self, source: Callable[[], Iterable[Metric]]) -> None:
        self._source = source

    def collect(self) -> Iterable[Metric]:
        """Read the figures now."""
        return self._source()
