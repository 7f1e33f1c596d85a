"""Numbers within octets: hide their middle, and find them whole; the length of what is given back never changes."""

import re
from collections.abc import Iterable
from typing import Final

STAR: Final = ord("*")
SHOWN: Final = 2
"""Digits that stay at either end of a number."""
_RUN: Final = re.compile(rb"\d{7,}")
_WRITTEN: Final = re.compile(rb"(?<=\+)\d(?:[ ().-]{0,2}\d){6,}|(?<![\w-])0\d{2,4}(?:[ -]\d{2,6}){2,4}(?![\w-])")
_DIGITS: Final = re.compile(rb"\d+")


def hidden(data: bytes) -> bytes:
    """Hide the middle digits of each run of seven or more, and of numbers in groups that begin with a plus or a 0."""
    return _WRITTEN.sub(_middle, _RUN.sub(_middle, data))


def hidden_all(data: bytes) -> bytes:
    """Hide everything but two octets at either end: what is a subscriber's identity in whatever form."""
    if len(data) <= 2 * SHOWN or not data.isascii():
        return b"*" * len(data)
    return data[:SHOWN] + b"*" * (len(data) - 2 * SHOWN) + data[-SHOWN:]


def runs(data: bytes) -> Iterable[bytes]:
    """Return each whole run of digits."""
    return _DIGITS.findall(data)


def _middle(found: re.Match[bytes]) -> bytes:
    text = bytearray(found[0])
    places = [place for place, octet in enumerate(text) if 0x30 <= octet <= 0x39]
    for place in places[SHOWN:-SHOWN]:
        text[place] = STAR
    return bytes(text)
