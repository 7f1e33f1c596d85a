"""The Grafana dashboard as code: config/grafana/dashboard.json is made from it by `python config/grafana/make_dashboard.py`.

Rows go from what customers feel to what the machine does. A threshold is where the alert of the same thing stands
(config/prometheus/alerts.yml). Tests compare the file, and look each metric up in the catalogue.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

PAGE: Final = Path("config/grafana/dashboard.json")
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH: Final = 24
"""Columns of Grafana's grid."""
UP_DOWN: Final = [
    {
        "type": "value",
        "options": {
            "0": {"text": "down", "color": "red", "index": 0},
            "1": {"text": "up", "color": "green", "index": 1},
        },
    }
]
AT: Final = "{instance=~'$instance'}"


class Plot(NamedTuple):
    """A panel: PromQL by legend, the unit (Grafana's name), and the value from which on it is red; `low`: below which."""

    title: str
    queries: dict[str, str]
    unit: str = "short"
    red: float | None = None
    low: float | None = None
    about: str = ""
    kind: str = "timeseries"
    width: int = 8


ROWS: Final[dict[str, tuple[Plot, ...]]] = {
    "At a glance": (
        Plot("Gateways up", {"": "sum(up{job='tpo-gateway'})"}, low=1, kind="stat", width=4),
        Plot("Links bound", {"": f"sum(tpo_smpp_link_up{AT})"}, kind="stat", width=4),
        Plot("Links down", {"": f"count(tpo_smpp_link_up{AT} == 0) or vector(0)"}, red=1, kind="stat", width=4),
        Plot("Peers down", {"": f"count(tpo_diameter_peer_up{AT} == 0) or vector(0)"}, red=1, kind="stat", width=4),
        Plot(
            "Texts in doubt",
            {"": "sum(tpo_sms_open_texts{instance=~'$instance', state='doubtful'}) or vector(0)"},
            red=1,
            kind="stat",
            width=4,
        ),
        Plot("Store", {"": f"min(tpo_store_up{AT})"}, "up-down", low=1, kind="stat", width=4),
    ),
    "Charging": (
        Plot(
            "Credit-Control-Requests",
            {"{{request_type}}": f"sum by (request_type) (rate(tpo_charging_requests_total{AT}[$__rate_interval]))"},
            "reqps",
        ),
        Plot(
            "Time to the answer",
            {
                f"p{share}": (
                    f"histogram_quantile(0.{share}, sum by (le) "
                    f"(rate(tpo_charging_request_duration_seconds_bucket{AT}[$__rate_interval])))"
                )
                for share in (50, 95, 99)
            },
            "s",
            red=0.1,
        ),
        Plot(
            "Results but success",
            {
                "{{result}}": (
                    "sum by (result) (rate(tpo_charging_requests_total"
                    "{instance=~'$instance', result!='2001'}[$__rate_interval]))"
                )
            },
            "reqps",
            about="4010 and 4012: an empty wallet. 3004: overload. 5012: a fault of ours. `repeated`: a client asked twice.",
        ),
    ),
    "Diameter": (
        Plot("Peers", {"{{peer}}": f"tpo_diameter_peer_up{AT}"}, "up-down", low=1, kind="state-timeline"),
        Plot(
            "Requests of the peers",
            {
                f"{{{{peer}}}} {said}": f"rate({name}{{instance=~'$instance', direction='{way}'}}[$__rate_interval])"
                for said, name, way in (
                    ("asked", "tpo_diameter_requests_total", "in"),
                    ("answered", "tpo_diameter_answers_total", "out"),
                )
            },
            "reqps",
        ),
        Plot(
            "Without an answer yet",
            {"{{peer}} {{direction}}": f"tpo_diameter_requests_outstanding{AT}"},
        ),
        Plot(
            "Sent to sessions (RAR, ASR)",
            {
                "{{command}} {{result}}": (
                    f"sum by (command, result) (rate(tpo_diameter_session_requests_total{AT}[$__rate_interval]))"
                )
            },
            "reqps",
            width=12,
        ),
        Plot(
            "Answered with an error",
            {"{{peer}}": f"rate(tpo_diameter_rejected_total{AT}[$__rate_interval])"},
            "reqps",
            width=12,
        ),
    ),
    "Texts": (
        Plot("Links", {"{{link}}": f"tpo_smpp_link_up{AT}"}, "up-down", low=1, kind="state-timeline"),
        Plot(
            "Out and in",
            {
                "{{link}} {{direction}}": f"rate(tpo_smpp_requests_total{AT}[$__rate_interval])",
            },
            "reqps",
            about="Requests: out are texts, in are texts from customers and receipts.",
        ),
        Plot(
            "The SMSC's time to respond, on average",
            {
                "{{link}}": (
                    f"rate(tpo_smpp_response_seconds_total{AT}[$__rate_interval]) / ignoring(direction) "
                    "rate(tpo_smpp_responses_total{instance=~'$instance', direction='in'}[$__rate_interval])"
                )
            },
            "s",
        ),
        Plot("Not at their end", {"{{state}}": f"sum by (state) (tpo_sms_open_texts{AT})"}),
        Plot("Parts in memory", {"{{instance}}": f"tpo_sms_queue_depth{AT}"}),
        Plot("Window in use", {"{{link}}": f"tpo_smpp_window_used{AT}"}),
        Plot(
            "Trouble",
            {
                "{{link}} put off": f"rate(tpo_smpp_throttled_total{AT}[$__rate_interval])",
                "{{link}} no response": f"rate(tpo_smpp_doubtful_total{AT}[$__rate_interval])",
                "{{link}} refused {{direction}}": f"rate(tpo_smpp_refused_total{AT}[$__rate_interval])",
            },
            "reqps",
            width=12,
        ),
        Plot(
            "Asked for their receipt",
            {"{{link}} {{result}}": f"rate(tpo_sms_queries_total{AT}[$__rate_interval])"},
            "reqps",
            width=12,
        ),
        Plot(
            "Texts in that got no answer",
            {"{{reason}}": f"sum by (reason) (rate(tpo_sms_unanswered_total{AT}[$__rate_interval]))"},
            "reqps",
            width=12,
        ),
        Plot(
            "Receipts that settle no text",
            {"{{link}} {{reason}}": f"rate(tpo_sms_receipts_unmatched_total{AT}[$__rate_interval])"},
            "reqps",
            width=12,
        ),
    ),
    "SIM cards and orders": (
        Plot("Hosts", {"{{host}}": f"tpo_host_up{AT}"}, "up-down", low=1, kind="state-timeline"),
        Plot("Orders at work", {"{{instance}}": f"tpo_orders_running{AT}"}),
        Plot(
            "Orders that ended, per hour",
            {"{{kind}} {{state}}": f"sum by (kind, state) (increase(tpo_orders_ended_total{AT}[1h]))"},
        ),
    ),
    "Events": (
        Plot("Broker", {"{{instance}}": f"tpo_events_broker_up{AT}"}, "up-down", low=1, kind="state-timeline"),
        Plot("Rows that wait", {"{{instance}}": f"tpo_events_waiting{AT}"}),
        Plot("Age of the oldest", {"{{instance}}": f"tpo_events_oldest_waiting_seconds{AT}"}, "s", red=300),
    ),
    "The store": (
        Plot(
            "Units and batches committed",
            {
                "units": f"sum(rate(tpo_store_units_total{AT}[$__rate_interval]))",
                "batches (fsyncs)": f"sum(rate(tpo_store_batches_total{AT}[$__rate_interval]))",
            },
            "ops",
        ),
        Plot("Units that wait", {"{{instance}}": f"tpo_store_queue_depth{AT}"}, red=4000),
        Plot("Behind: on one disk alone", {"{{instance}}": f"tpo_backup_behind_seconds{AT}"}, "s", red=60),
        Plot(
            "Written to the backup",
            {"{{instance}}": f"rate(tpo_backup_bytes_total{AT}[$__rate_interval])"},
            "Bps",
        ),
        Plot(
            "A month that is being closed into bills",
            {"bills": f"tpo_bill_close_bills{AT}", "running": f"tpo_bill_close_running{AT}"},
        ),
        Plot("Sealed months", {"months": f"tpo_sealed_months{AT}", "files missing": f"tpo_sealed_files_missing{AT}"}),
        Plot(
            "Rows into files of their own, and out of the store",
            {"{{step}}": f"sum by (step) (rate(tpo_sealed_rows_total{AT}[$__rate_interval]))"},
        ),
        Plot(
            "Where the time of a batch goes, on average",
            {
                "{{phase}}": (
                    f"sum by (phase) (rate(tpo_store_batch_seconds_sum{AT}[$__rate_interval])) / "
                    f"sum by (phase) (rate(tpo_store_batch_seconds_count{AT}[$__rate_interval]))"
                )
            },
            "s",
        ),
        Plot(
            "Lost, shed, refused in five minutes",
            {
                "batches lost": f"sum(increase(tpo_store_batches_failed_total{AT}[5m]))",
                "units shed": f"sum(increase(tpo_store_units_expired_total{AT}[5m]))",
                "units refused": f"sum(increase(tpo_store_units_poisoned_total{AT}[5m]))",
            },
            red=1,
        ),
    ),
    "Several gateways on one store": (
        Plot("Lease held", {"{{instance}}": f"tpo_store_lease_held{AT}"}, low=1, width=12),
        Plot("Gateways gone that nobody adopted", {"gone": f"max(tpo_nodes_gone{AT})"}, red=1, width=12),
    ),
    "The process": (
        Plot("Alarms in an hour", {"{{event}}": f"sum by (event) (increase(tpo_alarms_total{AT}[1h])) > 0"}, width=12),
        Plot(
            "Version and age",
            {"{{version}}": f"time() - tpo_start_time_seconds{AT} * on (instance) group_left (version) tpo_build_info"},
            "s",
            kind="stat",
            width=12,
        ),
        Plot("Traces that listen", {"{{instance}}": f"tpo_traces_active{AT}"}, red=1),
        Plot(
            "HTTP requests that were not let in",
            {"{{reason}}": f"sum by (reason) (rate(tpo_api_tokens_refused_total{AT}[$__rate_interval]))"},
            "reqps",
        ),
        Plot("Event loop lag", {"{{instance}}": f"tpo_event_loop_lag_seconds{AT}"}, "s", red=0.25),
        Plot("Processors", {"{{instance}}": f"rate(tpo_cpu_seconds_total{AT}[$__rate_interval])"}, red=0.95),
        Plot("Memory", {"{{instance}}": f"tpo_resident_memory_bytes{AT}"}, "bytes"),
        Plot(
            "Background tasks begun again, in an hour",
            {"{{task}}": f"sum by (task) (increase(tpo_task_surprises_total{AT}[1h])) > 0"},
            red=1,
        ),
    ),
}


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    return {
        "uid": "tpo-gateway",
        "title": "TPO gateway",
        "description": "Made by `python config/grafana/make_dashboard.py`; changes made here are lost.",
        "tags": ["tpo"],
        "schemaVersion": 39,
        "version": 1,
        "timezone": "",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "graphTooltip": 1,
        "templating": {"list": [_datasource(), _instance()]},
        "annotations": {"list": [_alerts()]},
        "panels": _panels(),
    }


