"""The node on real loopback sockets."""

import asyncio

import pytest
from support.diameter_rig import (
    CCA,
    OCS,
    PGW,
    Authority,
    RawPeer,
    Rig,
    body_of,
    ccr,
    ccr_body,
    cer,
    dpa,
    echo,
    proxy_info,
    two_nodes,
    until,
)
from support.ports import free_port

from protocols.diameter.codec import decode_header, encode_avp, encode_message
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.generated import decode, encode
from protocols.diameter.identity import PeerConfig
from protocols.diameter.limits import Limits
from protocols.diameter.messages import (
    CapabilitiesExchangeAnswer,
    CreditControlAnswer,
    DisconnectPeerAnswer,
    DisconnectPeerRequest,
    ErrorAnswer,
    ReAuthAnswer,
)
from protocols.diameter.node_events import (
    ConnectFailed,
    HandlerFailed,
    MessageRejected,
    PeerDown,
    PeerRejected,
    PeerUp,
)
from protocols.diameter.outbound import RequestError
from protocols.diameter.transitions import CloseReason, DisconnectCause
from protocols.errors import LocalProtocolError

REBOOTING = DisconnectCause.REBOOTING


class Keep:
    """A handler that keeps the requests for later."""

    def __init__(self):
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)


# Handshake


async def test_a_peer_is_welcomed_with_all_that_a_cea_needs():
    async with Rig() as ocs:
        peer = await RawPeer.connect(ocs.port)
        header, frame = await peer.ask(cer())
        cea = decode(CapabilitiesExchangeAnswer, frame)
        assert header.flags == 0
        assert (cea.result_code, cea.origin_host, cea.origin_realm) == (2001, OCS, "tpo.example")
        assert cea.host_ip_address == (b"\0\1\x7f\0\0\1",)
        assert (cea.auth_application_id, cea.inband_security_id) == ((4,), (0,))
        up = await ocs.told(PeerUp)
        assert (up.identity, up.realm, up.address, up.initiated) == (PGW, "host.example", "127.0.0.1", False)
        await peer.leave()
        assert (await ocs.told(PeerDown)).reason is CloseReason.LOST


async def test_a_stranger_is_refused():
    async with Rig() as ocs:
        peer = await RawPeer.connect(ocs.port)
        _, frame = await peer.ask(cer("stranger.example"))
        assert decode(ErrorAnswer, frame).result_code == 3010
        assert await peer.rest() == b""
        rejected = await ocs.told(PeerRejected)
        assert (rejected.identity, rejected.address) == ("stranger.example", "127.0.0.1")
        await peer.leave()


async def test_two_nodes_find_each_other():
    async with two_nodes() as (ocs, pgw):
        assert [state.state for state in ocs.node.peers_state()] == ["open"]
        (state,) = pgw.node.peers_state()
        assert (state.identity, state.state, state.watchdog) == (OCS, "open", "okay")


async def test_a_node_keeps_dialling_until_its_peer_is_there():
    limits = Limits(reconnect_first=0.01, reconnect_last=0.02)
    port = free_port()
    peer = PeerConfig(identity=OCS, realm="tpo.example", connect=("127.0.0.1", port))
    async with Rig(PGW, [peer], listen=(), limits=limits) as pgw:
        failed = await pgw.told(ConnectFailed, 3)
        assert failed.reason is CloseReason.CONNECT_FAILED
        async with Rig(listen=(port,)):
            assert (await pgw.told(PeerUp)).initiated


async def test_a_node_dials_again_when_the_connection_is_lost():
    async with two_nodes(client={"limits": Limits(reconnect_first=0.01)}) as (ocs, pgw):
        (connection,) = ocs.node._connections.values()
        connection._transport.abort()
        await pgw.told(PeerUp, 2)
        assert pgw.of(PeerDown)[0].reason is CloseReason.LOST
        assert pgw.node.peers_state()[0].watchdog == "reopen"
        header, _ = await pgw.node.request(OCS, 272, 4, ccr_body(), 5.0)  # on trial, but the only one
        assert not header.error


