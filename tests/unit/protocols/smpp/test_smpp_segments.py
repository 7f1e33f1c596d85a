import pytest

from protocols.errors import LocalProtocolError
from protocols.smpp.segments import (
    NO_HEADER,
    Concatenation,
    check_parts,
    concatenation_header,
    cut_octets,
    cut_septets,
    cut_utf16,
    parse_header,
)


def sizes(pieces):
    return [len(piece) for piece in pieces]


@pytest.mark.parametrize(
    ("cut", "unit", "wide", "whole", "piece"),
    [
        (cut_septets, b"a", False, 160, 153),
        (cut_septets, b"a", True, 160, 152),
        (cut_utf16, b"\0a", False, 70, 67),
        (cut_utf16, b"\0a", True, 70, 66),
        (cut_octets, b"a", False, 140, 134),
        (cut_octets, b"a", True, 140, 133),
    ],
)
def test_trap_10_parts_have_the_sizes_of_ts_23_040(cut, unit, wide, whole, piece):
    step = len(unit)
    assert sizes(cut(unit * whole, wide=wide)) == [whole * step]
    assert sizes(cut(unit * (whole + 1), wide=wide)) == [piece * step, (whole + 1 - piece) * step]
    assert sizes(cut(unit * piece * 255, wide=wide)) == [piece * step] * 255


def test_trap_10_more_than_255_parts_are_refused():
    check_parts(255)
    with pytest.raises(LocalProtocolError):
        check_parts(256)


def test_trap_10_an_escape_is_never_cut_from_its_character():
    septets = b"a" * 152 + b"\x1be" * 10
    first, second = cut_septets(septets, wide=False)
    assert (first, second) == (b"a" * 152, b"\x1be" * 10)
    assert cut_septets(b"a" * 151 + b"\x1be" * 10, wide=False)[0] == b"a" * 151 + b"\x1be"


def test_trap_10_a_surrogate_pair_is_never_cut():
    text = "a" * 66 + "😀" * 10
    first, second = cut_utf16(text.encode("utf-16-be"), wide=False)
    assert first.decode("utf-16-be") == "a" * 66
    assert second.decode("utf-16-be") == "😀" * 10


def test_headers_are_those_of_ts_23_040():
    assert concatenation_header(Concatenation(0x1FF, 3, 2), wide=False) == bytes.fromhex("05 00 03 ff 03 02")
    assert concatenation_header(Concatenation(0x1FF, 3, 2), wide=True) == bytes.fromhex("06 08 04 01ff 03 02")
    for part in (Concatenation(1, 3, 4), Concatenation(1, 256, 1), Concatenation(1, 3, 0)):
        with pytest.raises(LocalProtocolError):
            concatenation_header(part, wide=False)


@pytest.mark.parametrize(
    ("octets", "part"),
    [
        ("05 00 03 ff 03 02", Concatenation(0xFF, 3, 2)),
        ("06 08 04 01ff 03 02", Concatenation(0x1FF, 3, 2)),
        ("09 24 01 02 00 03 07 02 01 ff", Concatenation(7, 2, 1)),
        ("0b 05 04 0b84 23f0 00 03 07 02 01", Concatenation(7, 2, 1)),
        ("0a 00 03 01 02 01 00 03 07 02 02", Concatenation(7, 2, 2)),
        ("05 00 03 ff 00 00", None),
        ("05 00 03 ff 03 00", None),
        ("05 00 03 ff 03 04", None),
        ("04 00 02 ff 03", None),
        ("03 24 01 02", None),
    ],
)
def test_trap_9_the_part_is_told_by_any_element_in_any_place(octets, part):
    octets = bytes.fromhex(octets)
    header = parse_header(octets + b"text")
    assert header.concatenation == part
    assert header.size == octets[0] + 1


def test_trap_12_shifts_are_elements_of_the_header():
    header = parse_header(bytes.fromhex("06 25 01 03 24 01 02") + b"text")
    assert (header.locking_shift, header.single_shift, header.size) == (3, 2, 7)
    assert header.elements == ((0x25, b"\3"), (0x24, b"\2"))


@pytest.mark.parametrize("octets", ["09 00 03 ff 03 02", "05", "ff aa"])
def test_a_header_longer_than_the_message_is_text(octets):
    header = parse_header(bytes.fromhex(octets))
    assert (header.size, header.sound, header.concatenation) == (0, False, None)


def test_a_header_with_a_broken_element_is_left_out_of_the_text():
    header = parse_header(bytes.fromhex("06 24 01 02 00 09 ff") + b"text")
    assert (header.size, header.sound, header.single_shift) == (7, False, 2)


def test_no_octets_have_no_header():
    assert parse_header(b"") == NO_HEADER
    assert parse_header(b"\0text").size == 1
