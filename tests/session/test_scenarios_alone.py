"""Each service that runs alone goes by a scenario: its own part of it, its faults in time; an option that is given wins."""

import asyncio
import json
import sys
import urllib.request

import aiohttp
import pytest
from support.gateways import ROOT, Gateway, subscribers
from support.patience import PATIENCE, until
from support.ports import free_port
from support.smpp_rig import SUBMIT, LinkRig

from gateway.charity.public_sums import FEWEST
from protocols.smpp.node_events import LinkUp

SCENARIO = """
seed: 7
duration: 60
sessions: {rate: 50, octets: [10000, 20000], seconds: [0.1, 0.2], profile: open5gs}
smsc: {delivery: 0.01, receipt_ids: hex}
host: {mode: async, work: 0.05, rate: 1000}
faults:
  - {at: 0, for: 600, smsc: {refused: 1.0}, host: {error-before: 1.0}}
"""


class Command:
    """`tpo simulate ...` in a process of its own, until it is told to end."""

    def __init__(self, tmp_path, name, *options):
        file = tmp_path / "scenario.yaml"
        file.write_text(SCENARIO)
        words = (sys.executable, "-m", "gateway.cli", "simulate", name, "--scenario", str(file), "--json", *options)
        self._words, self.said = words, ""

    async def __aenter__(self):
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self._words, stdout=pipe, stderr=pipe, cwd=ROOT)
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def until(self, words):
        """Wait for a line on standard error with these words; the rest of it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                line = (await self.process.stderr.readline()).decode()
                assert line, self.said
                self.said += line
                if words in line:
                    return line.partition(words)[2].strip()

    async def end(self):
        """Ctrl-C, and its report."""
        self.process.send_signal(2)
        out, _ = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        return json.loads(out)


async def test_an_smsc_alone_has_the_faults_of_its_scenario_until_it_is_steered(tmp_path):
    port = free_port()
    async with Command(tmp_path, "smsc", "--port", str(port), "--control", "0") as smsc:
        control = await smsc.until("it is steered at ")
        async with LinkRig(port) as esme:
            await esme.told(LinkUp)
            esme.link.submit(SUBMIT)
            await until(lambda: esme.results)
            assert esme.results[0].command_status != 0
            request = urllib.request.Request(f"{control}/faults", b'{"smsc": {}}', method="PUT")
            await asyncio.to_thread(urllib.request.urlopen, request, timeout=10)
            esme.link.submit(SUBMIT)
            await until(lambda: len(esme.results) == 2)
            assert esme.results[1].command_status == 0
        report = await smsc.end()
    assert report["faults"] == {"refused": 1}


async def test_a_host_api_alone_works_as_its_scenario_says_and_asks_for_its_token(tmp_path, monkeypatch):
    monkeypatch.setenv("HOST_TOKEN", "right")
    options = ("--port", "0", "--control", "0", "--token-env", "HOST_TOKEN")
    told = {"iccid": "89441", "msisdn": "447700900001"}
    body = {
        "state": "active",
        "serviceSpecification": {"id": "mobile-line"},
        "supportingResource": [{"id": told["iccid"]}],
        "serviceOrderItem": [{"serviceOrderId": "o-1"}],
        "serviceCharacteristic": [{"name": name, "value": value} for name, value in told.items()],
    }
    async with Command(tmp_path, "host-api", *options) as host, aiohttp.ClientSession() as session:
        url = await host.until("the host API listens at ")
        control = await host.until("it is steered at ")
        right = {"Authorization": "Bearer right"}
        for headers, status in (({}, 401), (right, 500)):
            async with session.post(f"{url}/service", json=body, headers=headers) as answer:
                assert answer.status == status
        async with session.put(f"{control}/faults", json={"host": {}}) as answer:
            assert answer.status == 204
        async with session.post(f"{url}/service", json=body, headers=right) as answer:
            assert answer.status == 202  # async
        report = await host.end()
    assert "right" not in host.said
    assert report["faults"] == {"error-before": 1}


@pytest.mark.parametrize(
    ("options", "groups"),
    [((), {""}), (("--profile", "standard"), {"100", "200"})],
    ids=["the scenario's", "the option's"],
)
async def test_a_pgw_alone_runs_the_sessions_of_its_scenario(tmp_path, options, groups):
    lines = tmp_path / "lines.csv"
    rows = [f"{msisdn},{imsi}" for msisdn, imsi, *_ in subscribers(3)]
    lines.write_text("msisdn,imsi\n" + "\n".join(rows) + "\n")
    with Gateway(tmp_path / "gw", diameter="  served_realms: [host.example]") as gateway:
        gateway.enrol(subscribers(3))
        where = ("--gateway", f"127.0.0.1:{gateway.diameter_port}", "--subscribers", str(lines))
        async with Command(tmp_path, "pgw", *where, "--duration", "2", *options) as pgw:
            out, said = await asyncio.wait_for(pgw.process.communicate(), PATIENCE)
        report = json.loads(out)
        assert pgw.process.returncode == 0, said
        assert report["sessions"]["ended"] > 20
        assert report["octets_reported"] == report["octets_acknowledged"]
        average = report["octets_reported"] / report["sessions"]["ended"]
        assert 10_000 <= average <= 21_000
        used = {row["rating_group"] for row in gateway.usage()}
        assert used == groups


async def test_a_scenario_with_a_mistake_is_refused_by_each(tmp_path):
    (tmp_path / "scenario.yaml").write_text("")
    for name in ("smsc", "host-api", "pgw", "network"):
        wrong = tmp_path / f"{name}.yaml"
        wrong.write_text("sessions: {rat: 2}\n")
        async with Command(tmp_path, name, "--scenario", str(wrong)) as command:
            _, said = await asyncio.wait_for(command.process.communicate(), PATIENCE)
        assert command.process.returncode == 1, said
        assert b"rat" in said
        assert b"docs/simulators.md" in said


def test_the_sample_lines_make_a_cause_of_fifty_that_can_be_told_when_a_month_is_over():
    rows = [line.split(",") for line in (ROOT / "config/sample-subscribers.csv").read_text().splitlines()[1:]]
    causes = [row[4] for row in rows]
    assert causes.count("wateraid") >= FEWEST
    assert all(row[0].startswith("4477009001") or row[0].startswith("4477009002") for row in rows)
    assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == len({row[2] for row in rows}) == 120
    assert not {"447700900198", "447700900199"} & {row[0] for row in rows}