@pytest.mark.parametrize("host", [PGW, "stranger.example"])
@pytest.mark.parametrize("behind", [ccr(), cer(), b"GET /"])
async def test_what_comes_behind_a_cer_in_one_write_ends_that_connection_alone(host, behind):
    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    peer = PeerConfig(identity=PGW, realm="host.example", connect=("127.0.0.1", free_port()))
    async with Rig(peers=[peer], limits=Limits(reconnect_first=0.01, reconnect_last=0.02)) as ocs:
        hasty = await RawPeer.connect(ocs.port)
        hasty.send(cer(host) + behind)
        assert await hasty.rest() == b""
        await ocs.told(PeerRejected)
        tried = len(ocs.of(ConnectFailed))
        await ocs.told(ConnectFailed, tried + 2)  # it is dialled as before
        await hasty.leave()
        patient = await RawPeer.open(ocs.port)
        await patient.leave()
    assert failures == []


async def test_a_new_connection_of_a_peer_replaces_one_that_is_dead():
    async with Rig(limits=Limits(probe_deadline=0.05)) as ocs:
        dead = await RawPeer.open(ocs.port)  # it never answers the probe
        alive = await RawPeer.open(ocs.port)
        header, _ = await alive.ask(ccr())
        assert header.flags == 0x40
        assert ocs.of(PeerDown)[0].reason is CloseReason.REPLACED
        for peer in (dead, alive):
            await peer.leave()


async def test_a_new_connection_of_a_peer_is_refused_while_the_old_one_lives():
    async with two_nodes() as (ocs, pgw):
        second = await RawPeer.connect(ocs.port)
        _, frame = await second.ask(cer())
        assert decode(ErrorAnswer, frame).result_code == ResultCode.DIAMETER_ELECTION_LOST
        header, _ = await pgw.node.request(OCS, 272, 4, ccr_body(), 5.0)
        assert not header.error
        await second.leave()


async def test_two_nodes_that_dial_each_other_end_with_one_connection():
    ports = {OCS: free_port(), PGW: free_port()}

    def rig(host, other):
        realm = other.partition(".")[2]
        config = PeerConfig(identity=other, realm=realm, connect=("127.0.0.1", ports[other]), relay=True)
        return Rig(host, [config], listen=(ports[host],), limits=Limits(reconnect_first=0.01))

    async with rig(OCS, PGW) as first, rig(PGW, OCS) as second:
        await until(lambda: all(one.node.peers_state()[0].state == "open" for one in (first, second)))
        await until(lambda: all(len(one.node._connections) == 1 for one in (first, second)))
        body = ccr_body(destination_realm="host.example")
        header, _ = await first.node.request(PGW, 272, 4, body, 5.0)
        assert not header.error
        assert len(first.of(PeerUp)) == len(second.of(PeerUp)) == 1


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open():
    free = free_port()
    async with Rig() as ocs:
        twin = Rig(listen=(free, ocs.port))
        with pytest.raises(OSError, match="in use"):
            await twin.node.start()
        with pytest.raises(ConnectionRefusedError):
            await RawPeer.connect(free)


# Requests and answers


async def test_an_answer_has_the_identifiers_and_the_p_bit_of_its_request():
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        for flags, expected in ((0xC0, 0x40), (0x80, 0), (0xD0, 0x40)):
            header, frame = await peer.ask(ccr(7, flags))
            assert (header.flags, header.command_code, header.application_id) == (expected, 272, 4)
            assert (header.hop_by_hop, header.end_to_end) == (7, 1007)
            assert body_of(frame) == CCA
        await peer.leave()


async def test_many_requests_in_one_piece_are_all_answered_in_order():
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        peer.send(b"".join(ccr(number) for number in range(500)))
        assert [(await peer.receive())[0].hop_by_hop for _ in range(500)] == list(range(500))
        await until(lambda: ocs.node.peers_state()[0].outstanding == 0)
        state = ocs.node.peers_state()[0]
        assert (state.requests_in, state.answers_out) == (500, 500)
        await peer.leave()


