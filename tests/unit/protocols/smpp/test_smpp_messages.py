import pytest
from support.smpp_samples import CLASSES, FRAMES, SAMPLES, full

from protocols.errors import LocalProtocolError
from protocols.smpp import generated, interpreter, messages
from protocols.smpp.codec import MAX_TLVS, CommandId, Tlv, decode_header, encode_pdu
from protocols.smpp.errors import CommandStatus, SmppError
from protocols.smpp.fields import plan
from protocols.smpp.messages import COMMANDS, RESPONSES, DeliverSm, SubmitSm, SubmitSmResp, UnknownPdu
from protocols.smpp.tags import Tag


def read(frame, codec=generated):
    return codec.decode(decode_header(frame), frame)


def pdu(command_id, body, status=0):
    return read(encode_pdu(command_id, status, 1, body))


def refusal(command_id, body):
    with pytest.raises(SmppError) as caught:
        pdu(command_id, body)
    assert not caught.value.fatal
    return caught.value.command_status


SUBMIT = bytes.fromhex(
    "00" "0500" "54504f00" "0101" "34343737303039303031323300" "00" "00" "00" "00" "00" "01" "00" "00" "00" "02" "4869"
)  # fmt: skip


def test_a_submit_sm_is_written_as_the_table_of_the_specification():
    assert pdu(CommandId.SUBMIT_SM, SUBMIT) == SubmitSm(
        source_addr_ton=5, source_addr="TPO", dest_addr_ton=1, dest_addr_npi=1, destination_addr="447700900123",
        registered_delivery=1, short_message=b"Hi",
    )  # fmt: skip
    assert generated.encode(pdu(CommandId.SUBMIT_SM, SUBMIT), 1)[16:] == SUBMIT


def test_a_tlv_is_a_tag_a_length_and_a_value():
    body = SUBMIT + bytes.fromhex("0204 0002 0007")
    assert pdu(CommandId.SUBMIT_SM, body).user_message_reference == 7
    assert generated.encode(pdu(CommandId.SUBMIT_SM, body), 1)[16:] == body


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_message_with_all_its_fields_comes_back_as_it_went(cls):
    frame = generated.encode(full(cls), 1)
    assert read(frame) == full(cls)
    assert read(frame, interpreter) == full(cls)


def test_every_request_has_its_response_and_every_class_its_own_number():
    assert len(COMMANDS) == len(CLASSES) == 27
    without = {COMMANDS[command_id] for command_id in COMMANDS if command_id < 0x80000000} - {
        COMMANDS[command_id] for command_id in RESPONSES
    }
    assert without == {messages.Outbind, messages.AlertNotification}
    assert RESPONSES[CommandId.SUBMIT_SM] is SubmitSmResp


def test_the_forms_of_one_tag_are_the_same_in_every_message():
    forms = {}
    for cls in CLASSES:
        for field in plan(cls).optional:
            assert forms.setdefault(field.tag, (field.attribute, field.form)) == (field.attribute, field.form)
            assert Tag(field.tag).name.lower() == field.attribute


@pytest.mark.parametrize("status", [CommandStatus.ESME_RTHROTTLED, 0x400])
@pytest.mark.parametrize("body", [b"", b"\0", b"abc\0", b"abc", bytes.fromhex("0423000301000a")])
def test_trap_3_an_error_response_is_read_with_a_body_or_without(status, body):
    message = pdu(CommandId.SUBMIT_SM_RESP, body, status)
    assert message.message_id == ("abc" if body.startswith(b"abc") else "")
    assert message.network_error_code == (b"\1\0\n" if len(body) == 7 else None)


def test_trap_3_an_error_response_may_have_tlvs_behind_its_body():
    assert pdu(CommandId.SUBMIT_SM_RESP, b"\0\4\x28\0\1\x63", 0x58) == SubmitSmResp(congestion_state=99)
    assert pdu(CommandId.SUBMIT_SM_RESP, b"id\0\4\x28\0\1\x63", 0x58) == SubmitSmResp("id", congestion_state=99)
    assert pdu(CommandId.BIND_TRANSCEIVER_RESP, b"\2\x10\0\1\x34", 0x0E).sc_interface_version == 0x34


def test_trap_3_an_error_response_of_ours_has_no_body():
    assert len(generated.encode(SubmitSmResp(), 9, 0x58)) == 16
    assert len(interpreter.encode(SubmitSmResp(), 9, 0x58)) == 16
    assert generated.encode(SubmitSmResp(), 9)[16:] == b"\0"
    assert generated.encode(SubmitSmResp(congestion_state=99), 9, 0x58)[16:] == b"\0\4\x28\0\1\x63"


