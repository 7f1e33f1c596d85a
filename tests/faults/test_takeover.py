"""Gateways that share a store, and one of them gone: killed, stopped for longer than its lease, or cut off from the database.

Another one goes on with its texts: none is lost, and what arrives twice was in doubt and is marked so. TPO_TAKEOVER is the
lease in seconds (5); with TPO_SOAK a stopped gateway stands still for a minute.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select
from support import charging_load, postgres
from support.audit import reckon
from support.gateways import subscribers
from support.lateness import Lateness
from support.mosquitto import PROGRAM, Listener, mosquitto
from support.patience import PATIENCE
from support.ports import free_port
from support.shared_store import (
    TAKEOVER,
    Network,
    OrderingGateway,
    RemoteGateway,
    SharingGateway,
    server_on,
    wait_until,
)
from support.sim_gateway import card, phone
from support.stubborn_smsc import WINDOW, StubbornSmsc
from support.text_load import PAYERS, Load, settled, stored

from gateway.store.engine import open_reader, reading
from gateway.store.tables import orders, outbox
from simulators.host_api import HostApi

STANDS_STILL = 60 if os.environ.get("TPO_SOAK") else TAKEOVER + 2
LIMIT = 15
"""Seconds within which the work has to go on, also with the lease of 10 that is the default."""
pytestmark = [
    pytest.mark.xdist_group("takeover"),
    pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed"),
]
ROWS = subscribers(PAYERS + 2000, balance="1000.00")
"""More than four talkers can get through in a minute and a half: one who finds no customer left breaks the load."""


@asynccontextmanager
async def under_load(gateways, centre, url):
    """Texts by HTTP to the first gateway, and texts in, until the block ends and everything has come to its end."""
    await asyncio.to_thread(gateways[0].enrol, ROWS)
    for gateway in gateways:
        await asyncio.to_thread(gateway.start)
    load = Load(gateways[0], centre, [row[0] for row in ROWS], random.Random(2026), pause=0.2, batch_pause=0.3)
    tasks = [asyncio.create_task(load.post()), *(asyncio.create_task(load.talk()) for _ in range(4))]
    try:
        while len(load.accepted) < 120 or len(centre.acknowledged) < 10:
            assert not any(task.done() for task in tasks)
            await asyncio.sleep(0.02)
        yield load
        load.ending.set()
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
        await settled(url, centre)
        await asyncio.to_thread(load.desk.check)
    finally:
        for task in tasks:
            task.cancel()
        for gateway in gateways:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.go_on()
                await asyncio.to_thread(gateway.__exit__)


async def adopted(*gateways):
    """Wait until one of these has taken over; gives it."""
    with Lateness() as late:
        found, seconds = await asyncio.to_thread(
            wait_until, lambda: [gateway for gateway in gateways if gateway.events("node.adopted")]
        )
    assert seconds < LIMIT + 10 * late.most
    (winner,) = found
    return winner


def nothing_lost(load, centre, url, deaths=1):
    """Every text that was accepted was delivered, each gift booked once; what arrived twice is marked."""
    told, booked, held = stored(url)
    assert {str(told[text_id].state) for text_id in load.accepted} == {"delivered"}
    assert all(centre.taken[key] for key in load.accepted.values())
    doubled = [text_id for text_id, key in load.accepted.items() if centre.taken[key] > 1]
    assert all(part.maybe_double for text_id in doubled for part in told[text_id].parts)
    assert len(doubled) <= deaths * WINDOW
    assert len(booked["gift"]) == len(set(booked["gift"])) == len(load.givers)
    assert len(booked["charge"]) == len(load.accepted)
    assert held == 0
    return f"texts {len(load.accepted)}, arrived twice {len(doubled)}, gifts {len(booked['gift'])}"


async def ends_as_fenced(gateway):
    """Wait until a gateway has ended by itself, and said why."""
    code, words = await asyncio.to_thread(gateway.ended)
    assert (code, "another gateway has taken over" in " ".join(words)) == (1, True), words
    assert len(gateway.events("store.fenced")) == 1
    assert "Traceback" not in gateway.log.read_text()


async def test_of_three_gateways_one_takes_over_from_a_killed_one_and_the_last_from_both(tmp_path):
    with postgres.server() as database:
        url = database("three")
        async with StubbornSmsc(delay=0.1) as centre:
            one, two, three = gateways = [
                SharingGateway(tmp_path, f"ocs{n}", url, centre.server.ports[0]) for n in (1, 2, 3)
            ]
            async with under_load(gateways, centre, url) as load:
                load.desk, at = two, time.monotonic()
                await asyncio.to_thread(one.kill)
                winner = await adopted(two, three)
                seconds = [time.monotonic() - at]
                last = three if winner is two else two
                assert (await asyncio.to_thread(winner.nodes))["ocs1"]["state"] == "adopted"
                load.desk, at = last, time.monotonic()
                await asyncio.to_thread(winner.kill)
                await adopted(last)
                seconds.append(time.monotonic() - at)
                await asyncio.to_thread(one.start)
                rows = await asyncio.to_thread(one.nodes)
                assert rows["ocs1"]["state"] == "here"
                assert rows["ocs1"]["number"] == 4
                assert [row["adopter"] for row in one.events("node.renumbered")] == [f"{last.identity}"]
            figures = nothing_lost(load, centre, url, deaths=2)
            print(f"{figures}, taken over after {seconds[0]:.1f} and {seconds[1]:.1f} s")


async def test_a_stopped_gateway_holds_no_wallet_is_taken_over_from_and_ends_when_it_goes_on(tmp_path):
    with postgres.server() as database:
        url = database("stopped")
        async with StubbornSmsc(delay=0.1) as centre:
            one, two = gateways = [SharingGateway(tmp_path, f"ocs{n}", url, centre.server.ports[0]) for n in (1, 2)]
            async with under_load(gateways, centre, url) as load:
                one.halt()
                load.desk, at = two, time.monotonic()
                for number, *_ in ROWS[:PAYERS]:
                    await asyncio.to_thread(two.tpo, "subscriber", "topup", number, "1.00", "--reference", f"r{number}")
                free = time.monotonic() - at
                await adopted(two)
                seconds = time.monotonic() - at
                await asyncio.sleep(max(0.0, STANDS_STILL - seconds))
                one.go_on()
                await ends_as_fenced(one)
                assert (await two.run("node", "retire", one.identity))["owner"] == two.identity
                assert set(await asyncio.to_thread(two.nodes)) == {"ocs2"}
            figures = nothing_lost(load, centre, url)
            stalled = [line["numbers"] for line in two.events("node.stalled")]
            print(
                f"{figures}, wallets after {free:.1f} s, taken over after {seconds:.1f} s, transactions ended: {stalled}"
            )


async def test_a_gateway_that_is_stopped_amid_charging_holds_no_wallet_and_what_it_had_begun_is_charged_elsewhere_once(
    tmp_path,
):
    with postgres.server() as database:
        url = database("charging")
        async with StubbornSmsc() as centre:
            port = centre.server.ports[0]
            with SharingGateway(tmp_path, "ocs1", url, port) as one, SharingGateway(tmp_path, "ocs2", url, port) as two:
                seconds = []

                async def answered(pgw, more):
                    before = pgw.requests
                    while pgw.requests < before + more:  # noqa: ASYNC110  (whatever it does, it asks)
                        await asyncio.sleep(0.01)

                async def stop_one(pgw):
                    await answered(pgw, 150)
                    one.halt()
                    at = time.monotonic()
                    await asyncio.sleep(0.2)
                    pgw.go_to(two)
                    with Lateness() as late:
                        await asyncio.wait_for(answered(pgw, 64 + 150), PATIENCE)
                        seconds.append(time.monotonic() - at)
                    assert seconds[0] < LIMIT + 10 * late.most
                    await asyncio.sleep(max(0.0, STANDS_STILL - seconds[0]))
                    one.go_on()
                    await answered(pgw, 150)

                pgw = await charging_load.under_load(one, random.Random(2026), stop_one)
                records = reckon(two, pgw, url, charging_load.OPENING * 1_000_000)
                await asyncio.to_thread(wait_until, lambda: one.get("/readyz")[0] == 200)
            print(f"charging went on within {seconds[0]:.1f} s, usage records {records}")


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
async def test_a_gateway_that_is_cut_off_from_the_database_sends_nothing_more_and_ends_when_the_wire_is_mended(
    tmp_path,
):
    with Network() as network, server_on(network.database) as database:
        url = database("cut")
        remote = f"postgresql://tpo@{network.database}:{postgres.SOCKET_PORT}/cut"
        async with StubbornSmsc(delay=0.1, host="0.0.0.0") as centre:
            port = centre.server.ports[0]
            one = RemoteGateway(network, tmp_path, "ocs1", remote, port)
            two = SharingGateway(tmp_path, "ocs2", url, port, address=network.others)
            async with under_load([two, one], centre, url) as load:
                wanted = [f"to {n}" for n in range(5)]
                await one.run("link", "suspend", "smsc-1")
                for words in wanted:
                    await one.run("sms", "send", "--from", "70070", "--to", "447700900001", words)
                await asyncio.to_thread(network.cut)
                at = time.monotonic()
                await one.run("link", "resume", "smsc-1")  # it has them in memory, and must not send them any more
                await adopted(two)
                seconds = time.monotonic() - at
                late = await asyncio.to_thread(
                    one.tpo, "sms", "send", "--from", "70070", "--to", "447700900001", "late", ok=(1, 69)
                )
                assert late.returncode
                await asyncio.to_thread(network.mend)
                await ends_as_fenced(one)
            assert [centre.taken["447700900001", words] for words in (*wanted, "late")] == [1, 1, 1, 1, 1, 0]
            figures = nothing_lost(load, centre, url)
            print(f"{figures}, taken over after {seconds:.1f} s")


@pytest.mark.skipif(not PROGRAM.exists(), reason="Mosquitto is not installed")
async def test_orders_under_way_and_events_that_wait_go_on_elsewhere_each_once(tmp_path):
    count = 60
    with postgres.server() as database, mosquitto(tmp_path) as broker:
        url = database("orders")
        async with HostApi(work_seconds=0.05) as host, Listener(broker.port) as heard:
            more = f"""provisioning:
  hosts: [{{name: home, adapter: tmf640, plans: [payg-gb], url: "{host.url}", rate: 25, poll: 1s, timeout: 3s}}]
