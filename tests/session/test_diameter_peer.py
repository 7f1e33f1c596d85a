"""Two pure peers back to back: every transition of RFC 6733 §5.6, without a socket or a clock."""

import pytest

from protocols.diameter.capabilities import LocalNode
from protocols.diameter.codec import Framer, decode_header, encode_avp, encode_message
from protocols.diameter.errors import ResultCode
from protocols.diameter.events import (
    CapabilitiesRequested,
    Closed,
    MessageRefused,
    Opened,
    ProbeAnswered,
    Received,
    Recovered,
    Suspected,
)
from protocols.diameter.generated import decode, encode
from protocols.diameter.identity import NodeIdentity, PeerConfig
from protocols.diameter.limits import Limits
from protocols.diameter.messages import (
    RELAY_APPLICATION,
    CapabilitiesExchangeAnswer,
    CapabilitiesExchangeRequest,
    DeviceWatchdogAnswer,
    DisconnectPeerAnswer,
    DisconnectPeerRequest,
    ErrorAnswer,
    VendorSpecificApplicationId,
)
from protocols.diameter.peer_table import Access, PeerTable
from protocols.diameter.session import Peer
from protocols.diameter.transitions import TABLE, CloseReason, DisconnectCause, Input, Role, SessionState
from protocols.diameter.watchdog import Watchdog, WatchdogState
from protocols.errors import LocalProtocolError
from protocols.tap import MAX_UNDECODABLE

LIMITS = Limits()
OURS, THEIRS = "ocs.tpo.example", "pgw.host.example"
HERE = b"\0\1\x7f\0\0\1"
LOCAL = Access("127.0.0.1")


def identity(host):
    return NodeIdentity(origin_host=host, origin_realm=host.partition(".")[2], origin_state_id=7)


def ids():
    last = 0

    def following():
        nonlocal last
        last += 1
        return last

    return following


def new_peer(role, host, applications=(4,), expected=""):
    local = LocalNode(identity(host), (HERE,), dict.fromkeys(applications, 0))
    watchdog = Watchdog(lambda: 0.5) if role is Role.INITIATOR else None
    return Peer(role, local, LIMITS, end_to_end=ids(), hop_by_hop=100, expected=expected, watchdog=watchdog)


class Pair:
    """An initiator and a responder; `roundtrip` carries octets until neither has any."""

    def __init__(self, ours=(4,), theirs=(4,), expected=OURS):
        self.initiator = new_peer(Role.INITIATOR, THEIRS, theirs, expected)
        self.responder = new_peer(Role.RESPONDER, OURS, ours)
        self.watchdog = Watchdog(lambda: 0.5)
        self.now = 0.0

    def roundtrip(self):
        while True:
            there, back = self.initiator.data_to_send(), self.responder.data_to_send()
            if not there and not back:
                return
            self.responder.receive(there, self.now)
            self.initiator.receive(back, self.now)

    def connect(self):
        self.responder.connected(self.now)
        self.initiator.connected(self.now)
        self.roundtrip()

    def open(self):
        self.connect()
        self.responder.accept(self.watchdog, self.now)
        self.roundtrip()
        assert (self.initiator.state, self.responder.state) == (SessionState.OPEN, SessionState.OPEN)
        self.events()
        return self

    def events(self):
        return [type(event) for event in self.initiator.events()], [type(event) for event in self.responder.events()]


def closed(peer):
    (event,) = (event for event in peer.events() if isinstance(event, Closed))
    assert peer.state is SessionState.CLOSED
    return event


def cer(**changes):
    fields = {
        "origin_host": THEIRS,
        "origin_realm": "host.example",
        "host_ip_address": (HERE,),
        "vendor_id": 0,
        "product_name": "test",
        "auth_application_id": (4,),
    } | changes
    return encode_message(0x80, 257, 0, 1, 1, encode(CapabilitiesExchangeRequest(**fields)))


def cea(result_code=2001, flags=0, **changes):
    fields = {"origin_host": OURS, "origin_realm": "tpo.example", "auth_application_id": (4,)} | changes
    return encode_message(flags, 257, 0, 101, 1, encode(CapabilitiesExchangeAnswer(result_code=result_code, **fields)))


def request(command_code=272, application_id=4):
    return encode_message(0xC0, command_code, application_id, 9, 9, b"")


def only_message(data):
    (frame,) = Framer().feed(data)
    return decode_header(frame), frame


# Capabilities


