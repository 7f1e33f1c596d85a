"""What the parts of the gateway count themselves, as metrics: read when somebody asks for /metrics, never from the store."""

import os
import resource
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from prometheus_client.core import Metric

from gateway.events.forwarder_state import ForwarderState
from gateway.messaging.inbound.unanswered import Silence
from gateway.messaging.smsc_client import SmscClient
from gateway.metrics.catalogue import family, sample
from gateway.sims.order_executor import OrderExecutor
from gateway.store.write_lane import WriteLane
from gateway.tracing.traces import Traces
from protocols.diameter.node import Node

STATM = Path("/proc/self/statm")


def process_metrics(started_at: float, lag: float, lane: int | None) -> Iterable[Metric]:
    """Measure which program this is, since when (Unix time), and what it needs; `lag` of the event loop is in seconds.

    `lane` is the number of the write lane's process, where it has one of its own: what that needs is added.
    """
    yield family("tpo_build_info", [((version("tpo-gateway"),), 1)])
    yield sample("tpo_start_time_seconds", started_at)
    yield sample("tpo_event_loop_lag_seconds", lag)
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, pages = _needs(lane)
    yield sample("tpo_cpu_seconds_total", sum(each.ru_utime + each.ru_stime for each in (own, ended)) + seconds)
    if STATM.exists():  # Linux alone
        pages += int(STATM.read_text().split()[1])
        yield sample("tpo_resident_memory_bytes", pages * os.sysconf("SC_PAGESIZE"))


def _needs(process: int | None) -> tuple[float, int]:
    """Return the processor time (seconds) and the memory that another process has used (proc(5)); none if it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(fields[21])


def task_metrics(surprises: Mapping[str, int]) -> Iterable[Metric]:
    """Count which background tasks ended by surprise, and how often."""
    yield family("tpo_task_surprises_total", [((task,), number) for task, number in surprises.items()])


def trace_metrics(traces: Traces) -> Iterable[Metric]:
    """Count the traces that run."""
    yield sample("tpo_traces_active", traces.running)


def lane_metrics(lane: WriteLane) -> Iterable[Metric]:
    """Measure the write lane."""
    counters = lane.counters
    yield sample("tpo_store_up", lane.alive and not lane.in_trouble)
    yield sample("tpo_store_queue_depth", lane.depth)
    yield sample("tpo_store_batches_total", counters.batches)
    yield sample("tpo_store_batches_failed_total", counters.failed_batches)
    yield sample("tpo_store_units_total", counters.units)
    yield sample("tpo_store_units_poisoned_total", counters.poisoned)
    yield sample("tpo_store_units_expired_total", counters.expired)
    yield sample("tpo_store_lane_restarts_total", counters.restarts)


def lease_metrics(holds: bool, gone: int) -> Iterable[Metric]:  # noqa: FBT001  (a figure as any other)
    """Measure whether this gateway surely works on its rows alone, and how many others are gone whose rows wait."""
    yield sample("tpo_store_lease_held", holds)
    yield sample("tpo_nodes_gone", gone)


def peer_metrics(node: Node) -> Iterable[Metric]:
    """Measure each Diameter peer."""
    peers = node.peers_state()
    yield family("tpo_diameter_peer_up", [((peer.identity,), peer.state == "open") for peer in peers])
    yield family("tpo_diameter_rejected_total", [((peer.identity,), peer.rejected) for peer in peers])
    yield _both_ways("tpo_diameter_requests_total", [(n.identity, n.requests_in, n.requests_out) for n in peers])
    yield _both_ways("tpo_diameter_answers_total", [(n.identity, n.answers_in, n.answers_out) for n in peers])
    yield _both_ways("tpo_diameter_requests_outstanding", [(n.identity, n.outstanding, n.pending) for n in peers])


def link_metrics(smsc_client: SmscClient) -> Iterable[Metric]:
    """Measure each SMPP link."""
    links = smsc_client.links()
    states = {name: link.state() for name, link in links.items()}
    counted = [(name, state.counters) for name, state in states.items()]
    yield family("tpo_smpp_link_up", [((name,), link.bound) for name, link in links.items()])
    yield family("tpo_smpp_link_wanted", [((name,), state.wanted) for name, state in states.items()])
    yield family("tpo_smpp_window_used", [((name,), state.waiting) for name, state in states.items()])
    yield family("tpo_smpp_throttled_total", [((name,), n.throttled) for name, n in counted])
    yield family("tpo_smpp_doubtful_total", [((name,), n.doubtful) for name, n in counted])
    yield family("tpo_smpp_response_seconds_total", [((name,), n.response_seconds) for name, n in counted])
    yield _both_ways("tpo_smpp_requests_total", [(name, n.requests_in, n.requests_out) for name, n in counted])
    yield _both_ways("tpo_smpp_responses_total", [(name, n.responses_in, n.responses_out) for name, n in counted])
    yield _both_ways("tpo_smpp_refused_total", [(name, n.errors_in, n.refused) for name, n in counted])


def text_metrics(smsc_client: SmscClient, open_texts: Mapping[str, int]) -> Iterable[Metric]:
    """Count what becomes of texts; `open_texts` counts those that have not come to their end, by state."""
    yield sample("tpo_sms_queue_depth", smsc_client.depth)
    yield family("tpo_sms_open_texts", [((state,), number) for state, number in open_texts.items()])
    yield family("tpo_sms_unanswered_total", [((reason,), smsc_client.silences[reason]) for reason in Silence])
    yield family("tpo_sms_receipts_unmatched_total", smsc_client.unmatched_receipts.items())
    yield family("tpo_sms_queries_total", smsc_client.queries.items())


def order_metrics(executor: OrderExecutor) -> Iterable[Metric]:
    """Count what becomes of orders, and which hosts answer."""
    yield family("tpo_host_up", [((host,), up) for host, up in executor.hosts.items()])
    yield sample("tpo_orders_running", executor.running)
    yield family("tpo_orders_ended_total", executor.finished.items())


def event_metrics(state: ForwarderState) -> Iterable[Metric]:
    """Count what waits for the broker."""
    yield sample("tpo_events_broker_up", state.connected)
    yield sample("tpo_events_waiting", state.waiting)
    yield sample("tpo_events_oldest_waiting_seconds", state.oldest_waiting)


def backup_metrics(behind: float, octets: int) -> Iterable[Metric]:
    """Measure the continuous backup."""
    yield sample("tpo_backup_behind_seconds", behind)
    yield sample("tpo_backup_bytes_total", octets)


def sealed_metrics(months: int, missing: int, copied: int, removed: int) -> Iterable[Metric]:
    """Count how the months that are over move out of an SQLite store; `copied` and `removed` are rows."""
    yield sample("tpo_sealed_months", months)
    yield sample("tpo_sealed_files_missing", missing)
    yield family("tpo_sealed_rows_total", [(("copied",), copied), (("removed",), removed)])


def bill_metrics(bills: int, *, running: bool) -> Iterable[Metric]:
    """Measure how far the close of a month is."""
    yield sample("tpo_bill_close_running", int(running))
    yield sample("tpo_bill_close_bills", bills)


def _both_ways(name: str, rows: Iterable[tuple[str, int, int]]) -> Metric:
    """Make a metric with the labels (who, direction) from rows of who, in and out."""
    return family(name, [((who, way), n) for who, *both in rows for way, n in zip(("in", "out"), both, strict=True)])
