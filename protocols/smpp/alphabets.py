"""The alphabets of short messages: characters to octets and back (TS 23.038 §6.2 and annex A).

Two shapes of GSM 7-bit travel over SMPP: unpacked, one septet an octet, which is the usual one, and packed, eight
septets in seven octets. Everything here that is called septets is unpacked.
"""

import codecs
from enum import Enum
from typing import Final

import msgspec

from protocols.errors import LocalProtocolError

ESCAPE: Final = 0x1B
_REPLACEMENT: Final = "\ufffd"
_CARRIAGE_RETURN: Final = 0x0D
_FULL: Final = 140
"""Octets of the longest user data of one short message (TS 23.040 §9.2.3.24)."""

_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS: Final = " !\"#{}%&'()*+,-./0123456789:;<=>?"

DEFAULT: Final = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ" + _DIGITS.replace("{}", "¤") + f"¡{_UPPER}ÄÖÑÜ§¿{_LOWER}äöñüà"
"""The GSM 7-bit default alphabet by septet (TS 23.038 §6.2.1); 0x1B leads to the extension."""

_BRACKETS: Final = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
"""The extension of the default alphabet (TS 23.038 §6.2.1.1); every single shift table has it, too."""


class Language(Enum):
    """National languages whose shift tables we know, by identifier (TS 23.038 §6.2.1.2.4)."""

    DEFAULT = 0
    TURKISH = 1
    SPANISH = 2
    PORTUGUESE = 3


LOCKING: Final = {
    Language.DEFAULT.value: DEFAULT,
    Language.TURKISH.value: (
        "@£$¥€éùıòÇ\nĞğ\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ" + _DIGITS.replace("{}", "¤") + f"İ{_UPPER}ÄÖÑÜ§ç{_LOWER}äöñüà"
    ),
    Language.PORTUGUESE.value: (
        "@£$¥êéúíóç\nÔô\rÁáΔ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ" + _DIGITS.replace("{}", "º") + f"Í{_UPPER}ÃÕÚÜ§~{_LOWER}ãõ`üà"
    ),
}
"""Tables that take the place of the default alphabet, by language (TS 23.038 A.3). Spanish has none."""

