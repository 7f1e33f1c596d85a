"""What both transports share, on real sockets under a session of no protocol: octets, the timer, back-pressure, the end."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from support import diameter_rig, smpp_rig
from support.patience import until

from protocols.diameter import limits as diameter_limits
from protocols.smpp import limits as smpp_limits
from protocols.smpp.generated import encode as smpp_encode
from protocols.smpp.messages import SubmitSmResp
from protocols.stream import Stream
from protocols.stream_session import _KEEPING


class Limits:
    messages_per_turn = 32
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
        self.unhandled, self.blocked = 0, False
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

    def stop_reading(self):
        self.told.append("stop reading")

    def resume_reading(self, now):
        self.told.append("resume reading")

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
        assert wire.session.told == ["connected", "pause", "stop reading", "resume reading", "resume"]


async def test_a_peer_that_goes_on_not_reading_is_cut_off():
    class Hasty(Limits):
        write_deadline = 0.05

    async with connected(Hasty) as (wire, _, writer):
        writer.transport.pause_reading()
        wire.send(bytes(16_000_000))
        await until(lambda: wire.ends)
        assert wire.session.told == ["connected", "pause", "stop reading", "slow reader", "lost"]


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


# More than is handled at once, with both protocols' sessions


class Server:
    """What one protocol's server keeps of a peer's requests, and how that peer asks."""

    def __init__(self, protocol, limits):
        self.kept, self.turns, self.protocol = [], 0, protocol
        if protocol == "diameter":
            self.rig = diameter_rig.Rig(handler=self.take, limits=diameter_limits.Limits(**limits))
        else:
            self.rig = smpp_rig.ServerRig(on_request=self.take, limits=smpp_limits.Limits(**limits))

    def take(self, request):
        if not self.kept:
            asyncio.get_running_loop().call_soon(self.turn)
        self.kept.append(request)

    def turn(self):
        self.turns += 1
        asyncio.get_running_loop().call_soon(self.turn)

    async def peer(self):
        if self.protocol == "diameter":
            return await diameter_rig.RawPeer.open(self.rig.port)
        return await smpp_rig.RawEnd.bound(self.rig.port)

    def request(self, number):
        if self.protocol == "diameter":
            return diameter_rig.ccr(number)
        return smpp_encode(smpp_rig.SUBMIT, number)

    def answer(self, count):
        """Answer so many of those that were kept, the oldest first."""
        for request in self.kept[:count]:
            if self.protocol == "diameter":
                request.answer(diameter_rig.CCA)
            else:
                request.respond(SubmitSmResp(message_id="1"))
        del self.kept[:count]

    def number(self, header):
        return header.hop_by_hop if self.protocol == "diameter" else header.sequence_number

    def refused(self, header):
        return header.error if self.protocol == "diameter" else header.command_status != 0

    @property
    def connection(self):
        if self.protocol == "diameter":
            return next(iter(self.rig.node._connections.values()))
        return self.rig.server.clients[0]


@asynccontextmanager
async def flooded(protocol, count, **limits):
    """A server whose peer has sent so many requests in one write, and that peer."""
    server = Server(protocol, limits)
    async with server.rig:
        peer = await server.peer()
        await until(lambda: server.connection)
        peer.send(b"".join(server.request(number) for number in range(1, count + 1)))
        yield server, peer
        await peer.leave()


both = pytest.mark.parametrize("protocol", ["diameter", "smpp"])


@both
async def test_the_requests_of_a_peer_with_all_it_may_have_in_work_wait_and_all_are_served(protocol):
    async with flooded(protocol, 1500, outstanding=100, overload_deadline=30.0) as (server, peer):
        answered, session = [], server.connection.session
        for _ in range(15):  # how many of the rest it has read by then is the socket's business
            await until(lambda: session.outstanding == len(server.kept) == 100)
            server.answer(100)
            answered += [(await peer.receive())[0] for _ in range(100)]
        assert [server.number(header) for header in answered] == list(range(1, 1501))
        assert not any(server.refused(header) for header in answered)
        assert server.connection._transport.is_reading()


@both
async def test_it_is_read_from_again_when_half_of_them_are_answered(protocol):
    async with flooded(protocol, 500, outstanding=100) as (server, peer):
        await until(lambda: len(server.kept) == 100)
        server.answer(49)
        for _ in range(49):
            await peer.receive()
        assert len(server.kept) == 51
        server.answer(1)
        await until(lambda: len(server.kept) == 100)


@both
async def test_where_nothing_is_answered_for_long_the_rest_is_refused_until_half_is(protocol):
    async with flooded(protocol, 500, outstanding=100, overload_deadline=0.5) as (server, peer):
        refused = [(await peer.receive())[0] for _ in range(400)]
        assert {server.number(header) for header in refused} == set(range(101, 501))
        assert all(server.refused(header) for header in refused)
        assert len(server.kept) == 100
        server.answer(50)
        for _ in range(50):
            await peer.receive()
        peer.send(server.request(501))
        await until(lambda: len(server.kept) == 51)


@both
async def test_what_one_peer_sends_is_handled_a_few_messages_a_turn(protocol):
    async with flooded(protocol, 1000, outstanding=10_000, messages_per_turn=20) as (server, _):
        await until(lambda: len(server.kept) == 1000)
        assert server.turns >= 1000 // 20 - 1


@both
async def test_what_cannot_be_read_ends_the_connection_after_what_stood_before_it(protocol):
    async with flooded(protocol, 90, outstanding=10_000, messages_per_turn=20) as (server, peer):
        peer.send(b"\xff" * 64)
        await peer.rest()
        assert len(server.kept) == 90


@both
async def test_a_peer_is_read_from_as_long_as_there_is_memory_for_what_waits(protocol):
    """Else what a peer sends beyond what can be done stood in its connection, and nobody knew for how long."""
    async with flooded(protocol, 10, outstanding=10, waiting_octets=10_000, overload_deadline=900.0) as (server, peer):
        await until(lambda: len(server.kept) == 10)
        session, size = server.connection.session, len(server.request(11)) + _KEEPING
        for waiting in range(1, 9_000 // size):
            peer.send(server.request(10 + waiting))
            await until(lambda octets=waiting * size: session.waiting_octets == octets)
            assert server.connection._transport.is_reading()


@both
async def test_a_peer_with_too_much_waiting_is_left_unread_and_what_it_sends_meanwhile_is_not_late(protocol):
    limits = {"outstanding": 10, "waiting_octets": 10, "message_deadline": 0.05, "messages_per_turn": 1}
    async with flooded(protocol, 10, **limits) as (server, peer):
        await until(lambda: len(server.kept) == 10)
        session, unread = server.connection.session, []
        session.stop_reading, stop = lambda: (unread.append(session.waiting_octets), stop()), session.stop_reading
        rest = [server.request(number) for number in range(11, 31)]
        peer.send(b"".join(rest))
        refused = [(await peer.receive())[0] for _ in rest]
        assert all(map(server.refused, refused))
        assert min(unread) > 10
        await until(server.connection._transport.is_reading)
        server.connection._behind = True
        server.connection._switch_reading()
        late = server.request(31)
        peer.send(late[:9])
        await asyncio.sleep(0.2)
        server.connection._behind = False
        server.connection._switch_reading()
        server.answer(10)
        peer.send(late[9:])
        await until(lambda: len(server.kept) == 1)
