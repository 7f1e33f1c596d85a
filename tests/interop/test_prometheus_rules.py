"""Prometheus itself reads our rules, our dashboard's queries and the metrics of a gateway that runs."""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
import yaml
from support.gateways import Gateway
from support.monitoring import ROOT, alerts, expressions
from support.patience import PATIENCE
from support.ports import free_port

from gateway.metrics.catalogue import FAMILIES

pytestmark = pytest.mark.xdist_group("prometheus_rules")
FOLDER = ROOT / "config/prometheus"
EVERYWHERE = """
smpp:
  links:
    - {name: smsc-1, host: 127.0.0.1, port: %(smsc)d, system_id: tpo, password: secret}
provisioning:
  hosts:
    - {name: host, adapter: tmf640, plans: [payg-gb], url: "http://127.0.0.1:%(host)d/v4", token: secret}
events: {mqtt: {url: "mqtt://127.0.0.1:%(broker)d", topic: tpo}}
"""
"""Every part that has metrics of its own; nobody listens at these ports."""


def promtool(*arguments, folder=FOLDER):
    return subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, check=False, cwd=folder, timeout=300
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    ports = {name: free_port() for name in ("smsc", "host", "broker")}
    folder = tmp_path_factory.mktemp("watched")
    with Gateway(folder / "gw", extra=EVERYWHERE % ports, backup=folder / "backup") as running:
        yield running


def metrics_of(gateway):
    """What /metrics tells: name -> kind, and name -> the labels of its series."""
    status, text = gateway.get("/metrics")
    assert status == 200
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    labels = {}
    for name, inner in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', inner))
    return text, kinds, labels


def test_promtool_accepts_the_rules_and_both_configurations(tmp_path):
    for arguments in (
        ("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
    ):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    secret = tmp_path / "token"
    secret.write_text("a token")
    contained = (ROOT / "config/container/prometheus.yml").read_text().replace("/run/secrets/prometheus", str(secret))
    (tmp_path / "prometheus.yml").write_text(contained)
    shutil.copy(FOLDER / "alerts.yml", tmp_path)
    done = promtool("check", "config", "prometheus.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_stays_silent_otherwise():
    done = promtool("test", "rules", "alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    scenes = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    fired = {case["alertname"] for scene in scenes for case in scene["alert_rule_test"] if case["exp_alerts"]}
    assert fired == set(alerts())


def test_a_gateway_has_exactly_the_metrics_of_the_catalogue(gateway):
    text, kinds, labels = metrics_of(gateway)
    assert {name: kind for name, kind in kinds.items() if name.startswith("tpo_")} == {
        name: family.kind for name, family in FAMILIES.items()
    }
    for name, family in FAMILIES.items():
        assert f"# HELP {name} {family.meaning}\n" in text
        assert labels.get(name, set()) <= set(family.labels)


def test_promtool_finds_no_fault_with_the_names(gateway):
    text, _, _ = metrics_of(gateway)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def ask(port, path, **query):
    """What Prometheus answers; None while it does not."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(query)}", timeout=PATIENCE
        ) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


def until(found):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.2)
    raise AssertionError("Prometheus did not come to it in time")


@pytest.fixture(scope="module")
def prometheus(gateway, tmp_path_factory):
    """A Prometheus with our files, but for the port and the pace."""
    folder = tmp_path_factory.mktemp("prometheus")
    written = (FOLDER / "prometheus.yml").read_text()
    assert "127.0.0.1:8080" in written
    written = written.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.http_port}").replace("15s", "1s")
    (folder / "prometheus.yml").write_text(written)
    shutil.copy(FOLDER / "alerts.yml", folder)
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: (ask(port, "/api/v1/query", query="count_over_time(up[1m]) > 2") or {}).get("result"))
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_prometheus_scrapes_the_gateway_and_answers_every_query_of_rules_and_dashboard(prometheus):
    (up,) = ask(prometheus, "/api/v1/query", query="up")["result"]
    assert (up["metric"]["job"], up["value"][1]) == ("tpo-gateway", "1")
    silent = []
    for where, expression in expressions():
        answer = ask(prometheus, "/api/v1/query", query=expression)
        assert answer is not None, (where, expression)
        if not answer["result"]:
            silent.append(where)
    assert not {"Gateways up", "Links down", "Store", "Links", "Peers", "Hosts", "Memory", "Processors"} & set(silent)


def test_what_is_down_is_about_to_fire(prometheus):
    def found():
        told = (ask(prometheus, "/api/v1/alerts") or {"alerts": []})["alerts"]
        return {alert["labels"]["alertname"]: alert["state"] for alert in told}

    until(lambda: found().keys() >= {"TpoLinkDown", "TpoPeerDown"})  # one rule after the other is looked at
    assert found() == {"TpoLinkDown": "pending", "TpoPeerDown": "pending"}
    rules = ask(prometheus, "/api/v1/rules")["groups"][0]["rules"]
    assert {rule["name"]: rule["health"] for rule in rules} == dict.fromkeys(alerts(), "ok")