async def test_octet_by_octet_makes_no_difference():
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        for octet in ccr(3):
            peer.send(bytes([octet]))
            await asyncio.sleep(0)
        assert (await peer.receive())[0].hop_by_hop == 3
        await peer.leave()


async def test_answers_may_come_later_and_in_any_order():
    keep = Keep()
    async with Rig(handler=keep) as ocs:
        peer = await RawPeer.open(ocs.port)
        peer.send(ccr(1) + ccr(2) + ccr(3))
        await until(lambda: len(keep.requests) == 3)
        assert keep.requests[0].peer == PGW
        for request in reversed(keep.requests):
            request.answer(CCA)
        assert [(await peer.receive())[0].hop_by_hop for _ in range(3)] == [3, 2, 1]
        await peer.leave()


async def test_a_request_is_answered_once():
    keep = Keep()
    async with Rig(handler=keep) as ocs:
        peer = await RawPeer.open(ocs.port)
        peer.send(ccr())
        await until(lambda: keep.requests)
        keep.requests[0].answer(CCA)
        with pytest.raises(LocalProtocolError):
            keep.requests[0].answer(CCA)
        await peer.leave()


async def test_an_answer_whose_connection_is_gone_is_dropped_and_counted():
    keep = Keep()
    async with Rig(handler=keep) as ocs:
        peer = await RawPeer.open(ocs.port)
        peer.send(ccr())
        await until(lambda: keep.requests)
        await peer.leave()
        assert (await ocs.told(PeerDown)).unanswered == 1
        keep.requests[0].answer(CCA)
        assert ocs.node.peers_state()[0].dropped == 1


async def test_proxy_info_comes_back_whole_and_in_order_also_with_an_error():
    infos = proxy_info(b"a.example", b"one") + proxy_info(b"b.example", b"two\0")
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        _, frame = await peer.ask(ccr(extra=infos))
        assert body_of(frame) == CCA + infos
        _, frame = await peer.ask(ccr(extra=infos, destination_host="elsewhere.example"))
        assert frame.endswith(infos)
        await peer.leave()


async def test_what_a_handler_raises_becomes_an_answer():
    def handler(request):
        raise DiameterError(ResultCode.DIAMETER_MISSING_AVP, "no Rating-Group", encode_avp(432, bytes(4)))

    async with Rig(handler=handler) as ocs:
        peer = await RawPeer.open(ocs.port)
        header, frame = await peer.ask(ccr())
        cca = decode(CreditControlAnswer, frame)
        assert not header.error
        assert (cca.session_id, cca.origin_host, cca.result_code) == (b"pgw.host.example;1;2", OCS, 5005)
        assert (cca.auth_application_id, cca.cc_request_type, cca.cc_request_number) == (4, 1, 0)
        assert (cca.error_message, cca.failed_avp) == ("no Rating-Group", (encode_avp(432, bytes(4)),))
        assert ocs.of(MessageRejected) == [MessageRejected(PGW, 272, 4, 5005, "no Rating-Group", ccr())]
        await peer.leave()


async def test_a_handler_that_breaks_is_answered_5012_and_told_of():
    def handler(request):
        raise KeyError(request.frame)

    async with Rig(handler=handler) as ocs:
        peer = await RawPeer.open(ocs.port)
        _, frame = await peer.ask(ccr())
        assert decode(CreditControlAnswer, frame).result_code == ResultCode.DIAMETER_UNABLE_TO_COMPLY
        assert isinstance(ocs.of(HandlerFailed)[0].error, KeyError)
        await peer.leave()


# What the node answers by itself


