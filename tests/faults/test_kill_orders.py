"""A bulk of activations through a gateway that is killed again and again: each line once at the host, once with us."""

import asyncio
import csv
import os
import random
import sqlite3
import sys
from collections import Counter
from contextlib import closing

import pytest
from support.gateways import ROOT
from support.sim_gateway import card, phone, sim_desk

from simulators.host_api import HostApi, Mode
from simulators.host_faults import Fault, Faults

KILLS = int(os.environ.get("TPO_KILLS", "5"))
PLAN = "payg-gb"
PATIENCE = 200


def write_bulk(path, count):
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("iccid", "msisdn", "plan", "cause"))
        writer.writerows((card(n)["iccid"], phone(n), PLAN, ("wwf", "")[n % 2]) for n in range(count))


async def bulk(desk, file):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", "--config", str(desk.config), "sim", "bulk", str(file), "--json",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def kill_while_it_runs(desk, process, kills):
    chance = random.Random(7)
    while not (await desk.act("order.list"))[1]["rows"]:  # noqa: ASYNC110  (another process); a command that never reached the gateway does not wait for it
        await asyncio.sleep(0.05)
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.2, 0.8))
        if process.returncode is not None:
            return
        desk.kill()
        await asyncio.to_thread(desk.start)


@pytest.mark.parametrize(
    ("mode", "count", "kills", "power"),
    [
        pytest.param(Mode.SYNC, 50 * KILLS, KILLS, False, id="killed"),
        pytest.param(Mode.ASYNC, 16 * KILLS, KILLS // 2, False, id="killed-with-a-host-that-answers-later"),
        pytest.param(Mode.SYNC, 30 * KILLS, KILLS, True, id="without-power"),
    ],
)
async def test_each_line_of_a_bulk_is_activated_exactly_once(tmp_path, mode, count, kills, power):
    faults = Faults(dict.fromkeys((Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.DROPPED), 0.02), seed=3)
    async with HostApi(mode=mode, work_seconds=0.05, faults=faults) as host:
        hosts = [
            f"{{name: home, adapter: tmf640, plans: [{PLAN}], url: '{host.url}', rate: 100, poll: 1s, timeout: 3s}}"
        ]
        async with sim_desk(tmp_path, hosts=hosts, links=False, provisioning="", power=power) as (desk, _):
            await desk.import_cards([card(n) for n in range(count)])
            write_bulk(tmp_path / "bulk.csv", count)
            process = await bulk(desk, tmp_path / "bulk.csv")
            await kill_while_it_runs(desk, process, kills)
            async with asyncio.timeout(PATIENCE):
                out, err = await process.communicate()
            assert process.returncode == 0, (out[-500:], err[-1500:])
            assert (await desk.run("ledger", "check"))["ok"]
            rows = list(csv.DictReader((tmp_path / "bulk.csv.results.csv").open()))
            assert Counter(row["state"] for row in rows) == {"done": count}
            assert desk.cuts > (1 if power else -1)
        check_host(host, count)
        check_store(tmp_path / "var" / "tpo.db", count)


def check_host(host, count):
    services = [service for service in host.services.values() if service["state"] == "active"]
    held = Counter(
        characteristic["value"]
        for service in services
        for characteristic in service["serviceCharacteristic"]
        if characteristic["name"] == "msisdn"
    )
    assert held == {phone(n): 1 for n in range(count)}
    assert len(host.services) == count
    assert set(host.inventory.effects.values()) == {1}
    assert host.asked.total() > count, "no call was ever made twice: the test shows too little"


def check_store(path, count):
    with closing(sqlite3.connect(path)) as store:
        (lines,) = store.execute("SELECT count(DISTINCT subscriber_id) FROM lines WHERE kind = 'msisdn'").fetchone()
        (people,) = store.execute("SELECT count(*) FROM subscribers").fetchone()
        orders = dict(store.execute("SELECT state, count(*) FROM orders GROUP BY state").fetchall())
        enabled = store.execute(
            "SELECT iccid, count(*) FROM sim_history WHERE trigger = 'enabled' GROUP BY iccid"
        ).fetchall()
        (told,) = store.execute("SELECT count(*) FROM outbox WHERE topic = 'sim/activated'").fetchone()
    assert (lines, people, told, orders) == (count, count, count, {"done": count})
    assert {times for _, times in enabled} == {1}
    assert len(enabled) == count