def test_two_peers_open_a_connection():
    pair = Pair()
    pair.connect()
    assert pair.initiator.state is SessionState.WAIT_I_CEA
    assert pair.responder.state is SessionState.WAIT_RETURNS
    (asked,) = pair.responder.events()
    assert isinstance(asked, CapabilitiesRequested)
    assert asked.capabilities.origin_host == THEIRS
    assert asked.capabilities.origin_state_id == 7
    pair.responder.accept(pair.watchdog, 0.0)
    pair.roundtrip()
    assert pair.events() == ([Opened], [Opened])
    assert pair.watchdog.state is WatchdogState.OKAY
    assert pair.initiator.capabilities.origin_host == OURS


def test_octet_by_octet_makes_no_difference():
    peer = new_peer(Role.RESPONDER, OURS)
    peer.connected(0.0)
    for octet in cer():
        peer.receive(bytes([octet]), 0.0)
    assert peer.state is SessionState.WAIT_RETURNS


def test_a_relay_has_every_application_in_common_with_us():
    pair = Pair(theirs=(RELAY_APPLICATION,))
    pair.connect()
    assert pair.responder.state is SessionState.WAIT_RETURNS
    assert pair.responder.local.common(pair.responder.capabilities) == {4}


@pytest.mark.parametrize(
    "changes",
    [
        {"auth_application_id": (), "acct_application_id": (4,)},
        {
            "auth_application_id": (16777238,),
            "vendor_specific_application_id": (VendorSpecificApplicationId(vendor_id=10415, auth_application_id=4),),
        },
    ],
)
def test_an_application_may_be_told_in_any_avp(changes):
    peer = new_peer(Role.RESPONDER, OURS)
    peer.connected(0.0)
    peer.receive(cer(**changes), 0.0)
    assert peer.state is SessionState.WAIT_RETURNS


def test_an_application_of_a_vendor_is_advertised_inside_its_group():
    local = LocalNode(identity(OURS), (HERE,), {4: 0, 16777238: 10415})
    message = decode(CapabilitiesExchangeRequest, local.request(), 0)
    assert message.auth_application_id == (4,)
    (group,) = message.vendor_specific_application_id
    assert (group.vendor_id, group.auth_application_id) == (10415, 16777238)
    assert message.inband_security_id == (0,)


@pytest.mark.parametrize(
    ("message", "result_code", "error_bit"),
    [
        (cer(auth_application_id=(16777238,)), ResultCode.DIAMETER_NO_COMMON_APPLICATION, 0),
        (cer(inband_security_id=(1,)), ResultCode.DIAMETER_NO_COMMON_SECURITY, 0),
        (encode_message(0x80, 257, 0, 1, 1, encode_avp(264, b"a")), ResultCode.DIAMETER_MISSING_AVP, 0),
        (encode_message(0x81, 257, 0, 1, 1, b""), ResultCode.DIAMETER_INVALID_HDR_BITS, 0x20),
    ],
)
def test_a_cer_that_cannot_be_taken_is_answered_and_the_connection_closed(message, result_code, error_bit):
    peer = new_peer(Role.RESPONDER, OURS)
    peer.connected(0.0)
    peer.receive(message, 0.0)
    header, frame = only_message(peer.data_to_send())
    assert (header.flags, header.command_code) == (error_bit, 257)
    assert decode(ErrorAnswer, frame).result_code == result_code
    assert closed(peer).reason is CloseReason.REFUSED


def test_a_cea_that_refuses_has_what_every_cea_must_have_and_names_the_offending_avp():
    peer = new_peer(Role.RESPONDER, OURS)
    peer.connected(0.0)
    unknown = encode_avp(9999, b"x", 9999)
    peer.receive(encode_message(0x80, 257, 0, 1, 1, only_message(cer())[1][20:] + unknown), 0.0)
    _, frame = only_message(peer.data_to_send())
    answer = decode(CapabilitiesExchangeAnswer, frame)
    assert (answer.result_code, answer.failed_avp) == (5001, (unknown,))
    assert (answer.host_ip_address, answer.vendor_id, answer.product_name) == ((HERE,), 0, "TPO gateway")
    assert answer.auth_application_id == (4,)


def test_the_initiator_learns_why_it_was_refused():
    pair = Pair(theirs=(16777238,))
    pair.connect()
    event = closed(pair.initiator)
    assert event.reason is CloseReason.REFUSED_BY_PEER
    assert event.detail.startswith("5010")
    assert not event.was_open


