"""What watches a gateway: its rules and its dashboard, and the names of metrics that PromQL asks for."""

import importlib.util
import json
import re
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "config/prometheus/alerts.yml"
RUNBOOKS = ROOT / "docs/runbooks"


@cache
def alerts():
    """The alert rules, by name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboard_maker():
    """The program that writes the dashboard."""
    spec = importlib.util.spec_from_file_location("make_dashboard", ROOT / "config/grafana/make_dashboard.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


def dashboard():
    """The dashboard as Grafana imports it."""
    return json.loads((ROOT / "config/grafana/dashboard.json").read_text())


def panels():
    """The dashboard's panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions():
    """Every PromQL expression of rules and dashboard, with Grafana's variables filled in: (where, expression)."""
    for name, rule in alerts().items():
        yield name, rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")


def names(expression):
    """The metrics that an expression asks for, as it writes them."""
    return set(re.findall(r"\btpo_[a-z_]+", expression))


def family(name, families):
    """The family that a series belongs to: a histogram has three."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if base in families and families[base].kind == "histogram" else name


def labels(expression):
    """The labels that an expression selects or sums by, without those of Prometheus itself."""
    selected = re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*[\"']", expression)
    summed = re.findall(r"\b(?:by|on|ignoring|group_left)\s*\(([^)]*)\)", expression)
    found = {*selected, *(label.strip() for group in summed for label in group.split(","))}
    return found - {"", "instance", "job", "le"}
