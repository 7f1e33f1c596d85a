"""Peers that are not ours: a message centre in Rust (smpp34) for our link, three clients for our server."""

import asyncio
import logging
import sys
import threading
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiosmpplib
import pytest
import smpp34
import smpplib.client
import smpplib.consts
from aiosmpplib.broker import SimpleBroker
from aiosmpplib.hook import SimpleHook
from aiosmpplib.state import PhoneNumber
from support.patience import PATIENCE, until
from support.ports import free_port
from support.smpp_rig import DELIVER, SUBMIT, LinkRig, ServerRig

from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Doubtful, Responded, Throttled
from protocols.smpp.limits import Limits
from protocols.smpp.messages import DeliverSm, SubmitSm
from protocols.smpp.node_events import ClientDown, ClientUp, LinkDown, LinkUp
from protocols.smpp.transitions import CloseReason, SessionState

QUICK = Limits(reconnect_first=0.01, reconnect_last=0.05)
THEIR_SMSC = Path(__file__).parent.parent / "support" / "their_smsc.py"


class RustCentre:
    """smpp34's server: takes each submit and sends a receipt for it, as `mood` says."""

    def __init__(self, port, mood=None):
        self.port, self.mood = port, mood
        self.server = smpp34.Server("127.0.0.1", port, system_id="rust")
        self.esmes, self.submits, self.receipts, self.unbound = {}, [], [], []
        self._tasks = []
        self._due = asyncio.Queue()

    async def __aenter__(self):
        await self.server.start()
        self._tasks = [asyncio.create_task(self._serve()), asyncio.create_task(self._deliver())]
        return self

    async def __aexit__(self, *exc):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.server.stop()

    async def _serve(self):
        while True:
            match event := await self.server.next():
                case smpp34.Esme():
                    self.esmes[event.session_id] = event
                case smpp34.SubmitSmEvent():
                    self.submits.append(event)
                    status = self.mood(len(self.submits)) if self.mood else 0
                    if status:
                        event.reject(status)
                        continue
                    message_id = f"{len(self.submits):x}"
                    event.accept(message_id)
                    await self._due.put((event, message_id))
                case _:
                    self.unbound.append(event)

    async def _deliver(self):
        while True:
            event, message_id = await self._due.get()
            text = f"id:{message_id} sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
            answer = await self.esmes[event.session_id].deliver_sm(
                event.source_addr, text.encode(), source_addr=event.destination_addr, esm_class=0x04
            )
            self.receipts.append((message_id, answer.is_success))


async def test_a_thousand_texts_with_receipts_and_as_many_delivers_through_a_rust_message_centre():
    queue = list(range(1000))

    def fill():
        while queue and esme.link.submit(
            SubmitSm(
                source_addr="70070",
                destination_addr=f"4477009{queue[0]:05}",
                short_message=b"Thank you",
                registered_delivery=1,
                user_message_reference=queue[0],
            ),
            queue[0],
        ):
            queue.pop(0)

    port = free_port()
    async with RustCentre(port) as centre:
        esme = LinkRig(port, limits=Limits(window=64), on_ready=fill)
        async with esme:
            up = await esme.told(LinkUp)
            assert (up.system_id, up.state) == ("rust", SessionState.BOUND_TRX)
            await until(lambda: len(esme.results) == 1000)
            await until(lambda: len(centre.receipts) == 1000)
            (their,) = centre.esmes.values()
            for number in range(100):
                answer = await their.deliver_sm("70070", b"GIVE %d" % number, source_addr="447700900123")
                assert answer.is_success
        assert {type(result) for result in esme.results} == {Responded}
        assert sorted(result.context for result in esme.results) == list(range(1000))
        for result in esme.results:  # they come in any order, each with the id of its own text
            taken = centre.submits[int(result.message.message_id, 16) - 1]
            assert taken.destination_addr == f"4477009{result.context:05}"
        assert all(success for _, success in centre.receipts)
        receipts = [request.message for request in esme.requests if request.message.esm_class == 0x04]
        delivers = [request.message for request in esme.requests if request.message.esm_class == 0]
        assert [message.destination_addr for message in receipts] == ["70070"] * 1000
        assert [message.short_message for message in delivers] == [b"GIVE %d" % number for number in range(100)]
        assert {(event.source_addr, event.short_message) for event in centre.submits} == {("70070", b"Thank you")}
        seen = [(tlv.tag, tlv.as_int()) for event in centre.submits for tlv in event.tlvs]
        assert sorted(seen) == [(smpp34.TLV_USER_MESSAGE_REFERENCE, number) for number in range(1000)]
        assert esme.of(LinkDown)[0].reason is CloseReason.STOPPED
        await until(lambda: centre.unbound)