def test_a_cea_of_somebody_else_ends_the_connection():
    pair = Pair(expected="other.tpo.example")
    pair.connect()
    pair.responder.accept(pair.watchdog, 0.0)
    pair.roundtrip()
    assert closed(pair.initiator).reason is CloseReason.REFUSED_BY_PEER


@pytest.mark.parametrize(
    "answer",
    [cea(3010, flags=0x20), cea(auth_application_id=(1,)), encode_message(0, 257, 0, 101, 1, b"")],
)
def test_a_cea_that_is_no_success_ends_the_connection(answer):
    peer = new_peer(Role.INITIATOR, THEIRS, expected=OURS)
    peer.connected(0.0)
    peer.receive(answer, 0.0)
    assert closed(peer).reason is CloseReason.REFUSED_BY_PEER


def test_an_unknown_mandatory_avp_in_a_cea_is_forgiven():
    peer = new_peer(Role.INITIATOR, THEIRS, expected=OURS)
    peer.connected(0.0)
    _, frame = only_message(cea())
    peer.receive(encode_message(0, 257, 0, 101, 1, frame[20:] + encode_avp(9999, b"x", 9999)), 0.0)
    assert peer.state is SessionState.OPEN


def test_a_second_cer_on_an_open_connection_is_answered():
    pair = Pair().open()
    pair.responder.receive(cer(), 1.0)
    _, frame = only_message(pair.responder.data_to_send())
    assert decode(CapabilitiesExchangeAnswer, frame).result_code == 2001
    assert pair.responder.state is SessionState.OPEN


@pytest.mark.parametrize("state", ["WAIT_CER", "WAIT_RETURNS", "WAIT_I_CEA"])
def test_an_exchange_of_capabilities_has_five_seconds(state):
    peer = new_peer(Role.INITIATOR if state == "WAIT_I_CEA" else Role.RESPONDER, OURS)
    peer.connected(10.0)
    if state == "WAIT_RETURNS":
        peer.receive(cer(), 10.0)
    assert peer.state is SessionState[state]
    assert peer.deadline() == 15.0
    peer.on_timer(14.9)
    assert peer.state is SessionState[state]
    peer.on_timer(15.0)
    assert closed(peer).reason is CloseReason.CER_DEADLINE


@pytest.mark.parametrize("message", [request(), cea(), encode_message(0x80, 280, 0, 1, 1, b"")])
def test_anything_but_a_cer_ends_a_new_connection(message):
    peer = new_peer(Role.RESPONDER, OURS)
    peer.connected(0.0)
    peer.receive(message, 0.0)
    assert closed(peer).reason is CloseReason.UNEXPECTED
    assert peer.data_to_send() == b""


def test_anything_but_a_cea_ends_a_dialled_connection():
    peer = new_peer(Role.INITIATOR, THEIRS)
    peer.connected(0.0)
    peer.data_to_send()
    peer.receive(request(), 0.0)
    assert closed(peer).reason is CloseReason.UNEXPECTED


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(20), b"\x01\0\0\x03" + bytes(16), b"\x01\xff\xff\xfc"]
)
def test_garbage_before_the_cer_closes_without_a_word(garbage):
    peer = new_peer(Role.RESPONDER, OURS)
    peer.connected(0.0)
    peer.receive(garbage, 0.0)
    event = closed(peer)
    assert event.reason is CloseReason.FRAMING
    assert event.message == garbage[:MAX_UNDECODABLE]
    assert peer.data_to_send() == b""
    peer.receive(cer(), 0.0)
    assert peer.events() == []


# An open connection


def test_messages_pass_in_both_directions():
    pair = Pair().open()
    hop_by_hop = pair.initiator.send_request(0xC0, 272, 4, 77, b"")
    pair.roundtrip()
    (received,) = pair.responder.events()
    assert isinstance(received, Received)
    assert (received.header.hop_by_hop, received.header.end_to_end) == (hop_by_hop, 77)
    assert pair.responder.outstanding == 1
    assert pair.responder.send_answer(encode_message(0x40, 272, 4, hop_by_hop, 77, b""), 0.0)
    pair.roundtrip()
    (answered,) = pair.initiator.events()
    assert not answered.header.request
    assert pair.responder.outstanding == 0


def test_hop_by_hop_identifiers_differ():
    pair = Pair().open()
    assert len({pair.initiator.send_request(0xC0, 272, 4, 1, b"") for _ in range(100)}) == 100


