"""One text in several short messages: where to cut, and the user data header that tells which part is which.

TS 23.040 §9.2.3.24. A short message carries 140 octets, or 160 septets, of which the header takes its share.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from protocols.errors import LocalProtocolError
from protocols.smpp.alphabets import ESCAPE

MAX_PARTS: Final = 255
SHORT_MESSAGE_OCTETS: Final = 140
SHORT_MESSAGE_SEPTETS: Final = 160

CONCATENATED_8_BIT: Final = 0x00
CONCATENATED_16_BIT: Final = 0x08
NATIONAL_SINGLE_SHIFT: Final = 0x24
NATIONAL_LOCKING_SHIFT: Final = 0x25


class Concatenation(msgspec.Struct, frozen=True, gc=False):
    """Which part of which text: `number` counts from 1 to `total`."""

    reference: int
    total: int
    number: int


class UserDataHeader(msgspec.Struct, frozen=True, gc=False):
    """What stands in front of the text when esm_class has the UDHI bit.

    Attributes:
        size: octets, its own length octet included; 0 where there is none.
        concatenation: None for a text in one piece, and where the element makes no sense (part 0, part 4 of 3).
        single_shift, locking_shift: identifiers of national languages, 0 for none.
        elements: every information element, as identifier and data.
        sound: False if a length in it is wrong; then what can be read is there, and the rest counts as text.
    """

    size: int = 0
    concatenation: Concatenation | None = None
    single_shift: int = 0
    locking_shift: int = 0
    elements: tuple[tuple[int, bytes], ...] = ()
    sound: bool = True


NO_HEADER: Final = UserDataHeader()


def header_size(*, wide: bool) -> int:
    """Octets of the header that `concatenation_header` writes."""
    return 7 if wide else 6


def concatenation_header(part: Concatenation, *, wide: bool) -> bytes:
    """The header of one part; `wide` has a reference of 16 bits instead of 8."""
    if not 1 <= part.number <= part.total <= MAX_PARTS:
        raise LocalProtocolError(f"part {part.number} of {part.total}", "smpp.text.parts")
    if wide:
        reference = part.reference % 0x10000
        return bytes([6, CONCATENATED_16_BIT, 4, reference >> 8, reference & 0xFF, part.total, part.number])
    return bytes([5, CONCATENATED_8_BIT, 3, part.reference % 0x100, part.total, part.number])


def parse_header(octets: bytes) -> UserDataHeader:
    """Read the header at the front of a message's user data, elements in any order; the last of a kind counts.

    A length beyond the data gives NO_HEADER, not sound: all of it is text then.
    """
    if not octets or octets[0] >= len(octets):
        return UserDataHeader(sound=not octets)
    size = octets[0] + 1
    elements: list[tuple[int, bytes]] = []
    position, sound = 1, True
    while position < size:
        if position + 2 > size or position + 2 + octets[position + 1] > size:
            sound = False
            break
        following = position + 2 + octets[position + 1]
        elements.append((octets[position], octets[position + 2 : following]))
        position = following
    return _read_elements(size, tuple(elements), sound=sound)


def _read_elements(size: int, elements: tuple[tuple[int, bytes], ...], *, sound: bool) -> UserDataHeader:
    concatenation: Concatenation | None = None
    shifts = {NATIONAL_SINGLE_SHIFT: 0, NATIONAL_LOCKING_SHIFT: 0}
    for identifier, data in elements:
        if identifier == CONCATENATED_8_BIT and len(data) == 3:
            concatenation = _sensible(data[0], data[1], data[2]) or concatenation
        elif identifier == CONCATENATED_16_BIT and len(data) == 4:
            concatenation = _sensible(data[0] << 8 | data[1], data[2], data[3]) or concatenation
        elif identifier in shifts and len(data) == 1:
            shifts[identifier] = data[0]
    single_shift, locking_shift = shifts[NATIONAL_SINGLE_SHIFT], shifts[NATIONAL_LOCKING_SHIFT]
    return UserDataHeader(size, concatenation, single_shift, locking_shift, elements, sound)


def _sensible(reference: int, total: int, number: int) -> Concatenation | None:
    return Concatenation(reference, total, number) if 1 <= number <= total else None


def check_parts(parts: int) -> None:
    """A text of more parts than a header can count is refused: it is never cut short."""
    if parts > MAX_PARTS:
        raise LocalProtocolError(f"the text needs {parts} parts, {MAX_PARTS} is the most", "smpp.text.too_long")


def cut_septets(septets: bytes, *, wide: bool) -> list[bytes]:
    """Septets in pieces that fit their short messages; an escape stays with what it escapes."""
    piece = (SHORT_MESSAGE_OCTETS - header_size(wide=wide)) * 8 // 7
    return _cut(septets, SHORT_MESSAGE_SEPTETS, piece, _escape_before)


def cut_utf16(octets: bytes, *, wide: bool) -> list[bytes]:
    """UTF-16BE in pieces of whole characters: 67 units, 66 behind a wide header."""
    piece = (SHORT_MESSAGE_OCTETS - header_size(wide=wide)) // 2 * 2
    return _cut(octets, SHORT_MESSAGE_OCTETS, piece, _high_surrogate_before)


def cut_octets(octets: bytes, *, wide: bool) -> list[bytes]:
    """Octets of which each is a character, or is none: cut anywhere."""
    piece = SHORT_MESSAGE_OCTETS - header_size(wide=wide)
    return _cut(octets, SHORT_MESSAGE_OCTETS, piece, lambda _octets, _end: 0)


def _cut(octets: bytes, whole: int, piece: int, overlap: Callable[[bytes, int], int]) -> list[bytes]:
    """`overlap` tells how many octets before a cut belong to what comes after it."""
    if len(octets) <= whole:
        return [octets]
    pieces: list[bytes] = []
    start = 0
    while start < len(octets):
        end = start + piece
        if end < len(octets):
            end -= overlap(octets, end)
        pieces.append(octets[start:end])
        start = end
    return pieces


def _escape_before(septets: bytes, end: int) -> int:
    return 1 if septets[end - 1] == ESCAPE else 0


def _high_surrogate_before(octets: bytes, end: int) -> int:
    return 2 if octets[end - 2] & 0xFC == 0xD8 else 0
