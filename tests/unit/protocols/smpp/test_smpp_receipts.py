from datetime import UTC, datetime

import pytest

from protocols.smpp.codec import Tlv
from protocols.smpp.messages import DataSm, DeliverSm
from protocols.smpp.receipts import (
    STATS,
    IdForm,
    MessageState,
    id_forms,
    is_receipt,
    message_type,
    network_error,
    parse_date,
    parse_receipt,
    parse_text,
    receipt_text,
    stored_id,
)

CLASSIC = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2611232036 done date:2611232037 stat:DELIVRD err:000 text:Hello id:9"
)

UUID = "5e9c1f0a-77b2-4c3d-9e8f-0123456789ab"


def receipt(text=b"", **values):
    return parse_receipt(DeliverSm(esm_class=4, short_message=text, **values))


@pytest.mark.parametrize(
    ("esm_class", "found"),
    [(0x00, False), (0x04, True), (0x44, True), (0x07, True), (0x20, True), (0x08, False), (0x10, False), (0x18, False),
     (0x40, False), (0x03, False), (0x24, False)],
)  # fmt: skip
def test_trap_13_esm_class_alone_makes_a_receipt(esm_class, found):
    assert is_receipt(esm_class) is found


def test_trap_13_a_text_from_a_handset_that_looks_like_a_receipt_is_none():
    forged = DeliverSm(short_message=b"id:1 stat:DELIVRD err:000")
    assert not is_receipt(forged.esm_class)
    assert message_type(0xC4) == 0x04


def test_a_receipt_as_appendix_b_has_it():
    found = receipt(CLASSIC)
    assert found.message_id == "0123456789"
    assert (found.state, found.stat, found.final, found.error) == (MessageState.DELIVERED, "DELIVRD", True, "000")
    assert (found.submitted, found.delivered) == (1, 1)
    assert (found.submit_date, found.done_date) == ("2611232036", "2611232037")
    assert found.text == "Hello id:9"


@pytest.mark.parametrize(
    ("text", "message_id", "state", "error"),
    [
        ("stat:EXPIRED id:ab-1", "ab-1", MessageState.EXPIRED, ""),
        ("ID:1 STAT:Undeliv ERR:21b Text:x", "1", MessageState.UNDELIVERABLE, "21b"),
        ("id:1 submit_date:2611232036 stat:FAILED err:E1", "1", MessageState.UNDELIVERABLE, "E1"),
        ("id: 77 stat: DELIVRD err: 0", "77", MessageState.DELIVERED, "0"),
        ("id: stat:DELIVRD", "", MessageState.DELIVERED, ""),
        ("id:1 stat:BUFFRED", "1", MessageState.ENROUTE, ""),
        ("id:1 stat:BUFFERD", "1", MessageState.ENROUTE, ""),
        ("id:1 stat:ACKED", "1", MessageState.DELIVERED, ""),
        ("id:1 stat:0", "1", MessageState.DELIVERED, ""),
        ("id:1 stat:WHATEVER", "1", MessageState.UNKNOWN, ""),
        ("id:1\nstat:REJECTD\nerr:001\0", "1", MessageState.REJECTED, "001"),
        ("id:1,stat:DELETED,err:9", "1", MessageState.DELETED, "9"),
        ("", "", MessageState.UNKNOWN, ""),
        ("nonsense", "", MessageState.UNKNOWN, ""),
        ("paid:5 stat:DELIVRD", "", MessageState.DELIVERED, ""),
        ("id=1 sub=001 stat=DELIVRD err=000", "1", MessageState.DELIVERED, "000"),
        ("id:1|stat:DELIVRD|err:000", "1", MessageState.DELIVERED, "000"),
        ("id=1&stat=DELIVRD&err=0", "1", MessageState.DELIVERED, "0"),
        ('{"id":"1","stat":"DELIVRD","err":"000"}', "1", MessageState.DELIVERED, "000"),
        ("id:'1' stat:\"REJECTD\"", "1", MessageState.REJECTED, ""),
        ("id:<1> stat:READ", "1", MessageState.DELIVERED, ""),
        ("id:1 stat:VALIDITY EXPIRED", "1", MessageState.EXPIRED, ""),
        ("id:{1-a} stat:DELETD", "{1-a}", MessageState.DELETED, ""),
        ("id:1/stat:UNDELIV/err:9", "1", MessageState.UNDELIVERABLE, "9"),
        ("msgid:1 status:DELIVRD error:0", "1", MessageState.DELIVERED, "0"),
        ("message_id: 1 state: EXPIRED", "1", MessageState.EXPIRED, ""),
        ("id:1 stat:UNDELIV errcode:27", "1", MessageState.UNDELIVERABLE, "27"),
        ("id:1 stat:UNDELIV error code:27", "1", MessageState.UNDELIVERABLE, "27"),
        ("guid:9 id:1 substat:5 stat:DELIVRD", "1", MessageState.DELIVERED, ""),
    ],
)
def test_trap_14_a_receipt_s_text_is_read_however_the_vendor_writes_it(text, message_id, state, error):
    found = receipt(text.encode())
    assert (found.message_id, found.state, found.error) == (message_id, state, error)


