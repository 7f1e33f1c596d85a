"""The fixtures for other people's tests: the example project of docs, and a PGW against a gateway that runs."""

import os
import subprocess
import sys

import pytest
from support.gateways import ROOT, Gateway

from simulators.background import Background, BackgroundPgw, BackgroundSmsc
from simulators.profiles import PROFILES
from simulators.scenario import read_scenario


def test_the_example_project_passes():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=ROOT / "docs/example-project", env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


def test_the_scenario_of_the_page_is_one(tmp_path):
    page = (ROOT / "docs/simulators.md").read_text()
    written = page[page.index("    seed: 7") : page.index("While it runs")]
    (tmp_path / "scenario.yaml").write_text("".join(line[4:] + "\n" for line in written.splitlines()))
    scenario = read_scenario(tmp_path / "scenario.yaml")
    assert (scenario.seed, scenario.duration, scenario.faults[0].at) == (7, 600, 60)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_pgw_of_each_kind_charges_against_a_gateway(tmp_path, profile):
    gateway = Gateway(tmp_path, diameter="  served_realms: [host.example]")
    gateway.json("subscriber", "import", str(ROOT / "config/sample-subscribers.csv"))
    gateway.start()
    try:
        with Background() as thread:
            pgw = BackgroundPgw(thread, profile=profile)
            with pytest.raises(RuntimeError, match="call connect first"):
                pgw.run("001010000000001", "447700900101", 1)
            pgw.connect("127.0.0.1", gateway.diameter_port)
            assert pgw.run("001010000000001", "447700900101", 25_000_000, profile.rating_groups[0]) == 2001
            assert pgw.summary()["octets_acknowledged"] == 25_000_000
        assert gateway.json("subscriber", "show", "447700900101")["balance"] == "24.75"
    finally:
        gateway.stop()


def test_a_simulator_that_cannot_start_says_why_and_the_thread_ends():
    with Background() as thread:
        centre = BackgroundSmsc(thread)
        with pytest.raises(OSError, match="in use"):
            BackgroundSmsc(thread, port=centre.port)
        with pytest.raises(TimeoutError):
            centre.expect("447700900101", "nothing", 0.01)
        assert centre.summary()["waiting"] == 0
