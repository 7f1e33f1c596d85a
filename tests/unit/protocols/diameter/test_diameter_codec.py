import pytest
from support.gy_samples import avp, credit_control_request, frame, word

from protocols.diameter.codec import (
    MAX_FAILED_AVP,
    MAX_MESSAGE_SIZE,
    Avp,
    Framer,
    copy_of_avp,
    decode_avps,
    decode_header,
    encode_avp,
    encode_message,
)
from protocols.diameter.errors import DiameterError, ResultCode, error_code
from protocols.errors import LocalProtocolError, RemoteProtocolError

CCR = frame(0xC0, 4, credit_control_request())


def test_header_survives_a_round_trip():
    header = decode_header(encode_message(0xD0, 272, 4, 0xFFFFFFFF, 7, b"\0" * 8))
    assert (header.command_code, header.application_id, header.hop_by_hop, header.end_to_end) == (272, 4, 0xFFFFFFFF, 7)
    assert header.length == 28
    assert header.request
    assert header.proxiable
    assert header.retransmitted
    assert not header.error


def test_answer_header_says_so():
    header = decode_header(encode_message(0x20, 272, 4, 1, 1, b""))
    assert header.error
    assert not header.request
    assert not header.proxiable
    assert not header.retransmitted


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"\1\0\0", ResultCode.DIAMETER_INVALID_MESSAGE_LENGTH),
        (b"\2" + CCR[1:], ResultCode.DIAMETER_UNSUPPORTED_VERSION),
        (CCR + b"\0\0\0\0", ResultCode.DIAMETER_INVALID_MESSAGE_LENGTH),
    ],
)
def test_header_of_a_frame_that_is_none_is_fatal(octets, code):
    with pytest.raises(DiameterError) as caught:
        decode_header(octets)
    assert caught.value.result_code == code
    assert caught.value.fatal


def test_message_beyond_the_limit_is_not_sent():
    with pytest.raises(LocalProtocolError):
        encode_message(0, 272, 4, 1, 1, bytes(MAX_MESSAGE_SIZE))


@pytest.mark.parametrize("size", range(9))
@pytest.mark.parametrize("vendor_id", [0, 10415])
def test_avp_of_any_size_is_padded_and_read_back(size, vendor_id):
    data = bytes(range(1, size + 1))
    octets = encode_avp(421, data, vendor_id)
    assert len(octets) % 4 == 0
    assert decode_avps(octets + octets, 0, 2 * len(octets)) == 2 * [
        Avp(421, vendor_id, 0xC0 if vendor_id else 0x40, data)
    ]


def test_avp_flag_p_and_reserved_bits_are_kept_and_mean_nothing():
    octets = bytearray(encode_avp(263, b"abcd"))
    octets[4] |= 0x3F
    (found,) = decode_avps(bytes(octets), 0, len(octets))
    assert found.flags == 0x7F
    assert found.data == b"abcd"


def test_vendor_zero_under_the_v_flag_is_read():
    octets = (263).to_bytes(4, "big") + b"\xc0\0\0\x0c" + bytes(4)
    assert decode_avps(octets, 0, 12) == [Avp(263, 0, 0xC0, b"")]


@pytest.mark.parametrize("length", [0, 3, 7, 13, 17, 0xFFFFFF])
def test_avp_length_below_the_header_or_beyond_the_parent_is_5014(length):
    octets = word(432) + bytes([0x40]) + length.to_bytes(3, "big") + bytes(4)
    with pytest.raises(DiameterError) as caught:
        decode_avps(octets, 0, len(octets))
    assert caught.value.result_code == 5014
    assert not caught.value.fatal
    assert caught.value.failed_avp == avp("Rating-Group", word(0))


@pytest.mark.parametrize("length", [8, 11])
def test_vendor_avp_shorter_than_its_header_is_5014(length):
    octets = word(869) + bytes([0xC0]) + length.to_bytes(3, "big") + word(10415)
    with pytest.raises(DiameterError) as caught:
        decode_avps(octets, 0, len(octets))
    assert caught.value.result_code == 5014
    assert caught.value.failed_avp == avp("Volume-Quota-Threshold", word(0))


