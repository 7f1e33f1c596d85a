import pytest

from protocols.errors import LocalProtocolError
from protocols.smpp.alphabets import (
    DEFAULT,
    LOCKING,
    SINGLE_SHIFT,
    Alphabet,
    Decoded,
    Language,
    decode,
    encode,
    pack,
    unpack,
)

GSM7 = Alphabet.GSM7


def test_every_table_has_128_places():
    assert {len(table) for table in LOCKING.values()} == {128}
    assert all(table.index("\x1b") == 0x1B for table in LOCKING.values())
    assert len(set(DEFAULT)) == 128


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("@£$¥", b"\0\1\2\3"),
        ("Hello, 1_", b"Hello, 1\x11"),
        ("€5 {a}", b"\x1be5 \x1b(a\x1b)"),
        ("^[~]\\|\f", b"\x1b\x14\x1b<\x1b=\x1b>\x1b/\x1b@\x1b\n"),
        ("ÄÖÑÜ§¿äöñüà", b"[\\]^_`{|}~\x7f"),
        ("", b""),
    ],
)
def test_gsm_7_bit_has_the_octets_of_ts_23_038(text, octets):
    assert encode(text, GSM7) == octets
    assert decode(octets, GSM7) == Decoded(text, sound=True)


def test_trap_11_the_at_sign_is_0_in_gsm_and_0x40_in_ia5():
    assert encode("@", GSM7) == b"\0"
    assert encode("@", Alphabet.ASCII) == b"@"
    assert decode(b"\0", GSM7).text == "@"
    assert decode(b"@", GSM7).text == "¡"


@pytest.mark.parametrize(
    ("text", "alphabet"), [("ç", GSM7), ("`", GSM7), ("\x1b", GSM7), ("é", Alphabet.ASCII), ("€", Alphabet.LATIN1)]
)
def test_a_text_with_a_character_that_the_alphabet_lacks_is_not_written_in_it(text, alphabet):
    assert encode(text, alphabet) is None


def test_half_of_a_surrogate_pair_is_no_text():
    with pytest.raises(LocalProtocolError):
        encode("a\ud83d", Alphabet.UCS2)


@pytest.mark.parametrize(
    ("septets", "text", "sound"),
    [
        (b"a\x1b", "a", False),
        (b"a\x1b\x1bb", "a b", True),
        (b"\x1bA", "A", True),
        (b"\x1b\x00", "@", True),
        (b"a\x80b", "a\ufffdb", False),
        (b"\x1b\xffb", "\ufffdb", False),
    ],
)
def test_septets_that_mean_little_are_shown_as_the_specification_says(septets, text, sound):
    assert decode(septets, GSM7) == Decoded(text, sound=sound)


@pytest.mark.parametrize(
    ("language", "septets", "text"),
    [
        (Language.TURKISH, b"\x1bG\x1bI\x1bS\x1bc\x1bg\x1bi\x1bs", "ĞİŞçğ\u0131ş"),
        (Language.SPANISH, b"\x1b\x09\x1bA\x1bI\x1bO\x1bU\x1ba\x1bi\x1bo\x1bu", "çÁÍÓÚáíóú"),
        (Language.PORTUGUESE, b"\x1b\x05\x1b\x0b\x1b[\x1b{\x1b\x7f\x1b\x1f", "êÔÃãâÊ"),
    ],
)
def test_trap_12_a_single_shift_changes_what_stands_behind_an_escape(language, septets, text):
    assert decode(septets, GSM7, single_shift=language.value) == Decoded(text, sound=True)
    assert decode(b"\x1be\x1b(", GSM7, single_shift=language.value).text == "€{"


@pytest.mark.parametrize(
    ("language", "septets", "text"),
    [
        (Language.TURKISH, b"\4\7\x0b\x0c\x1c\x1d@`", "€\u0131ĞğŞşİç"),
        (Language.PORTUGUESE, b"\4\6\7\x08\x09\x0b\x0c\x0e\x0f\x12\x18\x1e$@[\\`{|}", "êúíóçÔôÁáª€ÊºÍÃÕ~ãõ`"),
    ],
)
def test_trap_12_a_locking_shift_changes_the_alphabet(language, septets, text):
    assert decode(septets, GSM7, locking_shift=language.value) == Decoded(text, sound=True)


def test_trap_12_a_language_whose_tables_we_lack_is_told():
    assert decode(b"abc", GSM7, locking_shift=6) == Decoded("abc", sound=False)
    assert decode(b"a\x1be", GSM7, single_shift=6) == Decoded("a€", sound=False)
    assert SINGLE_SHIFT.keys() == {language.value for language in Language}


@pytest.mark.parametrize(
    ("octets", "text", "sound"),
    [
        ("0048 0069", "Hi", True),
        ("d83d de00", "😀", True),
        ("feff 0048", "H", True),
        ("fffe 4800", "H", True),
        ("0048 0000", "H", True),
        ("0048 00", "H\ufffd", False),
        ("d83d 0048", "\ufffdH", False),
    ],
)
def test_ucs_2_is_utf_16_with_the_big_end_first(octets, text, sound):
    assert decode(bytes.fromhex(octets), Alphabet.UCS2) == Decoded(text, sound=sound)


@pytest.mark.parametrize(
    ("alphabet", "octets", "text"),
    [
        (Alphabet.LATIN1, b"caf\xe9\0", "café"),
        (Alphabet.CP1252, b"\x80 5", "€ 5"),
        (Alphabet.ASCII, b"a@b", "a@b"),
        (Alphabet.CYRILLIC, b"\xbf\xe0", "Пр"),
        (Alphabet.HEBREW, b"\xf9", "ש"),
        (Alphabet.JIS, b"\x82\xa0", "あ"),
        (Alphabet.ISO_2022_JP, b'\x1b$B$"\x1b(B', "あ"),
        (Alphabet.KOREAN, b"\xb0\xa1", "가"),
    ],
)
def test_other_alphabets_are_those_of_the_library(alphabet, octets, text):
    assert decode(octets, alphabet) == Decoded(text, sound=True)


def test_octets_are_no_text():
    assert decode(b"\x00\xff", Alphabet.OCTETS) == Decoded("\0\xff", sound=False)


def test_packing_is_that_of_ts_23_038():
    assert pack(b"hellohello").hex() == "e8329bfd4697d9ec37"
    assert unpack(bytes.fromhex("e8329bfd4697d9ec37")) == b"hellohello"


def test_trap_11_seven_bits_left_over_are_no_at_sign():
    assert pack(b"abcdefg")[-1] >> 1 == 0x0D
    assert unpack(pack(b"abcdefg")) == b"abcdefg"
    zero_filled = bytes([*pack(b"abcdefg")[:-1], pack(b"abcdefg")[-1] & 1])
    assert unpack(zero_filled) == b"abcdefg"


@pytest.mark.parametrize("header_size", [0, 6, 7])
def test_what_is_packed_behind_a_header_begins_on_the_border_of_a_septet(header_size):
    for length in range(1, 60):
        septets = bytes(1 + place % 12 for place in range(length))
        packed = pack(septets, header_size)
        assert unpack(packed, header_size) == septets
        if header_size == 6 and length > 1:
            assert packed[0] & 1 == 0
    assert len(pack(b"a" * 153, 6)) == 134
    assert len(pack(b"a" * 152, 7)) == 133
    assert len(pack(b"a" * 160)) == 140