@pytest.mark.parametrize("data_coding", [0, 1, 3, 4, 8, 0x18, 0xF5])
@pytest.mark.parametrize("encoding", ["ascii", "utf-16-be", "utf-16-le", "utf-16"])
def test_a_receipt_is_read_whatever_its_data_coding_says(data_coding, encoding):
    found = receipt(CLASSIC.decode().encode(encoding)[:254], data_coding=data_coding)
    assert (found.message_id, found.state) == ("0123456789", MessageState.DELIVERED)


def test_a_receipt_is_read_that_has_the_header_bit_and_no_header():
    found = parse_receipt(DeliverSm(esm_class=0x44, short_message=CLASSIC))
    assert (found.message_id, found.state) == ("0123456789", MessageState.DELIVERED)


@pytest.mark.parametrize("told", [0, 1, 6, 7, 77])
@pytest.mark.parametrize(("stat", "state"), [("DELIVRD", MessageState.DELIVERED), ("EXPIRED", MessageState.EXPIRED)])
def test_of_a_parameter_and_a_text_the_final_state_counts(told, stat, state):
    found = receipt(f"id:1 stat:{stat}".encode(), message_state=told)
    assert (found.state, found.final) == (state, True)
    assert receipt(b"id:1 stat:ACCEPTD", message_state=2).state is MessageState.DELIVERED
    assert not receipt(b"id:1 stat:ACCEPTD", message_state=told).final


@pytest.mark.parametrize(
    ("stat", "state"),
    [
        *((stat, MessageState.UNDELIVERABLE) for stat in ("UNDELIVERED", "NACK", "ERROR", "failed", "UN-DELIV", "5")),
        *((stat, MessageState.DELIVERED) for stat in ("0", "000", "2", "002", "Delivered", "DELIVRD.")),
        *((stat, MessageState.REJECTED) for stat in ("BLACKLST", "BLACKLISTED", "8")),
        ("3", MessageState.EXPIRED),
        ("4", MessageState.DELETED),
        ("1", MessageState.ENROUTE),
        ("6", MessageState.ACCEPTED),
        *(
            (stat, MessageState.UNDELIVERABLE)
            for stat in ("NOT DELIVERED", "Un Delivered", "UNDELIV:27", "DELIVERY FAILED")
        ),
        *(
            (stat, MessageState.DELIVERED)
            for stat in ("DELIVRD000", "DELIVRD(000)", "DELIVRD;Anna", "delivered_to_handset", '"DELIVRD"')
        ),
        *((stat, MessageState.ENROUTE) for stat in ("EN ROUTE", "EN_ROUTE", "IN PROGRESS")),
        *((stat, MessageState.ENROUTE) for stat in ("DELIVERED_TO_NETWORK", "DeliveredToNetwork", "Delivered to SMSC")),
        *((stat, MessageState.UNDELIVERABLE) for stat in ("DELIV FAILED", "DELIV_FAIL", "DELIVERY-ERROR")),
        ("DeliveredToTerminal", MessageState.DELIVERED),
    ],
)
def test_what_message_centres_write_for_a_state_is_known(stat, state):
    found = receipt(f"id:1 stat:{stat}".encode())
    assert (found.state, found.recognised, found.final) == (state, True, state.final)


@pytest.mark.parametrize(
    "stat", ["DELIVERED_PARTIALLY", "DELIV_EXCEPTION", "DELIVRD-UNCONFIRMED", "ACK_TIMEOUT", "DELIVER-ERROR"]
)
def test_a_delivery_that_is_taken_back_in_the_same_word_is_none(stat):
    assert not receipt(f"id:1 stat:{stat}".encode()).final


