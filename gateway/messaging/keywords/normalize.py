"""Make what people type comparable: case, accents, punctuation, emoji and fancy letters don't matter.

A text becomes a list of tokens, each a run of lower-case letters (`wateraid`), a number with its separators (`5.50`, `.50`), or
one sign that changes what a number means (`£`, `%`). Everything else only separates.
"""

import re
import unicodedata
from typing import Final

SPOILER: Final = "¤"
"""Stands for ½, ², ① and their like: neither digits nor to be overlooked, so that `5²` is neither 52 nor 5."""

_TOKEN: Final = re.compile(r"(?:(?<![\w.,])[.,])?[0-9]+(?:[.,][0-9]+)*|[^\W\d_]+|[^\w\s]")
"""A point belongs to the number after it, unless it ends what stands before it: `.50` is not 50, `wateraid.5` is 5."""
_INNER_APOSTROPHE: Final = re.compile(r"(?<=[^\W\d_])['\u2019](?=[^\W\d_])")
_LETTERS: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d"})


_LOOK_ALIKES: Final = str.maketrans(
    "АВЕЗЅІЈКМНОРСТУХԚԜԁһӏѕіјаесорукмнтвхѵΑΒΕΖΗΙΚΜΝΟΡΤΥΧαεικνορτυχᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "ABE3SIJKMHOPCTYXQWdhlsijaecopykmhtbxvABEZHIKMNOPTYXaeikvoptuxABCDEFGHIJKLMNOPRSTUVWYZ",
) | {first + place: chr(ord("A") + place) for first in (0x1F150, 0x1F170, 0x1F1E6) for place in range(26)}
"""Letters of Cyrillic and Greek, small capitals, white letters on black and regional indicators, as the Latin ones they look
like."""


def latin(text: str) -> str:
    """Return `text` with Latin letters in place of others that look like them (`\u0405\u0422\u041e\u0420` is STOP).

    A word of another language may look like one of ours: what is read so must do no harm where it was not meant.
    """
    return text if text.isascii() else unicodedata.normalize("NFKD", text).translate(_LOOK_ALIKES)


def fold(text: str) -> str:
    """Return `text` in lower case without accents, its letters and digits the plain ones; punctuation stays."""
    if text.isascii():
        return text.lower()
    plain = "".join(SPOILER if unicodedata.category(character) == "No" else character for character in text)
    decomposed = unicodedata.normalize("NFKD", plain).casefold().translate(_LETTERS)
    return "".join(map(_fold_character, decomposed))


def _fold_character(character: str) -> str:
    match unicodedata.category(character):
        case "Mn" | "Me" | "Cf":
            # Accents, the box of a keycap emoji, zero-width joiners: nobody types them apart.
            return ""
        case "Nd":
            return str(unicodedata.decimal(character))
        case _:
            return character


_DRAWN_OUT: Final = re.compile(r"([^\W\d_])\1{2,}")


def tokens(text: str) -> list[str]:
    """Return the words, numbers and money signs of `text`, in order; a letter that is drawn out (`yesss`) stands once."""
    found = _TOKEN.findall(_DRAWN_OUT.sub(r"\1", _INNER_APOSTROPHE.sub("", fold(text))))
    return [part for part in found if part[-1].isalnum() or part == "%" or unicodedata.category(part) == "Sc"]


_TAIL: Final = re.compile(
    r"(?:^|(?<=\W))(?:sent\s+(?:from|via|with|using)\s|get\s+outlook\s+for\s|envoye\s+(?:de(?:puis)?|a\s+partir)\s|envoyé\s+"
    r"(?:de(?:puis)?|à\s+partir)\s|enviado\s+(?:desde|de(?:l)?|por)\s)",
    re.IGNORECASE,
)
"""How the lines begin that phones and mail programs add, in the languages of the shipped book."""
_SIGNATURE: Final = re.compile(r"^--[ \t]*$", re.MULTILINE)


def without_tail(text: str) -> str:
    """Return `text` without what a phone or mail program adds at its end; a text that is nothing else stays."""
    found = min((match.start() for match in (_TAIL.search(text), _SIGNATURE.search(text)) if match), default=0)
    return text[:found] if text[:found].strip() else text


def joined(words: list[str]) -> str:
    """Return words without the spaces between them: `water aid`, `Water-Aid` and `WATERAID` are one."""
    return "".join(words)
