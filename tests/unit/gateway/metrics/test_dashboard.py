"""The dashboard is current, asks only for metrics and labels that there are, and its panels fit the grid."""

import pytest
from support.monitoring import ROOT, dashboard, dashboard_maker, expressions, family, labels, names, panels

from gateway.metrics.catalogue import FAMILIES

EVERYTHING = list(expressions())


def test_the_file_is_current():
    written = (ROOT / "config/grafana/dashboard.json").read_text()
    assert written == dashboard_maker().page(), "run python config/grafana/make_dashboard.py"


@pytest.mark.parametrize(("where", "expression"), EVERYTHING, ids=[where for where, _ in EVERYTHING])
def test_each_expression_asks_for_metrics_and_labels_that_there_are(where, expression):
    wanted = {family(name, FAMILIES) for name in names(expression)}
    assert wanted or expression.startswith(("up{", "sum(up{"))
    assert wanted <= set(FAMILIES), where
    assert labels(expression) <= {label for name in wanted for label in FAMILIES[name].labels}


def test_a_counter_is_never_shown_bare():
    for where, expression in EVERYTHING:
        for name in names(expression):
            if name.endswith(("_total", "_bucket")):
                before = expression[: expression.index(name)]
                assert before.endswith(("rate(", "increase(")), where


def test_every_metric_is_on_the_dashboard():
    shown = {family(name, FAMILIES) for _, expression in EVERYTHING for name in names(expression)}
    assert set(FAMILIES) - shown == set()


def test_no_two_panels_overlap_and_each_has_a_title_and_a_number_of_its_own():
    taken = set()
    for panel in dashboard()["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= dashboard_maker().WIDTH
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"]
    numbers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(numbers) == len(set(numbers))


def test_each_panel_has_a_unit_thresholds_and_a_legend_for_each_query():
    for panel in panels():
        shown = panel["fieldConfig"]["defaults"]
        assert shown["unit"]
        assert shown["thresholds"]["steps"][0]["value"] is None
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert all(legends) or panel["type"] == "stat"
        assert len(legends) == len(set(legends))


def test_a_threshold_of_time_stands_where_the_alert_does():
    red = {panel["title"]: panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"] for panel in panels()}
    rules = dict(EVERYTHING)
    for title, alert in (
        ("Time to the answer", "TpoChargingSlow"),
        ("Event loop lag", "TpoEventLoopLate"),
        ("Age of the oldest", "TpoOutboxWaiting"),
        ("Behind: on one disk alone", "TpoBackupBehind"),
    ):
        assert rules[alert].endswith(f"> {red[title]}")
