"""Octets to Diameter headers, AVPs and frames, and back (RFC 6733 §3 and §4.1). Knows no message by name."""

from collections.abc import Container
from struct import Struct
from typing import Final

import msgspec

from protocols.diameter.dictionary import standard
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.errors import LocalProtocolError
from protocols.framer import StreamFramer

VERSION: Final = 1
HEADER_SIZE: Final = 20
AVP_HEADER_SIZE: Final = 8
VENDOR_AVP_HEADER_SIZE: Final = 12

MAX_MESSAGE_SIZE: Final = 65536
"""Octets of the longest message that we read or write; a Gy request has 300 to 3,000."""
MAX_AVPS: Final = 512
"""AVPs in one message, those inside groups included."""
MAX_DEPTH: Final = 8
"""Groups that an AVP may lie in; TS 32.299 needs five."""
MAX_FAILED_AVP: Final = 4096
"""Octets of an offending AVP that an answer gives back: the answer must not outgrow MAX_MESSAGE_SIZE."""

FLAG_REQUEST: Final = 0x80
FLAG_PROXIABLE: Final = 0x40
FLAG_ERROR: Final = 0x20
FLAG_RETRANSMIT: Final = 0x10

AVP_FLAG_VENDOR: Final = 0x80
AVP_FLAG_MANDATORY: Final = 0x40

_FIVE_WORDS: Final = Struct(">IIIII")
_TWO_WORDS: Final = Struct(">II")
_THREE_WORDS: Final = Struct(">III")
_WORD: Final = Struct(">I")
PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""What fills data up to a 32-bit boundary, by `len(data) & 3`."""


class Header(msgspec.Struct, frozen=True, gc=False):
    """The 20 octets in front of every message (RFC 6733 §3). `length` counts them too."""

    flags: int
    command_code: int
    application_id: int
    hop_by_hop: int
    end_to_end: int
    length: int

    @property
    def request(self) -> bool:
        """R: a request, not an answer."""
        return bool(self.flags & FLAG_REQUEST)

    @property
    def proxiable(self) -> bool:
        """P: agents may forward it; an answer copies the bit."""
        return bool(self.flags & FLAG_PROXIABLE)

    @property
    def error(self) -> bool:
        """E: an answer of the error grammar (RFC 6733 §7.2)."""
        return bool(self.flags & FLAG_ERROR)

    @property
    def retransmitted(self) -> bool:
        """T: possibly sent before, over a link that failed."""
        return bool(self.flags & FLAG_RETRANSMIT)


class Avp(msgspec.Struct, frozen=True, gc=False):
    """One AVP as it stands on the wire, its data not looked into (RFC 6733 §4.1)."""

    code: int
    vendor_id: int
    flags: int
    data: bytes


def decode_header(frame: bytes) -> Header:
    """Read the header of one whole message, as `Framer` cuts it out."""
    if len(frame) < HEADER_SIZE:
        raise DiameterError(ResultCode.DIAMETER_INVALID_MESSAGE_LENGTH, "shorter than a Diameter header", fatal=True)
    first, second, application_id, hop_by_hop, end_to_end = _FIVE_WORDS.unpack_from(frame)
    if first >> 24 != VERSION:
        raise _bad_version(first >> 24)
    if first & 0xFFFFFF != len(frame):
        raise _bad_message_length(first & 0xFFFFFF)
    return Header(second >> 24, second & 0xFFFFFF, application_id, hop_by_hop, end_to_end, first & 0xFFFFFF)


def decode_avps(data: bytes, start: int, end: int, codes: Container[int] | None = None) -> list[Avp]:
    """Cut `data[start:end]` into AVPs: one level, groups not looked into; with `codes`, give only those of these codes.

    Raises DiameterError 5014 for a length below the AVP's own header or beyond `end`, padding included.
    Reserved AVP flags, and the P flag of RFC 3588, are kept and mean nothing.
    """
    avps: list[Avp] = []
    position = start
    while position < end:
        header, vendor_id = AVP_HEADER_SIZE, 0
        if position + AVP_HEADER_SIZE > end:
            raise bad_avp_length(data, position, end)
        code, word = _TWO_WORDS.unpack_from(data, position)
        length = word & 0xFFFFFF
        following = position + (length + 3 & ~3)
        if word & 0x80000000:
            header = VENDOR_AVP_HEADER_SIZE
        if length < header or following > end:
            raise bad_avp_length(data, position, end)
        if codes is None or code in codes:
            if word & 0x80000000:
                (vendor_id,) = _WORD.unpack_from(data, position + AVP_HEADER_SIZE)
            avps.append(Avp(code, vendor_id, word >> 24, data[position + header : position + length]))
        position = following
    return avps


def encode_avp(code: int, data: bytes, vendor_id: int = 0, flags: int = AVP_FLAG_MANDATORY) -> bytes:
    """One AVP, padded to a 32-bit boundary; the V flag follows from the vendor."""
    if vendor_id:
        word = (flags | AVP_FLAG_VENDOR) << 24 | len(data) + VENDOR_AVP_HEADER_SIZE
        return _THREE_WORDS.pack(code, word, vendor_id) + data + PADDING[len(data) & 3]
    word = (flags & ~AVP_FLAG_VENDOR) << 24 | len(data) + AVP_HEADER_SIZE
    return _TWO_WORDS.pack(code, word) + data + PADDING[len(data) & 3]


def encode_message(
    flags: int, command_code: int, application_id: int, hop_by_hop: int, end_to_end: int, body: bytes
) -> bytes:
    """A whole message: header and encoded AVPs."""
    length = HEADER_SIZE + len(body)
    if length > MAX_MESSAGE_SIZE:
        raise LocalProtocolError(f"a message of {length} octets is longer than we send", "diameter.encode.size")
    return (
        _FIVE_WORDS.pack(VERSION << 24 | length, flags << 24 | command_code, application_id, hop_by_hop, end_to_end)
        + body
    )


def copy_of_avp(data: bytes, position: int) -> bytes:
    """The well-formed AVP at `position`, padded: what a Failed-AVP gives back. A group cut short could not be read."""
    code, word = _TWO_WORDS.unpack_from(data, position)
    header, vendor_id = AVP_HEADER_SIZE, 0
    if word & 0x80000000:
        header = VENDOR_AVP_HEADER_SIZE
        (vendor_id,) = _WORD.unpack_from(data, position + AVP_HEADER_SIZE)
    return offending_avp(code, data[position + header : position + (word & 0xFFFFFF)], vendor_id, word >> 24)


def offending_avp(code: int, data: bytes, vendor_id: int = 0, flags: int = AVP_FLAG_MANDATORY) -> bytes:
    """One AVP as a Failed-AVP gives it back, above MAX_FAILED_AVP as the smallest example of its code."""
    avp = encode_avp(code, data, vendor_id, flags)
    return avp if len(avp) <= MAX_FAILED_AVP else example_avp(code, vendor_id, flags)


def nest(error: DiameterError, code: int, vendor_id: int, flags: int) -> None:
    """Put the error's offending AVP into the group that it was found in (RFC 6733 §7.5)."""
    if error.failed_avp:
        error.failed_avp = encode_avp(code, error.failed_avp, vendor_id, flags)


