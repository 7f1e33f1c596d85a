"""Words of texts whose data_coding says what they are not."""

import pytest

from gateway.messaging.inbound.words import read_words
from protocols.smpp.messages import DeliverSm
from protocols.smpp.text import user_data

TEXT = "GIVE WATERAID £5"


def words(octets, data_coding, esm_class=0):
    return read_words([user_data(DeliverSm(short_message=octets, data_coding=data_coding, esm_class=esm_class))])


@pytest.mark.parametrize(
    ("octets", "data_coding"),
    [
        (TEXT.encode("utf-16-be"), 8),
        (TEXT.encode("utf-16-le"), 8),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), 8),
        (TEXT.encode(), 8),
        (TEXT.encode("utf-16-be"), 0),
        (TEXT.encode("utf-16-be"), 3),
        (TEXT.encode("latin-1"), 3),
        (b"\xef\xbb\xbf" + TEXT.encode(), 8),
        *(
            (octets, code)
            for code in (0, 1)
            for octets in (TEXT.encode(), TEXT.encode("latin-1"), TEXT.encode("utf-8-sig"))
        ),
        *((TEXT.encode(), code) for code in (3, 4)),
        (TEXT.encode("utf-16-be"), 4),
    ],
)
def test_a_text_is_read_as_what_it_is(octets, data_coding):
    assert words(octets, data_coding) == TEXT


def test_ascii_that_is_marked_as_ucs2_is_read_also_where_its_number_of_octets_is_odd():
    assert [words(b"STOP", 8), words(b"STOP.", 8)] == ["STOP", "STOP."]


@pytest.mark.parametrize("text", ["\u0441\u0442\u043e\u043f", "arr\xeat", "\U0001f44d", "\u20ac5"])
def test_utf_8_is_read_under_an_alphabet_of_seven_bits_whatever_its_letters(text):
    assert [words(text.encode(), code) for code in (0, 1)] == [text, text]


@pytest.mark.parametrize("text", ["caf\xe9", "\xc3\xa9t\xe9", "\xe9", "\xd1\xb1\xd1\xb1"])
def test_what_is_latin_1_stays_it(text):
    assert words(text.encode("latin-1"), 3) == text


def test_parts_are_read_as_one():
    headers = [bytes([5, 0, 3, 7, 2, number]) for number in (1, 2)]
    parts = [DeliverSm(short_message=header + b"STO", data_coding=8, esm_class=0x40) for header in headers]
    assert read_words([user_data(part) for part in parts]) == "STOSTO"


@pytest.mark.parametrize(
    "text", ["\u505c\u6b62\u53d1\u9001", "\u0441\u0442\u043e\u043f", "\U0001f44d", "caf\xe9", "\u20ac5", ""]
)
def test_what_is_ucs2_stays_it(text):
    assert words(text.encode("utf-16-be"), 8) == text


@pytest.mark.parametrize("octets", [b"", b"@", b"\0\0", b"\x01\0", b"S\0TOP"])
def test_other_texts_are_read_as_they_are_marked(octets):
    data = user_data(DeliverSm(short_message=octets))
    assert read_words([data]) == {b"": "", b"@": "¡", b"\0\0": "@@", b"\x01\0": "£@", b"S\0TOP": "S@TOP"}[octets]
