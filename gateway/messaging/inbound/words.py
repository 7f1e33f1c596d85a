"""The words of a text in, also where its data_coding says what they are not.

Message centres mark as UCS-2 what is ASCII or UTF-8, send UCS-2 little end first without a mark, or under the default alphabet,
and under that UTF-8 and Latin-1, too. Read as they are marked such texts are no words at all, and a STOP would not be heard.
"""

from collections.abc import Sequence
from typing import Final

from protocols.smpp.alphabets import Alphabet
from protocols.smpp.text import UserData, read_text

_SEPTETS: Final = frozenset({Alphabet.GSM7, Alphabet.ASCII})
_SINGLE_OCTETS: Final = _SEPTETS | {Alphabet.LATIN1, Alphabet.OCTETS}


def read_words(parts: Sequence[UserData]) -> str:
    """Read a text; U+0000, which some handsets pad or part words with and the store can't hold, counts as a space."""
    octets = b"".join(part.octets for part in parts)
    alphabets = {part.alphabet for part in parts}
    text = None
    if alphabets == {Alphabet.UCS2}:
        text = _little_end_first(octets) or _of_octets(octets)
    elif alphabets <= _SINGLE_OCTETS:
        text = _big_end_first(octets) or _of_eight_bits(octets, septets=alphabets <= _SEPTETS)
    return (read_text(parts).text if text is None else text).replace("\0", " ")


def _little_end_first(octets: bytes) -> str | None:
    """Read Latin letters of which each has its zero octet behind it."""
    plain = len(octets) % 2 == 0 and not any(octets[1::2]) and all(octets[::2])
    return octets.decode("utf-16-le") if plain and octets else None


def _big_end_first(octets: bytes) -> str | None:
    """Read Latin letters of which each has its zero octet before it, under an alphabet of single octets."""
    plain = len(octets) % 2 == 0 and not any(octets[::2]) and all(octets[1::2])
    return octets.decode("utf-16-be") if plain and octets else None


def _of_eight_bits(octets: bytes, *, septets: bool) -> str | None:
    """Read what has octets of eight bits; among `septets`, which have none, it is UTF-8 or else Latin-1."""
    if octets.isascii():
        return None
    if not septets:
        return _of_octets(octets)
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _of_octets(octets: bytes) -> str | None:
    """Read what is UTF-8 throughout, and mostly ASCII; in UCS-2 every Latin letter, digit and space has a zero octet."""
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    plain = sum(map(str.isascii, text))
    return text if "\0" not in text and 2 * plain > len(text) and "".join(text.split()).isprintable() else None
