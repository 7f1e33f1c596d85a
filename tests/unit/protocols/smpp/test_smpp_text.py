import pytest

from protocols.errors import LocalProtocolError
from protocols.smpp.alphabets import Alphabet, Decoded
from protocols.smpp.codec import Tlv, decode_header
from protocols.smpp.generated import decode, encode
from protocols.smpp.messages import DataSm, DeliverSm, SubmitSm
from protocols.smpp.segments import Concatenation
from protocols.smpp.text import (
    UDHI,
    alphabet_of,
    decode_text,
    encode_octets,
    encode_text,
    message_class,
    read_text,
    user_data,
)


def received(encoded, reference=7, default_alphabet=Alphabet.GSM7):
    """The parts of a text as the other side takes them apart."""
    return [
        user_data(
            DeliverSm(esm_class=encoded.esm_class, data_coding=encoded.data_coding, short_message=segment),
            default_alphabet,
        )
        for segment in encoded.segments(reference)
    ]


@pytest.mark.parametrize(
    ("text", "data_coding", "parts"),
    [
        ("", 0, 1),
        ("a" * 160, 0, 1),
        ("a" * 161, 0, 2),
        ("€" * 80, 0, 1),
        ("€" * 81, 0, 2),
        ("ê" * 70, 8, 1),
        ("ê" * 71, 8, 2),
        ("😀" * 35, 8, 1),
        ("😀" * 36, 8, 2),
        ("a" * 306, 0, 2),
        ("a" * 307, 0, 3),
    ],
)
def test_a_text_has_the_smallest_alphabet_and_fewest_parts(text, data_coding, parts):
    encoded = encode_text(text)
    assert (encoded.data_coding, len(encoded.pieces)) == (data_coding, parts)
    assert encoded.esm_class == (UDHI if parts > 1 else 0)
    assert read_text(received(encoded)) == Decoded(text, sound=True)


@pytest.mark.parametrize("default_alphabet", [Alphabet.GSM7, Alphabet.GSM7_PACKED, Alphabet.LATIN1, Alphabet.CP1252])
@pytest.mark.parametrize("wide", [False, True])
def test_a_long_text_goes_over_a_link_with_any_default_alphabet(default_alphabet, wide):
    text = "Reply YES to give £5.00 to WaterAid. " * 12
    encoded = encode_text(text, default_alphabet, wide=wide)
    assert encoded.data_coding == 0
    for segment in encoded.segments(0x1234):
        assert len(segment) <= (160 if default_alphabet is Alphabet.GSM7 else 140)
    parts = received(encoded, 0x1234, default_alphabet)
    assert read_text(parts) == Decoded(text, sound=True)
    total = len(encoded.pieces)
    reference = 0x1234 if wide else 0x34
    assert [part.concatenation for part in parts] == [
        Concatenation(reference, total, number) for number in range(1, total + 1)
    ]


def test_latin_1_is_used_where_the_link_takes_it_and_it_is_smaller():
    assert encode_text("ê" * 100, also=(Alphabet.LATIN1,)).data_coding == 3
    assert encode_text("ê" * 100).data_coding == 8
    assert encode_text("[" * 100, also=(Alphabet.ASCII,)).data_coding == 1
    assert encode_text("a" * 200, also=(Alphabet.LATIN1,)).data_coding == 0


def test_flash_messages_have_class_0_in_either_alphabet():
    for text in ("alarm", "Ω😀"):
        encoded = encode_text(text, flash=True)
        assert message_class(encoded.data_coding) == 0
        assert read_text(received(encoded)) == Decoded(text, sound=True)


def test_trap_10_a_text_of_more_than_255_parts_is_refused_and_not_cut_short():
    assert len(encode_text("a" * 153 * 255).pieces) == 255
    with pytest.raises(LocalProtocolError):
        encode_text("a" * (153 * 255 + 1))


def test_binary_data_are_cut_in_134_octets():
    encoded = encode_octets(bytes(range(256)))
    assert (encoded.data_coding, [len(piece) for piece in encoded.pieces]) == (4, [134, 122])
    assert b"".join(part.octets for part in received(encoded)) == bytes(range(256))


@pytest.mark.parametrize(
    ("data_coding", "alphabet"),
    [
        (0x00, Alphabet.LATIN1),
        (0x01, Alphabet.ASCII),
        (0x02, Alphabet.OCTETS),
        (0x03, Alphabet.LATIN1),
        (0x04, Alphabet.OCTETS),
        (0x08, Alphabet.UCS2),
        (0x09, Alphabet.OCTETS),
        (0x10, Alphabet.LATIN1),
        (0x11, Alphabet.LATIN1),
        (0x14, Alphabet.OCTETS),
        (0x18, Alphabet.UCS2),
        (0x19, Alphabet.UCS2),
        (0x30, Alphabet.OCTETS),
        (0x48, Alphabet.UCS2),
        (0x90, Alphabet.OCTETS),
        (0xC0, Alphabet.LATIN1),
        (0xD8, Alphabet.LATIN1),
        (0xE0, Alphabet.UCS2),
        (0xF0, Alphabet.LATIN1),
        (0xF1, Alphabet.LATIN1),
        (0xF4, Alphabet.OCTETS),
        (0xF8, Alphabet.LATIN1),
    ],
)
def test_trap_11_a_data_coding_is_read_by_its_group_and_0_by_the_link(data_coding, alphabet):
    assert alphabet_of(data_coding, Alphabet.LATIN1) is alphabet