@pytest.mark.parametrize(
    ("request_", "result_code"),
    [
        (ccr(application_id=16777238), ResultCode.DIAMETER_APPLICATION_UNSUPPORTED),
        (ccr(command_code=275), ResultCode.DIAMETER_COMMAND_UNSUPPORTED),
        (ccr(command_code=299, application_id=0), ResultCode.DIAMETER_COMMAND_UNSUPPORTED),
        (ccr(destination_host="other.tpo.example"), ResultCode.DIAMETER_UNABLE_TO_DELIVER),
        (ccr(destination_realm="other.example"), ResultCode.DIAMETER_REALM_NOT_SERVED),
        (ccr(route_record=("dra.example", "OCS.tpo.example")), ResultCode.DIAMETER_LOOP_DETECTED),
        (ccr(flags=0xE0), ResultCode.DIAMETER_INVALID_HDR_BITS),
        (ccr(flags=0xC1), ResultCode.DIAMETER_INVALID_HDR_BITS),
    ],
)
async def test_protocol_errors_go_out_under_the_error_bit(request_, result_code):
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        header, frame = await peer.ask(request_)
        answer = decode(ErrorAnswer, frame)
        asked = decode_header(request_)
        assert answer.result_code == result_code
        assert header.flags == asked.flags & 0x40 | 0x20
        assert (header.command_code, header.application_id) == (asked.command_code, asked.application_id)
        assert (answer.session_id, answer.origin_host) == (b"pgw.host.example;1;2", OCS)
        assert not answer.avps
        assert (await peer.ask(ccr()))[0].flags == 0x40  # the connection goes on
        assert ocs.of(MessageRejected)[0].result_code == result_code
        assert ocs.node.peers_state()[0].rejected == 1
        await peer.leave()


@pytest.mark.parametrize(
    "changes",
    [
        {"destination_host": OCS},
        {"destination_host": "OCS.TPO.example"},
        {"destination_host": "old.tpo.example"},
        {"destination_realm": "mnc001.mcc001.3gppnetwork.org"},
        {"destination_realm": "TPO.example"},
        {"route_record": ("dra.example",)},
    ],
)
async def test_a_request_for_us_under_any_of_our_names_is_served(changes):
    who = {"aliases": ("old.tpo.example",), "served_realms": ("mnc001.mcc001.3gppnetwork.org",)}
    async with Rig(**who) as ocs:
        peer = await RawPeer.open(ocs.port)
        header, frame = await peer.ask(ccr(**changes))
        assert (header.flags, body_of(frame)) == (0x40, CCA)
        await peer.leave()


async def test_only_a_relay_brings_requests_of_others():
    async with Rig(peers=[PeerConfig(identity=PGW, realm="host.example")]) as ocs:
        peer = await RawPeer.open(ocs.port)
        header, frame = await peer.ask(ccr(origin_host="another.host.example"))
        answer = decode(CreditControlAnswer, frame)
        assert (header.error, answer.result_code) == (False, ResultCode.DIAMETER_INVALID_AVP_VALUE)
        assert answer.failed_avp == (encode_avp(264, b"another.host.example"),)
        assert (await peer.ask(ccr(origin_host=PGW.upper())))[0].flags == 0x40
        await peer.leave()


async def test_a_broken_avp_length_is_answered_5014_and_the_connection_goes_on():
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        header, frame = await peer.ask(ccr(extra=b"\0\0\1\xb0\x40\0\0\3"))
        answer = decode(CreditControlAnswer, frame)
        assert (header.error, answer.result_code) == (False, ResultCode.DIAMETER_INVALID_AVP_LENGTH)
        assert answer.failed_avp == (encode_avp(432, bytes(4)),)
        assert (await peer.ask(ccr()))[0].flags == 0x40
        await peer.leave()


async def test_more_requests_than_a_peer_may_have_are_answered_too_busy():
    keep = Keep()
    async with Rig(handler=keep, limits=Limits(outstanding=3, overload_deadline=0.05)) as ocs:
        peer = await RawPeer.open(ocs.port)
        peer.send(b"".join(ccr(number) for number in range(5)))
        for number in (3, 4):
            header, frame = await peer.receive()
            assert (header.hop_by_hop, decode(ErrorAnswer, frame).result_code) == (number, 3004)
        for request in keep.requests[:2]:
            request.answer(CCA)
            await peer.receive()
        peer.send(ccr(9))
        await until(lambda: len(keep.requests) == 4)
        await peer.leave()


async def test_an_answer_that_nobody_waits_for_is_counted_and_dropped():
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        peer.send(ccr(flags=0x40))
        assert (await peer.ask(ccr(2)))[0].hop_by_hop == 2
        assert ocs.node.peers_state()[0].dropped == 1
        await peer.leave()


