"""A broker that is killed under load: no event is missing, every row is published and marked, and the lane never waits."""

import asyncio
import time

import pytest
from sqlalchemy import func, select
from support.lane_fixture import workplace
from support.lateness import Lateness
from support.mosquitto import PROGRAM, Listener, Tell, forwarder, mosquitto, told, waiting
from support.patience import PATIENCE, until

from gateway.store.tables import outbox

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="Mosquitto is not installed (package mosquitto)")
KILLS = 4


async def test_a_broker_killed_again_and_again_under_load_misses_nothing(tmp_path):
    with workplace(f"sqlite:///{tmp_path}/t.db") as place, mosquitto(tmp_path) as broker, told() as (heard, tell):
        broker.start()
        finished = asyncio.Event()
        slowest = 0.0
        written = 0
        late = Lateness()

        async def load():
            nonlocal slowest, written
            while not finished.is_set():
                started = time.monotonic()
                await asyncio.to_thread(place.lane.run, Tell(written, padding="x" * 500))
                slowest = max(slowest, time.monotonic() - started)
                written += 1

        async with Listener(broker.port) as listener:
            await listener.ready.wait()
            work = forwarder(place, listener.entrance, tell, timeout=2.0)
            work.start()
            writer = asyncio.create_task(load())
            for _ in range(KILLS):
                before = work.state().published
                await until(lambda before=before: work.state().published > before + 50)
                listener.ready.clear()
                broker.kill()
                await asyncio.sleep(0.1)
                broker.start()
                await asyncio.wait_for(listener.ready.wait(), PATIENCE)
            finished.set()
            await writer
            await until(lambda: waiting(place) == 0 and len(listener.first_comings) == written)
            await work.stop()
        late.end()
        (rows,) = place.read(select(func.count(), func.count(outbox.c.published_at)))
        assert rows == (written, written)
        downs = [fields["error"] for name, fields in heard if name == "events.broker.down"]
        assert len(downs) >= KILLS
        assert slowest < 2.0 + 3 * late.most
        assert listener.first_comings == [str(n) for n in range(written)]


async def test_a_gateway_that_stops_while_the_broker_is_dead_goes_on_where_it_was(tmp_path):
    with workplace(f"sqlite:///{tmp_path}/t.db") as place, mosquitto(tmp_path) as broker:
        broker.start()
        first = forwarder(place, broker.port)
        first.start()
        place.lane.run(Tell(*range(10)))
        await until(lambda: waiting(place) == 0)
        broker.kill()
        place.lane.run(Tell(*range(10, 20)))
        await first.stop()
        assert waiting(place) == 10
        broker.start()
        async with Listener(broker.port) as listener:
            await listener.ready.wait()
            second = forwarder(place, broker.port)
            second.start()
            await until(lambda: waiting(place) == 0 and len(listener.ids) == 10)
            await second.stop()
        assert listener.ids == [str(n) for n in range(10, 20)]
