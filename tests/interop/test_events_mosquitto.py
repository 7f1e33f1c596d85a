"""The forwarder and a real Mosquitto: what arrives, what is marked, and what happens when the broker does not play along."""

import asyncio
import signal
import subprocess
import time

import pytest
from sqlalchemy import select
from support.lane_fixture import workplace
from support.lateness import Lateness
from support.mosquitto import PROGRAM, Listener, Tell, forwarder, mosquitto, settings, told, waiting
from support.patience import PATIENCE, until

from gateway.events.broker import Broker
from gateway.events.outbox_queue import read_waiting
from gateway.privacy.masks import Secret
from gateway.store.tables import outbox

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="Mosquitto is not installed (package mosquitto)")


@pytest.fixture
def place(tmp_path):
    with workplace(f"sqlite:///{tmp_path}/t.db") as place:
        yield place


@pytest.fixture
def broker(tmp_path):
    with mosquitto(tmp_path) as broker:
        broker.start()
        yield broker


def numbers(*bounds):
    return [str(n) for n in range(*bounds)]


async def test_events_arrive_in_order_and_are_marked(place, broker):
    for n in range(500):
        place.lane.run(Tell(n))
    async with Listener(broker.port) as listener:
        await listener.ready.wait()
        work = forwarder(place, broker.port)
        work.start()
        await until(lambda: len(listener.ids) >= 500 and work.state().published >= 500)
        state = work.state()
        await work.stop()
    assert listener.ids == numbers(500)
    assert (state.connected, state.published) == (True, 500)
    assert all(at is not None for (at,) in place.read(select(outbox.c.published_at)))


async def test_a_message_says_what_it_holds(place, broker):
    place.lane.run(Tell(1, 2, 3, batch=True))
    place.lane.run(Tell(4))
    async with Listener(broker.port) as listener:
        await listener.ready.wait()
        work = forwarder(place, broker.port, topic="mvno/tpo")
        work.start()
        await until(lambda: len(listener.ids) == 4)
        await work.stop()
    batch, single = listener.messages
    assert (str(batch.topic), str(single.topic)) == ("mvno/tpo/v1/usage/rated", "mvno/tpo/v1/charity/accrued")
    assert batch.properties.ContentType == "application/cloudevents-batch+json"
    assert single.properties.ContentType == "application/cloudevents+json"
    assert batch.properties.PayloadFormatIndicator == 1
    assert not batch.retain


async def test_nothing_is_published_while_another_gateway_may_be_publishing_it(place, broker):
    place.lane.run(Tell(1, 2, 3))
    async with Listener(broker.port) as listener:
        await listener.ready.wait()
        with told() as (heard, on_event):
            work = forwarder(place, broker.port, on_event)
            work._store.may_send = False
            work.start()
            await until(lambda: any(name == "events.broker.down" for name, _ in heard))
            assert "another one may have taken over" in work.state().last_error
            assert (listener.ids, waiting(place)) == ([], 3)
            work._store.may_send = True
            await until(lambda: not waiting(place))
            await work.stop()
    assert listener.ids == numbers(1, 4)


async def test_events_written_while_it_runs_follow_within_a_second(place, broker):
    async with Listener(broker.port) as listener:
        await listener.ready.wait()
        work = forwarder(place, broker.port)
        work.start()
        await until(lambda: work.state().connected)
        for n in range(3):
            started = time.monotonic()
            await asyncio.to_thread(place.lane.run, Tell(n))
            await until(lambda n=n: str(n) in listener.ids)
            assert time.monotonic() - started < 1.0
        await work.stop()


