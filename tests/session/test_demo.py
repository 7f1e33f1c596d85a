"""`tpo demo` tells its story to the end, and says so when a step does not hold."""

import asyncio
import json
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from support.gateways import ROOT

from simulators.demo import Demo


def demo(*options, **where):
    command = [sys.executable, "-m", "simulators.demo_command", *options]
    pipe = asyncio.subprocess.PIPE
    return asyncio.create_subprocess_exec(*command, cwd="/", stdout=pipe, stderr=pipe, **where)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the demo makes its own folder: short, for the socket's sake, and empty at the end."""
    with tempfile.TemporaryDirectory(prefix="d") as own:
        monkeypatch.setenv("TMPDIR", own)
        yield Path(own)
        assert list(Path(own).iterdir()) == []


async def test_every_step_holds_and_nothing_is_left_behind(folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = await demo("--json")
    out, errors = await process.communicate()
    told = json.loads(out)
    assert (process.returncode, told["held"]) == (0, True), f"{out.decode()}\n{errors.decode()}"
    assert len(told["steps"]) == 7
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert worked < 30, "it takes a minute at the most on a machine that has nothing else to do"
    figures = told["steps"][-1]["figures"]
    assert figures["charged"] == "10.00 GBP"
    assert figures["the tenth, cause:wateraid"] == "1.00 GBP"
    assert figures["balance"] == "5.00 GBP"
    assert figures["octets"].startswith("1000000000 reported, 1000000000 acknowledged, 1000000000 exported")


async def test_a_demo_that_is_told_to_end_leaves_nothing_behind(folder):
    process = await demo()
    await process.stdout.readline()
    assert "The gateway starts" in (await process.stdout.readline()).decode()
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 1


async def test_a_step_that_does_not_hold_ends_the_story_and_says_what_was_found(tmp_path):
    shipped = tmp_path / "config"
    shutil.copytree(ROOT / "config", shipped, ignore=lambda *_: {"var"})
    plans = shipped / "plans.yaml"
    plans.write_text(plans.read_text().replace("100: {price: 0.01,", "100: {price: 0.02,"))
    with tempfile.TemporaryDirectory(prefix="d") as own:
        told = []
        story = Demo(Path(own), shipped, told.append)
        assert await story.run() is False
    assert [step.held for step in told] == [True, True, True, True, False]
    assert "revenue stands at 7.00; found: 14.00" in told[-1].why


async def test_a_folder_without_the_plans_is_named(tmp_path):
    told = []
    assert await Demo(tmp_path, tmp_path / "nowhere", told.append).run() is False
    assert "plans.yaml" in told[0].why
