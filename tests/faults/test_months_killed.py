"""A server's tables are divided into months under load and by processes that are killed: nothing is lost, doubled or refused.

TPO_KILL_SEED makes the moments repeatable, as far as a clock can.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from support import postgres
from support.audit import reckon
from support.charging_load import OPENING, figures, under_load
from support.gateways import Gateway
from support.killed_division import book
from support.lane_fixture import workplace
from support.old_stores import everything

from gateway.environment import wall_clock
from gateway.store import schema
from gateway.store.engine import open_reader, open_writer
from gateway.store.keep_months import KeepMonths
from gateway.store.months import partitions
from gateway.store.tables import transfers, usage

SCRIPT = Path(__file__).parents[1] / "support" / "killed_division.py"
SEED = int(os.environ.get("TPO_KILL_SEED", "2026"))
STRIDE = 1 if os.environ.get("TPO_KILLS") else 2
"""Statements between two that it is killed at; a soak kills at each."""
DAY = 86_400
NOW = 1_795_651_200_000_000
"""26 November 2026."""

pytestmark = pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed (package postgresql)")


@pytest.fixture(scope="module")
def server():
    with postgres.server() as make:
        yield make


@pytest.mark.parametrize("how", ["beside", "keep"])
def test_killed_at_any_statement_it_goes_on_where_it_was_and_rows_are_booked_in_between(server, how):
    url = server(f"divided_{how}")
    engine = open_writer(url)
    schema.prepare(engine)
    book(engine, 1 << 30, NOW)
    engine.dispose()
    env = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, SCRIPT, url, how, str(NOW), str(STRIDE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500, env=env)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    places = [each["place"] for each in told]
    assert places[-1] > 20
    assert not told[0]["begun"][0]
    assert told[-1] == {"place": places[-1], "killed": False, "begun": [True, True]}
    reader = open_reader(url)
    rows = everything(reader)
    for table in ("transfers", "usage"):
        assert sorted(row[0] for row in rows[table]) == [*places, 1 << 30]
    reader.dispose()


def old_months(place):
    """Have months that are long over, with rows in them, as a clock of that time made them."""
    then = wall_clock() - 500 * DAY * 1_000_000
    place.ticks = iter(lambda: then, None)
    made = place.lane.run(KeepMonths(400 * DAY)).made
    place.ticks = iter(wall_clock, None)
    return {name for name in made if name.startswith("usage_")}


@pytest.mark.parametrize("begun", [False, True], ids=["months that begin under load", "months that are there"])
async def test_a_gateway_charges_on_while_its_months_are_made_and_dropped_and_everybody_is_killed(
    tmp_path, server, begun
):
    began, chance = time.monotonic(), random.Random(SEED)
    url = server(f"under_load_{begun}".lower())
    with workplace(url, node="another") as other, Gateway(tmp_path / "gw", store=url) as gateway:
        due = old_months(other) if begun else set()
        partition = [sys.executable, "-m", "gateway.cli", "--config", gateway.config, "db", "partition"]

        async def divide(pgw):
            for _ in range(3):
                answered = pgw.requests
                while pgw.requests < answered + 200:  # noqa: ASYNC110 (the load is on again)
                    await asyncio.sleep(0.005)
                command = await asyncio.create_subprocess_exec(*map(str, partition))
                await asyncio.sleep(chance.uniform(0.3, 0.6))
                if command.returncode is None:
                    command.send_signal(signal.SIGKILL)
                await command.wait()
                await asyncio.to_thread(gateway.kill)
                await asyncio.to_thread(gateway.start)
                await asyncio.to_thread(other.lane.run, KeepMonths(400 * DAY))
            answered = pgw.requests
            while pgw.requests < answered + 200:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(0.005)

        pgw = await under_load(gateway, chance, divide)
        await asyncio.to_thread(gateway.tpo, "db", "partition")
        records = reckon(gateway, pgw, url, OPENING * 1_000_000)
        with other.reader.connect() as connection:
            names = {each.name for table in (transfers, usage) for each in partitions(connection, table)}
        assert {"transfers_before", "usage_before"} <= names
        assert not due & names
        months = await asyncio.to_thread(gateway.json, "ledger", "months")
        counted = Counter()
        for row in months["rows"]:
            counted[row["table"]] += row["rows"]
        assert counted == {"usage": records, "transfers": gateway.json("ledger", "check")["entries"]}
        log = gateway.log.read_text()
    figures(began, pgw, records)
    assert "Traceback" not in log
    assert '"store.unit.poisoned"' not in log
