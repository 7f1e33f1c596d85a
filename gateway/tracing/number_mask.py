"""Numbers within octets: hide their middle, and find them whole; the length of what is given back never changes."""

import re
from collections.abc import Iterable
from typing import Final

from provisioning.masks import replace_keys, replace_numbers

STAR: Final = ord("*")
_LOSSLESS: Final = ("utf-8", "surrogateescape")
SHOWN: Final = 2
"""Digits that stay at either end of a number."""
_DIGITS: Final = re.compile(rb"\d+")


def hidden(data: bytes) -> bytes:
    """Hide the middle digits of each number, however it is written (`provisioning.masks`)."""
    return replace_numbers(data.decode(*_LOSSLESS), _middle).encode(*_LOSSLESS)


def hidden_keys(data: bytes) -> bytes:
    """Overwrite each key in hexadecimal, in groups or in one."""
    return replace_keys(data.decode(*_LOSSLESS), lambda written: "*" * len(written.encode())).encode(*_LOSSLESS)


def hidden_all(data: bytes) -> bytes:
    """Hide everything but two octets at either end: what is a subscriber's identity in whatever form."""
    if len(data) <= 2 * SHOWN or not data.isascii():
        return b"*" * len(data)
    return data[:SHOWN] + b"*" * (len(data) - 2 * SHOWN) + data[-SHOWN:]


def runs(data: bytes) -> Iterable[bytes]:
    """Return each whole run of digits."""
    return _DIGITS.findall(data)


def _middle(written: str) -> str:
    places = [place for place, letter in enumerate(written) if letter.isdecimal()][SHOWN:-SHOWN]
    text = list(written)
    for place in places:
        text[place] = "*" * len(text[place].encode())  # a digit of another script has more than one octet
    return "".join(text)