def test_a_link_may_have_words_of_its_own_for_states_and_others_are_not_recognised():
    stats = {**STATS, "GONE": MessageState.DELIVERED, "0": MessageState.SCHEDULED}
    text = DeliverSm(esm_class=4, short_message=b"id:1 stat:gone")
    assert parse_receipt(text, stats).state is MessageState.DELIVERED
    assert not parse_receipt(text).recognised
    assert not parse_receipt(DeliverSm(esm_class=4, short_message=b"id:1 stat:0"), stats).final
    assert receipt(b"id:1 stat:UNKNOWN").recognised
    assert not receipt(b"id:1").recognised


@pytest.mark.parametrize(
    ("stat", "shown"), [("ODD Anna, 1234", "ODD"), ("DELIVRD Anna 1234", "DELIVRD"), ("UN DELIV Anna", "UN DELIV")]
)
def test_of_a_state_no_word_is_shown_that_may_be_the_customers(stat, shown):
    assert receipt(f"id:1 stat:{stat}".encode()).stat == shown


@pytest.mark.parametrize("value", [b"\0\5", b"\0\0\0\5"])
def test_a_state_in_more_octets_than_one_or_as_a_digit_is_read(value):
    assert receipt(b"id:1", tlvs=(Tlv(0x0427, value),)).state is MessageState.UNDELIVERABLE
    assert receipt(b"id:1", message_state=ord("5")).state is MessageState.UNDELIVERABLE
    assert not receipt(b"id:1", tlvs=(Tlv(0x0427, b"\0\0\5"),)).recognised


def test_the_id_of_the_text_is_told_beside_that_of_the_parameter():
    found = receipt(CLASSIC, receipted_message_id="upstream-1")
    assert (found.message_id, found.text_id) == ("upstream-1", "0123456789")
    assert receipt(CLASSIC).text_id == receipt(CLASSIC, receipted_message_id="0123456789").text_id == ""


def test_trap_14_what_the_customer_wrote_is_not_read_as_the_receipt():
    assert parse_text("id:1 stat:UNDELIV text:stat:DELIVRD id:2") == {
        "id": "1",
        "stat": "UNDELIV",
        "text": "stat:DELIVRD id:2",
    }


def test_trap_14_tlvs_beat_the_text():
    found = receipt(CLASSIC, receipted_message_id="xyz", message_state=5, network_error_code=b"\3\0\x21")
    assert (found.message_id, found.state, found.stat) == ("xyz", MessageState.UNDELIVERABLE, "DELIVRD")
    assert (found.error, found.network_type) == ("000", 3)
    alone = receipt(receipted_message_id="xyz", message_state=2, network_error_code=b"\3\0\x21")
    assert (alone.message_id, alone.state, alone.final, alone.error) == ("xyz", MessageState.DELIVERED, True, "33")
    assert receipt(CLASSIC, message_state=77).state is MessageState.DELIVERED


def test_trap_14_a_receipt_may_lie_in_message_payload_or_come_as_data_sm():
    assert receipt(message_payload=CLASSIC).message_id == "0123456789"
    assert parse_receipt(DataSm(esm_class=4, message_payload=CLASSIC)).stat == "DELIVRD"
    ucs2 = CLASSIC.decode().encode("utf-16-be")[:240]
    assert receipt(ucs2, data_coding=8).state is MessageState.DELIVERED


@pytest.mark.parametrize("state", MessageState)
def test_trap_15_only_some_states_are_final(state):
    final = {"DELIVERED", "EXPIRED", "DELETED", "UNDELIVERABLE", "REJECTED", "SKIPPED"}
    assert receipt(message_state=state.value).final is (state.name in final)


def test_trap_15_an_intermediate_notification_is_never_final():
    assert not parse_receipt(DeliverSm(esm_class=0x20, short_message=CLASSIC)).final


@pytest.mark.parametrize(
    ("octets", "found"),
    [(b"\3\0\x21", (3, "33")), (b"000", (None, "000")), (b"123", (None, "123")), (b"\3", (None, "03"))],
)
def test_trap_16_a_network_error_code_is_binary_or_digits(octets, found):
    assert network_error(octets) == found


