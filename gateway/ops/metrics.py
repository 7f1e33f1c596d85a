"""The gateway's metrics (Prometheus): prefix `tpo_`, base units, few labels, never a number of a customer."""

from collections.abc import Callable, Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.charging.desk import Observed
from gateway.store.lane import Lane

REQUEST_TYPES = {0: "unread", 1: "initial", 2: "update", 3: "termination", 4: "event"}
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """One registry of its own; what is counted elsewhere is collected when somebody looks."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "tpo_charging_requests",
            "Credit-Control-Requests answered",
            ["request_type", "result"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "tpo_charging_request_duration_seconds",
            "From the arrival of a Credit-Control-Request to its answer",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._session_requests = Counter(
            "tpo_diameter_session_requests",
            "Re-Auth- and Abort-Session-Requests, by their Result-Code or what became of them",
            ["command", "result"],
            registry=self.registry,
        )
        self.alarms = Counter("tpo_alarms", "Log events of level warning and above", ["event"], registry=self.registry)
        self._children: dict[tuple[int, str], Counter] = {}

    def observe(self, observed: Observed) -> None:
        """Count one answered request."""
        key = (observed.request_type, observed.result)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(REQUEST_TYPES[key[0]], key[1])
        child.inc()
        self._seconds.observe(observed.seconds)

    def observe_session_request(self, command: str, result: str) -> None:
        """Count one request to a session's client: RAR or ASR."""
        self._session_requests.labels(command, result).inc()

    def collect_from(self, source: Callable[[], Iterable[Metric]]) -> None:
        """Add figures that are read when the metrics are asked for."""
        self.registry.register(_Source(source))

    def text(self) -> bytes:
        """Write everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _Source(Collector):
    def __init__(self, source: Callable[[], Iterable[Metric]]) -> None:
        self._source = source

    def collect(self) -> Iterable[Metric]:
        """Read the figures now."""
        return self._source()


def lane_metrics(lane: Lane) -> Iterable[Metric]:
    """Tell how the write lane does."""
    counters = lane.counters
    yield GaugeMetricFamily("tpo_store_queue_depth", "Units that wait for the write lane", lane.depth)
    yield CounterMetricFamily("tpo_store_batches", "Batches committed, one fsync each", counters.batches)
    yield CounterMetricFamily("tpo_store_units", "Units committed", counters.units)
    yield CounterMetricFamily("tpo_store_units_poisoned", "Units refused alone", counters.poisoned)
    yield CounterMetricFamily("tpo_store_units_expired", "Units shed past their deadline", counters.expired)
    yield CounterMetricFamily("tpo_store_batches_failed", "Batches lost to a store in trouble", counters.failed_batches)


def build_metrics() -> Iterable[Metric]:
    """Tell which program this is."""
    family = GaugeMetricFamily("tpo_build_info", "The version that runs", labels=["version"])
    family.add_metric([version("tpo-gateway")], 1)
    yield family
