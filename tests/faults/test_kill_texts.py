"""SIGKILL with texts under way in both directions: what was accepted arrives, and a customer's YES moves money once.

Where a link's policy for doubtful texts is not to send them again, nothing arrives twice, and what may be lost says so.
TPO_KILLS says how often the gateway is killed (8; 4 for each further policy); TPO_KILL_SEED makes the moments repeatable, as
far as a clock can.
"""

import asyncio
import itertools
import os
import random
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import func, select
from support.gateways import subscribers
from support.sms_gateway import SmsGateway
from support.stubborn_smsc import WINDOW, StubbornSmsc

from gateway.messaging.texts import from_row
from gateway.store.engine import open_reader, reading
from gateway.store.tables import texts, transfers, wallets

KILLS = int(os.environ.get("TPO_KILLS", "8"))
SEED = int(os.environ.get("TPO_KILL_SEED", "2026"))
FEWER_KILLS = max(KILLS // 2, 1)
LOST = "no answer of the SMSC"
SLOW = {"delay": 0.1}
"""So that each kill leaves texts in doubt."""
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


async def kill_again_and_again(desk, load, chance, kills):
    for _ in range(kills):
        accepted, heard = len(load.accepted), len(load.smsc.acknowledged)
        while len(load.accepted) < accepted + 2 * BATCH or len(load.smsc.acknowledged) < heard + 20:  # noqa: ASYNC110 (the load is on again)
            await asyncio.sleep(0.005)
        await asyncio.sleep(chance.uniform(0.0, 0.4))
        await asyncio.to_thread(desk.kill)
        await asyncio.to_thread(desk.start)


async def settled(url, smsc, *, but=()):
    """Wait until nothing is under way any more, but texts in these states."""
    engine = open_reader(url)
    async with asyncio.timeout(40):
        while True:
            with reading(engine) as connection:
                under_way = select(func.count()).where(texts.c.final == 0, texts.c.state.not_in(but))
                left = connection.execute(under_way).scalar_one()
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


@asynccontextmanager
async def killed_under_load(folder, kills, *, smsc=None, but=(), **link):
    """Kill a gateway under load so often, and let it settle; gives the load, the message centre and the gateway's folder."""
    chance = random.Random(SEED)
    async with StubbornSmsc(**(smsc or {})) as centre:
        desk = SmsGateway(folder / "gw", centre.server.ports[0], **link)
        rows = subscribers(400 * max(kills, 2) + PAYERS, balance="1000.00")
        await asyncio.to_thread(desk.enrol, rows)
        async with desk:
            load = Load(desk, centre, [row[0] for row in rows], chance)
            tasks = [asyncio.create_task(load.post()), *(asyncio.create_task(load.talk()) for _ in range(TALKERS))]
            await kill_again_and_again(desk, load, chance, kills)
            load.ending.set()
            await asyncio.wait_for(asyncio.gather(*tasks), 40)
            await settled(url_of(desk), centre, but=but)
            await asyncio.to_thread(desk.check)
        assert "Traceback" not in desk.log.read_text()
        yield load, centre, desk


def url_of(desk):
    return f"sqlite:///{desk.folder}/var/tpo.db"


@pytest.mark.timeout(150 + 10 * KILLS)
async def test_a_gateway_killed_with_texts_under_way_loses_none_and_books_each_gift_once(tmp_path):
    began = time.monotonic()
    async with killed_under_load(tmp_path, KILLS) as (load, smsc, desk):
        told, booked, held = stored(url_of(desk))
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
    seconds = round(time.monotonic() - began, 1)
    print(
        f"kills {KILLS}, texts {len(load.accepted)}, arrived twice {len(doubled)}, gifts {len(booked['gift'])}, "
        f"texts in {len(smsc.acknowledged)}, delivered again {smsc.redelivered}, refused {smsc.refused}, seconds {seconds}"
    )


@pytest.mark.timeout(150 + 10 * FEWER_KILLS)
async def test_with_policy_fail_a_killed_gateway_sends_nothing_twice_and_says_what_may_not_have_arrived(tmp_path):
    async with killed_under_load(tmp_path, FEWER_KILLS, smsc=SLOW, doubtful="fail") as (load, smsc, desk):
        told, booked, held = stored(url_of(desk))
    assert set(smsc.taken.values()) == {1}
    states = Counter(str(told[text_id].state) for text_id in load.accepted)
    assert set(states) <= {"delivered", "failed"}
    assert states["delivered"] == len(booked["charge"]) > 0
    for text_id, key in load.accepted.items():
        (part,) = told[text_id].parts
        if told[text_id].state == "failed":
            assert (part.error, part.maybe_double) == (LOST, True)
        else:
            assert smsc.taken[key] == 1
    assert 0 < states["failed"] <= FEWER_KILLS * WINDOW
    assert len(booked["gift"]) == len(set(booked["gift"])) == len(load.givers)
    assert held == 0
    print(f"kills {FEWER_KILLS}, texts {dict(states)}, gifts {len(booked['gift'])}")


@pytest.mark.timeout(150 + 10 * FEWER_KILLS)
async def test_with_policy_wait_a_killed_gateway_sends_nothing_twice_and_receipts_settle_what_arrived(tmp_path):
    link = {"doubtful": "wait", "doubtful_wait": 3600}
    async with killed_under_load(
        tmp_path, FEWER_KILLS, smsc=SLOW | {"echoes": True}, but=("doubtful",), **link
    ) as found:
        load, smsc, desk = found
        told, booked, held = stored(url_of(desk))
    assert set(smsc.taken.values()) == {1}
    states = Counter(str(told[text_id].state) for text_id in load.accepted)
    assert set(states) <= {"delivered", "doubtful"}
    assert states["delivered"] == len(booked["charge"]) > 0
    settled_by_receipt = 0
    for text_id, key in load.accepted.items():
        (part,) = told[text_id].parts
        settled_by_receipt += told[text_id].state == "delivered" and part.maybe_double
        assert smsc.taken[key] == (told[text_id].state == "delivered")  # a doubtful one never got there
    assert settled_by_receipt > 0
    assert states["doubtful"] + settled_by_receipt <= FEWER_KILLS * WINDOW
    assert len(booked["gift"]) == len(set(booked["gift"])) == len(load.givers)
    assert held == sum(told[text_id].held for text_id in load.accepted if told[text_id].state == "doubtful")
    print(f"kills {FEWER_KILLS}, texts {dict(states)}, settled {settled_by_receipt}, gifts {len(booked['gift'])}")
