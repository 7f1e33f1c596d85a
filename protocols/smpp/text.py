"""A text into short messages, and short messages into a text.

Sending: `encode_text` chooses the alphabet and cuts; `Encoded.segments` gives what goes into short_message. Receiving:
`user_data` takes one message apart, and `read_text` reads one or several of them, joined before they are decoded:
a sender may have cut anywhere.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from protocols.smpp.alphabets import Alphabet, Decoded, decode, encode, pack, unpack
from protocols.smpp.codec import Tlv, wide_number
from protocols.smpp.segments import (
    MAX_PARTS,
    NO_HEADER,
    Concatenation,
    UserDataHeader,
    check_parts,
    concatenation_header,
    cut_octets,
    cut_septets,
    cut_utf16,
    parse_header,
)
from protocols.smpp.tags import Tag

UDHI: Final = 0x40
"""Bit of esm_class: the user data begin with a header (SMPP 3.4 §5.2.12)."""

DATA_CODINGS: Final = {
    0x01: Alphabet.ASCII,
    0x02: Alphabet.OCTETS,
    0x03: Alphabet.LATIN1,
    0x04: Alphabet.OCTETS,
    0x05: Alphabet.JIS,
    0x06: Alphabet.CYRILLIC,
    0x07: Alphabet.HEBREW,
    0x08: Alphabet.UCS2,
    0x0A: Alphabet.ISO_2022_JP,
    0x0D: Alphabet.JIS,
    0x0E: Alphabet.KOREAN,
}
"""data_coding below 0x10 (SMPP 3.4 §5.2.19); 0 is the message centre's default, which each link has its own of."""

_SENT_AS: Final = {Alphabet.ASCII: 0x01, Alphabet.LATIN1: 0x03, Alphabet.UCS2: 0x08}
_GENERAL: Final = {0x00: None, 0x04: Alphabet.OCTETS, 0x08: Alphabet.UCS2, 0x0C: Alphabet.OCTETS}
"""Bits 3 and 2 of the GSM general coding group (TS 23.038 §4); None is the default alphabet."""


class ShortMessage(Protocol):
    """What submit_sm and deliver_sm have in common."""

    @property
    def esm_class(self) -> int:
        """Bits of SMPP 3.4 §5.2.12."""

    @property
    def data_coding(self) -> int:
        """Which alphabet."""

    @property
    def message_payload(self) -> bytes | None:
        """The text, if short_message is empty."""

    @property
    def sar_msg_ref_num(self) -> int | None:
        """Which text the part belongs to."""

    @property
    def sar_total_segments(self) -> int | None:
        """How many parts it has."""

    @property
    def sar_segment_seqnum(self) -> int | None:
        """Which one this is."""

    @property
    def tlvs(self) -> tuple[Tlv, ...]:
        """Parameters that have no attribute, or did not fit theirs."""


class Encoded(msgspec.Struct, frozen=True):
    """A text ready to be sent.

    Attributes:
        data_coding: for the message.
        alphabet: what the pieces are written in.
        pieces: the text of each part, without header; septets where the alphabet is packed.
        wide: headers have a reference of 16 bits.
    """

    data_coding: int
    alphabet: Alphabet
    pieces: tuple[bytes, ...]
    wide: bool

    @property
    def esm_class(self) -> int:
        """The bits that the parts need: UDHI where there are several."""
        return UDHI if len(self.pieces) > 1 else 0

    def segments(self, reference: int) -> tuple[bytes, ...]:
        """What goes into short_message, part by part; `reference` should be new for the destination."""
        if len(self.pieces) == 1:
            return (self._wired(b"", self.pieces[0]),)
        total = len(self.pieces)
        return tuple(
            self._wired(concatenation_header(Concatenation(reference, total, number), wide=self.wide), piece)
            for number, piece in enumerate(self.pieces, 1)
        )

    def _wired(self, header: bytes, piece: bytes) -> bytes:
        if self.alphabet is Alphabet.GSM7_PACKED:
            return header + pack(piece, len(header))
        return header + piece


class UserData(msgspec.Struct, frozen=True):
    """One received message taken apart: the text's octets, undecoded, and which part they are.

    Attributes:
        alphabet: by data_coding; septets of a packed message are unpacked already.
        octets: without the header.
        concatenation: by the header, or else by the SAR parameters.
        header: NO_HEADER without UDHI.
    """

    alphabet: Alphabet
    octets: bytes
    concatenation: Concatenation | None
    header: UserDataHeader


def encode_text(
    text: str,
    default_alphabet: Alphabet = Alphabet.GSM7,
    *,
    also: Iterable[Alphabet] = (),
    wide: bool = False,
    flash: bool = False,
) -> Encoded:
    """The text in the alphabet that needs fewest parts, then fewest octets; cut, if it must be.

    The link's default alphabet (data_coding 0) wins where others do no better; UCS-2 serves where no other has every
    character. `also` names others that the link takes (ASCII, LATIN1). `flash` asks for class 0, shown
    at once and not kept (data_coding 0x10 or 0x18).

    Raises LocalProtocolError: more than 255 parts, or half of a surrogate pair.
    """
    candidates = [
        _candidate(text, alphabet, 0 if alphabet is default_alphabet else _SENT_AS[alphabet], wide=wide)
        for alphabet in dict.fromkeys((default_alphabet, *also))
    ]
    written = [candidate for candidate in candidates if candidate is not None]
    if not written:
        octets = encode(text, Alphabet.UCS2) or b""
        written = [Encoded(_SENT_AS[Alphabet.UCS2], Alphabet.UCS2, tuple(cut_utf16(octets, wide=wide)), wide)]
    best = min(written, key=_cost)
    check_parts(len(best.pieces))
    if flash:
        return msgspec.structs.replace(best, data_coding=0x18 if best.alphabet is Alphabet.UCS2 else 0x10)
    return best