def test_a_request_before_the_connection_is_open_is_our_own_error():
    with pytest.raises(LocalProtocolError):
        new_peer(Role.INITIATOR, THEIRS).send_request(0xC0, 272, 4, 1, b"")


def test_a_watchdog_is_answered():
    pair = Pair().open()
    pair.initiator.probe(1.0)
    pair.roundtrip()
    assert pair.events() == ([ProbeAnswered], [])


def test_a_watchdog_that_cannot_be_read_is_answered_with_its_error():
    pair = Pair().open()
    pair.responder.receive(encode_message(0x80, 280, 0, 5, 6, encode_avp(264, b"x")), 1.0)
    header, frame = only_message(pair.responder.data_to_send())
    assert (header.hop_by_hop, header.flags) == (5, 0)
    assert decode(DeviceWatchdogAnswer, frame).result_code == ResultCode.DIAMETER_MISSING_AVP
    (event,) = pair.responder.events()
    assert isinstance(event, MessageRefused)
    assert pair.responder.state is SessionState.OPEN


def test_silence_sends_a_watchdog_then_suspects_then_closes():
    pair = Pair().open()
    peer = pair.responder
    assert peer.deadline() == 30.0
    peer.on_timer(30.0)
    assert only_message(peer.data_to_send())[0].command_code == 280
    peer.on_timer(60.0)
    assert [type(event) for event in peer.events()] == [Suspected]
    peer.on_timer(90.0)
    event = closed(peer)
    assert (event.reason, event.was_open) == (CloseReason.WATCHDOG, True)
    assert pair.watchdog.state is WatchdogState.DOWN


def test_a_suspect_that_speaks_is_forgiven():
    pair = Pair().open()
    pair.responder.on_timer(30.0)
    pair.responder.on_timer(60.0)
    pair.roundtrip()
    assert pair.responder.events()[-1] == Recovered()
    assert pair.watchdog.state is WatchdogState.OKAY


def test_a_peer_that_was_lost_comes_back_on_trial():
    pair = Pair().open()
    pair.responder.connection_lost(5.0, "reset")
    event = closed(pair.responder)
    assert (event.reason, event.detail) == (CloseReason.LOST, "reset")
    again = Pair()
    again.watchdog = pair.watchdog
    again.open()
    assert pair.watchdog.state is WatchdogState.REOPEN


def test_broken_framing_on_an_open_connection_ends_it_with_a_dpr():
    pair = Pair().open()
    pair.responder.receive(request() + b"\x01\0\0\x03broken", 1.0)
    received, ended = pair.responder.events()
    assert isinstance(received, Received)
    assert (ended.reason, ended.message) == (CloseReason.FRAMING, b"\x01\0\0\x03broken")
    _, frame = only_message(pair.responder.data_to_send())
    assert decode(DisconnectPeerRequest, frame).disconnect_cause == DisconnectCause.BUSY


def test_a_slow_sender_is_cut_off():
    pair = Pair().open()
    peer = pair.responder
    message = request()
    peer.receive(message[:7], 1.0)
    peer.receive(message[7:8], 9.0)  # a trickle does not help
    assert peer.deadline() == 11.0
    peer.on_timer(11.0)
    assert closed(peer).reason is CloseReason.SLOW_SENDER


def test_each_message_has_its_own_time():
    pair = Pair().open()
    peer = pair.responder
    message = request()
    for second in range(0, 40, 5):
        peer.receive(message[-3:] * bool(second) + message[:-3], float(second))
        peer.on_timer(float(second))
    assert peer.state is SessionState.OPEN


def test_a_message_is_not_late_while_we_do_not_read():
    pair = Pair().open()
    peer = pair.responder
    peer.receive(request()[:7], 1.0)
    peer.stop_reading()
    peer.on_timer(20.0)
    assert peer.state is SessionState.OPEN
    peer.resume_reading(25.0)
    peer.receive(b"", 26.0)
    peer.on_timer(29.0)
    assert peer.state is SessionState.OPEN


# Leaving


def test_a_disconnect_in_order():
    pair = Pair().open()
    pair.responder.disconnect(DisconnectCause.REBOOTING, 1.0)
    assert pair.responder.state is SessionState.CLOSING
    pair.roundtrip()
    event = closed(pair.responder)
    assert (event.reason, event.cause) == (CloseReason.STOPPED, DisconnectCause.REBOOTING)
    assert pair.watchdog.state is WatchdogState.INITIAL
    assert pair.initiator.state is SessionState.CLOSING  # it waits for the initiator of the DPR to close
    pair.initiator.connection_lost(1.0)
    event = closed(pair.initiator)
    assert (event.reason, event.cause) == (CloseReason.LEFT, DisconnectCause.REBOOTING)


