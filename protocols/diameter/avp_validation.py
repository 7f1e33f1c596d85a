"""What makes a message unacceptable, and the error for each: both decoders use these.

`walk` and `keep` look at the AVPs that a message class has no field for: structure, depth, and the M flag.
"""

from collections.abc import Mapping
from struct import Struct
from typing import Final

import msgspec

from protocols.diameter.codec import (
    AVP_HEADER_SIZE,
    MAX_AVPS,
    MAX_DEPTH,
    VENDOR_AVP_HEADER_SIZE,
    Avp,
    bad_avp_length,
    copy_of_avp,
    encode_avp,
    nest,
)
from protocols.diameter.dictionary import VENDOR_SHIFT, Definition, standard
from protocols.diameter.errors import DiameterError, ResultCode

_TWO_WORDS: Final = Struct(">II")
_WORD: Final = Struct(">I")


class Profile(msgspec.Struct, frozen=True):
    """How strictly one peer's messages are taken.

    Attributes:
        grouped: the known AVPs, `Dictionary.grouped`: key -> whether it is Grouped.
        lenient: an unknown AVP with the M flag is kept instead of refused with 5001.
    """

    grouped: Mapping[int, bool]
    lenient: bool = False

    def __repr__(self) -> str:
        return f"Profile({len(self.grouped)} AVPs, lenient={self.lenient})"


STANDARD: Final = Profile(standard().grouped)
"""The packaged dictionary, and the RFC's rule for the M flag."""


def walk(data: bytes, position: int, end: int, depth: int, profile: Profile) -> None:
    """Check the AVPs in `data[position:end]`, which lie inside `depth` groups, and those inside them.

    Raises DiameterError: 5014 (length), 5001 (unknown, with M), 5012 (nested deeper than MAX_DEPTH).
    """
    if depth > MAX_DEPTH:
        raise too_deep()
    known = profile.grouped.get
    unpack = _TWO_WORDS.unpack_from
    while position < end:
        if position + 8 > end:
            raise bad_avp_length(data, position, end)
        code, word = unpack(data, position)
        length = word & 0xFFFFFF
        following = position + (length + 3 & 0x1FFFFFC)
        header = 8
        if word & 0x80000000:
            if length < 12 or following > end:
                raise bad_avp_length(data, position, end)
            header = 12
            code |= _WORD.unpack_from(data, position + 8)[0] << VENDOR_SHIFT
        elif length < 8 or following > end:
            raise bad_avp_length(data, position, end)
        grouped = known(code)
        if grouped:
            try:
                walk(data, position + header, position + length, depth + 1, profile)
            except DiameterError as error:
                nest_at(error, data, position)
                raise
        elif grouped is None and word & 0x40000000 and not profile.lenient:
            raise unsupported(data, position)
        position = following


def keep(data: bytes, position: int, depth: int, profile: Profile) -> Avp:
    """The AVP at `position`, whose length is known to be sound, for a message's `avps`; checked inside.

    `depth` is the number of groups that it lies in.
    """
    code, word = _TWO_WORDS.unpack_from(data, position)
    header, vendor_id = AVP_HEADER_SIZE, 0
    if word & 0x80000000:
        header = VENDOR_AVP_HEADER_SIZE
        (vendor_id,) = _WORD.unpack_from(data, position + AVP_HEADER_SIZE)
    length = word & 0xFFFFFF
    walk(data, position, position + (length + 3 & ~3), depth, profile)
    return Avp(code, vendor_id, word >> 24, data[position + header : position + length])


def check_number(data: bytes, position: int, end: int, profile: Profile) -> None:
    """Refuse (5012) a message of more than MAX_AVPS AVPs at all levels.

    Every AVP has a header of its own, so a message below MAX_AVPS * 8 octets cannot have too many and costs
    nothing here. Broken lengths are left to the decoder: counting stops there.
    """
    if end - position < MAX_AVPS * AVP_HEADER_SIZE:
        return
    number = 0
    spans = [(position, end)]
    while spans:
        position, end = spans.pop()
        while position + AVP_HEADER_SIZE <= end:
            code, word = _TWO_WORDS.unpack_from(data, position)
            header = VENDOR_AVP_HEADER_SIZE if word & 0x80000000 else AVP_HEADER_SIZE
            length = word & 0xFFFFFF
            if length < header or position + length > end:
                break
            number += 1
            if number > MAX_AVPS:
                raise DiameterError(ResultCode.DIAMETER_UNABLE_TO_COMPLY, f"more than {MAX_AVPS} AVPs in a message")
            if header == VENDOR_AVP_HEADER_SIZE:
                code |= _WORD.unpack_from(data, position + AVP_HEADER_SIZE)[0] << VENDOR_SHIFT
            if profile.grouped.get(code):
                spans.append((position + header, position + length))
            position += length + 3 & ~3


def nest_at(error: DiameterError, data: bytes, position: int) -> None:
    """Put the error's offending AVP into a copy of the group header at `position`."""
    code, word = _TWO_WORDS.unpack_from(data, position)
    vendor_id = _WORD.unpack_from(data, position + AVP_HEADER_SIZE)[0] if word & 0x80000000 else 0
    nest(error, code, vendor_id, word >> 24)


def too_deep() -> DiameterError:
    """5012: groups nested deeper than any specification needs."""
    return DiameterError(ResultCode.DIAMETER_UNABLE_TO_COMPLY, f"AVPs nested deeper than {MAX_DEPTH} groups")


def unsupported(data: bytes, position: int) -> DiameterError:
    """5001: an AVP that we do not know and must not ignore."""
    (code,) = _WORD.unpack_from(data, position)
    return DiameterError(
        ResultCode.DIAMETER_AVP_UNSUPPORTED, f"unknown AVP {code} with the M flag", copy_of_avp(data, position)
    )


def missing(avp: Definition) -> DiameterError:
    """5005, with a zero-filled example of the AVP that should have been there."""
    example = encode_avp(avp.code, bytes(avp.type.minimum_size), avp.vendor_id, avp.flags)
    return DiameterError(ResultCode.DIAMETER_MISSING_AVP, f"{avp.name} is missing", example)


def too_many(data: bytes, position: int, name: str) -> DiameterError:
    """5009: an AVP that may occur once occurs again, at `position`."""
    return DiameterError(
        ResultCode.DIAMETER_AVP_OCCURS_TOO_MANY_TIMES, f"{name} occurs twice", copy_of_avp(data, position)
    )


def bad_size(data: bytes, position: int, name: str) -> DiameterError:
    """5014: data of another size than the type of the AVP has."""
    return DiameterError(
        ResultCode.DIAMETER_INVALID_AVP_LENGTH, f"{name} has data of the wrong size", copy_of_avp(data, position)
    )


def bad_text(data: bytes, position: int, name: str) -> DiameterError:
    """5004: text that is not UTF-8."""
    return DiameterError(ResultCode.DIAMETER_INVALID_AVP_VALUE, f"{name} is not UTF-8", copy_of_avp(data, position))
