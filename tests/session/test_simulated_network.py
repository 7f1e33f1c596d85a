"""The simulated host network: scenarios as files, and the whole of it beside a gateway, steered while it runs."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from support import warm_start
from support.gateways import ROOT
from support.patience import PATIENCE
from support.ports import free_port

from simulators.scenario import Day, Scenario, ScenarioInvalid, read_scenario

FILES = ("plans.yaml", "causes.yaml", "keywords.yaml", "taxes.yaml", "sample-subscribers.csv", "sample-sims.csv")
BUSY = """
seed: 7
sessions: {rate: 10, octets: [1000000, 5000000], seconds: [1, 3]}
texts: {rate: 10, words: [GIVE WATERAID 1, BALANCE]}
handsets: {seconds: 0.1}
smsc: {delivery: 0.05, receipt_ids: decimal}
host: {mode: async, work: 0.1}
faults:
  - {at: 0, for: 600, smsc: {receipt-early: 0.1, receipt-doubled: 0.1, reordered: 0.1}, host: {callback-lost: 0.1}}
"""


@pytest.fixture
def config(tmp_path):
    """The shipped configuration of the simulated network, on ports and a store of its own."""
    for name in FILES:
        (tmp_path / name).write_text((ROOT / "config" / name).read_text())
    text = (ROOT / "config" / "network.yaml").read_text()
    for port in ("3868", "8080", "2775", "8640"):
        text = re.sub(rf"(127\.0\.0\.1:|port: ){port}", rf"\g<1>{free_port()}", text)
    (tmp_path / "network.yaml").write_text(text)
    return tmp_path / "network.yaml"


def tpo(config, *arguments):
    return [sys.executable, "-m", "gateway.cli", "--config", str(config), *arguments]


def ask(config, *arguments):
    done = warm_start.run(["--config", str(config), *arguments, "--json"], timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def get(url):
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return json.load(answer)


def balances(config):
    """Account -> balance."""
    return {row["account"]: float(row["balance"]) for row in ask(config, "ledger", "balances")}


def becomes(look, wanted):
    """Look until it is as wanted; gives what was seen then: what is drawn by chance may come late."""
    deadline = time.monotonic() + PATIENCE
    while not wanted(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


class Running:
    """One network with its gateway, from its first words to `SIGTERM`."""

    def __init__(self, config, *options):
        self.seen, self._config = "", config
        self.process = subprocess.Popen(
            tpo(config, "simulate", "network", "--with-gateway", *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()  # the gateway beside it ends with it
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def until(self, pattern):
        give_up = threading.Timer(PATIENCE, self.process.kill)  # a reader of a pipe cannot be woken otherwise
        give_up.start()
        try:
            for line in self.process.stdout:
                self.seen += line
                if found := re.search(pattern, self.seen):
                    return found
        finally:
            give_up.cancel()
        raise AssertionError(f"{pattern} was not told:\n{self.seen}")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.seen += self.process.stdout.read()
        assert self.process.wait() == 0, self.seen


def test_sessions_texts_and_a_sim_run_beside_the_gateway_by_a_scenario_and_a_second_run_finds_what_the_first_left(
    config, tmp_path
):
    scenario = tmp_path / "busy.yaml"
    scenario.write_text(BUSY)
    with Running(config, "--scenario", str(scenario)) as network:
        url = network.until(r"steered at (\S+)").group(1)
        assert re.search(r"the SIM 8944100000000001990 was activated: 447700900199", network.seen)
        assert re.search(r"status page is at http://127\.0\.0\.1:\d+/", network.seen)
        network.until(r"try in another terminal")
        network.until(r"texts \d+ in, [1-9]\d+ out \|.* charged [0-9.]+ GBP")
        told = becomes(
            lambda: get(f"{url}/summary"),
            lambda told: set(told["smsc"]["faults"]) & {"receipt-early", "receipt-doubled", "reordered"},
        )
        assert told["pgw"]["answers"] > 0
        assert told["smsc"]["bound"] == ["tpo"]
        assert told["smsc"]["messages"]["delivered"] > 0
        request = urllib.request.Request(f"{url}/faults", b'{"smsc": {}}', method="PUT")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert answer.status == 204
        becomes(lambda: balances(config), lambda told: told["revenue"] > 0 and told.get("gifts:wateraid", 0) >= 1)
        assert told["host"]["orders"]["done_twice"] == 0
        commands = re.findall(r"^  tpo --config \S+ (.+)$", network.seen, re.MULTILINE)
        assert len(commands) == 3
        for command in commands:
            arguments = [word.strip('"') for word in re.findall(r'"[^"]+"|\S+', command)]
            assert ask(config, *arguments)
        network.end()
    assert "the gateway has stopped" in network.seen
    assert ask(config, "ledger", "check")["ok"]
    assert balances(config)["gifts:wateraid"] >= 1

    assert "120 lines imported, 0 were known" in network.seen
    with Running(config, "--duration", "1") as again:
        again.until("0 lines imported, 120 were known")
        again.until(r"the gateway has stopped")
        assert again.process.wait() == 0
    assert "was activated" not in again.seen
    assert ask(config, "sim", "show", "8944100000000001990")["state"] == "active"


def test_a_port_that_is_taken_is_named(config):
    taken = int(re.search(r"port: (\d+)", config.read_text()).group(1))
    with socket.create_server(("127.0.0.1", taken)):
        done = subprocess.run(tpo(config, "simulate", "network"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"the message centre cannot listen on port {taken}" in done.stderr


def test_faults_follow_their_phases_and_rates_their_day(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "day: {seconds: 10, curve: [1, 3]}\n"
        "faults:\n"
        "  - {at: 5, for: 10, smsc: {slow: 0.5}}\n"
        "  - {at: 8, for: 2, smsc: {throttled: 1}, host: {slow: 0.1}}\n"
    )
    scenario = read_scenario(file)
    assert [scenario.busy(now) for now in (0, 4.9, 5, 12, 17)] == [1, 1, 3, 1, 3]
    assert scenario.shares(0) == {"smsc": {}, "host": {}}
    assert scenario.shares(6) == {"smsc": {"slow": 0.5}, "host": {}}
    assert scenario.shares(9) == {"smsc": {"throttled": 1}, "host": {"slow": 0.1}}
    assert scenario.shares(12) == {"smsc": {"slow": 0.5}, "host": {}}
    assert [scenario.next_change(now) for now in (0, 5, 8, 10, 15)] == [5, 8, 10, 15, None]
    assert scenario.changed(rate=4, seed=None, duration=9).sessions.rate == 4
    assert Scenario().busy(1.0) == Day(1.0, (1.0,)).factor(7.5) == 1.0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("sessions: {rat: 1}", "rat"),
        ("sessions: {rate: 0}", "sessions.rate"),
        ("sessions: {octets: [5, 1]}", "sessions.octets"),
        ("sessions: {profile: cisco}", "cisco"),
        ("texts: {words: []}", "texts.words"),
        ("handsets: {answers: {Reply YES: YES}}", "answers"),
        ("day: {seconds: 60, curve: []}", "day.curve"),
        ("faults: [{at: 0, for: 5, smsc: {sloow: 1}}]", "sloow"),
        ("faults: [{at: 0, for: 0}]", "faults.for"),
        ("host: {work: -1}", "less than 0"),
        ("[1, 2", "line 1"),
        ("- 1", "object"),
    ],
)
def test_a_scenario_with_a_mistake_is_refused_and_the_mistake_named(tmp_path, text, what):
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    with pytest.raises(ScenarioInvalid, match=what):
        read_scenario(file)


async def test_the_command_names_a_scenario_that_cannot_be_read(config, tmp_path):
    process = await asyncio.create_subprocess_exec(
        *tpo(config, "simulate", "network", "--scenario", str(tmp_path / "none.yaml")), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert (process.returncode, b"none.yaml" in errors) == (1, True)