def _candidate(text: str, alphabet: Alphabet, data_coding: int, *, wide: bool) -> Encoded | None:
    octets = encode(text, alphabet)
    if octets is None:
        return None
    return Encoded(data_coding, alphabet, tuple(_cut(octets, alphabet, wide=wide)), wide)


def _cost(encoded: Encoded) -> tuple[int, int]:
    return len(encoded.pieces), sum(map(len, encoded.pieces))


def _cut(octets: bytes, alphabet: Alphabet, *, wide: bool) -> list[bytes]:
    if alphabet.septets:
        return cut_septets(octets, wide=wide)
    return cut_utf16(octets, wide=wide) if alphabet is Alphabet.UCS2 else cut_octets(octets, wide=wide)


def encode_octets(octets: bytes, *, wide: bool = False) -> Encoded:
    """Binary data, cut if they must be (data_coding 4)."""
    pieces = tuple(cut_octets(octets, wide=wide))
    check_parts(len(pieces))
    return Encoded(0x04, Alphabet.OCTETS, pieces, wide)


def alphabet_of(data_coding: int, default_alphabet: Alphabet) -> Alphabet:
    """What a data_coding says: the table of SMPP below 0x10, the groups of TS 23.038 §4 above.

    Message class, deletion and waiting bits are not part of the alphabet; compressed texts are OCTETS.
    """
    if data_coding == 0:
        return default_alphabet
    if data_coding < 0x10:
        return DATA_CODINGS.get(data_coding, Alphabet.OCTETS)
    if data_coding < 0x80:
        if data_coding & 0x20:
            return Alphabet.OCTETS
        return _GENERAL[data_coding & 0x0C] or default_alphabet
    if data_coding >= 0xF0:
        return Alphabet.OCTETS if data_coding & 0x04 else default_alphabet
    if data_coding >= 0xE0:
        return Alphabet.UCS2
    return default_alphabet if data_coding >= 0xC0 else Alphabet.OCTETS


def message_class(data_coding: int) -> int | None:
    """0 flash, 1 phone, 2 SIM, 3 terminal equipment; None without a class (TS 23.038 §4)."""
    if data_coding >= 0xF0 or data_coding & 0x90 == 0x10:
        return data_coding & 0x03
    return None


def user_data(message: ShortMessage, default_alphabet: Alphabet = Alphabet.GSM7) -> UserData:
    """Take a submit_sm, deliver_sm or data_sm apart. The text is in short_message, or in message_payload."""
    octets: bytes = getattr(message, "short_message", b"") or message.message_payload or b""
    header = parse_header(octets) if message.esm_class & UDHI else NO_HEADER
    alphabet = alphabet_of(message.data_coding, default_alphabet)
    body = octets[header.size :]
    if alphabet is Alphabet.GSM7_PACKED:
        body = unpack(body, header.size)
    return UserData(alphabet, body, header.concatenation or _by_sar(message), header)


def _by_sar(message: ShortMessage) -> Concatenation | None:
    """All three parameters or none (SMPP 3.4 §5.3.2.22); they are not to be mixed with UDHI, whose header wins."""
    reference, total = message.sar_msg_ref_num, message.sar_total_segments
    number = message.sar_segment_seqnum
    if message.tlvs:
        reference = wide_number(message.tlvs, Tag.SAR_MSG_REF_NUM) if reference is None else reference
        total = wide_number(message.tlvs, Tag.SAR_TOTAL_SEGMENTS) if total is None else total
        number = wide_number(message.tlvs, Tag.SAR_SEGMENT_SEQNUM) if number is None else number
    if reference is None or total is None or number is None or not 1 <= number <= total <= MAX_PARTS:
        return None
    return Concatenation(reference & 0xFFFF, total, number)


def read_text(parts: Sequence[UserData]) -> Decoded:
    """The text of all parts of a message, in their order.

    Octets in the same alphabet and shifts are joined before they are decoded, so that a character that was cut comes
    out whole. Not sound: something could not be read, or a header was broken.
    """
    texts: list[str] = []
    sound = True
    position = 0
    while position < len(parts):
        first = parts[position]
        run = [first]
        while position + len(run) < len(parts) and _alike(first, parts[position + len(run)]):
            run.append(parts[position + len(run)])
        octets = b"".join(part.octets for part in run)
        found = decode(octets, first.alphabet, first.header.locking_shift, first.header.single_shift)
        texts.append(found.text)
        sound = sound and found.sound and all(part.header.sound for part in run)
        position += len(run)
    return Decoded("".join(texts), sound)


def _alike(one: UserData, other: UserData) -> bool:
    return (
        one.alphabet is other.alphabet
        and one.header.single_shift == other.header.single_shift
        and one.header.locking_shift == other.header.locking_shift
    )


def decode_text(data_coding: int, octets: bytes, default_alphabet: Alphabet = Alphabet.GSM7) -> Decoded:
    """The text of octets that stand alone, without header."""
    alphabet = alphabet_of(data_coding, default_alphabet)
    return decode(unpack(octets) if alphabet is Alphabet.GSM7_PACKED else octets, alphabet)