def test_padding_beyond_the_parent_is_5014():
    octets = word(263) + b"\x40\0\0\x09" + b"a\0\0\0"
    assert decode_avps(octets, 0, 12)[0].data == b"a"
    with pytest.raises(DiameterError) as caught:
        decode_avps(octets, 0, 9)
    assert caught.value.result_code == 5014


@pytest.mark.parametrize("stray", range(1, 8))
def test_octets_too_few_for_a_header_are_5014_with_a_sound_avp(stray):
    octets = avp("Rating-Group", word(1)) + word(432)[:stray].ljust(stray, b"\0")
    with pytest.raises(DiameterError) as caught:
        decode_avps(octets, 0, len(octets))
    assert caught.value.result_code == 5014
    assert len(decode_avps(caught.value.failed_avp, 0, len(caught.value.failed_avp))) == 1


def test_copy_of_a_huge_avp_is_cut():
    octets = encode_avp(33, bytes(60_000))
    assert len(copy_of_avp(octets, 0)) <= MAX_FAILED_AVP + 4


def test_errors_carry_stable_codes():
    assert DiameterError(5005, "x").code == "diameter.missing_avp"
    assert error_code(9999) == "diameter.result_9999"
    assert isinstance(DiameterError(5005, "x"), RemoteProtocolError)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 19, 20, 21, 1000, 100_000])
def test_framer_cuts_the_same_messages_however_the_stream_is_cut(step):
    dwr = encode_message(0x80, 280, 0, 1, 1, b"")
    stream = CCR + dwr + CCR + CCR + dwr
    framer, found = Framer(), []
    for start in range(0, len(stream), step):
        found += framer.feed(stream[start : start + step])
    assert found == [CCR, dwr, CCR, CCR, dwr]
    assert framer.pending == 0
    assert framer.error is None
    assert all(type(item) is bytes for item in found)


def test_framer_tells_how_much_of_a_message_is_pending():
    framer = Framer()
    assert framer.feed(CCR + CCR[:30]) == [CCR]
    assert framer.pending == 30
    assert framer.feed(CCR[30:]) == [CCR]
    assert framer.pending == 0


@pytest.mark.parametrize("length", [0, 3, 16, 19, 21, 22, 23, MAX_MESSAGE_SIZE + 4, 0xFFFFFF])
@pytest.mark.parametrize("step", [1, 4096])
def test_framer_gives_good_messages_before_a_bad_length_and_nothing_after_it(length, step):
    stream = CCR + b"\1" + length.to_bytes(3, "big") + bytes(16) + CCR
    framer, found = Framer(), []
    for start in range(0, len(stream), step):
        found += framer.feed(stream[start : start + step])
    assert found == [CCR]
    assert framer.error is not None
    assert framer.error.result_code == 5015
    assert framer.error.fatal
    assert framer.pending == 0


@pytest.mark.parametrize("garbage", [b"G", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x14", b"\x16\x03\x01"])
def test_framer_refuses_what_is_not_diameter_at_its_first_octet(garbage):
    framer = Framer()
    assert framer.feed(garbage) == []
    assert framer.error is not None
    assert framer.error.result_code == 5011
    assert framer.feed(CCR) == []


def test_framer_takes_the_longest_message_and_never_holds_more():
    longest = encode_message(0x80, 272, 4, 1, 1, bytes(MAX_MESSAGE_SIZE - 20))
    framer = Framer()
    for start in range(0, len(longest) - 1000, 1000):
        assert framer.feed(longest[start : start + 1000]) == []
        assert framer.pending < MAX_MESSAGE_SIZE
    rest = longest[framer.pending :]
    assert framer.feed(rest + longest + rest[:0]) == [longest, longest]