@pytest.mark.parametrize("frame", [frame for frame in FRAMES if frame[4] == 0x80], ids=lambda frame: frame[4:8].hex())
def test_a_response_that_is_cut_anywhere_is_still_a_response(frame):
    for cut in range(16, len(frame)):
        body = frame[16:cut]
        command_id = int.from_bytes(frame[4:8], "big")
        for status in (0, 0x58):
            assert type(pdu(command_id, body, status)) is COMMANDS[command_id]


def outcome(frame, codec):
    try:
        return read(frame, codec)
    except SmppError as error:
        return error.command_status, error.message


@pytest.mark.parametrize("frame", [frame for frame in FRAMES if frame[4] == 0], ids=lambda frame: frame[4:8].hex())
def test_a_request_that_is_cut_anywhere_is_read_or_refused(frame):
    command_id = int.from_bytes(frame[4:8], "big")
    for cut in range(16, len(frame)):
        octets = encode_pdu(command_id, 0, 1, frame[16:cut])
        found = outcome(octets, generated)
        assert found == outcome(octets, interpreter)
        assert isinstance(found, COMMANDS[command_id]) or found[0] in {
            CommandStatus.ESME_RINVCMDLEN,
            CommandStatus.ESME_RINVMSGLEN,
            CommandStatus.ESME_RINVOPTPARSTREAM,
        }


def test_trap_4_an_unknown_tlv_is_kept_aside():
    message = pdu(CommandId.SUBMIT_SM, SUBMIT + bytes.fromhex("1400 0003 010203"))
    assert message.tlvs == (Tlv(0x1400, b"\1\2\3"),)
    assert message.short_message == b"Hi"


def test_trap_4_a_known_tlv_where_it_is_not_expected_is_kept_aside():
    message = pdu(CommandId.SUBMIT_SM, SUBMIT + bytes.fromhex("001e 0003 616200"))
    assert message.tlvs == (Tlv(Tag.RECEIPTED_MESSAGE_ID, b"ab\0"),)


@pytest.mark.parametrize("stray", ["0204 0003 000007", "0204 0001 07", "0204 0000"])
def test_trap_4_a_tlv_of_the_wrong_length_is_kept_aside(stray):
    message = pdu(CommandId.SUBMIT_SM, SUBMIT + bytes.fromhex(stray))
    assert message.user_message_reference is None
    assert message.tlvs[0].tag == Tag.USER_MESSAGE_REFERENCE


def test_trap_4_a_tlv_that_comes_twice_counts_once():
    message = pdu(CommandId.SUBMIT_SM, SUBMIT + bytes.fromhex("0204 0002 0007 0204 0002 0008"))
    assert message.user_message_reference == 7
    assert message.tlvs == (Tlv(Tag.USER_MESSAGE_REFERENCE, b"\0\x08"),)


@pytest.mark.parametrize("stray", ["02", "0204", "020400", "02040002", "0204000200", "1400ffff00"])
def test_trap_4_a_last_tlv_that_is_cut_does_not_lose_the_message(stray):
    message = pdu(CommandId.SUBMIT_SM, SUBMIT + bytes.fromhex(stray))
    assert message.short_message == b"Hi"
    assert message.tlvs == ()


@pytest.mark.parametrize("stray", ["0424", "0424 0005", "0424 0005 01020304"])
def test_trap_4_a_message_payload_that_is_cut_is_not_taken_for_the_text(stray):
    body = SUBMIT[:-3] + b"\0" + bytes.fromhex(stray)
    assert refusal(CommandId.SUBMIT_SM, body) == CommandStatus.ESME_RINVOPTPARSTREAM


def test_trap_4_an_unknown_pdu_is_a_value():
    assert pdu(0x00010203, b"abc") == UnknownPdu(0x00010203, b"abc")
    assert pdu(0x80010203, b"abc", 8) == UnknownPdu(0x80010203, b"abc")
    assert pdu(CommandId.BROADCAST_SM, b"") == UnknownPdu(CommandId.BROADCAST_SM, b"")


def test_tlvs_without_end_are_bounded():
    message = pdu(CommandId.SUBMIT_SM, SUBMIT + bytes(40_000))
    assert len(message.tlvs) == MAX_TLVS


def test_trap_8_a_text_is_in_one_place_only():
    with pytest.raises(LocalProtocolError):
        generated.encode(SubmitSm(short_message=b"a", message_payload=b"b"), 1)
    with pytest.raises(LocalProtocolError):
        interpreter.encode(SubmitSm(short_message=b"a", message_payload=b"b"), 1)
    payload = SubmitSm(message_payload=b"x" * 60_000)
    assert read(generated.encode(payload, 1)) == payload


def test_trap_8_a_short_message_has_at_most_255_octets():
    assert read(generated.encode(DeliverSm(short_message=b"x" * 255), 1)).short_message == b"x" * 255
    with pytest.raises(LocalProtocolError):
        generated.encode(DeliverSm(short_message=b"x" * 256), 1)