def test_a_peer_that_leaves_gets_the_answers_first():
    pair = Pair().open()
    hop_by_hop = pair.initiator.send_request(0xC0, 272, 4, 1, b"")
    pair.initiator.disconnect(DisconnectCause.REBOOTING, 1.0)
    pair.responder.receive(pair.initiator.data_to_send(), 1.0)
    assert pair.responder.state is SessionState.DRAINING
    assert pair.responder.data_to_send() == b""
    pair.responder.send_answer(encode_message(0x40, 272, 4, hop_by_hop, 1, b""), 1.5)
    answer, dpa = map(decode_header, Framer().feed(pair.responder.data_to_send()))
    assert (answer.command_code, dpa.command_code) == (272, 282)
    assert pair.responder.state is SessionState.CLOSING


def test_a_peer_that_leaves_does_not_wait_for_ever():
    pair = Pair().open()
    pair.initiator.send_request(0xC0, 272, 4, 1, b"")
    pair.initiator.disconnect(DisconnectCause.REBOOTING, 1.0)
    pair.responder.receive(pair.initiator.data_to_send(), 1.0)
    assert pair.responder.deadline() == 3.0
    pair.responder.on_timer(3.0)
    _, frame = only_message(pair.responder.data_to_send())
    assert decode(DisconnectPeerAnswer, frame).result_code == 2001
    assert not pair.responder.send_answer(b"", 9.0) or pair.responder.state is SessionState.CLOSING


def test_we_send_the_answers_that_we_owe_before_our_dpr():
    pair = Pair().open()
    hop_by_hop = pair.initiator.send_request(0xC0, 272, 4, 1, b"")
    pair.roundtrip()
    pair.responder.disconnect(DisconnectCause.BUSY, 1.0, 7.0)
    assert (pair.responder.state, pair.responder.deadline()) == (SessionState.DRAINING, 8.0)
    pair.responder.receive(encode_message(0x80, 280, 0, 5, 6, b""), 1.0)
    assert pair.responder.state is SessionState.DRAINING
    pair.responder.data_to_send()
    pair.responder.send_answer(encode_message(0x40, 272, 4, hop_by_hop, 1, b""), 2.0)
    answer, dpr = map(decode_header, Framer().feed(pair.responder.data_to_send()))
    assert (answer.request, dpr.request) == (False, True)


def test_two_dprs_that_cross_are_both_answered():
    pair = Pair().open()
    pair.initiator.disconnect(DisconnectCause.REBOOTING, 1.0)
    pair.responder.disconnect(DisconnectCause.REBOOTING, 1.0)
    pair.roundtrip()
    assert closed(pair.initiator).reason is CloseReason.STOPPED
    assert closed(pair.responder).reason is CloseReason.STOPPED


def test_a_peer_that_does_not_answer_the_dpr_is_closed():
    pair = Pair().open()
    pair.responder.disconnect(DisconnectCause.REBOOTING, 1.0)
    assert pair.responder.deadline() == 6.0
    pair.responder.on_timer(6.0)
    assert closed(pair.responder).reason is CloseReason.STOPPED


def test_a_dpr_without_its_cause_is_answered_with_an_error_and_ends_the_connection_all_the_same():
    pair = Pair().open()
    pair.responder.receive(encode_message(0x80, 282, 0, 5, 6, encode_avp(264, b"x")), 1.0)
    _, frame = only_message(pair.responder.data_to_send())
    assert decode(DisconnectPeerAnswer, frame).result_code == ResultCode.DIAMETER_MISSING_AVP
    assert pair.responder.state is SessionState.CLOSING


def test_closing_still_takes_answers_and_watchdogs():
    pair = Pair().open()
    hop_by_hop = pair.responder.send_request(0xC0, 258, 4, 1, b"")
    pair.responder.disconnect(DisconnectCause.REBOOTING, 1.0)
    pair.responder.data_to_send()
    pair.responder.receive(encode_message(0x40, 258, 4, hop_by_hop, 1, b""), 1.0)
    assert isinstance(pair.responder.events()[0], Received)
    pair.initiator.probe(1.0)
    pair.responder.receive(pair.initiator.data_to_send(), 1.0)
    assert only_message(pair.responder.data_to_send())[0].command_code == 280


