"""Reads of the store fail for four seconds, while everything that reads it is at work: all of it goes on by itself.

Texts out whose queue is refilled from the store, texts that expire or are asked for (query_sm), orders, events, a reload, a
drain: what was accepted is done in the end, whichever way the reads failed, on SQLite and on PostgreSQL.
"""

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select, update
from support import postgres, read_faults
from support.gateways import subscribers
from support.mosquitto import PROGRAM, Listener, mosquitto
from support.patience import PATIENCE
from support.querying_smsc import QueryingSmsc
from support.sim_gateway import SimGateway, card, phone
from support.sms_gateway import text

from gateway.store.engine import open_reader, open_writer, reading
from gateway.store.tables import orders, outbox, texts
from protocols.smpp.messages import SubmitSmResp
from protocols.smpp.receipts import MessageState
from simulators.host_api import HostApi, Mode

TEXTS, BATCH, SILENT, CARDS = 5000, 500, 40, 30
"""Each card that becomes a line is a text more: its customer is welcomed."""
HURRIED = 20
"""Texts at the end of the queue that are worth nothing any more when it is their turn: they expire."""
BEFORE = 2000
"""Texts that went out before the reads fail: the queue in memory runs dry while they do."""
SECONDS = 4
WAYS = [
    pytest.param("sqlite", read_faults.no_descriptors, id="sqlite-no_descriptors"),
    pytest.param("sqlite", read_faults.tables_away, id="sqlite-tables_away"),
    pytest.param("postgresql", read_faults.tables_away, id="postgresql-tables_away"),
    pytest.param("postgresql", read_faults.connections_cut, id="postgresql-connections_cut"),
]
OF_EACH_STORE = WAYS if os.environ.get("TPO_KILLS") else [WAYS[0], WAYS[-1]]
"""A drain has the same readers as what goes on: a soak takes it through all ways."""
pytestmark = [pytest.mark.xdist_group("reads_fail")]


class Smsc(QueryingSmsc):
    """Sends a receipt for each text but the silent ones, which it tells of when it is asked."""

    def __init__(self):
        super().__init__()
        self.on_query = self.tells(MessageState.DELIVERED)

    def _take(self, request, _message_id):
        message, message_id = request.message, f"{len(self.submits):08X}"
        request.respond(SubmitSmResp(message_id=message_id))
        if not message.short_message.startswith(b"silent"):
            self.deliver(self.receipt(message, message_id))


@pytest.fixture
def url(request, tmp_path):
    kind = request.node.callspec.params["kind"]
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/gw/var/tpo.db"
        return
    if not postgres.BINARIES:
        pytest.skip("PostgreSQL is not installed (package postgresql)")
    with postgres.server() as make:
        yield make("reads")


@asynccontextmanager
async def at_work(folder, url):
    """A gateway with a message centre, a broker and a host, and work for each of them; gives all of them."""
    with mosquitto(folder) as broker:
        broker.start()
        async with (
            HostApi(mode=Mode.ASYNC, work_seconds=0.5) as host,
            Smsc() as smsc,
            Listener(broker.port) as listener,
        ):
            await listener.ready.wait()
            hosts = [f"{{name: home, adapter: tmf640, plans: [payg-gb], url: '{host.url}', rate: 20, poll: 1s}}"]
            desk = SimGateway(folder / "gw", smsc.port, hosts=hosts, window=20, rate=1500, query_after="1s")
            written = desk.config.read_text().replace("sqlite:///var/tpo.db", url)
            desk.config.write_text(f'{written}events: {{mqtt: {{url: "mqtt://127.0.0.1:{broker.port}"}}}}\n')
            async with desk:
                await smsc.bound()
                await asyncio.to_thread(desk.enrol, subscribers(3))
                await desk.import_cards([card(n) for n in range(1000, 1000 + CARDS)])
                yield desk, smsc, listener


def let_expire(url, ids):
    """Bring forward the end of their validity, which is at least a minute away, to a few seconds from now."""
    engine = open_writer(url, existing=True)
    with engine.begin() as connection:
        until = time.time_ns() // 1000 + 3_000_000
        connection.execute(update(texts).where(texts.c.id.in_(ids)).values(valid_until=until))
    engine.dispose()