def example_avp(code: int, vendor_id: int, flags: int) -> bytes:
    """An AVP of the smallest legal size for its type, zero-filled (RFC 6733 §7.1.5, 5005 and 5014)."""
    definition = standard().by_code(code, vendor_id)
    return encode_avp(code, bytes(definition.type.minimum_size if definition else 0), vendor_id, flags)


def bad_avp_length(data: bytes, position: int, end: int) -> DiameterError:
    """5014 for the AVP header at `position`, of which not even all octets need be there.

    The Failed-AVP gets a sound AVP of the same code in its place: nobody could read back the broken one.
    """
    head = data[position : min(position + VENDOR_AVP_HEADER_SIZE, end)]
    code, word, vendor_id = _THREE_WORDS.unpack(head.ljust(VENDOR_AVP_HEADER_SIZE, b"\0"))
    flags = word >> 24
    failed = example_avp(code, vendor_id if flags & AVP_FLAG_VENDOR else 0, flags)
    message = f"AVP {code} has length {word & 0xFFFFFF} where {end - position} octets are left"
    return DiameterError(ResultCode.DIAMETER_INVALID_AVP_LENGTH, message, failed)


def _bad_version(version: int) -> DiameterError:
    return DiameterError(ResultCode.DIAMETER_UNSUPPORTED_VERSION, f"Diameter version {version}", fatal=True)


def _bad_message_length(length: int) -> DiameterError:
    return DiameterError(ResultCode.DIAMETER_INVALID_MESSAGE_LENGTH, f"message length {length}", fatal=True)


class Framer(StreamFramer[DiameterError]):
    """Cuts a stream of octets into whole messages; a bad version is found by its first octet."""

    def _cut(self, data: bytes | bytearray) -> tuple[list[bytes], int]:
        """Whole messages at the front of `data`, and how many octets they have."""
        frames: list[bytes] = []
        position, end = 0, len(data)
        while end - position >= 4:
            (word,) = _WORD.unpack_from(data, position)
            length = word & 0xFFFFFF
            if word >> 24 != VERSION:
                return frames, self._fail(_bad_version(word >> 24), end)
            if length < HEADER_SIZE or length & 3 or length > MAX_MESSAGE_SIZE:
                return frames, self._fail(_bad_message_length(length), end)
            if position + length > end:
                break
            frames.append(bytes(data[position : position + length]))
            position += length
        if end - position in {1, 2, 3} and data[position] != VERSION:
            return frames, self._fail(_bad_version(data[position]), end)
        return frames, position

    def _fail(self, error: DiameterError, consumed: int) -> int:
        self.error = error
        return consumed