@pytest.mark.parametrize("role", [Role.INITIATOR, Role.RESPONDER])
def test_a_stop_before_the_connection_is_open_just_closes_it(role):
    peer = new_peer(role, OURS)
    peer.connected(0.0)
    peer.data_to_send()
    peer.disconnect(DisconnectCause.REBOOTING, 1.0)
    assert closed(peer).reason is CloseReason.ABANDONED
    assert peer.data_to_send() == b""
    peer.disconnect(DisconnectCause.REBOOTING, 1.0)
    assert peer.events() == []


def test_a_connection_that_could_not_be_made():
    peer = new_peer(Role.INITIATOR, OURS)
    peer.connection_lost(1.0, "refused")
    assert closed(peer).reason is CloseReason.CONNECT_FAILED


# The table


def test_every_state_can_be_left_and_every_input_happens():
    assert {state for state, _ in TABLE} == set(SessionState)
    assert {event for _, event in TABLE} == set(Input)
    for action, _ in TABLE.values():
        assert callable(getattr(Peer, action))


def test_a_call_in_the_wrong_state_is_our_own_error():
    with pytest.raises(LocalProtocolError):
        new_peer(Role.RESPONDER, OURS).accept(Watchdog(lambda: 0.5), 0.0)


# Who may come in, and which of two connections stays


def table(*configs, host=OURS):
    configs = configs or (PeerConfig(identity=THEIRS, realm="host.example", connect=("127.0.0.1", 1)),)
    return PeerTable(host, configs, LIMITS, lambda: 0.0, 0.0)


def incoming(peers, access=LOCAL, now=0.0, host=THEIRS, ours=OURS, **fields):
    """An accepted connection that has sent its CER, and what the table makes of it."""
    peer = new_peer(Role.RESPONDER, ours)
    peer.connected(now)
    peer.receive(cer(origin_host=host, **fields), now)
    touched = peers.admit(peer, access, now)
    return peer, touched


def settle(peers, *connections, now=0.0):
    """Tell the table what happened on the connections, until nothing does."""
    for _ in range(3):
        for peer in connections:
            for event in peer.events():
                match event:
                    case Opened():
                        peers.opened(peer, now)
                    case ProbeAnswered():
                        peers.probed(peer, now)
                    case Closed():
                        peers.closed(peer, event.reason, event.cause, now)


def dial(peers, entry, ours=OURS):
    peer = Peer(
        Role.INITIATOR,
        LocalNode(identity(ours), (HERE,), {4: 0}),
        LIMITS,
        end_to_end=ids(),
        expected=entry.config.identity,
        watchdog=entry.watchdog,
    )
    peers.dialled(entry, peer)
    return peer


def test_an_unknown_peer_is_answered_3010_under_the_error_bit():
    peer, _ = incoming(table(), host="stranger.example")
    header, frame = only_message(peer.data_to_send())
    assert header.flags == 0x20
    assert decode(ErrorAnswer, frame).result_code == 3010
    assert closed(peer).reason is CloseReason.REFUSED


@pytest.mark.parametrize(("realm", "welcome"), [("HOST.example.", True), ("other.example", False), ("", False)])
def test_a_peer_has_to_be_of_the_realm_that_is_configured(realm, welcome):
    peer, _ = incoming(table(), origin_realm=realm)
    header, frame = only_message(peer.data_to_send())
    if welcome:
        assert peer.state is SessionState.OPEN
    else:
        assert (header.flags, decode(ErrorAnswer, frame).result_code) == (0x20, 3010)
        assert closed(peer).reason is CloseReason.REFUSED


def test_identities_compare_without_regard_to_case():
    peer, _ = incoming(table(), host="PGW.Host.Example")
    assert peer.state is SessionState.OPEN


@pytest.mark.parametrize(
    ("access", "welcome"),
    [
        (Access("10.0.0.1"), False),
        (Access("192.0.2.1"), False),
        (Access("192.0.2.1", secure=True), True),
        (Access("192.0.2.1", secure=True, names=("other.example",)), False),
        (Access("192.0.2.1", secure=True, names=(THEIRS,)), True),
        (Access("192.0.2.1", secure=True, names=("*.host.example",)), True),
    ],
)
def test_a_peer_has_to_come_from_its_address_with_its_certificate(access, welcome, tls_context):
    config = PeerConfig(identity=THEIRS, realm="host.example", tls=tls_context, allowed_addresses=("192.0.2.1",))
    peer, _ = incoming(table(config), access)
    assert (peer.state is SessionState.OPEN) == welcome


