"""The disk fails at any operation: what was answered stands in the store, what was refused as undone does not, and it goes on.

Every n-th open, write and fsync on a lane; twelve moments, chosen by TPO_KILL_SEED, on a whole gateway under load.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time

import pytest
from support import postgres
from support.audit import reckon
from support.charging_load import OPENING, figures, under_load
from support.disk import ERRORS, KINDS, OPEN, Disk
from support.gateways import ROOT, Gateway
from support.patience import PATIENCE
from support.postgres_crash import revive

FAULTS = int(os.environ.get("TPO_DISK_FAULTS", "12"))
SEED = int(os.environ.get("TPO_KILL_SEED", "2026"))
STAYS_SECONDS = 0.5


def test_a_lane_survives_the_failure_of_each_operation(tmp_path):
    disk = Disk(tmp_path / "var")
    env = {**os.environ, **disk.env, "PYTHONPATH": f"{ROOT}/tests:{ROOT}"}
    command = [sys.executable, "-m", "support.failing_disk_script", str(disk.root)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    print(told)
    assert set(told) == {f"{kind} {error}" for kind in KINDS for error in ERRORS}
    # What never got to the disk is certain; an fsync that fails leaves it open.
    assert all(found.get("OutcomeUnknown", 0) == 0 for name, found in told.items() if not name.startswith("fsync"))
    assert all(found["OutcomeUnknown"] > 0 for name, found in told.items() if name.startswith("fsync"))
    assert all(found["operations"] > 2 for found in told.values())
    disk.close()


async def fail_again_and_again(gateway, disk, chance, pgw, faults, mended=lambda: None):
    """Let one operation fail, or all for a second, so often; each time the load is on, and then the gateway ready again."""
    for number in range(faults):
        answered, stays = pgw.requests, number % 3 == 0
        while pgw.requests < answered + 64:  # noqa: ASYNC110 (the load is on again)
            await asyncio.sleep(0.005)
        kind = chance.choice(list(KINDS.values()))
        disk.fail(kind, chance.randint(1, 3 if kind == OPEN else 40), chance.choice(list(ERRORS.values())), stays=stays)
        async with asyncio.timeout(PATIENCE):
            while not disk.fired:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.005)
        if stays:
            await asyncio.sleep(STAYS_SECONDS)
        disk.mend()
        async with asyncio.timeout(PATIENCE):
            while (await asyncio.to_thread(gateway.get, "/readyz"))[0] != 200:
                await asyncio.to_thread(mended)
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(("lane", "faults"), [("process", FAULTS - FAULTS // 3), ("thread", FAULTS // 3)])
async def test_a_gateway_whose_disk_fails_under_load_loses_and_doubles_nothing(tmp_path, lane, faults):
    began, chance = time.monotonic(), random.Random(SEED)
    gateway = Gateway(tmp_path / "gw", lane=lane)
    disk = gateway.disk = Disk(gateway.folder / "var")
    with gateway:
        pgw = await under_load(gateway, chance, lambda pgw: fail_again_and_again(gateway, disk, chance, pgw, faults))
        records = reckon(gateway, pgw, f"sqlite:///{gateway.folder}/var/tpo.db", OPENING * 1_000_000)
    figures(began, pgw, records, faults=faults)
    assert "Traceback" not in gateway.log.read_text()
    disk.close()


async def test_a_gateway_whose_servers_disk_fails_under_load_loses_and_doubles_nothing(tmp_path):
    began, chance, disks = time.monotonic(), random.Random(SEED), []

    def on_disk(data):
        disks.append(Disk(data))
        disks[0].open_to_all()
        return disks[0].env

    with postgres.server(on_disk) as database:
        url = database("failing")
        gateway = Gateway(tmp_path / "gw", store=url)
        with gateway:

            def trouble(pgw):
                return fail_again_and_again(gateway, disks[0], chance, pgw, FAULTS, lambda: revive(url, disks[0].env))

            pgw = await under_load(gateway, chance, trouble)
            records = reckon(gateway, pgw, url, OPENING * 1_000_000)
        log = (disks[0].root.parent / "log").read_text()
    figures(began, pgw, records, faults=FAULTS)
    assert "PANIC" in log, "no failure reached the server's log of writes"
    assert "Traceback" not in gateway.log.read_text()
    disks[0].close()
