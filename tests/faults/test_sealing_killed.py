"""Months are sealed by processes that are killed, step by step and under load: nothing is lost, doubled or told otherwise.

TPO_KILL_SEED makes the moments repeatable, as far as a clock can.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from support.audit import reckon
from support.charging_fixture import INITIAL, TERMINATION, UPDATE, ccr, charging_place, service
from support.charging_load import OPENING, figures, under_load
from support.gateways import Gateway
from support.keys import SHARED_KEY
from support.killed_sealing import look
from support.sealing import age, at, publish_all, unmoved
from support.sims_context_fixture import settings_of

from gateway.charity.sealed_causes import CauseSeals
from gateway.store.engine import open_writer

SCRIPT = Path(__file__).parents[1] / "support" / "killed_sealing.py"
SEED = int(os.environ.get("TPO_KILL_SEED", "2026"))
STRIDE = 3
NOW = at(2026, 11, 26)


def books(url):
    """Charge in September and October, by a session that goes on, and some that end."""
    with charging_place(url, node="gateway") as place:
        place.ticks = iter(range(at(2026, 9, 2), at(2026, 9, 3), 1_000_000))
        place.enrol(500_000_000)
        place.ask(ccr(INITIAL, 0, service(ask=0), session="long"))
        for month in (9, 10, 11):
            place.ticks = iter(range(at(2026, month, 5), at(2026, month, 6), 1_000_000))
            for turn in range(12):
                place.ask(ccr(UPDATE, month * 100 + turn, service(used=[1_234_567], ask=0), session="long"))
                place.ask(ccr(INITIAL, 0, service(ask=0), session=f"{month};{turn}"))
                place.ask(ccr(TERMINATION, 1, service(used=[777_777]), session=f"{month};{turn}"))
        publish_all(place.writer)


def test_killed_at_any_step_the_reports_tell_the_same_and_the_next_process_goes_on(tmp_path):
    settings = settings_of(tmp_path)
    config = tmp_path / "gateway.yaml"
    written = config.read_text().replace('tpo.db"', 'tpo.db", seal_after: 1d, backup: {folder: backup}')
    config.write_text(f'{written}privacy: {{key: "{SHARED_KEY}"}}\n')
    books(settings.store.url)
    before = look(settings.store.url)
    assert before["findings"] == []
    env = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, SCRIPT, config, str(NOW), str(STRIDE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500, env=env)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) > 12
    assert all(each["findings"] == [] and each["told"] == before["told"] for each in told)
    assert [each["left"] for each in told] == sorted((each["left"] for each in told), reverse=True)
    assert {tuple(each["months"]) for each in told} == {(), ("2026-09",), ("2026-09", "2026-10")}
    assert told[-1]["left"] < before["left"] / 2
    names = sorted(file.name for file in (tmp_path / "sealed").iterdir())
    assert [name[:12] for name in names] == ["2026-09-jour", "2026-09-usag", "2026-10-jour", "2026-10-usag"]
    assert sorted(file.name for file in (tmp_path / "backup" / "sealed").iterdir()) == names


async def test_a_gateway_charges_on_while_it_seals_and_is_killed(tmp_path):
    began, chance = time.monotonic(), random.Random(SEED)
    with Gateway(tmp_path / "gw") as gateway:
        store = gateway.folder / "var" / "tpo.db"
        config = gateway.config.read_text()

        async def seal(pgw):
            while pgw.requests < 1000:  # noqa: ASYNC110 (the load is on)
                await asyncio.sleep(0.005)
            await asyncio.to_thread(gateway.kill)
            age(store, 120)
            writer = open_writer(f"sqlite:///{store}")
            publish_all(writer, CauseSeals(store.with_name("tpo.key").read_bytes().strip()))
            writer.dispose()
            gateway.config.write_text(config.replace('tpo.db"', 'tpo.db", seal_after: 1d'))
            for _ in range(6):
                await asyncio.to_thread(gateway.start)
                await asyncio.sleep(chance.uniform(0, 0.4))
                await asyncio.to_thread(gateway.kill)
            await asyncio.to_thread(gateway.start)
            while unmoved(store, least=6) != 0:  # noqa: ASYNC110 (of another process)
                await asyncio.sleep(0.02)
            answered = pgw.requests
            while pgw.requests < answered + 200:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(0.005)

        pgw = await under_load(gateway, chance, seal)
        records = reckon(gateway, pgw, f"sqlite:///{store}", OPENING * 1_000_000)
        months = await asyncio.to_thread(gateway.json, "ledger", "months")
        counted = {"usage": 0, "transfers": 0}
        for row in months["rows"]:
            counted[row["table"]] += row["rows"]
        assert counted == {"usage": records, "transfers": gateway.json("ledger", "check")["entries"]}
        assert len({row["part"] for row in months["rows"] if row["part"].startswith("sealed/")}) >= 6
        log = gateway.log.read_text()
    figures(began, pgw, records)
    assert "Traceback" not in log
    assert '"store.unit.poisoned"' not in log
    assert '"store.sealing.failed"' not in log