async def give_work(desk, url):
    """Accept orders and texts; gives the words of the texts."""
    for number in range(1000, 1000 + CARDS):
        ok, told = await desk.act("sim.activate", iccid=card(number)["iccid"], msisdn=phone(number), plan="payg-gb")
        assert ok, told
    words = [f"silent {n}" for n in range(SILENT)] + [f"text {n}" for n in range(TEXTS - SILENT)]
    for first in range(0, TEXTS, BATCH):
        await desk.send(*(text(each, sender="70070") for each in words[first : first + BATCH]))
    hurried = await desk.send(*(text(f"hurried {n}", sender="70070") for n in range(HURRIED)))
    await asyncio.to_thread(let_expire, url, [int(text_id) for text_id in hurried])
    return words


async def fail_for_a_while(desk, url, way, meanwhile=None):
    began = time.monotonic()
    with way(desk, url):
        if meanwhile is not None:
            meanwhile()
        await asyncio.sleep(SECONDS - (time.monotonic() - began))


def counts(url):
    """What the store has: texts by state, orders by state, and events that the broker has not got."""
    engine = open_reader(url)
    try:
        with reading(engine) as connection:
            found = [
                dict(map(tuple, connection.execute(select(kind.c.state, func.count()).group_by(kind.c.state))))
                for kind in (texts, orders)
            ]
            unsent = select(func.count()).select_from(outbox).where(outbox.c.published_at.is_(None))
            return *found, connection.execute(unsent).scalar_one()
    finally:
        engine.dispose()


async def becomes(url, *wanted, within=3 * PATIENCE):
    """Wait until the store has this."""
    end = time.monotonic() + within
    while (found := await asyncio.to_thread(counts, url)) != wanted:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.3)


def surprises(log):
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] in ("daemon.task.failed", "daemon.crashed", "store.unit.poisoned")]


@pytest.mark.skipif(not PROGRAM.exists(), reason="Mosquitto is not installed (package mosquitto)")
@pytest.mark.parametrize(("kind", "way"), WAYS)
async def test_everything_that_reads_the_store_goes_on_when_it_can_be_read_again(tmp_path, url, kind, way):
    async with at_work(tmp_path, url) as (desk, smsc, listener):
        words = await give_work(desk, url)
        await smsc.wait(lambda: len(smsc.submits) >= BEFORE)
        await fail_for_a_while(desk, url, way, lambda: desk.process.send_signal(signal.SIGHUP))
        assert len(smsc.submits) < TEXTS, "the reads failed too late to show anything"
        await becomes(url, {"delivered": TEXTS + CARDS, "expired": HURRIED}, {"done": CARDS}, 0)
        assert set(words) <= set(smsc.words())
        assert (await desk.run("reload"))["applied"]
        again = (await desk.send(text("afterwards")))[0]
        await desk.becomes(again, "delivered")
        metrics = (await asyncio.to_thread(desk.get, "/metrics"))[1]
        log = desk.log.read_text()
    assert surprises(log) == []
    assert re.search(r'^tpo_alarms_total\{event="daemon.timer.failed"\} [1-9]', metrics, re.MULTILINE)
    assert len(smsc.queries) >= SILENT
    topics = Counter(str(message.topic).rsplit("/", 2)[-2:][0] for message in listener.messages)
    assert topics["sim"] >= CARDS


@pytest.mark.skipif(not PROGRAM.exists(), reason="Mosquitto is not installed (package mosquitto)")
@pytest.mark.parametrize(("kind", "way"), OF_EACH_STORE)
async def test_a_drain_ends_when_all_that_was_accepted_is_sent_although_reads_failed_meanwhile(
    tmp_path, url, kind, way
):
    async with at_work(tmp_path, url) as (desk, smsc, _):
        words = await give_work(desk, url)
        await smsc.wait(lambda: len(smsc.submits) >= BEFORE)
        drain = asyncio.create_task(asyncio.to_thread(desk.tpo, "drain", "--timeout", "400"))
        while (await asyncio.to_thread(desk.get, "/readyz"))[0] != 503:  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.02)
        await fail_for_a_while(desk, url, way)
        assert await asyncio.to_thread(desk.process.wait, 450) == 0
        done = await drain
        log = desk.log.read_text()
    assert "not finished" not in done.stderr
    assert "daemon.drain.incomplete" not in log
    assert set(words) <= set(smsc.words())
    assert surprises(log) == []
    found = (await asyncio.to_thread(counts, url))[0]
    assert found.pop("expired") == HURRIED
    assert found.keys() <= {"submitted", "delivered"}
