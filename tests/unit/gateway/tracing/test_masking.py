"""What a masked message shows: planted canaries are gone, lengths and forms stay."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import charging_fixture as charging
from support import gy_samples, message_strategies, smpp_samples

from gateway.tracing.masking import header_only, masked
from protocols.diameter.codec import encode_avp, encode_message
from protocols.diameter.generated import decode as diameter_decode
from protocols.diameter.generated import encode as diameter_encode
from protocols.diameter.messages import CreditControlRequest
from protocols.smpp.codec import decode_header
from protocols.smpp.generated import decode, encode
from protocols.smpp.messages import BindTransceiver, DeliverSm, SubmitSm
from protocols.smpp.receipts import MessageState, receipt_text
from protocols.tap import NOWHERE, Captured

NUMBER, OTHER, IMSI, ICCID = b"447700900123", b"447700900456", b"234150000000123", b"8944100000000002006"
TEXT = b"GIVE WATERAID 5 and tell nobody"
KI = b"465b5ce8b199b49faa5f0a2ee238a6bc"


def seen(protocol, message, *, show_content=False):
    """What is shown of a message; its length never changes."""
    shown = masked(Captured(protocol, "host", NOWHERE, NOWHERE, True, message), show_content=show_content)
    assert len(shown) == len(message)
    return shown


def pdu(message, **options):
    shown = seen("smpp", encode(message, 7), **options)
    return decode(decode_header(shown), shown), shown


# SMPP


def test_of_a_text_its_words_and_the_middle_of_numbers_are_gone():
    message = SubmitSm(source_addr="70070", destination_addr=NUMBER.decode(), short_message=TEXT, registered_delivery=1)
    shown, octets = pdu(message)
    assert (shown.source_addr, shown.destination_addr) == ("70070", "44********23")
    assert (shown.short_message, shown.registered_delivery) == (b"*" * len(TEXT), 1)
    assert NUMBER not in octets
    assert pdu(message, show_content=True)[0] == message


def test_a_payload_is_overwritten_and_a_user_data_header_stays():
    header = b"\5\0\3\x21\2\1"
    shown, _ = pdu(DeliverSm(source_addr=NUMBER.decode(), esm_class=0x40, short_message=header + TEXT))
    assert shown.short_message == header + b"*" * len(TEXT)
    shown, octets = pdu(DeliverSm(source_addr=NUMBER.decode(), message_payload=TEXT, callback_num=b"\1\1\1" + OTHER))
    assert shown.message_payload == b"*" * len(TEXT)
    assert OTHER not in octets


def test_a_receipt_keeps_what_became_of_the_text_and_nothing_of_the_text():
    at = datetime(2026, 11, 24, tzinfo=UTC)
    told = receipt_text("6b050c0300003", MessageState.DELIVERED, at, at, text=TEXT.decode())
    shown, _ = pdu(DeliverSm(source_addr=NUMBER.decode(), esm_class=4, short_message=told))
    assert b"id:6b050c0300003" in shown.short_message
    assert b"stat:DELIVRD" in shown.short_message
    assert b"GIVE" not in shown.short_message


def test_the_password_of_a_bind_is_never_shown():
    for show_content in (False, True):
        shown, octets = pdu(BindTransceiver(system_id="tpo", password="secret-7"), show_content=show_content)
        assert (shown.system_id, shown.password) == ("tpo", "********")
        assert b"secret-7" not in octets


@pytest.mark.parametrize("frame", smpp_samples.FRAMES)
def test_every_kind_of_pdu_still_decodes_to_the_same_kind(frame):
    shown = seen("smpp", frame)
    header = decode_header(shown)
    assert header == decode_header(frame)
    assert type(decode(header, shown)) is type(decode(header, frame))


@given(st.binary(max_size=200))
def test_any_octets_keep_their_length_and_no_number_behind_a_header_stays(octets):
    for protocol in ("smpp", "diameter", "http", "ctrl", "vty"):
        assert NUMBER not in seen(protocol, octets[:20].ljust(20, b"\0") + octets[20:] + b" " + NUMBER + b" ")


# Diameter


def test_of_a_charging_request_the_amounts_stay_and_the_customer_is_gone():
    request = charging.ccr(
        2, 3, charging.service(10, [1500], ask=0), session=f"pgw;1;{IMSI.decode()}", imsi=IMSI.decode()
    )
    frame = encode_message(0xC0, 272, 4, 1, 2, diameter_encode(request))
    shown = seen("diameter", frame)
    read = diameter_decode(CreditControlRequest, shown)
    assert IMSI not in shown
    assert read.subscription_id[0].subscription_id_data == "23***********23"
    assert read.multiple_services_credit_control == request.multiple_services_credit_control
    assert (read.cc_request_number, read.origin_host) == (3, request.origin_host)
    assert seen("diameter", frame, show_content=True) == frame


def test_of_what_a_real_client_sends_place_device_and_addresses_are_gone():
    imei, place, address = b"3520990017614821", b"\x82\x32\xf4\x01\0\1\x32\xf4\x01\0\0\1\1", b"\0\1\x0a\x2d\0\2"
    equipment = gy_samples.avp("User-Equipment-Info-Type", bytes(4)) + gy_samples.avp("User-Equipment-Info-Value", imei)
    body = b"".join(
        [
            diameter_encode(gy_samples.credit_control_request()),
            encode_avp(458, equipment),
            gy_samples.ps_information(),
            encode_avp(0xFFFFFF, b"447700900123 " + TEXT),
        ]
    )
    frame = encode_message(0xC0, 272, 4, 1, 2, body)
    assert all(canary in frame for canary in (imei, place, address, TEXT))
    shown = seen("diameter", frame)
    assert not any(canary in shown for canary in (imei, place, address, TEXT, NUMBER))
    assert b"internet" in shown


@pytest.mark.parametrize("cls", message_strategies.CLASSES)
@settings(max_examples=10)
@given(data=st.data())
def test_every_masked_diameter_message_still_decodes(cls, data):
    message = data.draw(message_strategies.message(cls))
    frame = encode_message(0xC0, getattr(cls, "command_code", 272), 4, 1, 2, diameter_encode(message))
    assert type(diameter_decode(cls, seen("diameter", frame))) is cls


# Provisioning


def test_numbers_keys_and_tokens_of_provisioning_are_gone_keys_even_with_content():
    body = b'{"ki": "%s", "msisdn": "%s", "token": "open-sesame", "iccid": "%s", "state": "active"}' % (
        KI,
        NUMBER,
        ICCID,
    )
    message = b"POST /v4/service?id=%s HTTP/1.1\r\nHost: host\r\nAuthorization: Bearer letmein\r\n\r\n%s" % (
        ICCID,
        body,
    )
    shown = seen("http", message)
    assert not any(canary in shown for canary in (NUMBER, KI, ICCID, b"open-sesame", b"letmein"))
    assert b'"state": "active"' in shown
    shown = seen("http", message, show_content=True)
    assert NUMBER in shown
    assert not any(canary in shown for canary in (KI, b"open-sesame", b"letmein"))


def test_keys_in_nested_values_and_what_is_said_of_people_are_gone():
    body = b'{"name": "ki", "value": {"value": "0011aabb"}, "note": {"text": "hello bob"}, "eKi": "AABB"}'
    message = b"PATCH /x HTTP/1.1\r\n\r\n" + body
    assert not any(canary in seen("http", message) for canary in (b"0011aabb", b"hello bob", b"AABB"))
    shown = seen("http", message, show_content=True)
    assert b"hello bob" in shown
    assert not any(canary in shown for canary in (b"0011aabb", b"AABB"))


def test_the_secret_of_our_callback_address_is_gone():
    shown = seen(
        "http",
        b'POST /hub HTTP/1.1\r\n\r\n{"callback": "https://gw/v1/hosts/h/listener/a1b2c3d4e5"}',
        show_content=True,
    )
    assert b"a1b2c3d4e5" not in shown


def test_keys_in_ctrl_and_numbers_in_the_vty_are_gone():
    line = b"SET 7 subscriber.by-imsi-%s.aud3g milenage,%s,opc,%s" % (IMSI, KI, KI.upper())
    shown = seen("ctrl", b"\0\x50\xee\0" + line)
    assert IMSI not in shown
    assert KI not in shown.lower()
    assert NUMBER not in seen("vty", b"subscriber imsi %s update msisdn %s\n" % (IMSI, NUMBER))


@pytest.mark.parametrize(
    "number",
    ["07700 900123", "07700/900123", "+44.7700.900123", "07700\u00a0900\u2011123", "447700 900 123", NUMBER.decode()],
)
def test_a_number_is_hidden_in_whatever_groups_it_is_written(number):
    shown = seen("vty", b"%% Subscriber %s updated at 2026-11-27 10:20:30 by \xff\r\n" % number.encode())
    assert number[-6:].encode() not in shown
    assert b"2026-11-27 10:20:30 by \xff" in shown


@pytest.mark.parametrize("gap", [b" ", b"-", b":", "\u00a0".encode()])
def test_a_key_in_groups_is_gone_even_with_content(gap):
    groups = gap.join(KI[start : start + 2] for start in range(0, len(KI), 2))
    for show_content in (False, True):
        shown = seen("vty", b"show aud3g " + groups + b" sqn 32\n", show_content=show_content)
        assert shown == b"show aud3g " + b"*" * len(groups) + b" sqn 32\n"


# What could not be read


def test_of_what_could_not_be_read_only_the_header_is_shown():
    message = (60).to_bytes(4, "big") + bytes(12) + NUMBER + TEXT
    assert header_only("smpp", message) == message[:16] + b"*" * (len(message) - 16)
    assert header_only("smpp", message, show_content=True) == message
    assert header_only("diameter", message)[:20] == message[:20]
    bind = encode(BindTransceiver(system_id="tpo", password="secret-7"), 1)
    assert b"secret-7" not in header_only("smpp", bind, show_content=True)
