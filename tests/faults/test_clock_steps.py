"""The machine's clock steps with sessions and texts open (`clock_shim.c`): it is told, nothing is lost or doubled."""

import asyncio
import ctypes
import json
import mmap
import random

from support import text_load
from support.audit import reckon
from support.charging_load import OPENING, under_load
from support.gateways import Gateway
from support.patience import PATIENCE
from support.preloaded import library

STEPS = (1, -1, 3600, -3600)


class Clock:
    """The wall clock of a process: the machine's, and an offset that a test sets."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "clock"
        file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 8)
        self._seconds = ctypes.c_int64.from_buffer(self._map)
        self.under = ("env", f"LD_PRELOAD={library('clock')}", f"TPO_CLOCK={file}")

    def set(self, seconds):
        self._seconds.value = seconds


def steps(gateway):
    """The steps that the gateway told of, in whole seconds."""
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if '"clock.stepped"' in line]
    return [round(line["seconds"]) for line in lines]


async def told(gateway, count):
    async with asyncio.timeout(PATIENCE):
        while len(steps(gateway)) < count:  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.05)


async def test_charging_goes_on_over_steps_and_each_is_told(tmp_path):
    clock, chance = Clock(tmp_path), random.Random(1)
    gateway = Gateway(tmp_path / "gw")
    gateway.under = clock.under
    with gateway:

        async def step_again_and_again(pgw):
            offset = 0
            for number, step in enumerate(STEPS, 1):
                answered = pgw.requests
                while pgw.requests < answered + 64:  # noqa: ASYNC110 (the load is on)
                    await asyncio.sleep(0.005)
                offset += step
                clock.set(offset)
                await told(gateway, number)

        pgw = await under_load(gateway, chance, step_again_and_again)
        reckon(gateway, pgw, f"sqlite:///{gateway.folder}/var/tpo.db", OPENING * 1_000_000)
        assert steps(gateway) == list(STEPS)
        assert f'tpo_alarms_total{{event="clock.stepped"}} {len(STEPS)}.0' in gateway.get("/metrics")[1]
    assert "Traceback" not in gateway.log.read_text()


async def test_texts_and_gifts_come_to_their_end_over_steps(tmp_path):
    clock = Clock(tmp_path)

    def prepare(desk):
        desk.under = clock.under

    async def step_again_and_again(desk, load, _chance):
        offset = 0
        for number, step in enumerate(STEPS, 1):
            accepted, heard = len(load.accepted), len(load.smsc.acknowledged)
            while len(load.accepted) < accepted + 40 or len(load.smsc.acknowledged) < heard + 10:  # noqa: ASYNC110 (the load is on)
                await asyncio.sleep(0.005)
            offset += step
            clock.set(offset)
            await told(desk, number)

    async with text_load.under_load(tmp_path, 1, step_again_and_again, lines=1200, prepare=prepare) as (
        load,
        smsc,
        desk,
    ):
        texts, booked, held = text_load.stored(text_load.url_of(desk))
    assert {str(texts[text_id].state) for text_id in load.accepted} == {"delivered"}
    assert {smsc.taken[key] for key in load.accepted.values()} == {1}
    assert (len(booked["charge"]), held) == (len(load.accepted), 0)
    assert steps(desk) == list(STEPS)
