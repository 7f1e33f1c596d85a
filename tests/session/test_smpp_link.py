"""A link and a server on loopback: requests both ways, windows, reconnects, TLS, the end."""

import asyncio
import itertools

import pytest
from support.diameter_rig import Authority
from support.patience import until
from support.ports import free_port
from support.smpp_rig import (
    BIND,
    DELIVER,
    ESME,
    SMSC,
    SUBMIT,
    LinkRig,
    ServerRig,
    bound_pair,
    raw_smsc,
)

from protocols.errors import LocalProtocolError
from protocols.smpp.codec import CommandId
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import Doubt, Doubtful, Responded, Throttled
from protocols.smpp.generated import encode
from protocols.smpp.limits import Limits
from protocols.smpp.messages import (
    AlertNotification,
    BindReceiver,
    BindTransceiverResp,
    BindTransmitter,
    DeliverSmResp,
    EnquireLinkResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from protocols.smpp.node_events import (
    ClientDown,
    ClientRejected,
    ClientUp,
    ConnectFailed,
    HandlerFailed,
    LinkDown,
    LinkRefused,
    LinkThrottled,
    LinkUp,
    MessageRejected,
)
from protocols.smpp.transitions import CloseReason, SessionState

FAST = Limits(reconnect_first=0.01, reconnect_last=0.05, throttle_first=0.02, closing_deadline=0.5)


async def test_a_link_binds_submits_receives_and_leaves_in_order():
    async with ServerRig() as smsc:
        async with LinkRig(smsc.port, system_type="gateway") as esme:
            up = await esme.told(LinkUp)
            assert (up.name, up.system_id, up.state, up.interface_version) == (
                "host",
                SMSC,
                SessionState.BOUND_TRX,
                0x34,
            )
            assert (up.address, up.takes_tlvs, esme.readiness) == ("127.0.0.1", True, 1)
            (attempt,) = smsc.attempts
            assert (attempt.message.system_id, attempt.message.password) == (ESME, "secret")
            assert (attempt.message.system_type, attempt.secure, attempt.sessions) == ("gateway", False, 0)
            assert esme.link.submit(SUBMIT, "text 1")
            await until(lambda: esme.results)
            (result,) = esme.results
            assert (result.context, result.command_status, result.message.message_id) == ("text 1", 0, "1")
            assert smsc.requests[0].message == SUBMIT
            client = await smsc.client()
            assert client.send(DELIVER, "mo 1")
            await until(lambda: smsc.results)
            assert esme.requests[0].message == DELIVER
            connection, answered = smsc.results[0]
            assert (connection, answered.context, answered.message) == (client, "mo 1", DeliverSmResp())
        assert esme.of(LinkDown)[0].reason is CloseReason.STOPPED
        down = await smsc.told(ClientDown)
        assert (down.system_id, down.reason, down.doubtful, down.unanswered) == (ESME, CloseReason.LEFT, 0, 0)


async def test_a_thousand_texts_through_a_window_keep_their_contexts():
    queue = list(range(1000))

    def fill():
        while queue and esme.link.submit(SUBMIT, queue[0]):
            queue.pop(0)

    async with ServerRig() as smsc:
        esme = LinkRig(smsc.port, limits=Limits(window=16), on_ready=fill)
        most = 0
        async with esme:
            while len(esme.results) < 1000:
                most = max(most, esme.link.state().waiting)
                await asyncio.sleep(0)
        assert sorted(result.context for result in esme.results) == list(range(1000))
        assert [result.context for result in esme.results] == [
            int(result.message.message_id, 16) - 1 for result in esme.results
        ]
        assert most <= 16
        counters = esme.link.state().counters
        assert (counters.requests_out, counters.responses_in, counters.errors_in) == (1000, 1000, 0)
        assert counters.response_seconds > 0


async def test_several_requests_of_one_tick_leave_in_one_write():
    async with bound_pair(link={"limits": Limits(window=50)}) as (_, esme):
        writes = []
        transport = esme.link._current._transport
        write = transport.write
        esme.link._current._transport = type(
            "Counting",
            (),
            {
                "write": lambda self, data: (writes.append(data), write(data)),
                "__getattr__": lambda self, name: getattr(transport, name),
            },
        )()
        for number in range(50):
            assert esme.link.submit(SUBMIT, number)
        await until(lambda: len(esme.results) == 50)
        assert len(writes) == 1
        esme.link._current._transport = transport


async def test_a_deliver_is_answered_after_its_owner_is_done_and_in_any_order():
    kept = []
    async with bound_pair(link={"on_request": kept.append}) as (smsc, _):
        client = await smsc.client()
        for number in range(5):
            assert client.send(DELIVER, number)
        await until(lambda: len(kept) == 5)
        assert smsc.results == []
        for request in reversed(kept):
            assert request.respond()
            assert request.respond() is False
        await until(lambda: len(smsc.results) == 5)
        assert [result.context for _, result in smsc.results] == [4, 3, 2, 1, 0]


async def test_an_answer_never_goes_to_another_connection():
    kept = []
    async with bound_pair(link={"on_request": kept.append, "limits": FAST}) as (smsc, esme):
        first = await smsc.client()
        first.send(DELIVER, "first")
        await until(lambda: kept)
        first.evict()
        await esme.told(LinkUp, 2)
        second = await smsc.client()
        assert second is not first
        second.send(DELIVER, "second")
        await until(lambda: len(kept) == 2)
        assert kept[0].sequence_number == kept[1].sequence_number
        assert kept[0].respond() is False
        assert kept[1].respond() is True
        await until(lambda: len(smsc.results) == 2)
        assert esme.of(LinkDown)[0].unanswered == 1
        assert [(type(result), result.context) for _, result in smsc.results] == [
            (Doubtful, "first"),
            (Responded, "second"),
        ]
        assert esme.link.state().counters.dropped == 1


async def test_a_lost_link_makes_what_waits_doubtful_and_comes_back():
    async with bound_pair(server={"on_request": lambda request: None}, link={"limits": FAST}) as (smsc, esme):
        for number in range(3):
            esme.link.submit(SUBMIT, number)
        await until(lambda: len(smsc.requests) == 3)
        (await smsc.client()).evict()
        down = await esme.told(LinkDown)
        assert (down.reason, down.doubtful) == (CloseReason.LOST, 3)
        assert esme.results == [Doubtful(number + 2, number, Doubt.LOST) for number in range(3)]
        await esme.told(LinkUp, 2)
        assert (esme.link.window_free, esme.readiness) == (10, 2)


async def test_a_server_that_is_not_there_is_dialled_until_it_is():
    port = free_port()
    async with LinkRig(port, limits=FAST) as esme:
        failed = await esme.told(ConnectFailed, 3)
        assert failed.reason is CloseReason.CONNECT_FAILED
        assert not esme.link.submit(SUBMIT)
        assert esme.link.state().retry_at is not None
        async with ServerRig(listen=[("127.0.0.1", port, None)]):
            await esme.told(LinkUp)
            assert esme.link.state().retry_at is None


async def test_a_wrong_password_is_told_and_tried_again_after_long_only():
    limits = Limits(reconnect_first=0.01, refused_first=100.0)
    async with (
        ServerRig(authenticate=lambda attempt: CommandStatus.ESME_RINVPASWD) as smsc,
        LinkRig(smsc.port, limits=limits) as esme,
    ):
        refused = await esme.told(LinkRefused)
        assert (refused.command_status, refused.needs_a_person) == (CommandStatus.ESME_RINVPASWD, True)
        rejected = await smsc.told(ClientRejected)
        assert (rejected.system_id, rejected.reason) == (ESME, CloseReason.REFUSED)
        await asyncio.sleep(0.1)
        assert len(smsc.attempts) == 1
        smsc.verdict = lambda attempt: 0
        esme.link.up()
        await esme.told(LinkUp)


async def test_a_message_centre_in_trouble_is_tried_again_soon():
    verdicts = itertools.chain([CommandStatus.ESME_RSYSERR] * 3, itertools.repeat(0))
    async with (
        ServerRig(authenticate=lambda attempt: next(verdicts)) as smsc,
        LinkRig(smsc.port, limits=FAST) as esme,
    ):
        await esme.told(LinkUp)
        assert [event.needs_a_person for event in esme.of(LinkRefused)] == [False] * 3


async def test_a_throttled_link_gets_everything_through_in_the_end():
    """The message centre takes one request a pause until it is in the mood for more."""
    calls = itertools.count()

    def moody(request):
        if next(calls) in range(5, 12):
            request.respond(None, CommandStatus.ESME_RTHROTTLED)
        else:
            request.respond(SubmitSmResp(message_id="1"))

    queue, done = list(range(40)), []

    def settle(result):
        if type(result) is Throttled:
            queue.append(result.context)
            queue.sort()
        else:
            done.append(result.context)

    def fill():
        while queue and esme.link.submit(SUBMIT, queue[0]):
            queue.pop(0)

    async with ServerRig(on_request=moody) as smsc:
        esme = LinkRig(smsc.port, limits=FAST, on_result=settle, on_ready=fill)
        async with esme:
            await until(lambda: len(done) == 40)
        assert sorted(done) == list(range(40))
        assert esme.of(LinkThrottled)[0].command_status == CommandStatus.ESME_RTHROTTLED
        assert len(esme.of(LinkThrottled)) < 7  # a window of refusals is one pause
        assert esme.link.state().counters.throttled == 7


async def test_a_rate_is_kept_on_the_wire():
    def fill():
        while esme.link.submit(SUBMIT):
            pass

    async with ServerRig() as smsc:
        esme = LinkRig(smsc.port, limits=Limits(rate=200.0, burst=0.01, window=100), on_ready=fill)
        async with esme:
            await esme.told(LinkUp)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await until(lambda: len(esme.results) >= 60)
            assert loop.time() - began >= 0.8 * 60 / 200


async def test_a_response_that_comes_late_is_told_as_such():
    kept = []
    limits = Limits(response_timeout=0.05)
    async with bound_pair(server={"on_request": kept.append}, link={"limits": limits}) as (_, esme):
        esme.link.submit(SUBMIT, "text")
        await until(lambda: esme.results)
        kept[0].respond(SubmitSmResp(message_id="a1"))
        await until(lambda: len(esme.results) == 2)
        doubtful, late = esme.results
        assert (doubtful.doubt, doubtful.context) == (Doubt.TIMEOUT, "text")
        assert (late.late, late.message.message_id, late.context) == (True, "a1", "text")
        counters = esme.link.state().counters
        assert (counters.doubtful, counters.late, counters.responses_in) == (1, 1, 1)


async def test_a_silent_message_centre_is_noticed_and_left():
    async def serve(end):
        await end.receive()
        end.send(encode(BindTransceiverResp(system_id=SMSC), 1))
        await asyncio.sleep(10)

    limits = Limits(enquire_link=0.05, response_timeout=0.05, reconnect_first=0.01)
    async with raw_smsc(serve) as port, LinkRig(port, limits=limits) as esme:
        assert (await esme.told(LinkDown)).reason is CloseReason.SILENT
        await esme.told(LinkUp, 2)


async def test_a_link_that_nobody_uses_stays_up_by_signs_of_life():
    limits = Limits(enquire_link=0.02, response_timeout=1.0)
    async with bound_pair(link={"limits": limits}) as (smsc, esme):
        await asyncio.sleep(0.2)
        assert esme.link.bound
        assert not esme.of(LinkDown)
        assert len(smsc.server.clients) == 1


async def test_a_handler_that_fails_is_told_and_the_request_put_off():
    def broken(request):
        raise ZeroDivisionError

    async with bound_pair(link={"on_request": broken}) as (smsc, esme):
        client = await smsc.client()
        client.send(DELIVER, "mo")
        await until(lambda: smsc.results)
        assert smsc.results[0][1].command_status == CommandStatus.ESME_RX_T_APPN
        assert isinstance(esme.of(HandlerFailed)[0].error, ZeroDivisionError)
        assert esme.link.bound


async def test_callbacks_that_fail_do_not_end_the_link():
    def broken(*_):
        raise ZeroDivisionError

    link = {"on_ready": broken, "on_result": broken}
    async with bound_pair(link=link, server={"authenticate": lambda attempt: 0}) as (_, esme):
        for _ in range(3):
            esme.link.submit(SUBMIT)
        await until(lambda: len(esme.of(HandlerFailed)) == 4)
        assert esme.link.submit(SUBMIT)


async def test_whoever_cannot_be_judged_is_not_let_in():
    def broken(attempt):
        raise ZeroDivisionError

    async with ServerRig(authenticate=broken) as smsc, LinkRig(smsc.port) as esme:
        assert (await esme.told(LinkRefused)).command_status == CommandStatus.ESME_RSYSERR
        assert isinstance(smsc.of(HandlerFailed)[0].error, ZeroDivisionError)


async def test_a_suspended_link_stays_bound_takes_and_sends_nothing():
    async with bound_pair() as (smsc, esme):
        esme.link.suspend()
        assert (esme.link.window_free, esme.link.submit(SUBMIT)) == (0, False)
        (await smsc.client()).send(DELIVER, "mo")
        await until(lambda: smsc.results)
        assert esme.link.state().suspended
        esme.link.resume()
        assert esme.readiness == 2
        assert esme.link.submit(SUBMIT)


async def test_a_link_goes_down_and_stays_down_until_it_is_wanted():
    async with bound_pair(link={"limits": FAST}) as (smsc, esme):
        esme.link.down()
        assert (await esme.told(LinkDown)).reason is CloseReason.STOPPED
        await until(lambda: not smsc.server.clients)
        await asyncio.sleep(0.1)
        assert (esme.link.state().state, esme.link.state().wanted) == (SessionState.CLOSED, False)
        esme.link.up()
        await esme.told(LinkUp, 2)


async def test_stopping_waits_for_the_responses_that_are_owed():
    kept = []
    async with ServerRig(on_request=kept.append) as smsc:
        esme = LinkRig(smsc.port)
        esme.link.start()
        await esme.told(LinkUp)
        esme.link.submit(SUBMIT, "text")
        await until(lambda: kept)
        stopping = asyncio.create_task(esme.link.stop(5.0))
        await asyncio.sleep(0.02)
        assert not esme.link.submit(SUBMIT)
        kept[0].respond(SubmitSmResp(message_id="1"))
        await stopping
        assert [type(result) for result in esme.results] == [Responded]
        assert esme.of(LinkDown)[0].reason is CloseReason.STOPPED


async def test_stopping_gives_up_on_a_peer_that_does_not_answer():
    async def serve(end):
        await end.receive()
        end.send(encode(BindTransceiverResp(system_id=SMSC), 1))
        await asyncio.sleep(60)

    async with raw_smsc(serve) as port:
        esme = LinkRig(port)
        esme.link.start()
        await esme.told(LinkUp)
        esme.link.submit(SUBMIT, "text")
        await esme.link.stop(0.2)
        assert [type(result) for result in esme.results] == [Doubtful]
        assert not esme.link._connections


async def test_stopping_while_dialling_is_quick():
    esme = LinkRig(1, host="192.0.2.1", limits=Limits(connect_deadline=30.0))
    esme.link.start()
    await asyncio.sleep(0.01)
    await esme.link.stop(5.0)
    assert not esme.link._connections


async def test_a_message_centre_that_unbinds_in_mid_window_gives_what_it_owes():
    async def serve(end):
        await end.receive()
        end.send(encode(BindTransceiverResp(system_id=SMSC), 1))
        await end.receive()
        end.send(encode(Unbind(), 5))
        await asyncio.sleep(0.02)
        end.send(encode(SubmitSmResp(message_id="7"), 2))
        header, _ = await end.receive()
        assert (header.command_id, header.sequence_number) == (CommandId.UNBIND_RESP, 5)
        seen.append(header)

    seen = []
    async with raw_smsc(serve) as port, LinkRig(port) as esme:
        await esme.told(LinkUp)
        esme.link.submit(SUBMIT, "text")
        down = await esme.told(LinkDown)
        await until(lambda: seen)
        assert (down.reason, down.doubtful) == (CloseReason.LEFT, 0)
        assert esme.results[0].message.message_id == "7"


async def test_a_server_that_stops_lets_its_esmes_go_in_order():
    async with LinkRig(1) as idle:
        async with bound_pair() as (smsc, esme):
            await smsc.server.stop(1.0)
            assert (await esme.told(LinkDown)).reason is CloseReason.LEFT
            assert smsc.of(ClientDown)[0].reason is CloseReason.STOPPED
            with pytest.raises(OSError, match="Connect"):
                await asyncio.open_connection("127.0.0.1", smsc.port)
        assert not idle.link.bound


async def test_each_bind_carries_what_it_is_for():
    async with ServerRig() as smsc:
        async with LinkRig(smsc.port, bind="receiver") as rx, LinkRig(smsc.port, bind="transmitter") as tx:
            assert (await rx.told(LinkUp)).state is SessionState.BOUND_RX
            assert (await tx.told(LinkUp)).state is SessionState.BOUND_TX
            assert {type(attempt.message) for attempt in smsc.attempts} == {BindReceiver, BindTransmitter}
            with pytest.raises(LocalProtocolError):
                rx.link.submit(SUBMIT)
            await until(lambda: len(smsc.server.clients) == 2)
            for client in smsc.server.clients:
                if client.state is SessionState.BOUND_RX:
                    assert client.send(DELIVER)
                else:
                    with pytest.raises(LocalProtocolError):
                        client.send(DELIVER)
            tx.link.submit(SUBMIT)
            await until(lambda: rx.requests and tx.results)
        assert {attempt.sessions for attempt in smsc.attempts} == {0, 1}


async def test_a_bad_value_is_refused_before_anything_is_sent():
    async with bound_pair() as (_, esme):
        with pytest.raises(LocalProtocolError):
            esme.link.submit(SubmitSm(destination_addr="4" * 21))
        assert esme.link.window_free == 10


async def test_an_alert_needs_no_answer():
    async with bound_pair(link={"on_request": lambda request: None}) as (smsc, esme):
        client = await smsc.client()
        client.send(AlertNotification(source_addr="447700900123"))
        await until(lambda: esme.requests)
        assert esme.requests[0].respond() is False
        assert (esme.link.state().unanswered, client.session.waiting) == (0, 0)


async def test_unknown_pdus_are_told_and_do_no_harm():
    async def serve(end):
        await end.receive()
        end.send(encode(BindTransceiverResp(system_id=SMSC), 1))
        end.send(bytes.fromhex("00000010 00000bad 00000000 00000063"))
        header, _ = await end.receive()
        nacks.append((header.command_id, header.sequence_number, header.command_status))
        while True:
            header, _ = await end.receive()
            end.send(encode(UnbindResp() if header.command_id == 6 else EnquireLinkResp(), header.sequence_number))

    nacks = []
    async with raw_smsc(serve) as port, LinkRig(port) as esme:
        await until(lambda: nacks)
        assert nacks == [(CommandId.GENERIC_NACK, 0x63, CommandStatus.ESME_RINVCMDID)]
        assert esme.of(MessageRejected)[0].command_id == 0xBAD
        assert esme.link.bound


async def test_a_link_over_tls_shows_its_own_certificate(tmp_path):
    authority = Authority()
    server = authority.context(tmp_path, "smsc.example", server=True)
    client = authority.context(tmp_path, "tpo.example", server=False)
    options = {"tls": client, "server_hostname": "smsc.example"}
    async with bound_pair(server={"tls": server}, link=options) as (smsc, esme):
        assert smsc.attempts[0].secure
        for number in range(100):
            await until(lambda number=number: esme.link.submit(SUBMIT, number))
        await until(lambda: len(esme.results) == 100)


async def test_a_link_without_a_certificate_is_not_served(tmp_path):
    authority = Authority()
    server = authority.context(tmp_path, "smsc.example", server=True)
    stranger = Authority().context(tmp_path, "tpo.example", server=False)
    async with (
        ServerRig(tls=server) as smsc,
        LinkRig(smsc.port, tls=stranger, server_hostname="smsc.example") as esme,
    ):
        assert (await esme.told(ConnectFailed)).reason is CloseReason.CONNECT_FAILED
        await smsc.told(ClientRejected)
        assert smsc.attempts == []
        plain = LinkRig(smsc.port, limits=FAST)
        async with plain:
            await plain.told(ConnectFailed)
        assert smsc.attempts == []


async def test_a_port_that_is_taken_is_an_error_and_nothing_stays_open():
    async with ServerRig() as smsc:
        other = ServerRig(listen=[("127.0.0.1", 0, None), ("127.0.0.1", smsc.port, None)])
        with pytest.raises(OSError, match="in use"):
            await other.server.start()
        with pytest.raises(OSError, match="Connect"):
            await asyncio.open_connection("127.0.0.1", other.server.ports[0])


async def test_an_old_session_of_the_same_esme_is_seen_by_whoever_judges():
    async with (
        ServerRig(authenticate=lambda attempt: CommandStatus.ESME_RALYBND if attempt.sessions else 0) as smsc,
        LinkRig(smsc.port) as first,
    ):
        await first.told(LinkUp)
        async with LinkRig(smsc.port, limits=Limits(refused_first=60.0)) as second:
            refused = await second.told(LinkRefused)
            assert (refused.command_status, refused.needs_a_person) == (CommandStatus.ESME_RALYBND, True)
        assert len(smsc.of(ClientUp)) == 1
        assert BIND.system_id == smsc.of(ClientUp)[0].system_id
