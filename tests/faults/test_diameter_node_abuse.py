"""Peers that misbehave: an answer or a close, bounded memory, and nobody else is harmed."""

import asyncio
import gc
import random
import resource
import tracemalloc

import pytest
from support.diameter_rig import OCS, PGW, Authority, RawPeer, Rig, body_of, ccr, ccr_body, cer, echo, two_nodes
from support.lateness import Lateness
from support.patience import until

from protocols.diameter.codec import encode_avp, encode_message
from protocols.diameter.identity import PeerConfig
from protocols.diameter.limits import Limits
from protocols.diameter.node_events import PeerDown, PeerRejected, Undecodable
from protocols.diameter.transitions import CloseReason
from protocols.tap import MAX_UNDECODABLE

EVIL = "evil.host.example"
PEERS = [PeerConfig(identity=host, realm="host.example", relay=True) for host in (PGW, EVIL)]
LENGTH_BOMBS = {
    "zero length": b"\x01\0\0\0" + bytes(16),
    "length 3": b"\x01\0\0\x03" + bytes(16),
    "shorter than a header": b"\x01\0\0\x10" + bytes(16),
    "not a multiple of four": b"\x01\0\0\x16" + bytes(18),
    "16 MiB": b"\x01\xff\xff\xfc" + bytes(16),
    "version 2": b"\x02\0\0\x14" + bytes(16),
}


class Bystander:
    """Another peer, whose requests go on all the while; `async with` fails if any was not answered."""

    def __init__(self, port):
        self.port, self.answered, self.slowest = port, 0, 0.0
        self.late = Lateness()

    async def __aenter__(self):
        self.peer = await RawPeer.open(self.port)
        self.task = asyncio.create_task(self._run())
        return self

    async def _run(self):
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            header, _ = await self.peer.ask(ccr(self.answered))
            assert (header.hop_by_hop, header.flags) == (self.answered, 0x40)
            self.slowest = max(self.slowest, loop.time() - began)
            self.answered += 1
            await asyncio.sleep(0.001)

    async def __aexit__(self, *exc):
        before = self.answered
        await until(lambda: self.task.done() or self.answered > before + 3)
        assert not self.task.done(), self.task
        assert self.slowest < 1.0 + 3 * self.late.end()
        self.task.cancel()
        await self.peer.leave()


def node(**options):
    return Rig(**({"peers": PEERS} | options))


@pytest.mark.parametrize("bomb", LENGTH_BOMBS.values(), ids=LENGTH_BOMBS)
@pytest.mark.parametrize("opened", [False, True], ids=["before CER", "open"])
async def test_broken_framing_ends_the_connection_at_once(bomb, opened):
    async with node() as ocs, Bystander(ocs.port):
        evil = await RawPeer.open(ocs.port, EVIL) if opened else await RawPeer.connect(ocs.port)
        evil.send(bomb)
        last = await evil.rest()
        assert (last[4:8] == b"\x80\x00\x01\x1a") if opened else not last  # a DPR, or nothing
        told = await ocs.told(Undecodable)
        assert (told.message, told.identity) == (bomb[:MAX_UNDECODABLE], EVIL if opened else "")
        await evil.leave()


@pytest.mark.parametrize("seed", range(5))
async def test_garbage_before_the_cer_ends_the_connection(seed):
    noise = random.Random(seed).randbytes(5000)
    async with node() as ocs, Bystander(ocs.port):
        evil = await RawPeer.connect(ocs.port)
        evil.send(noise)
        assert await evil.rest() == b""
        assert len(ocs.of(PeerRejected)) == 1
        await evil.leave()


async def test_random_avps_are_answered_or_end_the_connection():
    chance = random.Random(7)
    async with node() as ocs, Bystander(ocs.port):
        for _ in range(20):
            evil = await RawPeer.open(ocs.port, EVIL)
            for number in range(20):
                body = bytearray(ccr_body(origin_host=EVIL))
                for _ in range(chance.randint(1, 8)):
                    body[chance.randrange(len(body))] = chance.randrange(256)
                header, _ = await evil.ask(encode_message(0xC0, 272, 4, number, number, bytes(body)))
                assert (header.hop_by_hop, header.request) == (number, False)
            await evil.leave()
            await until(lambda: len(ocs.node._connections) == 1)


