"""The power goes: what was synced is on disk, and of the rest any sector may be. What was acknowledged is there.

SIGKILL keeps the page cache, so no kill shows this. TPO_CUTS says how often the power goes (5), TPO_KILL_SEED which sectors
stay.
"""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest
from support.audit import ask, reckon
from support.charging_load import OPENING, figures, under_load
from support.disk import FSYNC, Disk
from support.gateways import ROOT, Gateway
from support.stubborn_smsc import WINDOW
from support.text_load import killed_under_load, stored, url_of

CUTS = int(os.environ.get("TPO_CUTS", "5"))
SEED = int(os.environ.get("TPO_KILL_SEED", "2026"))
WRITER = """
import os, sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA journal_mode=WAL")
store.execute(f"PRAGMA synchronous={sys.argv[2]}")
store.execute("CREATE TABLE told (n INTEGER)")
for n in range(50):
    store.execute("INSERT INTO told VALUES (?)", (n,))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("synchronous", "kept"), [("FULL", True), ("OFF", False)])
def test_the_disk_of_these_tests_keeps_what_was_synced_and_nothing_else(tmp_path, synchronous, kept):
    disk = Disk(tmp_path / "var", power=True)
    store = tmp_path / "var" / "x.db"
    subprocess.run([sys.executable, "-c", WRITER, store, synchronous], env={**os.environ, **disk.env}, check=False)
    synced = disk.seen(FSYNC)
    with sqlite3.connect(store) as live:
        assert live.execute("SELECT count(*) FROM told").fetchone() == (50,)  # SIGKILL alone loses nothing
    live.close()
    for file in (tmp_path / "var").iterdir():
        file.unlink()
    assert (tmp_path / "var").is_dir()
    disk.cut(1)
    with sqlite3.connect(store) as found:
        tables = found.execute("SELECT name FROM sqlite_master").fetchall()
        rows = found.execute("SELECT count(*) FROM told").fetchone() if tables else (0,)
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (rows == (50,)) is kept
    assert (synced > 50) is kept


@pytest.mark.parametrize("failing", [1, 2])
def test_after_a_sync_that_failed_the_power_takes_nothing_that_was_answered_later(tmp_path, failing):
    """A failed sync takes its octets with it, here as on Linux; and in the same way the first one after it."""
    disk = Disk(tmp_path / "var", power=True)
    env = {**os.environ, **disk.env, "PYTHONPATH": f"{ROOT}/tests:{ROOT}"}
    command = [sys.executable, "-m", "support.failed_sync_script", str(disk.root), str(failing)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -9, done.stderr[-3000:]
    told = [line.split() for line in done.stdout.splitlines()]
    answered = {name for name, outcome in told if outcome == "answered"}
    unknown = {name for name, outcome in told if outcome == "OutcomeUnknown"}
    assert unknown
    assert len(answered) > 20
    for file in (tmp_path / "var").iterdir():
        file.unlink()
    disk.cut(1)
    with sqlite3.connect(tmp_path / "var" / "tpo.db") as found:
        stored = {name for (name,) in found.execute("SELECT name FROM marks WHERE value = 7")}
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert answered <= stored
    disk.close()


async def pay_in(gateway, numbers, ending, least):
    """Top up lines one after another, as a payment provider does; gives the lines whose payments were acknowledged.

    Each one that was sent is sent until it is acknowledged, and so many at the least.
    """
    booked, n = [], 0
    while n < least or not ending.is_set():
        n += 1
        number = numbers[n % len(numbers)]
        payment = {"number": number, "amount": "1.00", "currency": "GBP", "reference": f"pay-{n}"}
        while True:
            try:
                await asyncio.to_thread(ask, gateway, "subscriber.topup", **payment)
                booked.append(number)
                break
            except (OSError, AssertionError):
                await asyncio.sleep(0.05)  # it comes again under the same reference
    return booked


@pytest.mark.timeout(300 + 15 * CUTS)
@pytest.mark.parametrize(("lane", "cuts"), [("process", CUTS - CUTS // 3), ("thread", max(CUTS // 3, 1))])
async def test_power_cuts_under_load_lose_no_charge_and_no_top_up(tmp_path, lane, cuts):
    began, chance, ending = time.monotonic(), random.Random(SEED), asyncio.Event()
    gateway = Gateway(tmp_path / "gw", lane=lane)
    gateway.disk = Disk(gateway.folder / "var", power=True)
    with gateway:

        async def cut_again_and_again(pgw):
            numbers = [number for number, _ in pgw.customers[:20]]
            payer = pgw.payer = asyncio.create_task(pay_in(gateway, numbers, ending, cuts + 1))
            for _ in range(cuts):
                answered = pgw.requests
                while pgw.requests < answered + 64:  # noqa: ASYNC110 (the load is on again)
                    await asyncio.sleep(0.005)
                await asyncio.sleep(chance.uniform(0.0, 0.5))
                await asyncio.to_thread(gateway.kill)
                await asyncio.to_thread(gateway.start)
            ending.set()
            pgw.booked = await payer

        pgw = await under_load(gateway, chance, cut_again_and_again)
        url = f"sqlite:///{gateway.folder}/var/tpo.db"
        paid = {number: times * 1_000_000 for number, times in Counter(pgw.booked).items()}
        records = reckon(gateway, pgw, url, OPENING * 1_000_000, paid)
    figures(began, pgw, records, cuts=cuts, top_ups=len(pgw.booked))
    assert len(pgw.booked) > cuts
    gateway.disk.close()


@pytest.mark.timeout(300 + 15 * CUTS)
async def test_power_cuts_with_texts_under_way_lose_none_and_book_each_gift_once(tmp_path):
    def prepare(desk):
        desk.disk = Disk(desk.folder / "var", power=True)

    async with killed_under_load(tmp_path, CUTS, SEED, prepare=prepare) as (load, smsc, desk):
        told, booked, held = stored(url_of(desk))
    assert {str(told[text_id].state) for text_id in load.accepted} == {"delivered"}
    assert all(smsc.taken[key] for key in load.accepted.values())
    doubled = [text_id for text_id, key in load.accepted.items() if smsc.taken[key] > 1]
    assert all(part.maybe_double for text_id in doubled for part in told[text_id].parts)
    assert len(doubled) <= CUTS * WINDOW
    assert len(booked["gift"]) == len(set(booked["gift"])) == len(load.givers)
    assert (len(booked["charge"]), held) == (len(load.accepted), 0)
    desk.disk.close()