@pytest.fixture
def tls_context():
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_a_second_connection_goes_while_the_first_one_lives():
    peers = table()
    old, _ = incoming(peers)
    old.data_to_send()
    new, touched = incoming(peers, now=10.0)
    assert touched == (old,)
    assert new.state is SessionState.WAIT_RETURNS
    header, _ = only_message(old.data_to_send())
    assert header.command_code == 280
    old.receive(encode_message(0, 280, 0, header.hop_by_hop, header.end_to_end, b""), 10.1)
    settle(peers, old, new, now=10.1)
    _, frame = only_message(new.data_to_send())
    assert decode(ErrorAnswer, frame).result_code == ResultCode.DIAMETER_ELECTION_LOST
    assert (old.state, new.state) == (SessionState.OPEN, SessionState.CLOSED)


def test_a_second_connection_takes_over_when_the_first_one_is_dead():
    peers = table()
    old, _ = incoming(peers)
    new, _ = incoming(peers, now=10.0)
    assert old.deadline() == 12.0
    old.on_timer(12.0)
    event = next(event for event in old.events() if isinstance(event, Closed))
    assert event.reason is CloseReason.REPLACED
    assert peers.closed(old, event.reason, event.cause, 12.0) == (new,)
    assert new.state is SessionState.OPEN
    assert peers.get(THEIRS).watchdog.state is WatchdogState.REOPEN


def test_a_third_connection_is_refused_at_once():
    peers = table()
    incoming(peers)
    incoming(peers, now=1.0)
    third, _ = incoming(peers, now=1.0)
    assert third.state is SessionState.CLOSED


def test_a_waiting_connection_that_gives_up_is_forgotten():
    peers = table()
    old, _ = incoming(peers)
    new, _ = incoming(peers, now=1.0)
    new.connection_lost(1.5)
    settle(peers, new, now=1.5)
    assert peers.get(THEIRS).candidate is None
    assert old.state is SessionState.OPEN


def test_a_connection_that_is_ending_gives_way():
    peers = table()
    old, _ = incoming(peers)
    old.disconnect(DisconnectCause.REBOOTING, 1.0)
    new, _ = incoming(peers, now=1.1)
    assert (old.state, new.state) == (SessionState.CLOSED, SessionState.OPEN)


def test_a_connection_being_dialled_gives_way_to_one_that_has_sent_its_cer():
    peers = table()
    mine = dial(peers, peers.get(THEIRS))
    theirs, touched = incoming(peers)
    assert touched == (mine, theirs)
    assert closed(mine).reason is CloseReason.ELECTION
    assert theirs.state is SessionState.OPEN


def test_the_greater_identity_wins_the_election():
    peers = table(host="zzz.tpo.example")
    mine = dial(peers, peers.get(THEIRS), "zzz.tpo.example")
    mine.connected(0.0)
    theirs, _ = incoming(peers, ours="zzz.tpo.example")
    assert closed(mine).reason is CloseReason.ELECTION
    assert theirs.state is SessionState.OPEN
    assert peers.get(THEIRS).current is theirs


def test_the_lesser_identity_waits_for_its_own_cea():
    peers = table()
    mine = dial(peers, peers.get(THEIRS))
    mine.connected(0.0)
    theirs, _ = incoming(peers)
    assert theirs.state is SessionState.WAIT_RETURNS
    mine.receive(cea(origin_host=THEIRS), 0.1)
    settle(peers, mine, theirs)
    assert mine.state is SessionState.OPEN
    assert theirs.state is SessionState.CLOSED


def test_the_lesser_identity_takes_the_other_connection_when_its_own_ends():
    peers = table()
    mine = dial(peers, peers.get(THEIRS))
    mine.connected(0.0)
    theirs, _ = incoming(peers)
    mine.connection_lost(0.1)
    settle(peers, mine)
    assert theirs.state is SessionState.OPEN
    assert peers.get(THEIRS).current is theirs