def test_an_sm_length_beyond_the_pdu_is_refused():
    assert refusal(CommandId.SUBMIT_SM, SUBMIT[:-3] + b"\5Hi") == CommandStatus.ESME_RINVMSGLEN


def test_a_string_without_its_nul_is_refused_in_a_request_and_taken_in_a_response():
    assert refusal(CommandId.QUERY_SM, b"abc") == CommandStatus.ESME_RINVCMDLEN
    assert pdu(CommandId.SUBMIT_SM_RESP, b"abc") == SubmitSmResp("abc")


@pytest.mark.parametrize("command_id", [command_id for command_id in COMMANDS if command_id >= 0x80000000], ids=hex)
def test_a_response_without_any_body_is_read(command_id):
    assert pdu(command_id, b"") == COMMANDS[command_id]()


def test_trap_16_a_receipted_message_id_may_lack_its_nul():
    with_nul = pdu(CommandId.DELIVER_SM, SUBMIT + bytes.fromhex("001e 0003 616200"))
    without = pdu(CommandId.DELIVER_SM, SUBMIT + bytes.fromhex("001e 0002 6162"))
    assert with_nul.receipted_message_id == without.receipted_message_id == "ab"


@pytest.mark.parametrize("cls", [messages.BindTransceiver, SubmitSm], ids=lambda cls: cls.__name__)
def test_trap_20_a_string_longer_than_allowed_is_taken_from_a_peer_and_not_sent(cls):
    field = plan(cls).mandatory[0]
    command_id = int(cls.command_id)
    sound = generated.encode(cls(), 1)[17:]
    found = pdu(command_id, b"x" * 300 + b"\0" + sound)
    assert getattr(found, field.attribute) == "x" * 300
    for codec in (generated, interpreter):
        with pytest.raises(LocalProtocolError):
            codec.encode(found, 1)


@pytest.mark.parametrize("size", [16, 9, 13, 41])
def test_trap_20_the_limits_count_the_nul(size):
    field = {16: "system_id", 9: "password", 13: "system_type", 41: "address_range"}[size]
    fits = messages.BindReceiver(**{field: "x" * (size - 1)})
    assert read(generated.encode(fits, 1)) == fits
    with pytest.raises(LocalProtocolError):
        generated.encode(messages.BindReceiver(**{field: "x" * size}), 1)


@pytest.mark.parametrize(
    "message",
    [
        SubmitSm(destination_addr="12\0"),
        SubmitSm(source_addr="Ω"),
        SubmitSm(esm_class=256),
        SubmitSm(esm_class=-1),
        SubmitSm(sar_msg_ref_num=65536),
        DeliverSm(network_error_code=b"\0"),
        SubmitSm(its_session_info=b"\0"),
        SubmitSm(validity_period="tomorrow"),
        SubmitSm(tlvs=(Tlv(0x1400, bytes(65536)),)),
        SubmitSm(tlvs=(Tlv(65536, b""),)),
        messages.SubmitMulti(dest_address=(messages.SmeAddress(),) * 256),
        messages.QuerySmResp(message_state=1 << 32),
        messages.SubmitMultiResp(unsuccess_sme=(messages.UnsuccessSme(error_status_code=1 << 32),)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_does_not_fit_is_not_sent(message):
    for codec in (generated, interpreter):
        with pytest.raises(LocalProtocolError):
            codec.encode(message, 1)


def test_strings_are_latin_1_so_that_any_octet_comes_back():
    octets = bytes(range(1, 256))
    assert pdu(CommandId.SUBMIT_SM_RESP, octets + b"\0").message_id.encode("latin-1") == octets


def test_destinations_of_both_kinds_come_in_their_order():
    message = messages.SubmitMulti(
        dest_address=(
            messages.DistributionList("a"),
            messages.SmeAddress(1, 1, "2"),
            messages.DistributionList("c"),
        )
    )
    frame = generated.encode(message, 1)
    assert bytes.fromhex("03 02 6100 01 0101 3200 02 6300") in frame
    assert read(frame) == message


def test_a_destination_of_no_known_kind_is_refused():
    body = bytes.fromhex("00 0000 00 01 03 6100") + bytes(12)
    assert refusal(CommandId.SUBMIT_MULTI, body) == CommandStatus.ESME_RINVDESTFLAG


def test_samples_differ_in_nothing_when_the_slow_codec_writes_them():
    for sample, frame in zip(SAMPLES, FRAMES, strict=True):
        assert interpreter.encode(sample, 1) == frame


def test_the_source_of_a_codec_can_be_read():
    text = generated.source(DeliverSm)
    assert "def decode(frame, p, end):" in text
    assert "def encode(self, command_status, sequence_number):" in text