async def test_a_rust_message_centre_that_throttles_gets_everything_in_the_end():
    queue, done = list(range(200)), []

    def settle(result):
        if type(result) is Throttled:
            queue.append(result.context)
            queue.sort()
        else:
            done.append(result)

    def fill():
        while queue and esme.link.submit(SUBMIT, queue[0]):
            queue.pop(0)

    port = free_port()
    limits = Limits(window=16, throttle_first=0.02)
    async with RustCentre(port, lambda count: smpp34.ESME_RTHROTTLED if count % 50 < 5 else 0):
        esme = LinkRig(port, limits=limits, on_ready=fill, on_result=settle)
        async with esme:
            await until(lambda: len(done) == 200)
        assert sorted(result.context for result in done) == list(range(200))
        assert {result.command_status for result in done} == {0}


async def test_a_rust_message_centre_that_unbinds_us_finds_us_back():
    port = free_port()
    async with RustCentre(port) as centre, LinkRig(port, limits=QUICK) as esme:
        await esme.told(LinkUp)
        await until(lambda: centre.esmes)
        (their,) = centre.esmes.values()
        await their.unbind()
        assert (await esme.told(LinkDown)).reason is CloseReason.LEFT
        await esme.told(LinkUp, 2)


@asynccontextmanager
async def mortal_centre(port):
    """A message centre in a process of its own; it is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(THEIR_SMSC), str(port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await asyncio.wait_for(process.stdout.readline(), PATIENCE) == b"listening\n"
        yield
    finally:
        process.kill()
        await process.communicate()


async def test_a_message_centre_that_is_killed_in_mid_window_makes_no_text_vanish():
    queue, port = list(range(3000)), free_port()

    def fill():
        while queue and esme.link.submit(SUBMIT, queue[0]):
            queue.pop(0)

    limits = Limits(window=32, reconnect_first=0.01, reconnect_last=0.05)
    esme = LinkRig(port, limits=limits, on_ready=fill)
    async with esme:
        async with mortal_centre(port):
            await until(lambda: len(esme.results) > 50)
        down = await esme.told(LinkDown)
        assert down.reason is CloseReason.LOST
        async with mortal_centre(port):
            await until(lambda: not queue and esme.link.state().waiting == 0)
        doubtful = [result for result in esme.results if isinstance(result, Doubtful)]
        assert sorted(result.context for result in esme.results) == list(range(3000))
        assert len(doubtful) == down.doubtful <= 32


async def test_a_rust_client_submits_and_is_delivered_to():
    async with ServerRig() as smsc:
        client = smpp34.Client("127.0.0.1", smsc.port, "tpo", "secret", bind_type="TRX", window_size=32)
        theirs = await client.connect()
        up = await smsc.told(ClientUp)
        assert (theirs.system_id, up.system_id, up.state) == ("tpo", "tpo", SessionState.BOUND_TRX)
        answers = await asyncio.gather(
            *(
                theirs.submit_sm(
                    "447700900123",
                    b"text %d" % number,
                    source_addr="70070",
                    tlvs=[smpp34.Tlv(smpp34.TLV_USER_MESSAGE_REFERENCE, number.to_bytes(2, "big"))],
                )
                for number in range(500)
            )
        )
        assert all(answer.is_success for answer in answers)
        ids = {request.message.user_message_reference: f"{n:x}" for n, request in enumerate(smsc.requests, 1)}
        assert [answer.message_id for answer in answers] == [ids[number] for number in range(500)]
        ours = await smsc.client()
        for number in range(5):
            ours.send(DELIVER, number)
        for _ in range(5):
            event = await theirs.next()
            assert (event.source_addr, event.short_message) == (DELIVER.source_addr, DELIVER.short_message)
        await until(lambda: len(smsc.results) == 5)
        assert {result.command_status for _, result in smsc.results} == {0}
        await theirs.unbind()
        assert (await smsc.told(ClientDown)).reason is CloseReason.LEFT
        await client.stop()


async def test_a_rust_client_with_a_wrong_password_is_refused():
    async with ServerRig(authenticate=lambda attempt: CommandStatus.ESME_RINVPASWD) as smsc:
        client = smpp34.Client("127.0.0.1", smsc.port, "tpo", "wrong", bind_type="TX", connect_timeout_ms=500)
        with pytest.raises(smpp34.SmppError):
            await client.connect()
        assert smsc.attempts[0].message.password == "wrong"


def smpplib_session(port, texts, receive):
    """A whole life of smpplib's blocking client; returns the ids that it was given and the texts that it got."""
    client = smpplib.client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)
    ids, got = [], []
    client.set_message_sent_handler(lambda pdu: ids.append(pdu.message_id))
    client.set_message_received_handler(lambda pdu: got.append(pdu.short_message) and None)
    client.connect()
    try:
        client.bind_transceiver(system_id="smpplib", password="secret")
        for text in texts:
            client.send_message(
                source_addr="70070",
                source_addr_ton=smpplib.consts.SMPP_TON_NWSPEC,
                destination_addr="447700900123",
                dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
                dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
                short_message=text,
                registered_delivery=True,
            )
            client.read_once()
        while len(got) < receive:
            client.read_once()
        client.unbind()
    finally:
        client.disconnect()
    return ids, got


