"""ESMEs and message centres that misbehave: an answer or a close, bounded memory, and nobody else is harmed."""

import asyncio
import gc
import random
import resource
import tracemalloc
from contextlib import suppress

import pytest
from support.diameter_rig import Authority
from support.lateness import Lateness
from support.patience import until
from support.smpp_rig import BIND, DELIVER, SMSC, SUBMIT, LinkRig, RawEnd, ServerRig, bound_pair, raw_smsc

from protocols.smpp.codec import CommandId, Tlv, encode_pdu
from protocols.smpp.errors import CommandStatus
from protocols.smpp.generated import encode
from protocols.smpp.limits import Limits
from protocols.smpp.messages import (
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    DeliverSmResp,
    EnquireLink,
    QuerySm,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from protocols.smpp.node_events import ClientDown, ClientRejected, LinkDown, LinkUp, MessageRejected, Undecodable
from protocols.smpp.transitions import CloseReason
from protocols.tap import MAX_UNDECODABLE

LENGTH_BOMBS = {
    "zero": bytes(16),
    "fifteen": b"\0\0\0\x0f" + bytes(12),
    "four": b"\0\0\0\x04" + bytes(12),
    "2 GiB": b"\x7f\xff\xff\xff" + bytes(12),
    "4 GiB": b"\xff\xff\xff\xff" + bytes(12),
    "just too long": b"\0\x02\0\0" + bytes(12),
    "HTTP": b"GET / HTTP/1.1\r\n",
}
NACK = encode_pdu(CommandId.GENERIC_NACK, CommandStatus.ESME_RINVCMDLEN, 0, b"")
REQUESTS = [
    BIND,
    SUBMIT,
    SubmitSm(message_payload=b"x" * 300, sar_total_segments=2, tlvs=(Tlv(0x1400, b"vendor"),)),
    DataSm(message_payload=b"x"),
    QuerySm(message_id="1"),
    SubmitMulti(),
    EnquireLink(),
    Unbind(),
]


class Bystander:
    """Another ESME, whose submits go on all the while; `async with` fails if any was not answered in good time."""

    def __init__(self, port):
        self.port, self.answered, self.slowest = port, 0, 0.0
        self.late = Lateness()

    async def __aenter__(self):
        self.end = await RawEnd.bound(self.port, BindTransceiver(system_id="bystander"))
        self.task = asyncio.create_task(self._run())
        return self

    async def _run(self):
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            header, _ = await self.end.ask(encode(SUBMIT, self.answered + 2))
            assert (header.sequence_number, header.command_status) == (self.answered + 2, 0)
            self.slowest = max(self.slowest, loop.time() - began)
            self.answered += 1
            await asyncio.sleep(0.001)

    async def __aexit__(self, *exc):
        before = self.answered
        await until(lambda: self.task.done() or self.answered > before + 3)
        assert not self.task.done(), self.task
        assert self.slowest < 1.0 + 3 * self.late.end()
        self.task.cancel()
        await self.end.leave()


@pytest.mark.parametrize("bomb", LENGTH_BOMBS.values(), ids=LENGTH_BOMBS)
@pytest.mark.parametrize("bound", [False, True], ids=["before bind", "bound"])
async def test_a_broken_length_is_nacked_and_ends_the_connection(bomb, bound):
    async with ServerRig() as smsc, Bystander(smsc.port):
        evil = await RawEnd.bound(smsc.port) if bound else await RawEnd.connect(smsc.port)
        evil.send(bomb)
        assert await evil.rest() == NACK
        told = await smsc.told(Undecodable)
        assert (told.message, told.name) == (bomb[:MAX_UNDECODABLE], BIND.system_id if bound else "")
        await evil.leave()


@pytest.mark.parametrize("seed", range(5))
async def test_garbage_before_the_bind_ends_the_connection(seed):
    noise = random.Random(seed).randbytes(5000)
    async with ServerRig() as smsc, Bystander(smsc.port):
        evil = await RawEnd.connect(smsc.port)
        evil.send(noise)
        assert await evil.rest() == NACK
        assert len(smsc.of(ClientRejected)) == 1
        assert [attempt.message.system_id for attempt in smsc.attempts] == ["bystander"]
        await evil.leave()


@pytest.mark.parametrize("message", REQUESTS, ids=lambda message: type(message).__name__)
async def test_a_pdu_that_is_cut_anywhere_and_filled_up_is_answered_or_ends_the_connection(message):
    """The length fits what is there, so that only the body is broken."""
    whole = encode(message, 1)
    async with ServerRig() as smsc, Bystander(smsc.port):
        for size in range(16, len(whole)):
            evil = await RawEnd.connect(smsc.port) if message is BIND else await RawEnd.bound(smsc.port)
            header, _ = await evil.ask(size.to_bytes(4, "big") + whole[4:size])
            assert header.sequence_number == 1
            assert header.command_id in {int(message.command_id) | 0x80000000, CommandId.GENERIC_NACK}
            await evil.leave()
        await until(lambda: len(smsc.server._connections) == 1)


async def test_a_pdu_that_is_cut_anywhere_and_followed_by_the_end_leaves_nothing_behind():
    whole = encode(BIND, 1) + encode(SUBMIT, 2)
    async with ServerRig() as smsc, Bystander(smsc.port):
        for size in range(len(whole)):
            evil = await RawEnd.connect(smsc.port)
            evil.send(whole[:size])
            evil.writer.write_eof()
            await evil.rest()
            await evil.leave()
        await until(lambda: len(smsc.server._connections) == 1)
        assert not smsc.server._connections.half_open
        assert list(smsc.server._connections.all.counts.values()) == [1]


async def test_random_bodies_are_answered_or_end_the_connection():
    chance = random.Random(7)
    async with ServerRig() as smsc, Bystander(smsc.port):
        for _ in range(20):
            evil = await RawEnd.bound(smsc.port)
            for number in range(2, 40):
                body = bytearray(encode(chance.choice(REQUESTS[1:6]), number))
                for _ in range(chance.randint(1, 8)):
                    body[chance.randrange(16, max(17, len(body) - 1)) % len(body)] = chance.randrange(256)
                body[12:16] = number.to_bytes(4, "big")
                body[:4] = len(body).to_bytes(4, "big")
                header, _ = await evil.ask(bytes(body))
                assert (header.sequence_number, header.response) == (number, True)
            await evil.leave()


async def test_responses_out_of_the_blue_do_no_harm_to_either_end():
    async with bound_pair() as (smsc, esme):
        storm = b"".join(
            encode_pdu(command_id, status, number, body)
            for command_id in (*range(0x80000000, 0x8000000A), 0x80000103, 0x8FFFFFFF)
            for status in (0, 8, 0x58)
            for number in (0, 1, 99, 0xFFFFFFFF)
            for body in (b"", b"\0", b"junk without an end")
            if command_id != CommandId.UNBIND_RESP
        )
        esme.link._current._transport.write(storm)
        (await smsc.client())._transport.write(storm)
        assert esme.link.submit(SUBMIT, "text")
        await until(lambda: esme.results)
        assert (esme.results[0].context, esme.results[0].command_status) == ("text", 0)
        assert esme.link.bound


@pytest.mark.parametrize("bound", [False, True], ids=["before bind", "bound"])
async def test_a_slow_sender_is_cut_off(bound):
    limits = Limits(message_deadline=0.1, session_init=30.0)
    async with ServerRig(limits=limits) as smsc, Bystander(smsc.port):
        evil = await RawEnd.bound(smsc.port) if bound else await RawEnd.connect(smsc.port)

        async def trickle():
            for octet in encode(SUBMIT if bound else BIND, 2):
                evil.send(bytes([octet]))
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(trickle())
        await evil.rest()
        sending.cancel()
        told = await smsc.told(ClientDown if bound else ClientRejected)
        assert told.reason is CloseReason.SLOW_SENDER
        await evil.leave()


async def test_an_esme_that_never_reads_is_no_longer_read_and_then_cut_off():
    def big(request):
        request.respond(SubmitSmResp(message_id="1", tlvs=(Tlv(0x1400, bytes(8000)),)))

    limits = Limits(write_deadline=0.3, write_high_water=64 * 1024, outstanding=1_000_000)
    async with ServerRig(limits=limits, on_request=big) as smsc, Bystander(smsc.port):
        evil = await RawEnd.bound(smsc.port)
        evil.writer.transport.pause_reading()
        largest, flood = 0, encode(SUBMIT, 2) * 200
        for _ in range(500):
            evil.send(flood)
            await asyncio.sleep(0.001)
            for connection in smsc.server._connections:
                largest = max(largest, connection._transport.get_write_buffer_size())
            if smsc.of(ClientDown):
                break
        assert (await smsc.told(ClientDown)).reason is CloseReason.SLOW_READER
        assert largest < 3 * limits.write_buffer
        evil.writer.transport.abort()


async def test_responses_that_pile_up_beyond_the_buffer_end_the_connection():
    kept = []

    def handler(request):
        if request.connection.system_id == BIND.system_id:
            kept.append(request)
        else:
            request.respond(SubmitSmResp(message_id="1"))

    async with (
        ServerRig(limits=Limits(write_buffer=1_000_000, outstanding=1001), on_request=handler) as smsc,
        Bystander(smsc.port),
    ):
        evil = await RawEnd.bound(smsc.port)
        evil.writer.transport.pause_reading()
        evil.send(encode(SUBMIT, 2) * 1000)
        await until(lambda: len(kept) == 1000)
        for request in kept:  # one tick: 60 MB that nobody reads
            request.respond(SubmitSmResp(message_id="1", tlvs=(Tlv(0x1400, bytes(60000)),)))
        assert (await smsc.told(ClientDown)).reason is CloseReason.SLOW_READER
        evil.writer.transport.abort()


async def test_a_message_centre_that_does_not_read_stops_our_sending_and_is_cut_off():
    async def serve(end):
        await end.receive()
        end.send(encode(BindTransceiverResp(system_id=SMSC, sc_interface_version=0x34), 1))
        await end.writer.drain()
        end.writer.transport.pause_reading()
        await asyncio.sleep(60)

    def trickle():
        if esme.link.submit(big):
            asyncio.get_running_loop().call_later(0.0, trickle)

    big = SubmitSm(message_payload=bytes(60_000))
    limits = Limits(window=10_000, write_deadline=0.2, write_high_water=100_000, reconnect_first=60.0)
    async with raw_smsc(serve) as port:
        esme = LinkRig(port, limits=limits, on_ready=trickle)
        async with esme:
            down = await esme.told(LinkDown)
            assert down.reason is CloseReason.SLOW_READER
            assert 0 < down.doubtful < 1000  # far from the window: the buffer stopped it
            assert len(esme.results) == down.doubtful


async def test_a_flood_of_requests_is_put_off_while_others_are_served():
    def handler(request):
        if request.connection.system_id == BIND.system_id:
            kept.append(request)
        else:
            request.respond(SubmitSmResp(message_id="1"))

    kept, limits = [], Limits(overload_deadline=0.5)
    async with ServerRig(on_request=handler, limits=limits) as smsc, Bystander(smsc.port):
        evil = await RawEnd.bound(smsc.port)
        evil.send(b"".join(encode(SUBMIT, number) for number in range(1, 5001)))
        for _ in range(5000 - limits.outstanding):
            header, _ = await evil.receive()
            assert header.command_status == CommandStatus.ESME_RTHROTTLED
        assert len(kept) == limits.outstanding
        assert max(client.session.unanswered for client in smsc.server.clients) == limits.outstanding
        assert len(smsc.of(MessageRejected)) == 5000 - limits.outstanding
        await evil.leave()


async def test_a_flood_of_delivers_is_put_off_by_our_link():
    kept = []
    limits = Limits(outstanding=10, overload_deadline=0.05)
    async with bound_pair(link={"on_request": kept.append, "limits": limits}, server={"limits": Limits(window=30)}) as (
        smsc,
        _,
    ):
        client = await smsc.client()
        for number in range(30):
            assert client.send(DELIVER, number)
        await until(lambda: len(smsc.results) == 20)
        assert {result.command_status for _, result in smsc.results} == {CommandStatus.ESME_RX_T_APPN}
        assert len(kept) == 10


async def test_a_thousand_half_open_connections_take_bounded_room():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("too few file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    async with ServerRig() as smsc, Bystander(smsc.port):
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        silent = []
        for _ in range(20):
            silent += await asyncio.gather(*(RawEnd.connect(smsc.port) for _ in range(50)))
            assert len(smsc.server._connections.half_open) <= 16
        await until(lambda: len(smsc.of(ClientRejected)) >= 1000 - 16)
        await until(lambda: len(smsc.server._connections) <= 16 + 1)
        # an ESME that binds at once still gets through
        late = await RawEnd.bound(smsc.port)
        header, _ = await late.ask(encode(SUBMIT, 2))
        assert header.command_status == 0
        await asyncio.gather(*(end.leave() for end in silent))
        silent.clear()
        await until(lambda: not smsc.server._connections.half_open)
        smsc.events.clear()
        smsc.requests.clear()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert after - before < 1_000_000
        await late.leave()


async def test_half_open_connections_end_by_themselves():
    async with ServerRig(limits=Limits(session_init=0.1)) as smsc, Bystander(smsc.port):
        silent = [await RawEnd.connect(smsc.port) for _ in range(10)]
        for end in silent:
            assert await end.rest() == b""
            await end.leave()
        assert [event.reason for event in smsc.of(ClientRejected)] == [CloseReason.SESSION_INIT] * 10


async def test_signs_of_life_do_not_stand_in_for_a_bind():
    async with ServerRig(limits=Limits(session_init=0.2)) as smsc:
        evil = await RawEnd.connect(smsc.port)
        answered = 0
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await evil.ask(encode(EnquireLink(), 1))
                answered += 1
                await asyncio.sleep(0.01)
        assert answered > 3
        assert smsc.of(ClientRejected)[0].reason is CloseReason.SESSION_INIT
        await evil.leave()


async def test_tls_handshakes_that_never_end_count_as_half_open(tmp_path):
    context = Authority().context(tmp_path, "smsc.example", server=True)
    async with ServerRig(tls=context, limits=Limits(session_init=0.3)) as smsc:
        silent = [await RawEnd.connect(smsc.port) for _ in range(100)]
        assert len(smsc.server._connections.half_open) <= 16
        for end in silent:
            await end.rest()
            await end.leave()
        await until(lambda: not smsc.server._connections)
        assert len(smsc.of(ClientRejected)) == 100


async def test_one_address_gets_so_many_connections_and_no_more():
    async with ServerRig(limits=Limits(connections_per_address=3)) as smsc:
        ends = [await RawEnd.bound(smsc.port) for _ in range(3)]
        fourth = await RawEnd.connect(smsc.port)
        assert await fourth.rest() == b""
        assert (await smsc.told(ClientRejected)).reason is CloseReason.CROWDED
        await ends[0].leave()
        await until(lambda: len(smsc.server.clients) == 2)
        fifth = await RawEnd.bound(smsc.port)
        for end in (*ends[1:], fourth, fifth):
            await end.leave()


async def test_no_more_connections_are_taken_in_all_than_the_limits_say():
    async with ServerRig(limits=Limits(connections=2)) as smsc:
        ends = [await RawEnd.bound(smsc.port) for _ in range(2)]
        third = await RawEnd.connect(smsc.port)
        assert await third.rest() == b""
        refused = await smsc.told(ClientRejected)
        assert (refused.reason, refused.detail) == (CloseReason.CROWDED, "too many connections")
        for end in (*ends, third):
            await end.leave()


async def test_connections_that_come_and_go_leave_nothing_behind():
    async with ServerRig() as smsc, Bystander(smsc.port):
        for number in range(100):
            evil = await RawEnd.bound(smsc.port)
            await evil.ask(encode(SUBMIT, 2))
            if number % 2:
                header, _ = await evil.ask(encode(Unbind(), 3))
                assert header.command_id == CommandId.UNBIND_RESP
            await evil.leave()
            await until(lambda: len(smsc.server._connections) == 1)
        assert not smsc.server._connections.half_open
        assert list(smsc.server._connections.all.counts.values()) == [1]
        reasons = [event.reason for event in smsc.of(ClientDown)]
        assert (reasons.count(CloseReason.LEFT), reasons.count(CloseReason.LOST)) == (50, 50)


async def test_a_link_that_is_fed_garbage_nacks_and_binds_anew():
    async def serve(end):
        await end.receive()
        end.send(encode(BindTransceiverResp(system_id=SMSC), 1) + LENGTH_BOMBS["2 GiB"])
        nacks.append(await end.rest())

    nacks = []
    async with raw_smsc(serve) as port, LinkRig(port) as esme:
        await esme.told(LinkUp, 3)
        await until(lambda: len(nacks) >= 2)
        assert set(nacks) == {NACK}
        assert esme.of(LinkDown)[0].reason is CloseReason.FRAMING


@pytest.mark.parametrize("sizes", [(1,), (7, 1, 3), (15, 16, 17)])
async def test_pdus_that_come_in_crumbs_are_read(sizes):
    async def serve(end):
        await end.receive()
        data = encode(BindTransceiverResp(system_id=SMSC), 1) + b"".join(encode(DELIVER, n) for n in range(1, 6))
        while data:
            for size in sizes:
                end.send(data[:size])
                data = data[size:]
                await asyncio.sleep(0)
        for number in range(1, 6):
            header, message = await end.receive()
            answered.append((header.sequence_number == number, message))
        header, _ = await end.receive()
        end.send(encode(UnbindResp(), header.sequence_number))

    answered = []
    async with raw_smsc(serve) as port, LinkRig(port) as esme:
        await until(lambda: len(answered) == 5)
        assert answered == [(True, DeliverSmResp())] * 5
        assert [request.message for request in esme.requests] == [DELIVER] * 5