async def test_a_request_whose_answer_would_not_fit_is_refused_in_small():
    async with node() as ocs, Bystander(ocs.port):
        evil = await RawPeer.open(ocs.port, EVIL)
        for extra in (encode_avp(284, bytes(60000)), b"".join(encode_avp(284, bytes(100)) for _ in range(500))):
            header, frame = await evil.ask(ccr(5, extra=extra, origin_host=EVIL))
            assert header.hop_by_hop == 5
            assert len(frame) < 2000
        header, frame = await evil.ask(ccr(6, origin_host=EVIL, session_id=bytes(60000)))
        assert header.hop_by_hop == 6
        assert len(frame) < 2000
        await evil.leave()


@pytest.mark.parametrize("opened", [False, True], ids=["before CER", "open"])
async def test_a_slow_sender_is_cut_off(opened):
    async with node(limits=Limits(message_deadline=0.1, cer_deadline=30.0)) as ocs, Bystander(ocs.port):
        evil = await RawPeer.open(ocs.port, EVIL) if opened else await RawPeer.connect(ocs.port)
        message = ccr() if opened else cer(EVIL)

        async def trickle():
            for octet in message:
                evil.send(bytes([octet]))
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(trickle())
        await evil.rest()
        sending.cancel()
        if opened:
            assert (await ocs.told(PeerDown)).reason is CloseReason.SLOW_SENDER
        else:
            assert (await ocs.told(PeerRejected)).reason == CloseReason.SLOW_SENDER.value
        await evil.leave()


async def test_a_peer_that_never_reads_is_no_longer_read_and_then_cut_off():
    big = encode_avp(1, bytes(8000))
    limits = Limits(write_deadline=0.3, write_high_water=64 * 1024, outstanding=1_000_000)
    async with node(handler=lambda request: request.answer(big), limits=limits) as ocs, Bystander(ocs.port):
        evil = await RawPeer.open(ocs.port, EVIL)
        evil.writer.transport.pause_reading()
        message = ccr(origin_host=EVIL) * 200
        largest = 0
        for _ in range(500):
            evil.send(message)
            await asyncio.sleep(0.001)
            for connection in ocs.node._connections.values():
                largest = max(largest, connection._transport.get_write_buffer_size())
            if ocs.of(PeerDown):
                break
        assert (await ocs.told(PeerDown)).reason is CloseReason.SLOW_READER
        assert largest < 3 * limits.write_buffer
        assert ocs.node.peers_state()[1].requests_in < 10_000
        evil.writer.transport.abort()


async def test_answers_that_pile_up_beyond_the_buffer_end_the_connection():
    kept = []

    def handler(request):
        kept.append(request) if request.peer == EVIL else echo(request)

    async with (
        node(handler=handler, limits=Limits(write_buffer=1_000_000, outstanding=1001)) as ocs,
        Bystander(ocs.port),
    ):
        evil = await RawPeer.open(ocs.port, EVIL)
        evil.writer.transport.pause_reading()
        evil.send(ccr(origin_host=EVIL) * 1000)
        await until(lambda: len(kept) == 1000)
        for request in kept:  # one tick: 60 MB that nobody reads
            request.answer(encode_avp(1, bytes(60000)))
        assert (await ocs.told(PeerDown)).reason is CloseReason.SLOW_READER
        evil.writer.transport.abort()


async def test_a_flood_of_requests_is_answered_too_busy_while_others_are_served():
    kept = []

    def handler(request):
        kept.append(request) if request.peer == EVIL else echo(request)

    limits = Limits(overload_deadline=0.5)
    async with node(handler=handler, limits=limits) as ocs, Bystander(ocs.port):
        evil = await RawPeer.open(ocs.port, EVIL)
        evil.send(ccr(origin_host=EVIL) * 5000)
        for _ in range(5000 - limits.outstanding):
            header, _ = await evil.receive()
            assert header.error
        assert len(kept) == limits.outstanding
        assert ocs.node.peers_state()[1].outstanding == limits.outstanding
        await evil.leave()