async def test_smpplib_submits_receives_and_leaves():
    logging.getLogger("smpplib").setLevel(logging.CRITICAL)
    async with ServerRig() as smsc:
        texts = [b"text %d" % number for number in range(50)]
        task = asyncio.create_task(asyncio.to_thread(smpplib_session, smsc.port, texts, 3))
        await until(lambda: len(smsc.requests) == 50)
        client = await smsc.client()
        for number in range(3):
            client.send(DeliverSm(source_addr="44", destination_addr="70070", short_message=b"mo %d" % number), number)
        ids, got = await task
        assert ids == [f"{number:x}".encode() for number in range(1, 51)]
        assert got == [b"mo 0", b"mo 1", b"mo 2"]
        assert [request.message.short_message for request in smsc.requests] == texts
        message = smsc.requests[0].message
        assert (message.source_addr_ton, message.dest_addr_ton, message.dest_addr_npi) == (3, 1, 1)
        assert [result.context for _, result in smsc.results] == [0, 1, 2]
        assert (await smsc.told(ClientDown)).reason is CloseReason.LEFT
    assert threading.active_count() < 10


class Ears(SimpleHook):
    """What aiosmpplib hears."""

    def __init__(self):
        super().__init__(aiosmpplib.StructuredLogger("aiosmpplib"))
        self.received_messages = []

    async def received(self, smpp_message, pdu, client_id):
        self.received_messages.append(smpp_message)


@asynccontextmanager
async def aiosmpplib_client(port):
    """aiosmpplib's client, its queue, and what it hears."""
    wire_taps, broker = Ears(), SimpleBroker()
    esme = aiosmpplib.ESME(
        "127.0.0.1", port, "aiosmpplib", "secret", hook=wire_taps, broker=broker, log_level=logging.CRITICAL
    )
    task = asyncio.create_task(esme.start())
    try:
        yield broker, wire_taps.received_messages
        await asyncio.wait_for(esme.stop(), PATIENCE)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_aiosmpplib_submits_receives_and_leaves():
    async with ServerRig() as smsc:
        async with aiosmpplib_client(smsc.port) as (broker, heard):
            assert (await smsc.told(ClientUp)).system_id == "aiosmpplib"
            for number in range(100):
                await broker.enqueue(
                    aiosmpplib.SubmitSm(
                        short_message=f"text {number}",
                        source=PhoneNumber("70070"),
                        destination=PhoneNumber("447700900123"),
                        log_id=str(number),
                    )
                )
            await until(lambda: sum(isinstance(m, aiosmpplib.SubmitSmResp) for m in heard) == 100)
            client = await smsc.client()
            for number in range(3):
                client.send(DELIVER, number)
            await until(lambda: len(smsc.results) == 3)
        responses = [message for message in heard if isinstance(message, aiosmpplib.SubmitSmResp)]
        assert [message.message_id for message in responses] == [f"{number:x}" for number in range(1, 101)]
        assert [request.message.short_message for request in smsc.requests] == [b"text %d" % n for n in range(100)]
        delivers = [message.short_message for message in heard if isinstance(message, aiosmpplib.DeliverSm)]
        assert delivers == [DELIVER.short_message.decode()] * 3
        assert {result.command_status for _, result in smsc.results} == {0}
        assert (await smsc.told(ClientDown)).reason is CloseReason.LEFT