# Leaving


async def test_a_peer_that_leaves_behind_many_requests_has_all_of_them_served_before_its_dpa():
    later = asyncio.get_running_loop().call_later
    async with Rig(handler=lambda request: later(0.001, request.answer, CCA)) as ocs:
        peer = await RawPeer.open(ocs.port)
        body = DisconnectPeerRequest(origin_host=PGW, origin_realm="host.example", disconnect_cause=REBOOTING)
        leaving = encode_message(0x80, 282, 0, 999, 999, encode(body))
        peer.send(b"".join(ccr(number, cc_request_type=3) for number in range(300)) + leaving + ccr(301))
        served, refused = [], []
        while True:
            header, frame = await peer.receive()
            if header.command_code == 282:
                break
            (refused if header.error else served).append(header.hop_by_hop)
        assert (served, refused) == (list(range(300)), [301])  # what came behind the DPR has no place there
        assert decode(DisconnectPeerAnswer, frame).result_code == 2001
        await peer.leave()


async def test_stop_sends_the_answers_that_are_owed_then_says_goodbye():
    keep = Keep()
    ocs = Rig(handler=keep)
    await ocs.node.start()
    port = ocs.port
    peer = await RawPeer.open(port)
    peer.send(ccr(1))
    await until(lambda: keep.requests)
    stopping = asyncio.create_task(ocs.node.stop(REBOOTING, 5.0))
    await asyncio.sleep(0)
    header, frame = await peer.ask(ccr(2))
    assert (header.hop_by_hop, decode(ErrorAnswer, frame).result_code) == (2, 3004)
    keep.requests[0].answer(CCA)
    assert (await peer.receive())[0].hop_by_hop == 1
    header, frame = await peer.receive()
    assert decode(DisconnectPeerRequest, frame).disconnect_cause == REBOOTING
    peer.send(dpa(header))
    assert await peer.rest() == b""
    await stopping
    assert ocs.of(PeerDown)[0].reason is CloseReason.STOPPED
    with pytest.raises(ConnectionRefusedError):
        await RawPeer.connect(port)
    await peer.leave()


async def test_stop_does_not_wait_beyond_its_deadline():
    keep = Keep()
    ocs = Rig(handler=keep)
    await ocs.node.start()
    peer = await RawPeer.open(ocs.port)
    peer.send(ccr(1))
    await until(lambda: keep.requests)
    started = asyncio.get_running_loop().time()
    await ocs.node.stop(REBOOTING, 0.2)  # the handler never answers, nor does the peer
    assert asyncio.get_running_loop().time() - started < 2.0
    assert not ocs.node._connections
    assert len(ocs.of(PeerDown)) == 1
    await peer.rest()
    await peer.leave()


async def test_a_peer_that_leaves_is_answered_and_closes():
    async with Rig() as ocs:
        peer = await RawPeer.open(ocs.port)
        body = DisconnectPeerRequest(origin_host=PGW, origin_realm="host.example", disconnect_cause=0)
        header, _ = await peer.ask(encode_message(0x80, 282, 0, 5, 6, encode(body)))
        assert (header.command_code, header.hop_by_hop, header.flags) == (282, 5, 0)
        assert ocs.node.peers_state()[0].state == "closing"
        await peer.leave()
        assert (await ocs.told(PeerDown)).reason is CloseReason.LEFT


async def test_a_peer_that_does_not_want_to_talk_is_not_dialled_again_but_by_hand():
    async with two_nodes(client={"limits": Limits(reconnect_first=0.001)}) as (ocs, pgw):
        ocs.node.disconnect(PGW, DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU)
        down = await pgw.told(PeerDown)
        assert (down.reason, down.cause) == (CloseReason.LEFT, DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU)
        await asyncio.sleep(0.03)
        assert len(pgw.of(PeerUp)) == 1
        pgw.node.connect(OCS)
        await pgw.told(PeerUp, 2)


# Requests of ours


