"""Texts written with the letters that one part of a short message carries 160 of.

The GSM 7-bit alphabet lacks most accents (`ó`, `ê`, lower-case `ç`): one such letter would turn the whole text to UCS-2 and
cut it to 70 characters a part. So what has a plain twin is written with it; what has none (Greek, Arabic) stays itself.
"""

import unicodedata
from typing import Final

from protocols.smpp.alphabets import DEFAULT, SINGLE_SHIFT, Language

GSM: Final = frozenset(DEFAULT) - {"\x1b"}
"""The characters that take one septet (3GPP TS 23.038 §6.2.1)."""
GSM_EXTENDED: Final = frozenset(SINGLE_SHIFT[Language.DEFAULT.value].values())
"""The characters that take two (3GPP TS 23.038 §6.2.1.1)."""
_TWINS: Final = str.maketrans(
    dict.fromkeys("`\u2018\u2019", "'")
    | dict.fromkeys("\u201c\u201d«»", '"')
    | dict.fromkeys("\u2010\u2011\u2013\u2014", "-")
    | dict.fromkeys("\t\u00a0\u2009\u202f", " ")
    | {"…": "...", "œ": "oe", "Œ": "OE"}
)
"""Quotation marks, dashes, spaces and ligatures that word processors put in."""


def gsm_safe(text: str) -> str:
    """Return `text` with every letter that GSM 7-bit lacks replaced by its plain twin, where it has one."""
    return "".join(map(_plain, unicodedata.normalize("NFC", text).translate(_TWINS)))


def _plain(character: str) -> str:
    if character in GSM or character in GSM_EXTENDED:
        return character
    letters = [part for part in unicodedata.normalize("NFD", character) if not unicodedata.combining(part)]
    return "".join(letters) if letters and GSM.issuperset(letters) else character