async def test_a_broker_that_comes_late_gets_everything(place, tmp_path):
    for n in range(20):
        place.lane.run(Tell(n))
    with mosquitto(tmp_path) as broker, told() as (heard, tell):
        work = forwarder(place, broker.port, tell)
        work.start()
        await until(lambda: len(heard) >= 2)
        assert {name for name, _ in heard} == {"events.broker.down"}
        assert heard[0][1]["broker"] == f"127.0.0.1:{broker.port}"
        assert "refused" in heard[0][1]["error"].lower()
        assert 0.2 <= heard[0][1]["retry_in"] <= 0.8
        await until(lambda: work.state().waiting == 20)
        assert work.state().oldest_waiting > 0
        broker.start()
        async with Listener(broker.port) as listener:
            await until(lambda: waiting(place) == 0)
            assert heard[-1][0] == "events.broker.up"
            await work.stop()
    assert listener.port == broker.port


async def test_a_hung_broker_holds_up_nobody_and_gets_everything_in_order_once_it_wakes(place, broker):
    with told() as (heard, tell):
        async with Listener(broker.port) as listener:
            await listener.ready.wait()
            work = forwarder(place, broker.port, tell, timeout=0.5)
            work.start()
            for n in range(50):
                await asyncio.to_thread(place.lane.run, Tell(n))
            await until(lambda: waiting(place) == 0)
            broker.hang()
            slowest = 0.0
            with Lateness() as late:
                for n in range(50, 400):
                    started = time.monotonic()
                    await asyncio.to_thread(place.lane.run, Tell(n, padding="x" * 2000))
                    slowest = max(slowest, time.monotonic() - started)
            await until(lambda: sum(name == "events.broker.down" for name, _ in heard) >= 2)
            assert slowest < 1.0 + 3 * late.most
            assert waiting(place) == 350
            broker.wake()
            await until(lambda: waiting(place) == 0)
            await until(lambda: len(listener.first_comings) == 400)
            await work.stop()
        assert listener.first_comings == numbers(400)


@pytest.mark.parametrize("when", ["connecting", "publishing"])
async def test_stopping_takes_bounded_time_while_the_broker_hangs(place, broker, when):
    work = forwarder(place, broker.port)
    if when == "connecting":
        broker.hang()
        work.start()
        await asyncio.sleep(0.2)
    else:
        work.start()
        await until(lambda: work.state().connected)
        broker.hang()
        for n in range(10):
            place.lane.run(Tell(n))
        await asyncio.sleep(0.5)
    with Lateness() as late:
        started = time.monotonic()
        await work.stop(within=1.0)
    assert time.monotonic() - started < 2.5 + 10 * late.most
    assert not work.state().connected


async def test_stopping_lets_what_is_under_way_arrive(place, broker):
    for n in range(200):
        place.lane.run(Tell(n, padding="x" * 5_000))
    work = forwarder(place, broker.port)
    work.start()
    await until(lambda: work.state().connected)
    await work.stop()
    published = place.read(select(outbox.c.id).where(outbox.c.published_at.is_not(None)))
    assert len(published) in {0, 200}  # a chunk is finished, or not begun
    assert "protocol error" not in broker.log.read_text().lower()


async def test_no_more_is_under_way_than_the_broker_wants(place, tmp_path):
    with mosquitto(tmp_path, "allow_anonymous true", "max_inflight_messages 3") as broker:
        broker.start()
        for n in range(100):
            place.lane.run(Tell(n))
        connection = Broker(settings(broker.port), "test", in_thread=asyncio.to_thread)
        await connection.open()
        with place.reader.connect() as reader:
            rows = read_waiting(reader, place.node.owned)
        publishing = asyncio.create_task(connection.publish(rows))
        most = 0
        while not publishing.done():
            most = max(most, len(connection._client._pending_publishes))
            await asyncio.sleep(0)
        assert await publishing == ([row.id for row in rows], None)
        await connection.close()
        assert 0 < most <= 3


