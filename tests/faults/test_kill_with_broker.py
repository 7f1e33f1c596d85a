"""The gateway and its broker killed in turn under load: every usage record comes by MQTT, in order, once at least."""

import asyncio
import random

import msgspec
import pytest
from support.audit import ask, reckon
from support.gateways import Gateway, subscribers
from support.mosquitto import PROGRAM, Listener, mosquitto
from support.patience import PATIENCE, until
from support.stubborn_pgw import StubbornPgw

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="Mosquitto is not installed (package mosquitto)")
CUSTOMERS = 16
OPENING = 1000
ROUNDS = 3


def rated(listener):
    """The usage events heard, in order of coming: (subject, id)."""
    for message in listener.messages:
        if str(message.topic) == "tpo/v1/usage/rated":
            for event in msgspec.json.decode(message.payload):
                yield event["subject"], int(event["id"])


def all_marked(gateway):
    """Whether the broker has every usage row, as far as the gateway knows."""
    rows = ask(gateway, "events.list", limit=5000)["rows"]
    return all(row["published_at"] for row in rows if row["topic"] == "usage/rated")


async def test_every_usage_record_comes_by_mqtt_though_gateway_and_broker_are_killed_in_turn(tmp_path):
    chance = random.Random(11)
    with mosquitto(tmp_path) as broker:
        broker.start()
        async with Listener(broker.port) as listener:
            await listener.ready.wait()
            events = f"events: {{mqtt: {{url: mqtt://127.0.0.1:{listener.entrance}}}}}"
            with Gateway(tmp_path / "gw", extra=events) as gateway:
                rows = subscribers(CUSTOMERS, balance=f"{OPENING}.00")
                assert (await asyncio.to_thread(gateway.enrol, rows))["created"] == CUSTOMERS
                customers = [(row[0], row[1]) for row in rows]
                pgw = StubbornPgw(gateway.diameter_port, customers, chance, concurrency=8)
                load = asyncio.create_task(pgw.run())

                async def some_events_more():
                    heard = len(listener.messages)
                    await until(lambda: len(listener.messages) >= heard + 10)
                    await asyncio.sleep(chance.uniform(0.0, 0.2))

                async def broker_up():
                    broker.start()
                    await asyncio.wait_for(listener.ready.wait(), PATIENCE)

                for _ in range(ROUNDS):
                    await some_events_more()
                    await asyncio.to_thread(gateway.kill)
                    await asyncio.to_thread(gateway.start)
                    await some_events_more()
                    listener.ready.clear()
                    broker.kill()
                    await asyncio.sleep(chance.uniform(0.1, 0.5))
                    await broker_up()
                await some_events_more()
                listener.ready.clear()
                broker.kill()
                await asyncio.to_thread(gateway.kill)
                await asyncio.to_thread(gateway.start)  # without a broker it starts and charges all the same
                charged = pgw.requests
                await until(lambda: pgw.requests > charged + 50)
                await broker_up()
                pgw.end()
                await asyncio.wait_for(load, PATIENCE)
                url = f"sqlite:///{gateway.folder}/var/tpo.db"
                await asyncio.to_thread(reckon, gateway, pgw, url, OPENING * 1_000_000)
                records = {int(record["record_id"]) for record in await asyncio.to_thread(gateway.usage)}
                await until(lambda: records <= {number for _, number in rated(listener)})
                await until(lambda: all_marked(gateway))
    heard = list(rated(listener))
    assert {number for _, number in heard} == records
    by_subject = {}
    for subject, number in dict.fromkeys(heard):
        by_subject.setdefault(subject, []).append(number)
    assert len(by_subject) == CUSTOMERS
    assert all(numbers == sorted(numbers) for numbers in by_subject.values())
    print(f"records {len(records)}, heard {len(heard)}, requests {pgw.requests}, again {pgw.retransmissions}")