def test_two_nodes_that_dial_each_other_end_with_one_connection():
    """Both CERs cross: each side's I- connection is the other's R- connection."""
    us = PeerTable(OURS, [PeerConfig(identity=THEIRS, realm="host.example", connect=("", 1))], LIMITS, lambda: 0.0, 0.0)
    them = PeerTable(
        THEIRS, [PeerConfig(identity=OURS, realm="tpo.example", connect=("", 1))], LIMITS, lambda: 0.0, 0.0
    )
    our_i, their_i = dial(us, us.get(THEIRS), OURS), dial(them, them.get(OURS), THEIRS)
    our_r, their_r = new_peer(Role.RESPONDER, OURS), new_peer(Role.RESPONDER, THEIRS)
    links = [(our_i, their_r), (their_i, our_r)]
    for initiator, responder in links:
        initiator.connected(0.0)
        responder.connected(0.0)
    for _ in range(8):
        for initiator, responder in links:
            there, back = initiator.data_to_send(), responder.data_to_send()
            responder.receive(there, 0.0)
            initiator.receive(back, 0.0)
        for peers, mine in ((us, (our_i, our_r)), (them, (their_i, their_r))):
            for peer in mine:
                for event in peer.events():
                    match event:
                        case CapabilitiesRequested():
                            peers.admit(peer, LOCAL, 0.0)
                        case Opened():
                            peers.opened(peer, 0.0)
                        case Closed():
                            peers.closed(peer, event.reason, event.cause, 0.0)
        for initiator, responder in links:  # a closed end closes the other
            if initiator.state is SessionState.CLOSED or responder.state is SessionState.CLOSED:
                responder.receive(initiator.data_to_send(), 0.0)
                initiator.receive(responder.data_to_send(), 0.0)
                initiator.connection_lost(0.0)
                responder.connection_lost(0.0)
    states = {(initiator.state, responder.state) for initiator, responder in links}
    assert states == {(SessionState.OPEN, SessionState.OPEN), (SessionState.CLOSED, SessionState.CLOSED)}
    # THEIRS > OURS: it wins, and keeps the connection that it accepted.
    assert (our_i.state, us.get(THEIRS).current, them.get(OURS).current) == (SessionState.OPEN, our_i, their_r)


# When to dial


def lose(peers, reason=CloseReason.CONNECT_FAILED, cause=None, now=0.0):
    entry = peers.get(THEIRS)
    peer = dial(peers, entry)
    peers.closed(peer, reason, cause, now)
    return None if entry.retry_at is None else entry.retry_at - now


def test_retries_wait_longer_and_longer_up_to_tc():
    peers = table()
    assert [entry.config.identity for entry in peers.due(0.0)] == [THEIRS]
    assert [lose(peers) for _ in range(7)] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_an_open_connection_starts_the_count_anew():
    peers = table()
    lose(peers)
    lose(peers)
    peer, _ = incoming(peers)
    settle(peers, peer)
    assert lose(peers, CloseReason.LOST) == 1.0


@pytest.mark.parametrize(
    ("cause", "delay"),
    [
        (DisconnectCause.REBOOTING, 1.0),
        (DisconnectCause.BUSY, 30.0),
        (DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU, None),
    ],
)
def test_the_cause_of_a_dpr_says_when_to_come_back(cause, delay):
    assert lose(table(), CloseReason.LEFT, cause) == delay


def test_a_barred_peer_may_still_come_to_us_and_be_dialled_by_hand():
    peers = table()
    lose(peers, CloseReason.LEFT, DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU)
    assert peers.due(1e9) == []
    peers.dial_now(peers.get(THEIRS), 5.0)
    assert peers.deadline() == 5.0
    peer, _ = incoming(peers)
    settle(peers, peer)
    assert not peers.get(THEIRS).reconnect.barred


def test_a_peer_that_connects_to_us_is_never_dialled():
    peers = table(PeerConfig(identity=THEIRS, realm="host.example"))
    assert peers.due(1e9) == []
    peer, _ = incoming(peers)
    peer.connection_lost(1.0)
    settle(peers, peer, now=1.0)
    assert peers.deadline() is None


def test_a_request_prefers_a_peer_above_doubt():
    first = PeerConfig(identity="a.host.example", realm="host.example")
    second = PeerConfig(identity="b.host.example", realm="host.example")
    peers = table(first, second)
    a, _ = incoming(peers, host=first.identity)
    incoming(peers, host=second.identity)
    assert peers.usable("host.example", 4).config is first
    assert peers.usable("host.example", 4, besides=peers.get(first.identity)).config is second
    a.connection_lost(1.0)
    settle(peers, a, now=1.0)
    incoming(peers, host=first.identity, now=2.0)  # now in REOPEN
    assert peers.usable("host.example", 4).config is second
    assert peers.usable("host.example", 4, besides=peers.get(second.identity)).config is first
    assert peers.usable("elsewhere.example", 4) is None
    assert peers.usable("host.example", 5) is None