async def test_a_server_asks_its_client():
    def raa(request):
        body = ReAuthAnswer(session_id=b"s", result_code=2001, origin_host=PGW, origin_realm="host.example")
        request.answer(encode(body))

    async with two_nodes(client={"handler": raa}) as (ocs, _):
        header, frame = await ocs.node.request(
            PGW, 258, 4, ccr_body(origin_host=OCS, destination_realm="host.example"), 5.0
        )
        assert not header.request
        assert decode(ReAuthAnswer, frame).result_code == 2001
        state = ocs.node.peers_state()[0]
        assert (state.requests_out, state.answers_in, state.pending) == (1, 1, 0)


async def test_many_requests_at_once_get_their_own_answers():
    def handler(request):
        request.answer(body_of(request.frame)[:28])

    async with two_nodes(server={"handler": handler}) as (_, pgw):
        bodies = [ccr_body(session_id=b"%020d" % number) for number in range(300)]
        answers = await asyncio.gather(*(pgw.node.request(OCS, 272, 4, body, 5.0) for body in bodies))
        assert [body_of(frame) for _, frame in answers] == [body[:28] for body in bodies]
        assert len({header.end_to_end for header, _ in answers}) == 300


async def test_a_request_that_is_not_answered_ends_in_time():
    async with two_nodes(server={"handler": Keep()}) as (_, pgw):
        with pytest.raises(RequestError) as failed:
            await pgw.node.request(OCS, 272, 4, ccr_body(), 0.02)
        assert failed.value.code == "diameter.request.timeout"
        assert pgw.node.peers_state()[0].pending == 0


async def test_a_request_fails_at_once_when_its_peer_is_lost_or_absent():
    keep = Keep()
    async with two_nodes(server={"handler": keep}) as (ocs, pgw):
        asked = asyncio.create_task(pgw.node.request(OCS, 272, 4, ccr_body(), 5.0))
        await until(lambda: keep.requests)
        (connection,) = ocs.node._connections.values()
        connection._transport.abort()
        with pytest.raises(RequestError) as failed:
            await asked
        assert failed.value.code == "diameter.request.peer_lost"
        for name in (OCS, "nobody.example"):
            with pytest.raises(RequestError) as failed:
                await pgw.node.request(name, 272, 4, ccr_body(), 5.0)
            assert failed.value.code == "diameter.request.no_peer"


async def test_pending_requests_of_a_lost_peer_go_to_another_of_its_realm():
    keep = Keep()
    other = "ocs2.tpo.example"
    seen = []

    def second_handler(request):
        seen.append(request)
        echo(request)

    async with Rig(handler=keep) as first, Rig(other, handler=second_handler, aliases=(OCS,)) as second:
        peers = [
            PeerConfig(identity=name, realm="tpo.example", connect=("127.0.0.1", rig.port))
            for name, rig in ((OCS, first), (other, second))
        ]
        async with Rig(PGW, peers, listen=()) as pgw:
            await pgw.told(PeerUp, 2)
            body = ccr_body(destination_host=OCS)
            asked = asyncio.create_task(pgw.node.request(OCS, 272, 4, body, 5.0, failover=True))
            await until(lambda: keep.requests)
            (connection,) = first.node._connections.values()
            connection._transport.abort()
            _, frame = await asked
            assert body_of(frame) == CCA
            (again,) = seen
            assert again.header.retransmitted
            assert again.header.end_to_end == keep.requests[0].header.end_to_end
            assert body_of(again.frame) == body_of(keep.requests[0].frame) == body
            # and the next one goes there at once, without T
            await pgw.node.request(OCS, 272, 4, body, 5.0, failover=True)
            assert not seen[1].header.retransmitted


