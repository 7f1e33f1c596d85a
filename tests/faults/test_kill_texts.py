"""SIGKILL with texts under way in both directions: what was accepted arrives, and a customer's YES moves money once.

TPO_KILLS says how often the gateway is killed (8); TPO_KILL_SEED makes the moments repeatable, as far as a clock can.
"""

import asyncio
import itertools
import os
import random
import time
from contextlib import suppress

import pytest
from sqlalchemy import func, select
from support.gateways import subscribers
from support.stubborn_smsc import WINDOW, StubbornSmsc
from support.text_desk import TextDesk

from gateway.messaging.texts import from_row
from gateway.store.engine import open_reader, reading
from gateway.store.tables import texts, transfers, wallets

KILLS = int(os.environ.get("TPO_KILLS", "8"))
SEED = int(os.environ.get("TPO_KILL_SEED", "2026"))
CUSTOMERS = 400 * max(KILLS, 2)
PAYERS = 20
BATCH = 40
TALKERS = 8


class Load:
    """Texts out by HTTP and texts in by the message centre, until `ending` is set."""

    def __init__(self, desk, smsc, numbers, chance):
        self.desk, self.smsc, self.chance = desk, smsc, chance
        self.payers, self.customers = numbers[:PAYERS], iter(numbers[PAYERS:])
        self.accepted = {}
        """Id -> (receiver, words) of each text that HTTP answered 202 for."""
        self.givers = []
        self.ending = asyncio.Event()
        self._numbers = itertools.count(1)

    async def post(self):
        """Send batches; one without an answer is sent again with the same references."""
        while not self.ending.is_set():
            numbers = [next(self._numbers) for _ in range(BATCH)]
            wanted = [(f"4479{n:08d}", f"text {n}") for n in numbers]
            batch = [
                {"from": self.chance.choice(self.payers), "to": to, "text": words, "reference": words}
                for to, words in wanted
            ]
            while True:
                with suppress(OSError):
                    status, told, _ = await asyncio.to_thread(self.desk.ask, "/v1/sms/batch", batch)
                    if status == 202:
                        break
                    assert status == 503, told
                await asyncio.sleep(0.05)
            ids = [message["id"] for message in told["messages"]]
            self.accepted.update(zip(map(int, ids), wanted, strict=True))
            await asyncio.sleep(0.02)

    async def talk(self):
        """Customers one after another: GIVE, and once that is taken most say YES."""
        while not self.ending.is_set():
            customer = next(self.customers)
            await self._say(customer, b"GIVE WATERAID 1")
            if self.chance.random() < 0.8:
                self.givers.append(customer)
                await self._say(customer, b"YES")

    async def _say(self, customer, words):
        self.smsc.text_in(customer, words)
        while (customer, words) not in self.smsc.acknowledged:  # noqa: ASYNC110 (across any number of connections)
            await asyncio.sleep(0.01)


async def kill_again_and_again(desk, load, chance):
    for _ in range(KILLS):
        accepted, heard = len(load.accepted), len(load.smsc.acknowledged)
        while len(load.accepted) < accepted + 2 * BATCH or len(load.smsc.acknowledged) < heard + 20:  # noqa: ASYNC110 (the load is on again)
            await asyncio.sleep(0.005)
        await asyncio.sleep(chance.uniform(0.0, 0.4))
        await asyncio.to_thread(desk.kill)
        await asyncio.to_thread(desk.start)


async def settled(url, smsc):
    """Wait until nothing is under way any more."""
    engine = open_reader(url)
    async with asyncio.timeout(40):
        while True:
            with reading(engine) as connection:
                left = connection.execute(select(func.count()).where(texts.c.final == 0)).scalar_one()
            if not left and smsc.idle:
                break
            await asyncio.sleep(0.1)
    engine.dispose()


def stored(url):
    """Every text; the debits of each kind of entry; what is held."""
    engine = open_reader(url)
    with reading(engine) as connection:
        rows = {row[0]: from_row(tuple(row)) for row in connection.execute(select(texts))}
        booked = {}
        for kind, debit in connection.execute(select(transfers.c.kind, transfers.c.debit)):
            booked.setdefault(kind, []).append(debit)
        held = connection.execute(select(func.sum(wallets.c.reserved))).scalar_one()
    engine.dispose()
    return rows, booked, int(held)


@pytest.mark.timeout(150 + 10 * KILLS)
async def test_a_gateway_killed_with_texts_under_way_loses_none_and_books_each_gift_once(tmp_path):
    began, chance = time.monotonic(), random.Random(SEED)
    async with StubbornSmsc() as smsc:
        desk = TextDesk(tmp_path / "gw", smsc.server.ports[0])
        rows = subscribers(CUSTOMERS + PAYERS, balance="1000.00")
        await asyncio.to_thread(desk.enrol, rows)
        url = f"sqlite:///{desk.folder}/var/tpo.db"
        async with desk:
            load = Load(desk, smsc, [row[0] for row in rows], chance)
            tasks = [asyncio.create_task(load.post()), *(asyncio.create_task(load.talk()) for _ in range(TALKERS))]
            await kill_again_and_again(desk, load, chance)
            load.ending.set()
            await asyncio.wait_for(asyncio.gather(*tasks), 40)
            await settled(url, smsc)
            await asyncio.to_thread(desk.check)
    told, booked, held = stored(url)
    twice = {key for key, times in smsc.taken.items() if times > 1 and key[1].startswith("text ")}
    names = {(text_id, *key) for text_id, key in load.accepted.items()}
    assert len(load.accepted) == len(set(load.accepted.values()))
    assert {str(told[text_id].state) for text_id, *_ in names} == {"delivered"}
    assert all(smsc.taken[key] for key in load.accepted.values())
    doubled = [text_id for text_id, *key in names if tuple(key) in twice]
    assert all(part.maybe_double for text_id in doubled for part in told[text_id].parts)
    assert len(doubled) <= KILLS * WINDOW
    assert len(booked["gift"]) == len(set(booked["gift"])) == len(load.givers)
    assert len(booked["charge"]) == len(load.accepted)
    assert held == 0
    assert "Traceback" not in desk.log.read_text()
    seconds = round(time.monotonic() - began, 1)
    print(
        f"kills {KILLS}, texts {len(load.accepted)}, arrived twice {len(doubled)}, gifts {len(booked['gift'])}, "
        f"texts in {len(smsc.acknowledged)}, delivered again {smsc.redelivered}, refused {smsc.refused}, seconds {seconds}"
    )