def _panels() -> list[dict[str, Any]]:
    """Lay the rows out from the top; plots fill their row from the left and go on below."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, plots in ROWS.items():
        grid = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": grid, "panels": []})
        x, y = 0, y + 1
        height = 4 if all(plot.kind == "stat" for plot in plots) else 8
        for plot in plots:
            if x + plot.width > WIDTH:
                x, y = 0, y + height
            grid = {"x": x, "y": y, "w": plot.width, "h": height}
            panels.append({"id": len(panels) + 1, **_panel(plot), "gridPos": grid})
            x += plot.width
        y += height
    return panels


def _panel(plot: Plot) -> dict[str, Any]:
    shown: dict[str, Any] = {"thresholds": _thresholds(plot), "unit": plot.unit}
    if plot.unit == "up-down":
        shown |= {"unit": "short", "mappings": UP_DOWN}
    if plot.kind == "timeseries":
        style = "line" if plot.red is not None else "off"
        shown |= {"min": 0, "custom": {"fillOpacity": 8, "showPoints": "never", "thresholdsStyle": {"mode": style}}}
    else:
        shown["color"] = {"mode": "thresholds"}
    return {
        "type": plot.kind,
        "title": plot.title,
        "description": plot.about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": shown, "overrides": []},
        "options": _options(plot),
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": plot.kind == "stat",
                "range": plot.kind != "stat",
            }
            for number, (legend, expression) in enumerate(plot.queries.items())
        ],
    }


def _thresholds(plot: Plot) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if plot.red is not None:
        steps.append({"color": "red", "value": plot.red})
    if plot.low is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": plot.low}]
    return {"mode": "absolute", "steps": steps}


def _options(plot: Plot) -> dict[str, Any]:
    match plot.kind:
        case "stat":
            return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "none"}
        case "state-timeline":
            return {"showValue": "never", "mergeValues": True, "legend": {"showLegend": False}}
        case _:
            legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _instance() -> dict[str, Any]:
    """Let the viewer choose among the gateways."""
    return {
        "name": "instance",
        "label": "Gateway",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": "label_values(tpo_build_info, instance)", "refId": "instance"},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _alerts() -> dict[str, Any]:
    """Mark on every plot when an alert fired."""
    return {
        "name": "Alerts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": "ALERTS{alertname=~'Tpo.*', alertstate='firing'}",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{instance}} {{link}}{{peer}}{{host}}",
    }


def page() -> str:
    """Return config/grafana/dashboard.json."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
