"""One session at a time, either end, without a wire and without a clock."""

import msgspec
import pytest
from support.smpp_rig import BIND, DELIVER, SMSC, SUBMIT, End, decode_response

from protocols.errors import LocalProtocolError
from protocols.smpp.codec import CommandId, Tlv, encode_pdu
from protocols.smpp.errors import CommandStatus
from protocols.smpp.events import (
    BindRefused,
    BindRequested,
    Bound,
    Closed,
    Doubt,
    Doubtful,
    MessageRefused,
    Ready,
    Received,
    Responded,
    Throttled,
)
from protocols.smpp.generated import encode
from protocols.smpp.limits import Limits
from protocols.smpp.messages import (
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    DataSm,
    DataSmResp,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from protocols.smpp.transitions import CloseReason, SessionState

OK = CommandStatus.ESME_ROK
BINDS = [
    (BindTransmitter, SessionState.BOUND_TX),
    (BindReceiver, SessionState.BOUND_RX),
    (BindTransceiver, SessionState.BOUND_TRX),
]


def contexts(events, kind=Doubtful):
    return [event.context for event in events if isinstance(event, kind)]


# Binding


@pytest.mark.parametrize(("bind", "state"), BINDS)
def test_an_esme_binds_as_it_wants(bind, state):
    esme = End(bind=bind(system_id="tpo", password="secret"))
    esme.session.connected(0.0)
    assert esme.only() == (bind(system_id="tpo", password="secret"), 1, OK)
    assert esme.session.state is SessionState.BINDING
    esme.get(decode_response(bind, system_id=SMSC, sc_interface_version=0x34), 1)
    assert esme.events() == [Bound(state, SMSC, 0x34, takes_tlvs=True)]
    assert (esme.session.state, esme.session.room(0.0)) == (state, 10)


@pytest.mark.parametrize(("bind", "state"), BINDS)
def test_a_message_centre_asks_its_owner_before_it_lets_anyone_in(bind, state):
    smsc = End(system_id=SMSC)
    smsc.session.connected(0.0)
    assert smsc.sent() == []
    request = bind(system_id="tpo", password="secret")
    smsc.get(request, 7)
    assert smsc.events() == [BindRequested(request)]
    assert smsc.sent() == []
    smsc.session.accept(0.0)
    assert smsc.only() == (decode_response(bind, system_id=SMSC, sc_interface_version=0x34), 7, OK)
    assert smsc.events() == [Bound(state, "tpo", 0x34, takes_tlvs=True)]


def test_a_message_centre_that_does_not_tell_its_version_may_not_know_tlvs():
    esme = End(bind=BIND)
    esme.session.connected(0.0)
    esme.get(BindTransceiverResp(system_id=SMSC), 1)
    assert esme.events() == [Bound(SessionState.BOUND_TRX, SMSC, 0x33, takes_tlvs=False)]


@pytest.mark.parametrize(
    ("said", "tlvs", "reference"),
    [
        (None, None, None),
        (0x33, None, None),
        (0x00, None, None),
        (0x34, None, 7),
        (0x50, None, 7),
        (None, True, 7),
        (0x33, True, 7),
        (0x34, False, None),
    ],
)
def test_a_message_centre_is_sent_tlvs_if_it_says_that_it_knows_them_or_its_settings_do(said, tlvs, reference):
    esme = End.bound(sc_interface_version=said, tlvs=tlvs)
    esme.submit(message=msgspec.structs.replace(SUBMIT, user_message_reference=7))
    message, _, _ = esme.only()
    assert message == msgspec.structs.replace(SUBMIT, user_message_reference=reference)


def test_a_message_centre_may_tell_its_version_in_two_octets():
    esme = End(bind=BIND)
    esme.session.connected(0.0)
    esme.get(BindTransceiverResp(system_id=SMSC, tlvs=(Tlv(0x0210, b"\0\x34"),)), 1)
    assert esme.events() == [Bound(SessionState.BOUND_TRX, SMSC, 0x34, takes_tlvs=True)]


def test_unknown_tlvs_and_those_of_responses_are_left_out_as_well():
    extra = msgspec.structs.replace(DELIVER, receipted_message_id="1", tlvs=(Tlv(0x1401, b"x"),))
    smsc = End.serving(bind=msgspec.structs.replace(BIND, interface_version=0x33))
    smsc.submit(message=extra)
    assert smsc.only()[0] == DELIVER
    smsc.get(SUBMIT, 5)
    smsc.session.respond(5, SubmitSmResp(message_id="1", congestion_state=9), 0.0)
    assert smsc.only()[0] == SubmitSmResp(message_id="1")


def test_a_text_that_is_a_tlv_is_not_sent_to_whom_takes_none():
    esme = End.bound(sc_interface_version=None)
    with pytest.raises(LocalProtocolError, match="message_payload"):
        esme.submit(message=msgspec.structs.replace(SUBMIT, short_message=b"", message_payload=b"long"))
    assert (esme.sent(), esme.session.waiting) == ([], 0)


def test_a_bind_resp_may_take_as_long_as_the_settings_say():
    esme = End(Limits(session_init=30.0), bind=BIND)
    esme.session.connected(0.0)
    esme.at(29.9)
    esme.get(BindTransceiverResp(system_id=SMSC), 1)
    assert [type(event) for event in esme.events()] == [Bound]


def test_an_esme_of_3_3_is_sent_no_tlv():
    smsc = End(system_id=SMSC)
    smsc.session.connected(0.0)
    smsc.get(BindReceiver(system_id="old", interface_version=0x33), 1)
    smsc.session.accept(0.0)
    message, _, _ = smsc.only()
    assert message.sc_interface_version is None
    assert smsc.events()[-1].interface_version == 0x33


def test_both_sides_speak_the_lower_version():
    smsc = End(system_id=SMSC, interface_version=0x50)
    smsc.session.connected(0.0)
    smsc.get(BIND, 1)
    smsc.session.accept(0.0)
    assert smsc.only()[0].sc_interface_version == 0x50
    assert smsc.events()[-1].interface_version == 0x34
    esme = End.bound(bind=BindTransceiver(interface_version=0x50), sc_interface_version=0x34)
    with pytest.raises(LocalProtocolError):
        esme.submit(message=ReplaceSm(message_id="1"))


@pytest.mark.parametrize(
    ("status", "needs_a_person"),
    [
        (CommandStatus.ESME_RINVPASWD, True),
        (CommandStatus.ESME_RALYBND, True),
        (CommandStatus.ESME_RSYSERR, False),
        (0x400, False),
    ],
)
def test_a_refused_bind_says_whether_to_come_back_soon(status, needs_a_person):
    esme = End(bind=BIND)
    esme.session.connected(0.0)
    esme.get(BindTransceiverResp(), 1, status)
    refused, closed = esme.events()
    assert refused == BindRefused(status, needs_a_person)
    assert (closed.reason, closed.was_bound) == (CloseReason.REFUSED_BY_PEER, False)


def test_a_bind_that_gets_a_generic_nack_is_refused():
    esme = End(bind=BIND)
    esme.session.connected(0.0)
    esme.get(GenericNack(), 0, CommandStatus.ESME_RINVCMDID)
    assert esme.events() == []
    esme.get(GenericNack(), 1, CommandStatus.ESME_RINVCMDID)
    assert esme.events()[0] == BindRefused(CommandStatus.ESME_RINVCMDID, needs_a_person=False)


def test_a_bind_response_under_a_wrong_number_is_taken():
    esme = End(bind=BIND)
    esme.session.connected(0.0)
    esme.get(BindTransceiverResp(system_id=SMSC), 0)
    assert esme.session.state is SessionState.BOUND_TRX


def test_a_message_centre_refuses_and_closes():
    smsc = End(system_id=SMSC)
    smsc.session.connected(0.0)
    smsc.get(BIND, 3)
    smsc.events()
    smsc.session.refuse(CommandStatus.ESME_RINVPASWD, 0.0)
    assert smsc.only() == (BindTransceiverResp(), 3, CommandStatus.ESME_RINVPASWD)
    assert smsc.events() == [Closed(CloseReason.REFUSED, "ESME_RINVPASWD")]
    smsc.session.accept(0.0)  # too late
    assert smsc.session.closed


def test_a_bind_that_cannot_be_read_is_refused():
    smsc = End(system_id=SMSC)
    smsc.session.connected(0.0)
    smsc.session.receive(encode_pdu(CommandId.BIND_TRANSCEIVER, 0, 9, b"no end"), 0.0)
    assert smsc.only() == (BindTransceiverResp(), 9, CommandStatus.ESME_RINVCMDLEN)
    assert smsc.events()[-1].reason is CloseReason.REFUSED


@pytest.mark.parametrize("bind", [None, BIND])
def test_whoever_does_not_bind_in_time_is_left(bind):
    end = End(Limits(session_init=5.0), bind=bind)
    end.session.connected(0.0)
    end.at(4.9)
    assert end.events() == []
    end.at(5.0)
    assert [event.reason for event in end.events()] == [CloseReason.SESSION_INIT]


def test_a_second_bind_is_told_that_the_first_stands():
    smsc = End.serving()
    smsc.get(BIND, 8)
    assert smsc.only() == (BindTransceiverResp(), 8, CommandStatus.ESME_RALYBND)
    assert smsc.session.state is SessionState.BOUND_TRX


def test_before_the_bind_requests_are_refused_but_a_sign_of_life_is_given():
    smsc = End(system_id=SMSC)
    smsc.session.connected(0.0)
    smsc.get(SUBMIT, 1)
    assert smsc.only() == (SubmitSmResp(), 1, CommandStatus.ESME_RINVBNDSTS)
    smsc.get(Unbind(), 2)
    assert smsc.only() == (UnbindResp(), 2, CommandStatus.ESME_RINVBNDSTS)
    smsc.get(EnquireLink(), 3)
    assert smsc.only() == (EnquireLinkResp(), 3, OK)
    assert smsc.session.state is SessionState.OPEN


# Requests of ours


def test_each_request_has_its_number_and_its_response_comes_back_with_its_context():
    esme = End.bound()
    numbers = [esme.submit(f"text {number}") for number in range(3)]
    assert [header.sequence_number for header, _ in esme.sent()] == numbers == [2, 3, 4]
    esme.now = 0.25
    esme.get(SubmitSmResp(message_id="b"), 3)
    esme.get(SubmitSmResp(message_id="a"), 2)
    assert esme.events() == [
        Responded(3, "text 1", OK, SubmitSmResp(message_id="b"), 0.25, late=False),
        Responded(2, "text 0", OK, SubmitSmResp(message_id="a"), 0.25, late=False),
    ]


@pytest.mark.parametrize("status", [CommandStatus.ESME_RINVDSTADR, 0x22, 0x400, 0x4FF, 0xFFFFFFFF])
def test_any_status_comes_through_as_it_is(status):
    esme = End.bound()
    esme.submit("text")
    esme.get(SubmitSmResp(), 2, status)
    (event,) = esme.events()
    assert (event.command_status, event.context) == (status, "text")


def test_a_generic_nack_frees_the_slot_of_its_request():
    esme = End.bound(Limits(window=1))
    esme.submit("text")
    assert esme.session.room(0.0) == 0
    esme.get(GenericNack(), 2, CommandStatus.ESME_RINVCMDID)
    responded, ready = esme.events()
    assert (responded.command_status, responded.message) == (CommandStatus.ESME_RINVCMDID, GenericNack())
    assert ready == Ready()
    assert esme.session.room(0.0) == 1


def test_a_generic_nack_without_a_status_is_an_error_all_the_same():
    esme = End.bound()
    esme.submit("text")
    esme.get(GenericNack(), 2)
    assert esme.events()[0].command_status == CommandStatus.ESME_RUNKNOWNERR


def test_a_generic_nack_of_number_0_and_responses_out_of_the_blue_match_nothing():
    esme = End.bound()
    esme.submit("text")
    esme.sent()
    esme.get(GenericNack(), 0, CommandStatus.ESME_RINVCMDLEN)
    esme.get(SubmitSmResp(message_id="1"), 99)
    esme.get(QuerySmResp(message_id="1"), 2)
    esme.get(UnbindResp(), 77)
    esme.session.receive(encode_pdu(0x80000BAD, 0, 2, b""), 0.0)
    assert (esme.events(), esme.sent(), esme.session.waiting) == ([], [], 1)


def test_the_window_holds_so_many_and_tells_when_there_is_room_again():
    esme = End.bound(Limits(window=3))
    assert [bool(esme.submit(number)) for number in range(5)] == [True, True, True, False, False]
    assert len(esme.sent()) == 3
    esme.get(SubmitSmResp(message_id="1"), 2)
    assert esme.events()[-1] == Ready()
    assert esme.session.room(0.0) == 1
    esme.get(SubmitSmResp(message_id="1"), 3)  # nobody was told 0 since
    assert not [event for event in esme.events() if isinstance(event, Ready)]


def test_one_read_of_many_responses_is_one_ready():
    esme = End.bound(Limits(window=3))
    while esme.submit():
        pass
    esme.session.receive(b"".join(encode(SubmitSmResp(message_id="1"), number) for number in (2, 3, 4)), 0.0)
    assert [type(event) for event in esme.events()] == [Responded] * 3 + [Ready]


def test_a_rate_is_kept_and_ready_comes_with_the_next_token():
    esme = End.bound(Limits(rate=10.0, burst=0.2, window=1000))
    sent, rung = 0, 0
    while esme.now < 10.0:
        while esme.submit():
            sent += 1
        assert esme.session.room(esme.now) == 0
        due = esme.session._tokens_at
        esme.at(due)
        rung += Ready() in esme.events()
    assert sent == pytest.approx(102, abs=2)
    assert rung == pytest.approx(100, abs=2)


def test_a_session_that_leaves_while_its_rate_is_used_up_does_not_ring_for_tokens():
    esme = End.bound(Limits(rate=10.0, burst=0.1, window=10, enquire_link=0.0, response_timeout=10.0))
    while esme.submit():
        pass
    esme.session.unbind(0.0, 5.0)
    assert esme.session.state is SessionState.DRAINING
    assert esme.session.deadline() == 5.0


def test_a_full_window_does_not_ring_for_tokens():
    esme = End.bound(Limits(rate=10.0, burst=0.1, window=1, response_timeout=10.0))
    esme.submit()
    assert not esme.submit()
    assert esme.session.deadline() == 10.0


def test_a_request_without_a_response_becomes_doubtful_and_is_not_sent_again():
    esme = End.bound(Limits(response_timeout=10.0, enquire_link=0.0, window=2))
    esme.submit("first")
    esme.now = 3.0
    esme.submit("second")
    esme.submit("third")
    esme.sent()
    esme.at(9.9)
    assert esme.events() == []
    esme.at(10.0)
    assert esme.events() == [Doubtful(2, "first", Doubt.TIMEOUT), Ready()]
    esme.at(13.0)
    assert contexts(esme.events()) == ["second"]
    assert esme.sent() == []
    assert esme.session.state is SessionState.BOUND_TRX


def test_a_late_response_settles_what_was_doubtful():
    esme = End.bound(Limits(response_timeout=10.0, enquire_link=0.0))
    esme.submit("text")
    esme.at(12.0)
    esme.events()
    esme.get(SubmitSmResp(message_id="a1"), 2)
    esme.get(SubmitSmResp(message_id="a1"), 2)
    assert esme.events() == [Responded(2, "text", OK, SubmitSmResp(message_id="a1"), 12.0, late=True)]


def test_the_end_of_the_session_makes_all_that_waits_doubtful_once():
    esme = End.bound()
    for number in range(3):
        esme.submit(number)
    esme.session.connection_lost(1.0, "reset")
    esme.session.connection_lost(1.0, "reset")
    events = esme.events()
    assert contexts(events) == [0, 1, 2]
    assert events[-1] == Closed(CloseReason.LOST, "reset", was_bound=True)
    assert (esme.session.deadline(), esme.session.room(1.0)) == (None, 0)


def test_a_request_that_cannot_be_written_takes_no_slot():
    esme = End.bound()
    with pytest.raises(LocalProtocolError):
        esme.submit(message=SubmitSm(destination_addr="4" * 100))
    assert (esme.sent(), esme.session.waiting) == ([], 0)
    assert esme.submit() == 2


def test_numbers_wrap_to_one():
    esme = End.bound()
    esme.session._sequence_number = 0x7FFFFFFE
    assert [esme.submit() for _ in range(3)] == [0x7FFFFFFF, 1, 2]
    assert [header.sequence_number for header, _ in esme.sent()] == [0x7FFFFFFF, 1, 2]


@pytest.mark.parametrize(
    ("bind", "message", "allowed"),
    [
        (BindReceiver, SUBMIT, False),
        (BindTransmitter, SUBMIT, True),
        (BindTransceiver, DELIVER, False),
        (BindReceiver, DataSm(message_payload=b"x"), True),
        (BindTransmitter, ReplaceSm(), True),
        (BindTransceiver, ReplaceSm(), False),
        (BindTransceiver, QuerySm(message_id="1"), True),
        (BindTransceiver, Unbind(), False),
        (BindTransceiver, SubmitSmResp(), False),
    ],
)
def test_only_what_the_bind_allows_is_sent(bind, message, allowed):
    esme = End.bound(bind=bind())
    if allowed:
        assert esme.submit(message=message) == 2
    else:
        with pytest.raises(LocalProtocolError):
            esme.submit(message=message)
        assert esme.sent() == []


def test_before_the_bind_nothing_is_sent():
    esme = End(bind=BIND)
    assert esme.submit() == 0
    esme.session.connected(0.0)
    assert esme.submit() == 0


# Throttling


@pytest.mark.parametrize("status", [CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL])
@pytest.mark.parametrize("nacked", [False, True])
def test_a_throttled_request_is_handed_back_and_the_link_pauses(status, nacked):
    esme = End.bound(Limits(throttle_first=1.0))
    esme.submit("text")
    esme.get(GenericNack() if nacked else SubmitSmResp(), 2, status)
    assert esme.events() == [Throttled(2, "text", status, 1.0, late=False)]
    assert (esme.submit("another"), esme.session.paused_until) == (0, 1.0)
    esme.at(0.99)
    assert esme.events() == []
    esme.at(1.0)
    assert esme.events() == [Ready()]
    assert (esme.session.room(1.0), esme.submit("text")) == (1, 3)


def test_a_whole_throttled_window_is_one_pause_and_comes_back_in_the_order_it_was_sent():
    esme = End.bound(Limits(window=5))
    for number in range(5):
        esme.submit(number)
    for number in range(2, 7):
        esme.get(SubmitSmResp(), number, CommandStatus.ESME_RTHROTTLED)
    events = esme.events()
    assert contexts(events, Throttled) == [0, 1, 2, 3, 4]
    assert {event.retry_at for event in events} == {1.0}


def test_pauses_grow_while_the_probe_is_refused_and_success_opens_the_window():
    esme, pauses = End.bound(Limits(window=4, throttle_last=4.0)), []
    esme.get(SubmitSmResp(), esme.submit("oldest"), CommandStatus.ESME_RTHROTTLED)
    esme.at(1.0)
    for _ in range(3):
        number = esme.submit("oldest")
        assert esme.submit("newer") == 0
        esme.get(SubmitSmResp(), number, CommandStatus.ESME_RTHROTTLED)
        pauses.append(esme.session.paused_until - esme.now)
        esme.at(esme.session.paused_until)
    assert pauses == [2.0, 4.0, 4.0]
    esme.get(SubmitSmResp(message_id="1"), esme.submit("oldest"))
    assert esme.session.room(esme.now) == 2


def test_congestion_is_noted_and_narrows_the_window():
    esme = End.bound(Limits(window=4))
    for _ in range(4):
        esme.get(SubmitSmResp(message_id="1", congestion_state=99), esme.submit())
    assert (esme.session.congestion_state, esme.session.room(0.0)) == (99, 3)


# Requests of the peer


def test_a_request_is_answered_when_its_owner_is_done_with_it():
    esme = End.bound()
    esme.get(DELIVER, 900)
    assert esme.events() == [Received(900, DELIVER)]
    assert (esme.sent(), esme.session.unanswered) == ([], 1)
    assert esme.session.respond(900, DeliverSmResp(), 5.0)
    assert esme.only() == (DeliverSmResp(), 900, OK)
    assert esme.session.unanswered == 0


def test_the_response_has_one_nul_for_a_message_id():
    esme = End.bound()
    esme.get(DELIVER, 900)
    esme.session.respond(900, DeliverSmResp(), 0.0)
    assert esme.session.data_to_send() == bytes.fromhex("00000011 80000005 00000000 00000384 00")


def test_a_request_may_be_refused_for_the_time_being():
    esme = End.bound()
    esme.get(DELIVER, 5)
    esme.session.respond(5, DeliverSmResp(), 0.0, CommandStatus.ESME_RX_T_APPN)
    assert esme.only() == (DeliverSmResp(), 5, CommandStatus.ESME_RX_T_APPN)


def test_responses_go_in_any_order_and_a_number_may_be_used_twice():
    esme = End.bound()
    for number in (5, 6, 5):
        esme.get(DELIVER, number)
    for number in (6, 5, 5):
        assert esme.session.respond(number, DeliverSmResp(), 0.0)
    assert [header.sequence_number for header, _ in esme.sent()] == [6, 5, 5]
    with pytest.raises(LocalProtocolError):
        esme.session.respond(5, DeliverSmResp(), 0.0)


def test_a_response_that_nobody_waits_for_is_our_error():
    esme = End.bound()
    esme.get(DELIVER, 5)
    with pytest.raises(LocalProtocolError):
        esme.session.respond(5, DataSmResp(), 0.0)
    with pytest.raises(LocalProtocolError):
        esme.session.respond(6, DeliverSmResp(), 0.0)
    assert esme.session.unanswered == 1


def test_a_response_after_the_end_goes_nowhere():
    esme = End.bound()
    esme.get(DELIVER, 5)
    esme.session.connection_lost(0.0)
    assert esme.events()[-1].unanswered == 1
    assert esme.session.respond(5, DeliverSmResp(), 0.0) is False


@pytest.mark.parametrize("number", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_response_gives_back_whatever_number_its_request_had(number):
    smsc = End.serving()
    smsc.session.receive(bytes.fromhex("00000010 00000015 00000000") + number.to_bytes(4, "big"), 0.0)
    assert smsc.only() == (EnquireLinkResp(), number, OK)


def test_an_unknown_pdu_is_told_so_and_the_session_goes_on():
    smsc = End.serving()
    smsc.session.receive(encode_pdu(0x00000BAD, 0, 44, b"whatever"), 0.0)
    assert smsc.only() == (GenericNack(), 44, CommandStatus.ESME_RINVCMDID)
    (event,) = smsc.events()
    assert (event.command_id, event.command_status) == (0xBAD, CommandStatus.ESME_RINVCMDID)
    smsc.get(SUBMIT, 45)
    assert smsc.events() == [Received(45, SUBMIT)]


def test_a_pdu_that_is_the_other_side_s_to_send_is_not_understood():
    for end, message in ((End.bound(), SUBMIT), (End.serving(), DELIVER)):
        end.get(message, 3)
        assert end.only() == (GenericNack(), 3, CommandStatus.ESME_RINVCMDID)


@pytest.mark.parametrize(
    ("bind", "message"),
    [(BindReceiver, SUBMIT), (BindTransceiver, ReplaceSm(message_id="1"))],
)
def test_a_request_on_the_wrong_bind_is_refused(bind, message):
    smsc = End.serving(bind=bind(system_id="tpo"))
    smsc.get(message, 3)
    assert smsc.only()[1:] == (3, CommandStatus.ESME_RINVBNDSTS)
    assert isinstance(smsc.events()[0], MessageRefused)


def test_a_transceiver_of_5_0_may_replace():
    smsc = End.serving(bind=BindTransceiver(system_id="tpo", interface_version=0x50), interface_version=0x50)
    smsc.get(ReplaceSm(message_id="1"), 3)
    assert smsc.events() == [Received(3, ReplaceSm(message_id="1"))]


def test_a_transmitter_is_asked_for_a_sign_of_life_and_delivers_nothing():
    esme = End.bound(Limits(enquire_link=30.0), bind=BindTransmitter())
    esme.get(DELIVER, 3)
    assert esme.only() == (DeliverSmResp(), 3, CommandStatus.ESME_RINVBNDSTS)
    esme.at(30.0)
    assert esme.only()[0] == EnquireLink()


def test_a_request_that_cannot_be_read_is_answered_with_its_error():
    smsc = End.serving()
    smsc.session.receive(encode_pdu(CommandId.SUBMIT_SM, 0, 12, b"\0\0\0no end"), 0.0)
    assert smsc.only() == (SubmitSmResp(), 12, CommandStatus.ESME_RINVCMDLEN)
    assert smsc.session.state is SessionState.BOUND_TRX


def test_alert_notification_and_outbind_have_no_response():
    esme = End.bound()
    esme.get(AlertNotification(source_addr="44"), 3)
    esme.get(Outbind(system_id=SMSC), 4)
    assert esme.sent() == []
    received, refused = esme.events()
    assert (received, type(refused)) == (Received(3, AlertNotification(source_addr="44")), MessageRefused)
    assert esme.session.unanswered == 0
    esme.get(DELIVER, 4)
    esme.session.unbind(0.0)
    esme.get(AlertNotification(source_addr="44"), 5)
    assert esme.sent() == []
    smsc = End.serving()
    assert smsc.submit(message=AlertNotification(source_addr="44"))
    assert smsc.session.waiting == 0


def test_more_requests_than_there_is_room_for_are_refused_for_the_time_being():
    esme, smsc = End.bound(Limits(outstanding=2)), End.serving(Limits(outstanding=2))
    for number in (1, 2, 3):
        esme.get(DELIVER, number)
        smsc.get(SUBMIT, number)
    assert (esme.sent(), smsc.sent()) == ([], [])  # left unread at first
    for end in (esme, smsc):
        end.at(2.0)
    assert esme.only() == (DeliverSmResp(), 3, CommandStatus.ESME_RX_T_APPN)
    assert smsc.only() == (SubmitSmResp(), 3, CommandStatus.ESME_RTHROTTLED)
    assert (esme.session.unanswered, smsc.session.unanswered) == (2, 2)


# Signs of life


def test_enquire_link_is_answered_at_once_whatever_the_owner_does():
    esme = End.bound()
    for number in range(1, 100):
        esme.get(DELIVER, number)
    esme.get(EnquireLink(), 5)
    assert esme.only() == (EnquireLinkResp(), 5, OK)


def test_a_silent_peer_is_asked_and_then_left():
    esme = End.bound(Limits(enquire_link=30.0, response_timeout=10.0))
    esme.submit("text")
    esme.sent()
    esme.at(29.0)
    assert contexts(esme.events()) == ["text"]
    esme.at(30.0)
    assert esme.only()[0] == EnquireLink()
    esme.at(39.9)
    assert not esme.session.closed
    esme.at(40.0)
    assert esme.events()[-1].reason is CloseReason.SILENT
    assert esme.sent() == []


@pytest.mark.parametrize("message", [EnquireLinkResp(), EnquireLink(), DELIVER])
@pytest.mark.parametrize("number", [2, 77])
def test_any_pdu_is_a_sign_of_life(message, number):
    esme = End.bound(Limits(enquire_link=30.0, response_timeout=10.0))
    esme.at(35.0)
    esme.get(message, number)
    esme.at(60.0)
    assert not esme.session.closed


def test_octets_without_a_whole_pdu_are_none():
    esme = End.bound(Limits(enquire_link=30.0, response_timeout=10.0, message_deadline=1000.0))
    data = encode(DELIVER, 1)
    for second in range(1, 40):
        esme.at(float(second))
        esme.session.receive(data[second - 1 : second], esme.now)
    esme.at(40.0)
    assert esme.events()[-1].reason is CloseReason.SILENT


def test_an_idle_session_ends_in_order():
    esme = End.bound(Limits(inactivity=60.0, enquire_link=25.0))
    for second in (25.0, 50.0):
        esme.at(second)
        esme.get(EnquireLinkResp(), esme.only()[1])
    esme.at(60.0)
    message, number, _ = esme.only()
    assert message == Unbind()
    esme.get(UnbindResp(), number)
    assert esme.events()[-1].reason is CloseReason.INACTIVE


# The end


def test_we_leave_once_nothing_is_owed_either_way():
    esme = End.bound()
    esme.submit("text")
    esme.get(DELIVER, 70)
    esme.sent()
    esme.session.unbind(0.0, 10.0)
    assert (esme.submit("too late"), esme.sent(), esme.session.state) == (0, [], SessionState.DRAINING)
    esme.get(SubmitSmResp(message_id="1"), 2)
    assert esme.sent() == []
    esme.session.respond(70, DeliverSmResp(), 0.0)
    (_, response), (header, unbind) = esme.sent()
    assert (response, unbind) == (DeliverSmResp(), Unbind())
    esme.get(UnbindResp(), header.sequence_number)
    events = esme.events()
    assert contexts(events, Responded) == ["text"]
    assert events[-1] == Closed(CloseReason.STOPPED, was_bound=True)


def test_we_wait_for_what_is_owed_only_so_long():
    esme = End.bound(Limits(response_timeout=10.0))
    esme.submit("text")
    esme.get(DELIVER, 70)
    esme.sent()
    esme.session.unbind(0.0, 3.0)
    esme.at(3.0)
    assert esme.only()[0] == Unbind()
    esme.get(SubmitSmResp(message_id="1"), 2)  # still welcome
    assert esme.session.respond(70, DeliverSmResp(), 3.0)
    esme.at(13.0)
    events = esme.events()
    assert contexts(events, Responded) == ["text"]
    assert (events[-1].reason, events[-1].detail) == (CloseReason.STOPPED, "unbind was not answered")


def test_while_we_leave_new_requests_are_put_off_and_signs_of_life_given():
    esme = End.bound()
    esme.submit()
    esme.sent()
    esme.session.unbind(0.0)
    esme.get(DELIVER, 71)
    esme.get(EnquireLink(), 72)
    (deferred, _), (alive, _) = esme.sent()
    assert (deferred.command_status, alive.command_id) == (
        CommandStatus.ESME_RX_T_APPN,
        CommandId.ENQUIRE_LINK_RESP,
    )
    assert [event.leaving for event in esme.events() if type(event) is MessageRefused] == [True]


def test_a_peer_that_leaves_gets_what_we_owe_and_may_give_what_it_owes():
    esme = End.bound()
    esme.submit("text")
    esme.get(DELIVER, 70)
    esme.sent()
    esme.get(Unbind(), 71)
    assert (esme.sent(), esme.submit("too late")) == ([], 0)
    esme.session.respond(70, DeliverSmResp(), 0.0)
    esme.get(SubmitSmResp(message_id="1"), 2)
    assert [(type(message), header.sequence_number) for header, message in esme.sent()] == [
        (DeliverSmResp, 70),
        (UnbindResp, 71),
    ]
    assert esme.events()[-1] == Closed(CloseReason.LEFT, was_bound=True)


def test_a_peer_that_leaves_is_let_go_after_a_while():
    esme = End.bound(Limits(drain_deadline=5.0))
    esme.submit("text")
    esme.get(DELIVER, 70)
    esme.sent()
    esme.get(Unbind(), 71)
    esme.at(4.9)
    assert esme.sent() == []
    esme.at(5.0)
    assert esme.only() == (UnbindResp(), 71, OK)
    events = esme.events()
    assert contexts(events) == ["text"]
    assert (events[-1].reason, events[-1].unanswered) == (CloseReason.LEFT, 1)


def test_unbinds_that_cross_are_both_answered():
    esme = End.bound()
    esme.session.unbind(0.0)
    _, ours, _ = esme.only()
    esme.get(Unbind(), 71)
    assert esme.only() == (UnbindResp(), 71, OK)
    esme.get(UnbindResp(), ours)
    assert esme.events()[-1].reason is CloseReason.STOPPED


def test_an_unbind_that_gets_a_generic_nack_is_over_too():
    esme = End.bound()
    esme.session.unbind(0.0)
    _, ours, _ = esme.only()
    esme.get(GenericNack(), ours, CommandStatus.ESME_RINVCMDID)
    assert esme.session.closed


def test_a_peer_that_leaves_while_we_drain_is_answered_and_gone():
    esme = End.bound()
    esme.submit("text")
    esme.sent()
    esme.session.unbind(0.0)
    esme.get(Unbind(), 71)
    esme.get(SubmitSmResp(message_id="1"), 2)
    assert esme.only() == (UnbindResp(), 71, OK)
    assert esme.events()[-1].reason is CloseReason.STOPPED


def test_an_unbind_before_the_bind_just_ends_it():
    esme = End(bind=BIND)
    esme.session.connected(0.0)
    esme.session.unbind(0.0)
    assert esme.events() == [Closed(CloseReason.ABANDONED)]
    esme.session.unbind(0.0)
    assert esme.events() == []


# Octets that are none


@pytest.mark.parametrize("length", [0, 15, 0x01000000, 0xFFFFFFFF])
@pytest.mark.parametrize("end", [End.bound, End.serving])
def test_a_broken_length_is_told_and_ends_the_session(length, end):
    session = end()
    broken = length.to_bytes(4, "big") + bytes(12)
    session.session.receive(encode(EnquireLink(), 9) + broken, 0.0)
    (_, alive), (header, nack) = session.sent()
    assert (alive, nack) == (EnquireLinkResp(), GenericNack())
    assert (header.sequence_number, header.command_status) == (0, CommandStatus.ESME_RINVCMDLEN)
    closed = session.events()[-1]
    assert (closed.reason, closed.message) == (CloseReason.FRAMING, broken)


def test_every_cut_of_the_stream_reads_the_same():
    data = encode(DELIVER, 5) + encode(EnquireLink(), 6) + encode(SubmitSmResp(message_id="1"), 2)
    for cut in range(len(data)):
        esme = End.bound()
        esme.submit("text")
        esme.sent()
        esme.session.receive(data[:cut], 0.0)
        esme.session.receive(data[cut:], 0.0)
        assert [type(event) for event in esme.events()] == [Received, Responded]
        assert esme.only() == (EnquireLinkResp(), 6, OK)


def test_a_pdu_that_does_not_end_ends_the_session():
    esme = End.bound(Limits(message_deadline=10.0, enquire_link=0.0))
    esme.session.receive(encode(DELIVER, 5)[:-1], 0.0)
    esme.at(9.9)
    assert not esme.session.closed
    esme.at(10.0)
    assert esme.events()[-1].reason is CloseReason.SLOW_SENDER


def test_a_pdu_that_we_did_not_read_is_not_late():
    esme = End.bound(Limits(message_deadline=10.0, enquire_link=0.0))
    esme.session.receive(encode(DELIVER, 5)[:-1], 0.0)
    esme.session.stop_reading()
    esme.at(1000.0)
    esme.session.resume_reading(1000.0)
    esme.at(1009.0)
    assert not esme.session.closed


def test_while_the_peer_does_not_read_nothing_is_sent():
    esme = End.bound()
    esme.session.pause()
    assert esme.submit() == 0
    esme.session.resume(0.0)
    assert esme.events() == [Ready()]
    assert esme.submit() == 2
