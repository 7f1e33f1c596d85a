"""SIGKILL under load, again and again: nothing that was acknowledged is lost, nothing is charged twice.

TPO_KILLS says how often the gateway is killed (20); TPO_KILL_SEED makes the moments repeatable, as far as a clock can.
"""

import asyncio
import itertools
import os
import random
import time

import pytest
from support import postgres
from support.audit import reckon
from support.charging_load import OPENING, figures, under_load
from support.gateways import Gateway
from support.postgres_crash import crash, linger_in_commit

KILLS = int(os.environ.get("TPO_KILLS", "20"))
MOST_KILLS = 10 * KILLS
"""A quick machine may have answered all that came at one moment before it is killed: so on, until it was found at work."""
SEED = int(os.environ.get("TPO_KILL_SEED", "2026"))
RESTARTS_OF_POSTGRES, MOST_RESTARTS = 4, 16
"""So many at least, and on until one found a commit under way."""
UNKNOWN = '"store.outcome_unknown"'


@pytest.mark.timeout(300 + 10 * KILLS)
@pytest.mark.parametrize(("lane", "kills"), [("process", KILLS - KILLS // 3), ("thread", KILLS // 3)])
async def test_a_gateway_killed_at_random_instants_loses_and_doubles_nothing(tmp_path, lane, kills):
    began, chance = time.monotonic(), random.Random(SEED)
    with Gateway(tmp_path / "gw", lane=lane) as gateway:

        async def kill_again_and_again(pgw):
            for kill in itertools.count():
                answered = pgw.requests
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                while pgw.requests < answered + 64:  # noqa: ASYNC110 (the load is on again)
                    await asyncio.sleep(0.001)
                if kill >= kills and pgw.retransmissions - pgw.repeats > kills:
                    return
                assert kill < MOST_KILLS, "no kill finds the gateway at work"
                await asyncio.sleep(chance.random() / 50)
                await asyncio.to_thread(gateway.kill)
                await asyncio.to_thread(gateway.start)

        pgw = await under_load(gateway, chance, kill_again_and_again)
        records = reckon(gateway, pgw, f"sqlite:///{gateway.folder}/var/tpo.db", OPENING * 1_000_000)
    figures(began, pgw, records, kills=kills)
    assert pgw.connections > kills


@pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed (package postgresql)")
async def test_a_database_server_that_dies_under_load_loses_and_doubles_nothing(tmp_path):
    began, chance = time.monotonic(), random.Random(SEED)
    with postgres.server() as make:
        url = make("killed")
        linger_in_commit(url, 60_000)
        with Gateway(tmp_path / "gw", store=url) as gateway:
            told = {0}

            async def restart_the_server(pgw):
                for number in range(MOST_RESTARTS):
                    told.add(gateway.log.read_text().count(UNKNOWN))
                    if number >= RESTARTS_OF_POSTGRES and max(told):
                        return
                    answered = pgw.requests
                    while pgw.requests < answered + 200:  # noqa: ASYNC110 (the load is on again)
                        await asyncio.sleep(0.005)
                    await asyncio.sleep(chance.uniform(0.05, 0.3))
                    await asyncio.to_thread(crash, url)

            pgw = await under_load(gateway, chance, restart_the_server)
            assert gateway.process.poll() is None
            records = reckon(gateway, pgw, url, OPENING * 1_000_000)
    figures(began, pgw, records)
    log = gateway.log.read_text()
    crashes = len(told | {log.count(UNKNOWN)}) - 1  # one of them may leave two batches unknown
    assert crashes >= 1, "no crash found a commit under way"
    assert pgw.connections > crashes  # each ended the connection instead of an answer
    assert "Traceback" not in log
