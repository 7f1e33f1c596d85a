import pytest

from protocols.errors import LocalProtocolError
from protocols.smpp.codec import (
    HEADER_SIZE,
    MAX_PDU_SIZE,
    CommandId,
    Framer,
    Header,
    decode_header,
    encode_pdu,
    next_sequence_number,
)
from protocols.smpp.errors import CommandStatus, SmppError, error_code, status_name

ENQUIRE = bytes.fromhex("00000010 00000015 00000000 00000001")


def head(length):
    return length.to_bytes(4, "big") + ENQUIRE[4:]


def test_a_header_is_four_numbers():
    assert decode_header(ENQUIRE) == Header(16, CommandId.ENQUIRE_LINK, 0, 1)
    assert encode_pdu(0x15, 0, 1, b"") == ENQUIRE


def test_a_response_is_known_by_its_highest_bit():
    assert not Header(16, CommandId.SUBMIT_SM, 0, 1).response
    assert Header(16, CommandId.SUBMIT_SM_RESP, 0, 1).response
    assert Header(16, CommandId.GENERIC_NACK, 3, 0).response


@pytest.mark.parametrize("octets", [b"", ENQUIRE[:15], head(17), head(15)])
def test_a_header_whose_length_is_not_the_frame_s_is_fatal(octets):
    with pytest.raises(SmppError) as caught:
        decode_header(octets)
    assert caught.value.fatal
    assert caught.value.command_status == CommandStatus.ESME_RINVCMDLEN


def test_trap_1_sequence_numbers_run_to_0x7fffffff_and_begin_again_at_1():
    assert next_sequence_number(1) == 2
    assert next_sequence_number(0x7FFFFFFE) == 0x7FFFFFFF
    assert next_sequence_number(0x7FFFFFFF) == 1


@pytest.mark.parametrize("sequence_number", [0, 0x80000000, -1])
def test_trap_1_we_send_no_request_with_a_number_that_is_none(sequence_number):
    with pytest.raises(LocalProtocolError):
        encode_pdu(CommandId.SUBMIT_SM, 0, sequence_number, b"")


@pytest.mark.parametrize("sequence_number", [0, 0xFFFF0000, 0xFFFFFFFF])
def test_trap_1_a_response_echoes_any_number_of_its_request(sequence_number):
    frame = encode_pdu(CommandId.DELIVER_SM_RESP, 0, sequence_number, b"\0")
    assert decode_header(frame).sequence_number == sequence_number


def test_a_request_has_no_status():
    with pytest.raises(LocalProtocolError):
        encode_pdu(CommandId.SUBMIT_SM, 8, 1, b"")


def test_a_pdu_longer_than_we_read_is_not_sent():
    assert len(encode_pdu(CommandId.DATA_SM, 0, 1, bytes(MAX_PDU_SIZE - HEADER_SIZE))) == MAX_PDU_SIZE
    with pytest.raises(LocalProtocolError):
        encode_pdu(CommandId.DATA_SM, 0, 1, bytes(MAX_PDU_SIZE - HEADER_SIZE + 1))


def test_trap_28_many_pdus_in_one_piece_come_out_one_by_one():
    framer = Framer()
    assert framer.feed(ENQUIRE * 3 + ENQUIRE[:7]) == [ENQUIRE] * 3
    assert framer.pending == 7
    assert framer.feed(ENQUIRE[7:]) == [ENQUIRE]
    assert framer.pending == 0


def test_trap_28_a_pdu_may_be_cut_at_every_octet():
    for cut in range(len(ENQUIRE) + 1):
        framer = Framer()
        assert framer.feed(ENQUIRE[:cut]) + framer.feed(ENQUIRE[cut:]) == [ENQUIRE]


@pytest.mark.parametrize("length", [0, 15, MAX_PDU_SIZE + 1, 0xFFFFFFFF])
def test_trap_28_a_bad_command_length_ends_the_stream_behind_the_good_pdus(length):
    framer = Framer()
    assert framer.feed(ENQUIRE + head(length) + ENQUIRE) == [ENQUIRE]
    assert framer.error.fatal
    assert framer.error.command_status == CommandStatus.ESME_RINVCMDLEN
    assert framer.feed(ENQUIRE) == []
    assert framer.pending == 0


def test_trap_28_a_bad_command_length_is_seen_before_the_pdu_is_whole():
    framer = Framer()
    assert framer.feed(head(MAX_PDU_SIZE + 1)[:4]) == []
    assert framer.error is not None


def test_a_framer_holds_less_than_one_pdu():
    framer = Framer()
    whole = head(MAX_PDU_SIZE) + bytes(MAX_PDU_SIZE - HEADER_SIZE)
    for start in range(0, len(whole) - 1, 1024):
        assert framer.feed(whole[start : min(start + 1024, len(whole) - 1)]) == []
        assert framer.pending < MAX_PDU_SIZE
    assert framer.feed(whole[-1:]) == [whole]


def test_trap_24_a_status_that_nobody_knows_is_a_number():
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x400) == "0x400"
    assert error_code(0x58) == "smpp.rthrottled"
    assert error_code(0x22) == "smpp.status_0x22"
    assert decode_header(encode_pdu(CommandId.SUBMIT_SM_RESP, 0x4FF, 1, b"")).command_status == 0x4FF


def test_an_smpp_error_has_a_code_for_the_log():
    error = SmppError(CommandStatus.ESME_RINVDESTFLAG, "dest_flag 9")
    assert (error.code, str(error), error.fatal) == ("smpp.rinvdestflag", "dest_flag 9", False)