async def test_what_is_for_one_host_goes_by_another_relay_and_never_to_another_host():
    keep, seen = Keep(), []

    def second_handler(request):
        seen.append(request)
        echo(request)

    relays = {}
    for name, handler in (("dra.tpo.example", keep), ("pgw3.tpo.example", keep), ("dra2.tpo.example", second_handler)):
        relays[name] = await Rig(name, handler=handler).__aenter__()
    peers = [
        PeerConfig(identity=name, realm="tpo.example", connect=("127.0.0.1", rig.port), relay=name.startswith("dra"))
        for name, rig in relays.items()
    ]
    ask = {"failover": True, "destination_host": "pgw9.tpo.example"}
    async with Rig(PGW, peers, listen=()) as ocs:
        await ocs.told(PeerUp, 3)
        asked = asyncio.create_task(ocs.node.request("dra.tpo.example", 272, 4, ccr_body(), 5.0, **ask))
        await until(lambda: keep.requests)
        next(iter(relays["dra.tpo.example"].node._connections.values()))._transport.abort()
        await asked
        assert [request.header.retransmitted for request in seen] == [True]
        await relays["dra2.tpo.example"].__aexit__()
        await ocs.told(PeerDown, 2)
        with pytest.raises(RequestError):
            await ocs.node.request("dra.tpo.example", 272, 4, ccr_body(), 5.0, **ask)
        ours = ask | {"destination_host": "PGW3.tpo.example"}
        asked = asyncio.create_task(ocs.node.request("dra.tpo.example", 272, 4, ccr_body(), 5.0, **ours))
        await until(lambda: len(keep.requests) == 2)  # the host itself, where it is a peer of ours
        keep.requests[1].answer(CCA)
        await asked
    for name in ("dra.tpo.example", "pgw3.tpo.example"):
        await relays[name].__aexit__()


async def test_a_peer_that_says_another_realm_than_it_was_dialled_for_is_left():
    async with Rig() as ocs:
        peer = PeerConfig(identity=OCS, realm="elsewhere.example", connect=("127.0.0.1", ocs.port))
        async with Rig(PGW, [peer], listen=()) as pgw:
            failed = await pgw.told(ConnectFailed)
            assert "the CEA is of tpo.example, not elsewhere.example" in failed.detail


# TLS


async def test_peers_meet_over_tls_and_prove_who_they_are(tmp_path):
    authority = Authority()
    theirs = authority.context(tmp_path, PGW, server=False)
    config = PeerConfig(identity=PGW, realm="host.example", tls=theirs)
    async with Rig(peers=[config], tls=authority.context(tmp_path, OCS, server=True)) as ocs:
        peer = PeerConfig(identity=OCS, realm="tpo.example", connect=("127.0.0.1", ocs.port), tls=theirs)
        async with Rig(PGW, [peer], listen=()) as pgw:
            await pgw.told(PeerUp)
            _, frame = await pgw.node.request(OCS, 272, 4, ccr_body(), 5.0)
            assert body_of(frame) == CCA
        assert (await ocs.told(PeerDown)).reason is CloseReason.LEFT


async def test_a_certificate_of_another_name_opens_no_door(tmp_path):
    authority = Authority()
    other = authority.context(tmp_path, "other.host.example", server=False)
    async with Rig(tls=authority.context(tmp_path, OCS, server=True)) as ocs:
        peer = await RawPeer.connect(ocs.port, other, OCS)
        _, frame = await peer.ask(cer())
        assert decode(ErrorAnswer, frame).result_code == 3010
        await peer.leave()
        assert "certificate" in (await ocs.told(PeerRejected)).reason


async def test_a_node_does_not_take_a_server_of_another_name(tmp_path):
    authority = Authority()
    context = authority.context(tmp_path, PGW, server=False)
    async with Rig(tls=authority.context(tmp_path, "impostor.example", server=True)) as ocs:
        peer = PeerConfig(identity=OCS, realm="tpo.example", connect=("127.0.0.1", ocs.port), tls=context)
        async with Rig(PGW, [peer], listen=()) as pgw:
            assert "certificate" in (await pgw.told(ConnectFailed)).detail.lower()
            await ocs.told(PeerRejected)


async def test_a_peer_that_has_to_use_tls_is_refused_without(tmp_path):
    config = PeerConfig(identity=PGW, realm="host.example", tls=Authority().context(tmp_path, OCS, server=False))
    async with Rig(peers=[config]) as ocs:
        peer = await RawPeer.connect(ocs.port)
        _, frame = await peer.ask(cer())
        assert decode(ErrorAnswer, frame).result_code == 3010
        await peer.leave()
