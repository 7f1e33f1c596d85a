"""The process of the write lane dies, stands still, or outlives its gateway: nothing is lost, nothing is doubled.

A lane that dies may die four times a minute; the fifth time ends the gateway (decision 038), so there are few kills here, and
TPO_LANE_KILLS (4) says how many. Kills of the gateway, with its lane and without, are in test_kill_gateway and its neighbours.
"""

import asyncio
import os
import random
import signal
import time

from support.audit import reckon
from support.charging_load import OPENING, figures, under_load
from support.gateways import Gateway, lanes_of, wait_for_end
from support.lateness import Lateness
from support.patience import PATIENCE
from support.stubborn_smsc import WINDOW
from support.text_load import stored, url_of
from support.text_load import under_load as under_text_load

KILLS = min(int(os.environ.get("TPO_LANE_KILLS", "4")), 4)
FEWER = max(KILLS // 2, 1)
SEED = int(os.environ.get("TPO_KILL_SEED", "2026"))
DEADLINE = 2
"""Seconds that a request may wait."""


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (of processes)
            await asyncio.sleep(0.02)


def restarts(gateway):
    return gateway.log.read_text().count('"store.lane.back"')


def lane_dies(gateway):
    """Kill the lane's process, and wait until another one works."""
    before = restarts(gateway)
    gateway.kill_lane()
    until = time.monotonic() + 60
    while restarts(gateway) == before:
        assert time.monotonic() < until, "no lane came back"
        time.sleep(0.02)


async def kill_lane_again_and_again(gateway, chance, answered, kills=KILLS):
    """Kill it under load; `answered` counts what was."""
    for _ in range(kills):
        before = answered()
        while answered() < before + 128:  # noqa: ASYNC110 (the load is on again)
            await asyncio.sleep(0.005)
        await asyncio.sleep(chance.random() / 100)  # amid the burst that has just begun, also where it is soon answered
        await asyncio.to_thread(lane_dies, gateway)


async def test_a_lane_killed_under_charging_load_loses_and_doubles_nothing_and_the_gateway_goes_on(tmp_path):
    began, chance = time.monotonic(), random.Random(SEED)
    with Gateway(tmp_path / "gw", backup=tmp_path / "backup") as gateway:

        async def kill(pgw):
            await kill_lane_again_and_again(gateway, chance, lambda: pgw.requests)

        pgw = await under_load(gateway, chance, kill)
        assert gateway.process.poll() is None
        assert f"tpo_store_lane_restarts_total {KILLS}.0" in gateway.get("/metrics")[1]
        records = reckon(gateway, pgw, f"sqlite:///{gateway.folder}/var/tpo.db", OPENING * 1_000_000)
        assert "lane.restarted" in [each["concern"] for each in gateway.json("status")["concerns"]]
    figures(began, pgw, records, kills=KILLS)
    log = gateway.log.read_text()
    assert (log.count('"store.lane.ended"'), log.count('"store.lane.back"')) == (KILLS, KILLS)
    assert 1 < pgw.connections <= KILLS + 1, "a connection is dropped for what is out, and no more"
    assert pgw.busy, "what came while there was no lane was refused as too busy"
    assert "Traceback" not in log
    assert log.count('"store.backup.broken"') >= 1, "the continuous backup begins anew after a death"


async def test_a_lane_killed_with_texts_under_way_loses_none_and_books_each_gift_once(tmp_path):
    async def kill(desk, load, chance):
        await kill_lane_again_and_again(
            desk, chance, lambda: 10 * len(load.accepted) + 10 * len(load.smsc.acknowledged), FEWER
        )

    async with under_text_load(tmp_path, SEED, kill, lines=400 * FEWER) as (load, smsc, desk):
        told, booked, held = stored(url_of(desk))
        assert desk.log.read_text().count('"store.lane.back"') == FEWER
    assert {str(told[text_id].state) for text_id in load.accepted} == {"delivered"}
    doubled = [text_id for text_id, key in load.accepted.items() if smsc.taken[key] > 1]
    assert all(part.maybe_double for text_id in doubled for part in told[text_id].parts)
    assert len(doubled) <= FEWER * WINDOW
    assert len(booked["gift"]) == len(set(booked["gift"])) == len(load.givers)
    assert len(booked["charge"]) == len(load.accepted)
    assert held == 0


async def test_a_lane_that_stands_still_keeps_nobody_beyond_the_deadline_and_goes_on(tmp_path):
    with Gateway(tmp_path / "gw", charging=f"deadline: {DEADLINE}") as gateway:
        chance = random.Random(SEED)

        async def stop_it(pgw):
            await until(lambda: pgw.requests > 128)
            (lane,) = lanes_of(gateway.process.pid)
            os.kill(lane, signal.SIGSTOP)
            connections, busy = pgw.connections, pgw.busy
            try:
                # What was out is dropped at its deadline; what comes after that is out again, and so forth.
                with Lateness() as late:
                    began = time.monotonic()
                    await until(lambda: pgw.connections > connections)
                    assert time.monotonic() - began < DEADLINE + 5 + 10 * late.most
                await until(lambda: gateway.get("/readyz")[0] == 503)
                assert gateway.get("/livez")[0] == 200
            finally:
                os.kill(lane, signal.SIGCONT)
            await until(lambda: gateway.get("/readyz")[0] == 200)
            assert lanes_of(gateway.process.pid) == [lane], "it was not ended: it came back in time"
            print("dropped", pgw.connections - connections, "busy", pgw.busy - busy)

        pgw = await under_load(gateway, chance, stop_it)
        reckon(gateway, pgw, f"sqlite:///{gateway.folder}/var/tpo.db", OPENING * 1_000_000)
    assert '"store.stalled"' in gateway.log.read_text()


def test_a_lane_that_stands_still_lets_the_lock_go_when_its_gateway_is_killed(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        (lane,) = lanes_of(gateway.process.pid)
        os.kill(lane, signal.SIGSTOP)
        gateway.process.kill()
        gateway.process.wait()
        wait_for_end(lane)
        gateway.start()


def test_the_next_gateway_waits_for_the_lane_of_a_killed_one_and_the_lane_for_its_last_batch(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        (lane,) = lanes_of(gateway.process.pid)
        # The gateway dies and is started again while its lane still lives.
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()
        wait_for_end(lane, 0)
        assert lanes_of(gateway.process.pid) != [lane]


def test_ctrl_c_and_sigterm_mean_the_gateway_and_not_its_lane(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        (lane,) = lanes_of(gateway.process.pid)
        assert os.getsid(lane) == lane
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(lane, number)
        assert gateway.json("status")["lane"]["waiting"] == 0
        assert lanes_of(gateway.process.pid) == [lane]
        assert gateway.stop() == 0
        wait_for_end(lane, 0)


def test_a_lane_that_dies_five_times_within_a_minute_ends_the_gateway_with_a_reason(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        for _ in range(4):
            lane_dies(gateway)
        gateway.kill_lane()
        assert gateway.process.wait(PATIENCE) == 1
    log = gateway.log.read_text()
    assert '"store.lane.lost"' in log
    assert "died 5 times within a minute" in log
    assert "docs/runbooks/lane-restarts.md" in log
    gateway.start()
    assert gateway.stop() == 0
