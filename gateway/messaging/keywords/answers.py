"""Fill in the answers of a keyword book, in letters that a text can carry 160 of.

The GSM 7-bit alphabet lacks most accents (`ó`, `ê`, lower-case `ç`): one such letter would turn the whole text to UCS-2 and
cut it to 70 characters a part. So what has a plain twin is written with it; what has none (Greek, Arabic) stays itself.
"""

import string
import unicodedata
from collections.abc import Collection
from typing import Final

from gateway.messaging.keywords.amounts import Money, write_amount
from gateway.messaging.keywords.catalogue import STAND_INS, KeywordAnswer, KeywordBook
from gateway.rating.paid_service_limits import limit_of

GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà" + string.digits + string.ascii_letters
)
"""The characters that take one septet (3GPP TS 23.038 §6.2.1)."""

GSM_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""The characters that take two (3GPP TS 23.038 §6.2.1.1)."""

_TWINS: Final = str.maketrans(
    dict.fromkeys("`\u2018\u2019", "'")
    | dict.fromkeys("\u201c\u201d«»", '"')
    | dict.fromkeys("\u2010\u2011\u2013\u2014", "-")
    | dict.fromkeys("\t\u00a0\u2009\u202f", " ")
    | {"…": "...", "œ": "oe", "Œ": "OE"}
)
"""Quotation marks, dashes, spaces and ligatures that word processors put in."""


def render(book: KeywordBook, language: str, answer: KeywordAnswer, **values: str | Money) -> str:
    """Return the answer's text; a language that the book doesn't have is answered in the book's own.

    `values` fill the placeholders (PLACEHOLDERS says which there are); short_code is filled in here. Values that the
    template doesn't name are left aside; KeyError if one that it names is missing.
    """
    templates = book.languages.get(language) or book.languages[book.language]
    written = {name: write_amount(value) if isinstance(value, Money) else value for name, value in values.items()}
    if answer in STAND_INS and not templates.answers.get(answer):
        answer = STAND_INS[answer]
    return gsm_safe(templates.answers[answer].format_map({"short_code": book.short_code, **written}))


def bounds(book: KeywordBook, currency: str, country: str) -> dict[str, Money]:
    """Return the values of {minimum} and {maximum} for a giver whose wallet has `currency`, within the law of a country."""
    limit = limit_of(country, currency)
    maximum = book.maximum if limit is None else min(book.maximum, limit.each)
    return {"minimum": Money(book.minimum, currency), "maximum": Money(maximum, currency)}


def cause_list(book: KeywordBook, open_causes: Collection[str]) -> str:
    """Return the value of {causes}: the word to type for each cause that may be chosen, in the book's order."""
    return ", ".join(words[0] for cause, words in book.causes.items() if cause in open_causes)


def gsm_safe(text: str) -> str:
    """Return `text` with every letter that GSM 7-bit lacks replaced by its plain twin, where it has one."""
    return "".join(map(_plain, unicodedata.normalize("NFC", text).translate(_TWINS)))


def _plain(character: str) -> str:
    if character in GSM or character in GSM_EXTENDED:
        return character
    letters = [part for part in unicodedata.normalize("NFD", character) if not unicodedata.combining(part)]
    return "".join(letters) if letters and GSM.issuperset(letters) else character