async def test_an_event_that_the_broker_refuses_is_not_marked(place, tmp_path):
    rules = tmp_path / "acl"
    rules.write_text("topic read #\ntopic write tpo/v1/usage/#\n")
    with mosquitto(tmp_path, "allow_anonymous true", f"acl_file {rules}") as broker, told() as (heard, tell):
        broker.start()
        place.lane.run(Tell(1, batch=True))
        place.lane.run(Tell(2))
        work = forwarder(place, broker.port, tell)
        work.start()
        await until(lambda: any(name == "events.broker.down" for name, _ in heard))
        assert "Not authorized" in heard[1][1]["error"]
        assert place.read(select(outbox.c.topic).where(outbox.c.published_at.is_(None))) == [("charity/accrued",)]
        rules.write_text("topic read #\ntopic write tpo/#\n")
        broker.signal(signal.SIGHUP)
        await until(lambda: waiting(place) == 0)
        await work.stop()


async def test_a_batch_is_divided_for_a_broker_that_takes_less(place, tmp_path):
    with mosquitto(tmp_path, "allow_anonymous true", "max_packet_size 2000") as broker:
        broker.start()
        place.lane.run(Tell(0))
        place.lane.run(Tell(*range(1, 60), batch=True, padding="x" * 100))
        place.lane.run(Tell(60))
        async with Listener(broker.port) as listener:
            await listener.ready.wait()
            work = forwarder(place, broker.port)
            work.start()
            await until(lambda: waiting(place) == 0)
            await until(lambda: len(listener.ids) >= 61)
            await work.stop()
        assert listener.ids == numbers(61)
        assert {message.properties.ContentType.partition("+")[0] for message in listener.messages[1:-1]} == {
            "application/cloudevents-batch"
        }


async def test_an_event_that_no_packet_of_the_broker_holds_waits_and_is_named(place, tmp_path):
    with mosquitto(tmp_path, "allow_anonymous true", "max_packet_size 2000") as broker, told() as (heard, tell):
        broker.start()
        place.lane.run(Tell(0))
        place.lane.run(Tell(1, padding="x" * 2000))
        work = forwarder(place, broker.port, tell)
        work.start()
        await until(lambda: any(name == "events.broker.down" for name, _ in heard))
        await work.stop()
        assert "octets, and the broker takes" in heard[1][1]["error"]
        assert waiting(place) == 1


@pytest.fixture
def passwords(tmp_path):
    file = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", file, "gateway", "correct"], check=True, timeout=PATIENCE)
    return file


async def test_a_wrong_password_is_told_and_the_right_one_works(place, tmp_path, passwords):
    with mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker, told() as (heard, tell):
        broker.start()
        place.lane.run(Tell(1))
        work = forwarder(place, broker.port, tell, username="gateway", password=Secret("incorrect"))
        work.start()
        await until(lambda: heard)
        await work.stop()
        assert heard[0][0] == "events.broker.down"
        assert "Not authorized" in heard[0][1]["error"]
        assert waiting(place) == 1
        work = forwarder(place, broker.port, tell, username="gateway", password=Secret("correct"))
        work.start()
        await until(lambda: waiting(place) == 0)
        await work.stop()


@pytest.fixture
def certificate(tmp_path):
    certificate, key = tmp_path / "broker.pem", tmp_path / "broker.key"
    names = ["-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run(
        [*new, *names, "-out", certificate, "-keyout", key], check=True, capture_output=True, timeout=PATIENCE
    )
    return certificate


async def test_events_go_over_tls_and_only_to_a_broker_that_we_trust(place, tmp_path, certificate):
    key = certificate.with_suffix(".key")
    lines = ("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    with mosquitto(tmp_path, *lines) as broker, told() as (heard, tell):
        broker.start()
        place.lane.run(Tell(1))
        work = forwarder(place, broker.port, tell, tls=True)
        work.start()
        await until(lambda: heard)
        await work.stop()
        assert "certificate verify failed" in heard[0][1]["error"].lower()
        work = forwarder(place, broker.port, tell, tls=True, ca=certificate)
        work.start()
        await until(lambda: waiting(place) == 0)
        await work.stop()