@pytest.mark.parametrize(
    ("digits", "moment"),
    [
        ("2611232036", (2026, 11, 23, 20, 36)),
        ("261123203659", (2026, 11, 23, 20, 36, 59)),
        ("20261123203659", (2026, 11, 23, 20, 36, 59)),
        ("202611232036", (2026, 11, 23, 20, 36)),
    ],
)
def test_trap_14_dates_have_10_12_or_14_digits(digits, moment):
    assert parse_date(digits) == datetime(*moment, tzinfo=UTC)


@pytest.mark.parametrize("digits", ["", "26112320", "2613232036", "26112320361", "abcdefghij", "²²²²²²²²²²"])
def test_what_is_no_date_is_none(digits):
    assert parse_date(digits) is None


def test_our_user_message_reference_is_given_back():
    assert receipt(CLASSIC, user_message_reference=77).user_message_reference == 77


def test_our_user_message_reference_is_read_in_whatever_size_it_comes_back():
    sent_back = [receipt(b"id:1", tlvs=(Tlv(0x0204, (7).to_bytes(size)),)) for size in (1, 4)]
    assert [found.user_message_reference for found in sent_back] == [7, 7]


@pytest.mark.parametrize("state", [state for state in MessageState if state is not MessageState.SCHEDULED])
def test_a_receipt_of_ours_is_read_back(state):
    moment = datetime(2026, 11, 23, 20, 36, tzinfo=UTC)
    found = receipt(receipt_text("ab12", state, moment, moment, text="x" * 50))
    assert (found.message_id, found.state, found.text) == ("ab12", state, "x" * 20)
    assert parse_date(found.done_date) == moment


@pytest.mark.parametrize(
    ("response", "told", "form"),
    [
        ("abc", "abc", IdForm.AUTO),
        ("abc", "ABC", IdForm.AUTO),
        ("00012", "12", IdForm.AUTO),
        ("12", "00012", IdForm.AUTO),
        ("1A2B", "6699", IdForm.AUTO),
        ("0x1A2B", "6699", IdForm.AUTO),
        ("00001A2B", "0000006699", IdForm.DECIMAL),
        ("6699", "1a2b", IdForm.AUTO),
        ("6699", "00001A2B", IdForm.HEX),
        ("5e9c-Xy", "5e9c-Xy", IdForm.AUTO),
        ("00Ab", "00Ab", IdForm.STRING),
        ("5e9c-Xy", "5e9c-Xy", IdForm.DECIMAL),
        ("7", "7", IdForm.DECIMAL),
        ("0", "0000", IdForm.AUTO),
        (UUID, UUID.upper(), IdForm.AUTO),
        (UUID.upper(), UUID, IdForm.AUTO),
        (UUID, UUID.upper(), IdForm.STRING),
        (UUID, UUID.upper(), IdForm.DECIMAL),
        (UUID.replace("-", ""), UUID.replace("-", "").upper(), IdForm.AUTO),
        ("{" + UUID + "}", "{" + UUID.upper() + "}", IdForm.AUTO),
        ("{" + UUID + "}", UUID, IdForm.AUTO),
        ("12 ", "12", IdForm.STRING),
        ("00012", ' "12" ', IdForm.AUTO),
        ("<1A2B>", "6699", IdForm.AUTO),
        ("()", "()", IdForm.AUTO),
    ],
)
def test_a_receipt_s_id_finds_the_response_s(response, told, form):
    assert stored_id(response, form) in id_forms(told, form)


@pytest.mark.parametrize(
    ("response", "told", "form"),
    [
        ("00ab", "ab", IdForm.STRING),
        ("5e9c-xy", "5E9C-XY", IdForm.AUTO),
        ("16", "16", IdForm.DECIMAL),
        ("16", "16", IdForm.HEX),
        ("12", "13", IdForm.AUTO),
    ],
)
def test_ids_of_different_messages_do_not_meet(response, told, form):
    assert stored_id(response, form) not in id_forms(told, form)


def test_the_form_that_matched_is_told_and_the_id_as_it_is_comes_first():
    assert list(id_forms("16").items()) == [
        ("16", IdForm.STRING),
        ("10", IdForm.DECIMAL),
        ("22", IdForm.HEX),
    ]


def test_ids_of_any_length_are_looked_at_once():
    assert list(id_forms("9" * 60_000)) == [stored_id("9" * 60_000)] == ["9" * 64]
    assert receipt(b"id:" + b"9" * 200, receipted_message_id="f" * 500).message_id == "f" * 500
