"""Texts under way in both directions while a gateway is killed: the load, and what became of it in the store."""

import asyncio
import itertools
import random
import time
from contextlib import asynccontextmanager, suppress

from sqlalchemy import func, select

from gateway.messaging.texts import from_row
from gateway.store.engine import open_reader, reading
from gateway.store.tables import texts, transfers, wallets
from support.gateways import subscribers
from support.patience import PATIENCE
from support.sms_gateway import SmsGateway
from support.stubborn_smsc import StubbornSmsc

PAYERS = 20
BATCH = 40
TALKERS = 8


class Load:
    """Texts out by HTTP and texts in by the message centre, until `ending` is set; a customer pauses for so many seconds."""

    def __init__(self, desk, smsc, numbers, chance, *, pause=0.05, batch_pause=0.1):
        self.desk, self.smsc, self.chance = desk, smsc, chance
        self._pause, self._batch_pause = pause, batch_pause
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
            await asyncio.sleep(self._batch_pause)

    async def talk(self):
        """Customers one after another: GIVE, and once that is taken most say YES."""
        while not self.ending.is_set():
            await asyncio.sleep(self._pause)
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
    engine, until = open_reader(url), time.monotonic() + PATIENCE
    while True:
        with reading(engine) as connection:
            under_way = select(texts).where(texts.c.final == 0, texts.c.state.not_in(but)).limit(3)
            left = [from_row(tuple(row)) for row in connection.execute(under_way)]
        if not left and smsc.idle:
            break
        assert time.monotonic() < until, left or "the message centre waits for answers"
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
async def under_load(folder, seed, trouble, *, lines, smsc=None, but=(), prepare=None, **link):
    """Run `trouble` on a gateway while texts are under way, and let it settle; gives the load, the SMSC and the gateway.

    `lines` are how many customers there are to talk; `prepare` gets the gateway before its first start.
    """
    chance = random.Random(seed)
    async with StubbornSmsc(**(smsc or {})) as centre:
        desk = SmsGateway(folder / "gw", centre.server.ports[0], **link)
        if prepare is not None:
            prepare(desk)
        rows = subscribers(lines + PAYERS, balance="1000.00")
        await asyncio.to_thread(desk.enrol, rows)
        async with desk:
            load = Load(desk, centre, [row[0] for row in rows], chance)
            tasks = [asyncio.create_task(load.post()), *(asyncio.create_task(load.talk()) for _ in range(TALKERS))]
            troubled = asyncio.create_task(trouble(desk, load, chance))
            ended, _ = await asyncio.wait([troubled, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()  # a load that broke says why, and nobody waits for it
            load.ending.set()
            await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
            await settled(url_of(desk), centre, but=but)
            await asyncio.to_thread(desk.check)
        assert "Traceback" not in desk.log.read_text()
        yield load, centre, desk


def url_of(desk):
    return f"sqlite:///{desk.folder}/var/tpo.db"


def killed_under_load(folder, kills, seed, **options):
    """Kill a gateway so often while texts are under way (`under_load`)."""

    async def kill(desk, load, chance):
        await kill_again_and_again(desk, load, chance, kills)

    return under_load(folder, seed, kill, lines=400 * max(kills, 2), **options)
