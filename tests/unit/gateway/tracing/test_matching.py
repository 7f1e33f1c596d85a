"""What belongs to a line: what names it where a message names whom it is about, and what answers or continues that."""

from support import charging_fixture as charging

from gateway.api.actions.traces import _forms
from gateway.tracing.matching import ByName, ByNumbers
from protocols.diameter.codec import encode_message
from protocols.diameter.generated import encode as diameter_encode
from protocols.diameter.messages import CreditControlAnswer, ReAuthRequest
from protocols.smpp.generated import encode
from protocols.smpp.messages import DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp
from protocols.tap import NOWHERE, Captured

NUMBER, OTHER, IMSI = "447700900123", "447700900456", "234150000000123"
HERE, THERE = ("127.0.0.1", 1), ("127.0.0.1", 2)


def line():
    return ByNumbers(_forms(NUMBER) | {IMSI})


def smpp(message, sequence=1, *, outgoing=True, name="smsc"):
    return Captured("smpp", name, HERE, THERE, outgoing, encode(message, sequence))


def gy(message, hop, *, request=True, outgoing=False, code=272):
    frame = encode_message(0xC0 if request else 0x40, code, 4, hop, hop, diameter_encode(message))
    return Captured("diameter", "pgw", HERE, THERE, outgoing, frame)


def http(text, *, outgoing=True, exchange=0):
    return Captured("http", "host", NOWHERE, THERE, outgoing, text.encode(), exchange)


def taken(matching, *messages):
    return [bool(matching.take(message)) for message in messages]


def test_texts_to_and_from_the_line_with_their_responses_and_nobody_elses():
    assert taken(
        line(),
        smpp(SubmitSm(destination_addr=NUMBER), 1),
        smpp(SubmitSm(destination_addr=OTHER), 2),
        smpp(SubmitSmResp(message_id="b"), 2, outgoing=False),
        smpp(SubmitSmResp(message_id="a"), 1, outgoing=False),
        smpp(SubmitSmResp(message_id="a"), 1, outgoing=False),
        smpp(DeliverSm(source_addr=NUMBER), 1, outgoing=False),
        smpp(DeliverSmResp(), 1, outgoing=True),
        smpp(DeliverSmResp(), 1, outgoing=True, name="another"),
    ) == [True, False, False, True, False, True, True, False]


def test_a_number_is_known_however_it_is_written_but_not_within_another_or_a_text():
    for written in (NUMBER, f"+{NUMBER}", f"00{NUMBER}", "07700900123", "7700900123", "44 7700 900123"):
        assert taken(line(), smpp(SubmitSm(destination_addr=written))) == [True], written
    for written in ("4477009001234", "900123", "70070"):
        assert taken(line(), smpp(SubmitSm(destination_addr=written))) == [False], written
    assert taken(line(), smpp(SubmitSm(destination_addr=OTHER, short_message=f"call {NUMBER}".encode()))) == [False]


def test_charging_requests_of_the_line_their_answers_and_what_comes_of_their_sessions():
    mine, theirs = {"session": "pgw;1;1", "imsi": IMSI}, {"session": "pgw;1;2", "imsi": "234150000000999"}
    update = charging.ccr(2, 1, imsi=None, session="pgw;1;1")
    answer = CreditControlAnswer(
        session_id=b"pgw;1;1",
        origin_host="ocs",
        origin_realm="tpo",
        result_code=2001,
        cc_request_type=1,
        cc_request_number=0,
    )
    us = {"origin_host": "ocs", "origin_realm": "tpo", "destination_realm": "host", "destination_host": "pgw"}
    ask = ReAuthRequest(session_id=b"pgw;1;1", **us, auth_application_id=4, re_auth_request_type=0)
    stranger = ReAuthRequest(session_id=b"pgw;1;2", **us, auth_application_id=4, re_auth_request_type=0)
    assert taken(
        line(),
        gy(charging.ccr(1, 0, **mine), 1),
        gy(charging.ccr(1, 0, **theirs), 2),
        gy(answer, 2, request=False, outgoing=True),
        gy(answer, 1, request=False, outgoing=True),
        gy(update, 3),
        gy(ask, 4, outgoing=True, code=258),
        gy(stranger, 5, outgoing=True, code=258),
    ) == [True, False, False, True, True, True, False]


def test_a_hosts_answer_goes_with_its_own_request_though_two_are_under_way():
    assert taken(
        line(),
        http(f"GET /service?msisdn={NUMBER} HTTP/1.1", exchange=1),
        http(f"GET /service?msisdn={OTHER} HTTP/1.1", exchange=2),
        http("HTTP/1.1 200 OK", outgoing=False, exchange=2),
        http("HTTP/1.1 200 OK", outgoing=False, exchange=1),
    ) == [True, False, False, True]


def test_a_request_whose_answer_alone_names_the_line_is_taken_with_it():
    matching = line()
    assert matching.take(http("GET /service/svc-1 HTTP/1.1", exchange=3)) == []
    both = matching.take(http(f'HTTP/1.1 200 OK\r\n\r\n{{"msisdn": "{NUMBER}"}}', outgoing=False, exchange=3))
    assert [one.message[:4] for one in both] == [b"GET ", b"HTTP"]


def test_all_of_a_link_and_nothing_of_another():
    assert taken(ByName("SMSC"), smpp(SubmitSm(), 1), smpp(SubmitSm(), 1, name="other")) == [True, False]


def test_any_octets_are_looked_at_without_harm():
    matching = line()
    for protocol in ("smpp", "diameter", "http", "vty"):
        for octets in (b"", b"\xff" * 50, NUMBER.encode() * 3, bytes(30)):
            matching.take(Captured(protocol, "x", HERE, THERE, False, octets))
    assert taken(matching, smpp(SubmitSm(destination_addr=NUMBER))) == [True]
