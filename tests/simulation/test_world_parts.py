"""What a world is made of: time that jumps, processes that die without a last word, wires that break, and a patch that fits."""

import asyncio
from random import Random
from types import SimpleNamespace

import pytest

from .lane_process import Pipe
from .loop import Process, Stuck, VirtualLoop, run
from .network import SimulatedNetwork


@pytest.fixture
def loop():
    made = VirtualLoop()
    yield made
    made.close()


class Ear(asyncio.Protocol):
    """Keeps what it hears."""

    def __init__(self):
        self.heard, self.lost, self.transport = b"", None, None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.heard += data

    def connection_lost(self, exc):
        self.lost = exc or "closed"


class Town:
    """Two processes with a connection between them."""

    def __init__(self, loop):
        self.loop = loop
        self.network = SimulatedNetwork(loop, Random(1), Process("nature").context(), 0.01)
        self.one, self.two = Process("one"), Process("two")
        self.ears = Ear(), Ear()

    async def connect(self):
        def accept(accepted, _address):
            self.loop.create_task(self.network.take(self.ears[1], accepted, None))

        async def dial():
            await self.network.connect(self.ears[0], "two", 1, None, None)

        await self.loop.create_task(self.network.listen("two", 1, accept), context=self.two.context())
        await self.loop.create_task(dial(), context=self.one.context())
        await asyncio.sleep(0.1)
        return self.ears


def test_a_day_passes_at_once_and_in_order(loop):
    seen = []

    async def day():
        loop.call_later(7200.0, seen.append, "later")
        loop.call_later(3600.0, seen.append, "sooner")
        await asyncio.sleep(86_400.0)

    run(loop, day())
    assert (loop.time(), seen) == (86_400.0, ["sooner", "later"])


def test_a_process_that_was_killed_runs_no_further_line_not_even_a_finally(loop):
    victim, last_words = Process("victim"), []

    async def live():
        try:
            await asyncio.sleep(10.0)
        finally:
            last_words.append("alas")

    async def kill():
        victim.run(loop.create_task, live())
        await asyncio.sleep(5.0)
        victim.dead = True
        await asyncio.sleep(60.0)

    run(loop, kill())
    assert last_words == []


def test_a_process_that_stands_still_runs_nothing_and_reads_what_came_when_it_goes_on(loop):
    seen = []

    async def live():
        await asyncio.sleep(1.0)
        seen.append(loop.time())

    async def stop():
        town = Town(loop)
        ours, theirs = await town.connect()
        town.two.run(loop.create_task, live())
        town.two.stopped = True
        ours.transport.write(b"hello?")
        await asyncio.sleep(20.0)
        assert (seen, theirs.heard, ours.lost) == ([], b"", None)
        loop.resume(town.two)
        town.network.resume(town.two)
        await asyncio.sleep(2.0)
        assert theirs.heard == b"hello?"

    run(loop, stop())
    assert seen[0] > 20.0


def test_a_loop_in_which_no_time_passes_is_stuck(loop):
    def again():
        loop.call_soon(again)

    async def spin():
        again()
        await asyncio.sleep(1.0)

    loop.MOST_AT_ONCE = 1000
    with pytest.raises(Stuck, match="no time passes"):
        run(loop, spin())


def test_octets_come_in_order_whatever_they_are_cut_into(loop):
    async def talk():
        ours, theirs = await Town(loop).connect()
        sent = bytes(range(256)) * 8
        for at in range(0, len(sent), 64):
            ours.transport.write(sent[at : at + 64])
        await asyncio.sleep(1.0)
        assert theirs.heard == sent

    run(loop, talk())


def test_a_wire_that_went_silent_tells_nobody_until_the_sender_s_kernel_gives_up(loop):
    async def talk():
        town = Town(loop)
        ours, theirs = await town.connect()
        ours.transport.silent = True
        ours.transport.write(b"hello?")
        await asyncio.sleep(600.0)
        assert (ours.lost, theirs.heard) == (None, b"")
        await asyncio.sleep(600.0)
        assert isinstance(ours.lost, TimeoutError)

    run(loop, talk())


def test_whoever_is_killed_is_reset_and_whoever_loses_power_is_only_silent(loop):
    async def die(*, power):
        town = Town(loop)
        ours, _ = await town.connect()
        town.two.dead = True
        town.network.kill(town.two, power=power)
        await asyncio.sleep(10.0)
        return ours.lost

    assert isinstance(run(loop, die(power=False)), ConnectionResetError)
    assert run(loop, die(power=True)) is None


def test_what_a_pipe_carries_for_one_moment_arrives_in_its_order(loop):
    heard = []
    chance = SimpleNamespace(uniform=lambda _least, _most: 0.0, random=lambda: 0.5)
    pipe = Pipe(SimpleNamespace(loop=loop, pipes=[], chance=lambda _name: chance), gateway=None)
    for number in range(100):
        pipe._carry(pipe.process, heard.append, number)
    loop.spend(1.0, lambda: False)
    assert heard == list(range(100))
