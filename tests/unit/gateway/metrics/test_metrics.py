"""Names as Prometheus wants them, a page that is current, and counters that begin at zero."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from gateway.charging.gy.server import Observed
from gateway.logs.catalogue import EVENTS
from gateway.metrics.catalogue import COUNTER, FAMILIES, GAUGE, HEADINGS, HISTOGRAM, family, page, sample
from gateway.metrics.charging_requests import DURATION, REQUESTS, ChargingRequests
from gateway.metrics.registry import SECONDS, Metrics

ROOT = Path(__file__).parents[4]
CUSTOMERS = {"msisdn", "imsi", "iccid", "subscriber", "subscriber_id", "number", "source", "destination", "session_id"}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_name_is_as_prometheus_wants_it(name):
    kind, meaning, labels = FAMILIES[name]
    assert re.fullmatch(r"tpo(_[a-z]+)+", name)
    assert kind in (COUNTER, GAUGE, HISTOGRAM)
    assert name.endswith("_total") == (kind == COUNTER)
    assert not re.search(r"_(ms|millis|us|minutes|kb|mb|percent|count|sum|bucket)(_|$)", name)
    assert not meaning.endswith(".")
    assert "|" not in meaning
    assert not CUSTOMERS & set(labels)
    assert not {"le", "job", "instance"} & set(labels)


def test_the_page_is_current_and_each_heading_has_its_metric():
    assert (ROOT / "docs/metrics.md").read_text() == page(), "run python -m gateway.metrics.catalogue"
    assert set(HEADINGS) <= set(FAMILIES)


def test_each_alarm_is_counted_from_zero():
    lines = Metrics().text().decode().splitlines()
    for name, event in EVENTS.items():
        assert (f'tpo_alarms_total{{event="{name}"}} 0.0' in lines) == (event.level != "info")


def test_what_is_observed_is_counted():
    metrics = Metrics()
    metrics.observe(Observed(1, "2001", 0.003))
    metrics.observe(Observed(1, "2001", 0.2))
    metrics.observe_session_request("RAR", "2002")
    metrics.collect_from(lambda: [sample("tpo_store_up", value=True), family("tpo_host_up", [(("hlr",), False)])])
    lines = metrics.text().decode().splitlines()
    for line in (
        'tpo_charging_requests_total{request_type="initial",result="2001"} 2.0',
        'tpo_charging_request_duration_seconds_bucket{le="0.005"} 1.0',
        "tpo_charging_request_duration_seconds_count 2.0",
        'tpo_diameter_session_requests_total{command="RAR",result="2002"} 1.0',
        "tpo_store_up 1.0",
        'tpo_host_up{host="hlr"} 0.0',
    ):
        assert line in lines


def test_charging_requests_are_written_as_the_library_writes_its_own_counters_and_histograms():
    ours, theirs, counted = CollectorRegistry(), CollectorRegistry(), ChargingRequests(SECONDS)
    ours.register(counted)
    counter = Counter(REQUESTS, FAMILIES[REQUESTS].meaning, FAMILIES[REQUESTS].labels, registry=theirs)
    histogram = Histogram(DURATION, FAMILIES[DURATION].meaning, buckets=SECONDS, registry=theirs)
    assert generate_latest(ours) == generate_latest(theirs)
    for seconds in (0.0, 0.001, 0.0010001, 0.003, 0.05, 4.9, 5.0, 5.1, 60.0):
        counted.observe(Observed(2, "2001", seconds))
        counter.labels("update", "2001").inc()
        histogram.observe(seconds)
    assert generate_latest(ours) == generate_latest(theirs)


def test_the_hosts_and_links_of_a_source_become_rows_with_their_labels():
    made = family("tpo_smpp_requests_total", [(("smsc-1", "in"), 3), (("smsc-1", "out"), 5)])
    assert [(row.name, row.labels, row.value) for row in made.samples] == [
        ("tpo_smpp_requests_total", {"link": "smsc-1", "direction": "in"}, 3),
        ("tpo_smpp_requests_total", {"link": "smsc-1", "direction": "out"}, 5),
    ]
    assert (made.type, made.documentation) == ("counter", FAMILIES["tpo_smpp_requests_total"].meaning)