events: {{mqtt: {{url: "mqtt://127.0.0.1:{heard.entrance}", topic: tpo}}}}
"""
            one, two = (OrderingGateway(tmp_path, f"ocs{n}", url, free_port(), extra=more) for n in (1, 2))
            with one, two:
                await one.import_cards([card(n) for n in range(count)])
                rows = [
                    {"kind": "activate", "iccid": card(n)["iccid"], "msisdn": phone(n), "plan": "payg-gb"}
                    for n in range(count)
                ]
                ok, told = await one.act("sim.bulk", rows=rows)
                assert ok, told
                engine = open_reader(url)

                def standing():
                    with reading(engine) as connection:
                        states = Counter(connection.execute(select(orders.c.state)).scalars())
                        unpublished = select(func.count()).where(outbox.c.published_at.is_(None))
                        return states, connection.execute(unpublished).scalar_one()

                await asyncio.to_thread(wait_until, lambda: standing()[0]["done"] >= 5)
                await asyncio.to_thread(one.kill)
                states, waiting = standing()
                assert states["done"] < count
                assert waiting >= states["done"]
                broker.start()
                await adopted(two)
                await asyncio.to_thread(wait_until, lambda: standing() == ({"done": count}, 0))
                engine.dispose()
                assert set(host.inventory.effects.values()) == {1}
                assert len(host.services) == count
                assert (await two.run("ledger", "check"))["ok"]
                activated = [message for message in heard.messages if str(message.topic).endswith("sim/activated")]
                assert len({json.loads(message.payload)["id"] for message in activated}) == count
            print(f"orders done before {states['done']}, after {count - states['done']}; events that waited {waiting}")