async def test_a_thousand_half_open_connections_take_bounded_room():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("too few file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    async with node() as ocs, Bystander(ocs.port):
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        silent = []
        for _ in range(20):
            silent += await asyncio.gather(*(RawPeer.connect(ocs.port) for _ in range(50)))
            assert len(ocs.node._accepted.half_open) <= 16
        await until(lambda: len(ocs.of(PeerRejected)) >= 1000 - 16)
        await until(lambda: len(ocs.node._connections) <= 16 + 1)
        # a peer that sends its CER at once still gets through
        late = await RawPeer.open(ocs.port, EVIL)
        assert body_of((await late.ask(ccr(origin_host=EVIL)))[1])
        await asyncio.gather(*(peer.leave() for peer in silent))
        silent.clear()
        await until(lambda: not ocs.node._accepted.half_open)
        ocs.events.clear()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert after - before < 1_000_000
        await late.leave()


async def test_half_open_connections_end_by_themselves():
    async with node(limits=Limits(cer_deadline=0.1)) as ocs, Bystander(ocs.port):
        silent = [await RawPeer.connect(ocs.port) for _ in range(10)]
        for peer in silent:
            assert await peer.rest() == b""
            await peer.leave()
        assert [event.reason for event in ocs.of(PeerRejected)] == [CloseReason.CER_DEADLINE.value] * 10


async def test_tls_handshakes_that_never_end_count_as_half_open(tmp_path):
    context = Authority().context(tmp_path, OCS, server=True)
    async with node(tls=context, limits=Limits(cer_deadline=0.3)) as ocs:
        silent = [await RawPeer.connect(ocs.port) for _ in range(100)]
        assert len(ocs.node._accepted.half_open) <= 16
        for peer in silent:
            await peer.rest()
            await peer.leave()
        await until(lambda: not ocs.node._connections)
        assert len(ocs.of(PeerRejected)) == 100
        assert ocs.of(PeerRejected)[-1].reason == CloseReason.CER_DEADLINE.value


@pytest.mark.parametrize("limits", [{"connections_per_address": 2}, {"connections": 2}])
async def test_no_more_connections_are_taken_than_the_limits_say(limits):
    async with node(limits=Limits(**limits)) as ocs, Bystander(ocs.port):
        second = await RawPeer.open(ocs.port, EVIL)
        third = await RawPeer.connect(ocs.port)
        assert await third.rest() == b""
        assert ocs.of(PeerRejected)[0].reason.startswith("too many connections")
        await second.leave()
        await until(lambda: len(ocs.node._connections) == 1)
        fourth = await RawPeer.open(ocs.port, EVIL)
        for peer in (third, fourth):
            await peer.leave()


async def test_connections_that_come_and_go_leave_nothing_behind():
    async with node() as ocs, Bystander(ocs.port):
        for _ in range(100):
            peer = await RawPeer.open(ocs.port, EVIL)
            await peer.ask(ccr(origin_host=EVIL))
            await peer.leave()
            await until(lambda: len(ocs.node._connections) == 1)
        assert not ocs.node._accepted.half_open
        assert len(ocs.node._accepted) == 1
        assert not ocs.node._outbound._pending


async def test_answers_out_of_the_blue_and_unknown_commands_do_no_harm():
    async with two_nodes() as (ocs, pgw):
        (connection,) = pgw.node._connections.values()
        for code in (257, 258, 272, 280, 282, 999):
            connection._transport.write(encode_message(0x40, code, 4 if code in (258, 272, 999) else 0, 1, 1, b""))
        header, _ = await pgw.node.request(OCS, 272, 4, ccr_body(), 5.0)
        assert not header.error
        assert ocs.node.peers_state()[0].dropped == 3
