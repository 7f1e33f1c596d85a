"""Every metric of the gateway: its kind, its labels, what it tells. docs/metrics.md is made from it.

`python -m gateway.metrics.catalogue` writes that page; tests compare it, and compare a running gateway's /metrics with the
table. Names are as Prometheus wants them: prefix `tpo_`, base units (seconds, bytes), `_total` on counters alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PAGE: Final = Path("docs/metrics.md")
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


class Family(NamedTuple):
    """One metric: counter, gauge or histogram; what it tells; its labels."""

    kind: str
    meaning: str
    labels: tuple[str, ...] = ()


FAMILIES: Final[dict[str, Family]] = {
    # The process
    "tpo_build_info": Family(GAUGE, "The version that runs; always 1", ("version",)),
    "tpo_start_time_seconds": Family(GAUGE, "When this process started, Unix time"),
    "tpo_resident_memory_bytes": Family(
        GAUGE, "Memory that the gateway has, and its write lane's process (what they share counts twice)"
    ),
    "tpo_cpu_seconds_total": Family(COUNTER, "Processor time that the gateway used, and its write lane's process"),
    "tpo_event_loop_lag_seconds": Family(GAUGE, "How late the event loop was at its last look, twice a second"),
    "tpo_alarms_total": Family(COUNTER, "Log events of level warning and above (docs/log-events.md)", ("event",)),
    "tpo_task_surprises_total": Family(
        COUNTER, "Background tasks that ended by an error that nobody expected, and were begun again", ("task",)
    ),
    "tpo_api_tokens_refused_total": Family(
        COUNTER,
        "HTTP requests that were not let in; `reason`: missing, wrong, or limited (after too many wrong ones of an address)",
        ("reason",),
    ),
    "tpo_traces_active": Family(GAUGE, "Traces that listen to what goes over the wire (docs/trace.md)"),
    # Several gateways on one store
    "tpo_store_lease_held": Family(
        GAUGE,
        "1 while no other gateway can have taken over from this one; it sends no text, order, event or question otherwise",
    ),
    "tpo_nodes_gone": Family(
        GAUGE,
        "Other gateways of this store that have given no sign of life, whose rows wait and that nobody has adopted",
    ),
    # Charging
    "tpo_fraud_cases_open": Family(
        GAUGE, "Lines whose use passed a fraud limit and that nobody has looked at (of the whole store; tpo fraud list)"
    ),
    "tpo_charity_transmit_used_ratio": Family(
        GAUGE,
        "The largest part, of the time in which a cause must have its money, for which money has waited (tpo charity confirm)",
    ),
    "tpo_charging_requests_total": Family(
        COUNTER,
        "Credit-Control-Requests answered; `result` is the Result-Code, or `repeated` for a repetition's old answer",
        ("request_type", "result"),
    ),
    "tpo_charging_request_duration_seconds": Family(
        HISTOGRAM, "From the arrival of a Credit-Control-Request to its answer"
    ),
    # Diameter
    "tpo_diameter_peer_up": Family(GAUGE, "1 while the peer's connection is open", ("peer",)),
    "tpo_diameter_requests_total": Family(COUNTER, "Requests, in: the peer's, out: ours", ("peer", "direction")),
    "tpo_diameter_answers_total": Family(COUNTER, "Answers, in: the peer's, out: ours", ("peer", "direction")),
    "tpo_diameter_rejected_total": Family(COUNTER, "Requests of the peer that were answered with an error", ("peer",)),
    "tpo_diameter_requests_outstanding": Family(
        GAUGE, "Requests without an answer yet, in: the peer's, out: ours", ("peer", "direction")
    ),
    "tpo_diameter_session_requests_total": Family(
        COUNTER,
        "Re-Auth- and Abort-Session-Requests, by their Result-Code or what became of them",
        ("command", "result"),
    ),
    # Texts
    "tpo_smpp_link_up": Family(GAUGE, "1 while the link is bound", ("link",)),
    "tpo_smpp_link_wanted": Family(GAUGE, "1 unless an operator took the link down", ("link",)),
    "tpo_smpp_requests_total": Family(COUNTER, "Requests, in: the SMSC's, out: ours", ("link", "direction")),
    "tpo_smpp_responses_total": Family(COUNTER, "Responses, in: the SMSC's, out: ours", ("link", "direction")),
    "tpo_smpp_refused_total": Family(
        COUNTER, "Responses with an error, in: of the SMSC, out: of ours", ("link", "direction")
    ),
    "tpo_smpp_throttled_total": Family(COUNTER, "Requests that the SMSC put off: too many at once", ("link",)),
    "tpo_smpp_doubtful_total": Family(COUNTER, "Requests that never got a response", ("link",)),
    "tpo_smpp_response_seconds_total": Family(COUNTER, "The time that the SMSC's responses took, together", ("link",)),
    "tpo_smpp_window_used": Family(GAUGE, "Requests of ours without a response yet", ("link",)),
    "tpo_sms_queue_depth": Family(GAUGE, "Parts of texts that wait in memory; the store may hold more"),
    "tpo_sms_open_texts": Family(
        GAUGE, "Texts of this gateway that have not come to their end, counted in the store", ("state",)
    ),
    "tpo_sms_unanswered_total": Family(
        COUNTER,
        "Texts to our services that got no answer; `reason` says what spoke against one (own_number, name, short_code, "
        "no_source, receipt, acknowledgement, data, opted_out, limit, switching)",
        ("reason",),
    ),
    "tpo_sms_receipts_unmatched_total": Family(
        COUNTER,
        "Delivery receipts that settled no text; `reason` says why (no_id, no_state, unknown_state, unknown_id; early: kept "
        "until the submit_sm is answered that is out)",
        ("link", "reason"),
    ),
    "tpo_sms_queries_total": Family(COUNTER, "Texts without a receipt that were asked for", ("link", "result")),
    # SIM cards and orders
    "tpo_host_up": Family(GAUGE, "0 while the provisioning host does not answer", ("host",)),
    "tpo_orders_running": Family(GAUGE, "Orders that are being carried out"),
    "tpo_orders_ended_total": Family(COUNTER, "Orders that came to an end", ("kind", "state")),
    # Events
    "tpo_events_broker_up": Family(GAUGE, "1 while connected to the broker"),
    "tpo_events_waiting": Family(GAUGE, "Outbox rows that the broker has not got"),
    "tpo_events_oldest_waiting_seconds": Family(GAUGE, "Age of the oldest of them"),
    # The store
    "tpo_store_up": Family(GAUGE, "1 while the write lane runs and its last batch was written"),
    "tpo_store_queue_depth": Family(GAUGE, "Units that wait for the write lane"),
    "tpo_store_batch_seconds": Family(
        HISTOGRAM,
        "Where the time of a batch went: waiting (its oldest unit), loading, deciding, saving (a server saves in committing), "
        "committing, delivering (until the event loop has its answers), answering (until they are written)",
        ("phase",),
    ),
    "tpo_store_batches_total": Family(COUNTER, "Batches committed; one fsync each, or one for several"),
    "tpo_store_batches_failed_total": Family(COUNTER, "Batches lost to a store in trouble"),
    "tpo_store_units_total": Family(COUNTER, "Units committed"),
    "tpo_store_units_poisoned_total": Family(COUNTER, "Units refused alone"),
    "tpo_store_units_expired_total": Family(COUNTER, "Units shed past their deadline"),
    "tpo_store_lane_restarts_total": Family(COUNTER, "How often the write lane's process died and was started anew"),
    "tpo_backup_behind_seconds": Family(GAUGE, "For how long what was committed may be on the store's disk alone"),
    "tpo_backup_bytes_total": Family(COUNTER, "Written to the folder of the continuous backup"),
    "tpo_bill_close_running": Family(GAUGE, "Whether this gateway closes a month into bills now"),
    "tpo_bill_close_bills": Family(GAUGE, "Bills that the close which runs has made"),
    "tpo_sealed_months": Family(GAUGE, "Months that stand in files of their own, out of an SQLite store"),
    "tpo_sealed_files_missing": Family(GAUGE, "Files of such months that are not there, or not whole"),
    "tpo_sealed_rows_total": Family(
        COUNTER, "Rows of months that are over, copied into such files and removed from the store", ("step",)
    ),
}
"""The table of all metrics, in the order in which the page shows them. Some need their part of the settings to be shown."""

HEADINGS: Final[dict[str, str]] = {
    "tpo_build_info": "The process",
    "tpo_charging_requests_total": "Charging",
    "tpo_diameter_peer_up": "Diameter",
    "tpo_smpp_link_up": "Texts",
    "tpo_host_up": "SIM cards and orders",
    "tpo_events_broker_up": "Events",
    "tpo_store_up": "The store",
}
"""Which heading of the page begins before which metric."""


def sample(name: str, value: float) -> Metric:
    """Make a metric without labels."""
    return family(name, [((), value)])


def family(name: str, samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    """Make a counter or gauge of the table from (the labels' values, value)."""
    kind, meaning, labels = FAMILIES[name]
    made = (CounterMetricFamily if kind == COUNTER else GaugeMetricFamily)(name, meaning, labels=labels)
    for values, value in samples:
        made.add_metric(values, value)
    return made


def page() -> str:
    """Return docs/metrics.md."""
    lines = [
        "# What the gateway counts",
        "",
        "`GET /metrics` gives all of it in Prometheus' text format. No metric has a customer's number in a label. This page is",
        "made from `gateway/metrics/catalogue.py` by `python -m gateway.metrics.catalogue`. The alert rules are",
        "`config/prometheus/alerts.yml`, with a page for each in `runbooks/`, the dashboard `config/grafana/dashboard.json`.",
    ]
    for name, (kind, meaning, labels) in FAMILIES.items():
        if name in HEADINGS:
            lines += ["", f"## {HEADINGS[name]}", "", "| metric | kind | labels | what it tells |", "|---|---|---|---|"]
        lines.append(f"| `{name}` | {kind} | {', '.join(labels)} | {meaning}. |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
