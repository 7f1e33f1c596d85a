"""`tpo status --watch`: look upon look, over a restart of the gateway, into a pipe and onto a terminal."""

import json
import os
import pty
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from support.gateways import ROOT, Gateway
from support.patience import PATIENCE
from support.ports import free_port


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("watch") / "gw") as running:
        yield running


def looks(text):
    """The JSON objects that stand one below the other."""
    found, reader, place = [], json.JSONDecoder(), 0
    while place < len(text.rstrip()):
        value, place = reader.raw_decode(text, place)
        found.append(value)
        place += len(text[place:]) - len(text[place:].lstrip())
    return found


def test_one_look_tells_of_peers_and_links(gateway):
    told = gateway.json("status")
    assert [peer["identity"] for peer in told["peers"]] == ["pgw.host.example"]
    assert (told["links"], told["drain"], told["state"]) == ([], None, "running")


def test_the_status_readyz_and_the_page_tell_of_the_same_concerns(gateway):
    told = gateway.json("status")["concerns"]
    assert [(each["id"], each["severity"], each["runbook"]) for each in told] == [
        ("peer.down", "critical", "docs/runbooks/peer-down.md")
    ]
    assert [(each["concern"], each["subject"]) for each in told] == [("peer.down", "pgw.host.example")]
    assert datetime.fromisoformat(told[0]["since"]) <= datetime.now(UTC)
    assert json.loads(gateway.get("/readyz")[1])["concerns"] == told  # since the same moment
    assert json.loads(gateway.get("/livez")[1])["concerns"] == []
    assert told[0]["words"] in gateway.get("/")[1]
    assert told[0]["words"] in gateway.tpo("status").stdout


def test_rates_are_those_since_the_look_before(gateway):
    done = gateway.tpo("status", "--watch", "--interval", "0.2", "--count", "3", "--json")
    first, second, third = looks(done.stdout)
    assert "rates" not in first
    assert set(second["rates"]) == set(third["rates"]) == {"units/s", "requests in/s", "texts out/s", "texts in/s"}
    assert third["at"] > second["at"] > first["at"]


def test_a_pipe_gets_one_look_below_the_other(gateway):
    done = gateway.tpo("status", "--watch", "--interval", "0.2", "--count", "2")
    assert done.stdout.count("write lane") == 2
    assert "\x1b" not in done.stdout


def test_a_terminal_is_painted_anew(gateway):
    ours, theirs = pty.openpty()
    words = ["--config", str(gateway.config), "status", "--watch", "--interval", "0.2", "--count", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *words], stdout=theirs, stdin=subprocess.DEVNULL, cwd=ROOT
    )
    os.close(theirs)
    painted = b""
    try:
        while piece := os.read(ours, 65536):
            painted += piece
    except OSError:  # what a terminal without anybody behind it reads as
        pass
    finally:
        os.close(ours)
    assert process.wait(PATIENCE) == 0
    assert painted.count(b"\x1b[H\x1b[2J") == 2
    assert b"running" in painted


def until_told(out, state):
    deadline = time.monotonic() + PATIENCE
    while f'"{state}"' not in out.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_gateway_that_is_gone_is_waited_for(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    words = ["--config", str(gateway.config), "status", "--watch", "--interval", "0.2", "--json"]
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "gateway.cli", *words], stdout=out, cwd=ROOT)
        until_told(tmp_path / "out", "unreachable")
        with gateway:
            until_told(tmp_path / "out", "running")
        process.send_signal(2)
        assert process.wait(PATIENCE) == 0
    states = [look["state"] for look in looks((tmp_path / "out").read_text())]
    assert states[0] == "unreachable"
    assert "running" in states


def test_every_time_of_a_status_is_rfc_3339(gateway):
    told = gateway.json("status")
    times = [told["since"], *(peer["since"] for peer in told["peers"])]
    assert all(datetime.fromisoformat(time).tzinfo is UTC for time in times)
    assert abs(datetime.fromisoformat(told["since"]).timestamp() - time.time()) < 600


def test_a_link_that_is_dialled_again_says_when_in_rfc_3339_and_a_dead_host_is_named(tmp_path):
    port = free_port()
    link = f"{{name: host, host: 127.0.0.1, port: {port}, system_id: tpo, password: x}}"
    host = f"{{name: api, adapter: tmf640, plans: [payg-gb], url: 'http://127.0.0.1:{port}'}}"
    with Gateway(tmp_path / "gw", extra=f"smpp: {{links: [{link}]}}\nprovisioning: {{hosts: [{host}]}}") as gateway:
        deadline = time.monotonic() + PATIENCE
        while not ((told := gateway.json("status"))["links"][0]["retry_at"] and not told["hosts"][0]["reachable"]):
            assert time.monotonic() < deadline, told
            time.sleep(0.2)
    assert datetime.fromisoformat(told["links"][0]["retry_at"]).tzinfo is UTC
    assert str(port) in told["hosts"][0]["trouble"]