@pytest.mark.parametrize(
    ("data_coding", "found"), [(0, None), (8, None), (0x10, 0), (0x13, 3), (0xF2, 2), (0xC8, None)]
)
def test_the_message_class_is_in_the_data_coding(data_coding, found):
    assert message_class(data_coding) == found


def test_the_text_is_in_the_payload_where_short_message_is_empty():
    assert read_text([user_data(DeliverSm(message_payload=b"hello"))]).text == "hello"
    assert read_text([user_data(DataSm(message_payload=b"hello"))]).text == "hello"
    assert read_text([user_data(SubmitSm())]) == Decoded("", sound=True)


@pytest.mark.parametrize("octets", [(1, 1, 1), (2, 2, 2), (4, 4, 4), (2, 4, 1)])
def test_sar_parameters_of_another_size_than_they_have_tell_the_part_too(octets):
    values = zip((0x020C, 0x020E, 0x020F), (7, 3, 2), octets, strict=True)
    tlvs = tuple(Tlv(tag, number.to_bytes(size)) for tag, number, size in values)
    frame = encode(DeliverSm(short_message=b"a", tlvs=tlvs), 1)
    assert user_data(decode(decode_header(frame), frame)).concatenation == Concatenation(7, 3, 2)


def test_trap_9_parts_are_told_by_sar_parameters_too_and_by_the_header_before_them():
    sar = {"sar_msg_ref_num": 300, "sar_total_segments": 2, "sar_segment_seqnum": 1}
    assert user_data(DeliverSm(short_message=b"a", **sar)).concatenation == Concatenation(300, 2, 1)
    both = DeliverSm(esm_class=UDHI, short_message=b"\5\0\3\7\3\2a", **sar)
    assert user_data(both).concatenation == Concatenation(7, 3, 2)
    assert user_data(DeliverSm(short_message=b"a", sar_msg_ref_num=300)).concatenation is None
    wrong = {"sar_msg_ref_num": 300, "sar_total_segments": 2, "sar_segment_seqnum": 3}
    assert user_data(DeliverSm(short_message=b"a", **wrong)).concatenation is None


def test_without_udhi_octets_that_look_like_a_header_are_text():
    part = user_data(DeliverSm(short_message=b"\5\0\3\7\3\2a"))
    assert part.concatenation is None
    assert part.octets == b"\5\0\3\7\3\2a"


def test_a_character_cut_by_the_sender_comes_out_whole():
    halves = [b"\5\0\3\7\2\1" + b"\0a\xd8\x3d", b"\5\0\3\7\2\2" + b"\xde\x00\0b"]
    parts = [user_data(DeliverSm(esm_class=UDHI, data_coding=8, short_message=half)) for half in halves]
    assert read_text(parts) == Decoded("a😀b", sound=True)
    halves = [b"\5\0\3\7\2\1" + b"a\x1b", b"\5\0\3\7\2\2" + b"eb"]
    parts = [user_data(DeliverSm(esm_class=UDHI, short_message=half)) for half in halves]
    assert read_text(parts) == Decoded("a€b", sound=True)


def test_parts_in_different_alphabets_are_read_each_in_its_own():
    parts = [user_data(DeliverSm(short_message=b"a")), user_data(DeliverSm(data_coding=8, short_message=b"\x03\xa9"))]
    assert read_text(parts) == Decoded("aΩ", sound=True)


def test_trap_12_a_part_with_a_national_shift_is_read_with_its_table():
    spanish = DeliverSm(esm_class=UDHI, short_message=b"\3\x24\1\2" + b"ma\x1bna: \x1ba")
    assert read_text([user_data(spanish)]) == Decoded("manna: á".replace("nn", "n"), sound=True)
    hindi = DeliverSm(esm_class=UDHI, short_message=b"\3\x25\1\6" + b"abc")
    assert not read_text([user_data(hindi)]).sound


def test_a_broken_header_is_told():
    broken = DeliverSm(esm_class=UDHI, short_message=b"\x50abc")
    assert not read_text([user_data(broken)]).sound


def test_octets_alone_are_read_by_their_data_coding():
    assert decode_text(8, b"\x00H").text == "H"
    assert decode_text(0, b"\0").text == "@"
    assert decode_text(0, bytes.fromhex("e8329bfd4697d9ec37"), Alphabet.GSM7_PACKED).text == "hellohello"
