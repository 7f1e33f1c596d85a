"""What both transports share, on real sockets under a session of no protocol: octets, the timer, back-pressure, the end."""

import asyncio
import time
from contextlib import asynccontextmanager

from support.diameter_rig import until

from protocols.stream import Stream


class Limits:
    write_high_water = 64 * 1024
    write_buffer = 64 * 1024 * 1024
    write_deadline = 60.0
    closing_deadline = 5.0


class Script:
    """A session that keeps what it is told, and sends what it is given."""

    def __init__(self):
        self.tap = None
        self.closed = False
        self.out = []
        self.told = []
        self.received = b""
        self.at = None

    @property
    def has_output(self):
        return bool(self.out)

    def connected(self, now):
        self.told.append("connected")

    def connection_lost(self, now, detail=""):
        self.told.append("lost")
        self.closed = True

    def receive(self, data, now):
        self.received += data

    def deadline(self):
        return self.at

    def on_timer(self, now):
        if self.at is not None and now >= self.at:
            self.at = None
            self.told.append("timer")

    def data_to_send(self):
        data, self.out = b"".join(self.out), []
        return data

    def pause(self):
        self.told.append("pause")

    def resume(self, now):
        self.told.append("resume")


class Wire(Stream):
    protocol = "script"
    sending_moves_deadline = False

    def __init__(self, limits=Limits):
        super().__init__(Script(), limits(), time.monotonic)
        self.made, self.ends, self.ended = False, [], False

    def pump(self, now):
        self._follow_up(now, self.ended)

    def send(self, data):
        self.session.out.append(data)
        self.flush_soon()

    def drop(self, detail):
        self._drop(detail)

    def _made(self, transport):
        self.made = True

    def _tap_name(self):
        return "wire"

    def _slow_reader(self):
        self.session.told.append("slow reader")
        self._drop()

    def _lost(self, detail):
        self.ends.append(detail)


@asynccontextmanager
async def connected(limits=Limits):
    """A stream and the reader and writer at its other end."""
    ends = asyncio.Queue()
    server = await asyncio.start_server(lambda *end: ends.put_nowait(end), "127.0.0.1", 0)
    wire = Wire(limits)
    wire.dial("127.0.0.1", server.sockets[0].getsockname()[1], None, "", 5.0)
    reader, writer = await ends.get()
    await until(lambda: wire.made)
    try:
        yield wire, reader, writer
    finally:
        wire.drop("")
        writer.close()
        server.close()


async def test_octets_of_one_tick_leave_together_and_a_tap_sees_whose_they_are():
    seen = []
    async with connected() as (wire, reader, writer):
        wire.set_tap(seen.append)
        wire.send(b"one ")
        wire.send(b"two")
        assert await reader.readexactly(7) == b"one two"
        writer.write(b"back")
        await until(lambda: wire.session.received == b"back")
        wire.session.tap(True, b"x")
    assert [(told.protocol, told.name, told.remote) for told in seen] == [("script", "wire", wire.remote)]


async def test_the_timer_follows_an_earlier_deadline_and_rings_once():
    async with connected() as (wire, _, _):
        now = time.monotonic()
        for seconds in (60.0, 0.02):
            wire.session.at = now + seconds
            wire.pump(now)
        await until(lambda: "timer" in wire.session.told)
        assert wire.session.told == ["connected", "timer"]


async def test_a_peer_that_does_not_read_is_not_read_from_until_it_reads_again():
    async with connected() as (wire, reader, writer):
        writer.transport.pause_reading()
        wire.send(bytes(16_000_000))
        await until(lambda: "pause" in wire.session.told)
        writer.write(b"more")
        await asyncio.sleep(0)
        writer.transport.resume_reading()
        await reader.readexactly(16_000_000)
        await until(lambda: wire.session.received == b"more")
        assert wire.session.told == ["connected", "pause", "resume"]


async def test_a_peer_that_goes_on_not_reading_is_cut_off():
    class Hasty(Limits):
        write_deadline = 0.05

    async with connected(Hasty) as (wire, _, writer):
        writer.transport.pause_reading()
        wire.send(bytes(16_000_000))
        await until(lambda: wire.ends)
        assert wire.session.told == ["connected", "pause", "slow reader", "lost"]


async def test_more_than_the_buffer_takes_ends_the_connection_at_once():
    class Small(Limits):
        write_buffer = 1_000_000

    async with connected(Small) as (wire, _, writer):
        writer.transport.pause_reading()
        wire.send(bytes(16_000_000))
        await until(lambda: wire.ends)
        assert wire.session.told[-2:] == ["slow reader", "lost"]


async def test_the_last_words_leave_before_the_end():
    async with connected() as (wire, reader, _):
        wire.session.out.append(b"goodbye")
        wire.session.closed = wire.ended = True
        wire.pump(time.monotonic())
        assert await reader.read() == b"goodbye"
        await until(lambda: wire.ends == [""])


async def test_a_connection_that_cannot_be_made_ends_once_and_says_why():
    wire = Wire()
    with_nobody = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = with_nobody.sockets[0].getsockname()[1]
    with_nobody.close()
    await with_nobody.wait_closed()
    wire.dial("127.0.0.1", port, None, "", 5.0)
    await until(lambda: wire.ends)
    wire.drop("again")
    assert len(wire.ends) == 1
    assert "Connect" in wire.ends[0]
    assert not wire.made


async def test_one_that_is_given_up_while_it_is_dialled_says_so_and_is_never_made():
    ends = asyncio.Queue()
    server = await asyncio.start_server(lambda *end: ends.put_nowait(end), "127.0.0.1", 0)
    wire = Wire()
    wire.dial("127.0.0.1", server.sockets[0].getsockname()[1], None, "", 5.0)
    wire.drop("given up")
    await asyncio.sleep(0)
    assert (wire.ends, wire.session.told, wire.made) == (["given up"], ["lost"], False)
    server.close()