SINGLE_SHIFT: Final = {
    Language.DEFAULT.value: _BRACKETS,
    Language.TURKISH.value: _BRACKETS
    | {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "\u0131", 0x73: "ş"},  # the i without a dot
    Language.SPANISH.value: _BRACKETS
    | {0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú"},
    Language.PORTUGUESE.value: _BRACKETS
    | {0x05: "ê", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "Φ", 0x13: "Γ", 0x15: "Ω", 0x16: "Π",
       0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê", 0x41: "À", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x5B: "Ã", 0x5C: "Õ",
       0x61: "Â", 0x69: "í", 0x6F: "ó", 0x75: "ú", 0x7B: "ã", 0x7C: "õ", 0x7F: "â"},
}  # fmt: skip
"""What stands behind an escape, by language (TS 23.038 A.2)."""


class Alphabet(Enum):
    """How the octets of a text are to be read; the value is the name that an operator writes."""

    GSM7 = "gsm7"
    GSM7_PACKED = "gsm7-packed"
    ASCII = "ascii"
    LATIN1 = "latin1"
    CP1252 = "cp1252"
    CYRILLIC = "iso-8859-5"
    HEBREW = "iso-8859-8"
    JIS = "shift-jis"
    ISO_2022_JP = "iso-2022-jp"
    KOREAN = "euc-kr"
    UCS2 = "ucs2"
    OCTETS = "octets"
    """No text: binary data, or a data_coding that nobody knows."""

    @property
    def septets(self) -> bool:
        """Of the GSM 7-bit family."""
        return self in _SEPTETS


_SEPTETS: Final = frozenset({Alphabet.GSM7, Alphabet.GSM7_PACKED})
_CODECS: Final = {
    Alphabet.ASCII: "ascii",
    Alphabet.LATIN1: "latin-1",
    Alphabet.CP1252: "cp1252",
    Alphabet.CYRILLIC: "iso8859_5",
    Alphabet.HEBREW: "iso8859_8",
    Alphabet.JIS: "shift_jis",
    Alphabet.ISO_2022_JP: "iso2022_jp",
    Alphabet.KOREAN: "euc_kr",
    Alphabet.UCS2: "utf-16-be",
}
"""Names of the codecs of Python's library; UCS-2 is UTF-16, big end first, in practice."""


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """A text as read. `sound` is False if something in it could not be read, and U+FFFD or a guess stands for it."""

    text: str
    sound: bool


def encode(text: str, alphabet: Alphabet) -> bytes | None:
    """A text's octets, or None if the alphabet lacks a character. GSM7_PACKED gives septets, to be packed later.

    Raises LocalProtocolError for half of a surrogate pair, which is no character at all.
    """
    if alphabet.septets:
        try:
            return codecs.charmap_encode(text, "strict", _GSM_OCTETS)[0]
        except UnicodeEncodeError:
            return None
    try:
        return text.encode(_CODECS[alphabet])
    except UnicodeEncodeError:
        if alphabet is Alphabet.UCS2:
            raise LocalProtocolError("half of a surrogate pair is no text", "smpp.text.surrogate") from None
        return None


def decode(octets: bytes, alphabet: Alphabet, locking_shift: int = 0, single_shift: int = 0) -> Decoded:
    """A text from its octets; GSM7_PACKED takes septets. OCTETS are no text: what is shown of them is Latin-1."""
    if alphabet.septets:
        return _decode_septets(octets, locking_shift, single_shift)
    if alphabet is Alphabet.OCTETS:
        return Decoded(octets.decode("latin-1"), sound=False)
    if alphabet is Alphabet.UCS2:
        octets = _big_endian(octets)
    codec = _CODECS[alphabet]
    try:
        return Decoded(octets.decode(codec).rstrip("\0"), sound=True)
    except UnicodeDecodeError:
        return Decoded(octets.decode(codec, "replace").rstrip("\0"), sound=False)


def _big_endian(octets: bytes) -> bytes:
    """Without a byte order mark, and turned round where the mark says so."""
    if octets[:2] == b"\xfe\xff":
        return octets[2:]
    if octets[:2] == b"\xff\xfe" and len(octets) % 2 == 0:
        return octets[2:].decode("utf-16-le", "surrogatepass").encode("utf-16-be", "surrogatepass")
    return octets


def _decode_septets(septets: bytes, locking_shift: int, single_shift: int) -> Decoded:
    table = _LOCKING_TABLES.get(locking_shift, _DEFAULT_TABLE)
    try:
        text = codecs.charmap_decode(septets, "strict", table)[0]
        return Decoded(text, sound=locking_shift in LOCKING)
    except UnicodeDecodeError:
        known = locking_shift in LOCKING and single_shift in SINGLE_SHIFT
        text, sound = _walk_septets(septets, table, SINGLE_SHIFT.get(single_shift, _BRACKETS))
        return Decoded(text, sound=sound and known)


def _walk_septets(septets: bytes, table: str, extension: dict[int, str]) -> tuple[str, bool]:
    """Character by character; what the extension lacks is shown as the table has it (TS 23.038 §6.2.1.1)."""
    characters: list[str] = []
    sound, escaped = True, False
    for septet in septets:
        if septet > 0x7F:
            characters.append(_REPLACEMENT)
            sound = escaped = False
        elif escaped:
            characters.append(extension.get(septet) or (" " if septet == ESCAPE else table[septet]))
            escaped = False
        elif septet == ESCAPE:
            escaped = True
        else:
            characters.append(table[septet])
    return "".join(characters), sound and not escaped


def _charmap(table: str) -> str:
    """The table for the library's C loop, which stops at an escape."""
    return table.replace("\x1b", "\ufffe")


_LOCKING_TABLES: Final = {language: _charmap(table) for language, table in LOCKING.items()}
_DEFAULT_TABLE: Final = _LOCKING_TABLES[0]
_GSM_OCTETS: Final[dict[int, int]] = {ord(character): septet for septet, character in enumerate(DEFAULT)}
del _GSM_OCTETS[ESCAPE]
_GSM_OCTETS |= {ord(character): bytes([ESCAPE, septet]) for septet, character in _BRACKETS.items()}  # type: ignore[misc] # the library takes octets, too; its types don't say so


def pack(septets: bytes, header_size: int = 0) -> bytes:
    """Eight septets in seven octets (TS 23.038 §6.1.2.1), begun on a septet's border behind a header of so many octets.

    Seven bits left over would read as one more `@`: a carriage return fills them, as §6.1.2.3.1 has it for USSD.
    """
    fill = -header_size * 8 % 7
    if (fill + len(septets) * 7) % 8 == 1:
        septets += bytes([_CARRIAGE_RETURN])
    number = sum(septet << 7 * place for place, septet in enumerate(septets)) << fill
    return number.to_bytes((fill + len(septets) * 7 + 7) // 8, "little")


def unpack(octets: bytes, header_size: int = 0) -> bytes:
    """The septets in packed octets. A last one that only fills up (seven zero bits, or a carriage return) is none.

    SMPP tells no number of septets, so a text that really ends there with `@` or a carriage return loses it; in a full
    message of 140 octets zero bits are taken for `@`.
    """
    fill = -header_size * 8 % 7
    count, spare = divmod(max(len(octets) * 8 - fill, 0), 7)
    number = int.from_bytes(octets, "little") >> fill
    septets = bytes(number >> 7 * place & 0x7F for place in range(count))
    full = header_size + len(octets) == _FULL
    if spare == 0 and (septets[-1:] == b"\r" or (septets[-1:] == b"\0" and not full)):
        return septets[:-1]
    return septets
