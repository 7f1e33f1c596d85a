"""Hide numbers and keys in text, however people write them; times, ids, versions, addresses and amounts stay.

A number is an MSISDN of 7 to 15 digits (E.164 §6), an IMSI of 14 or 15 (E.212), an IMEI of 15 or 16, an ICCID of 18 to 22
(E.118). Written as one run it is known by its length alone; written in groups, only by its form, for dates, ranges and lists
of small numbers have digits in groups too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

MASK: Final = "********"

# Between two groups, as people or typesetters write them: spaces and dashes of any kind, or nothing that can be seen.
_SPACES: Final = r" \t\u00a0\u00ad\u00b7\u2000-\u2015\u202f\u205f\u2060\u2212\u3000\ufe58\ufe63\ufeff\uff0d\-"
_SPACE: Final = f"[{_SPACES}]"
_GAP: Final = rf"(?:{_SPACE}?[(\uff08]|[)\uff09]{_SPACE}?|{_SPACE})"
# What says by its plus or its 0 that it is a number may be written more freely: a slash, several of these, as a part of a URL.
_ANY_GAP: Final = rf"(?:[{_SPACES}()\uff08\uff09/\u2044]{{1,3}}|%20|%2D|\+)"

# A key (Ki, OPc) prints as 32 hexadecimal digits or more, or in groups of one size; shorter runs are ids of traces and events.
# Eight groups of four between colons are an address (RFC 4291 §2.2), and one of 8-4-4-4-12 is an id.
KEY_DIGITS: Final = 32
_HEX: Final = "[0-9A-Fa-f]"
_KEY_GAP: Final = rf"[{_SPACES}.,_/]{{1,2}}(?:0x)?"
_KEY: Final = re.compile(
    rf"""
    {_HEX}{{{KEY_DIGITS},}}
  | (?<![\w*]) (?:0x)? (?:
        {_HEX}{{2}} (?: (?:{_KEY_GAP}|:) {_HEX}{{2}} ){{15,}} | {_HEX}{{4}} (?: {_KEY_GAP} {_HEX}{{4}} ){{7,}}
      | {_HEX}{{8}} (?: (?:{_KEY_GAP}|:) {_HEX}{{8}} ){{3,}} | {_HEX}{{16}} (?: (?:{_KEY_GAP}|:) {_HEX}{{16}} )+
    ) (?!\w)
    """,
    re.VERBOSE | re.ASCII,
)

# Most lines have nothing like a number: this sees so in one pass. What `_NUMBER` finds has seven digits as near as this.
_SUSPECT: Final = re.compile(rf"\d(?:[{_SPACES}.()\uff08\uff09/\u2044%+]{{0,3}}\d){{6}}")

_STARTS: Final = r"(?<![\w*.-])(?<!\d[:,])"
_ENDS: Final = r"(?![\w*]|[.:-]\w)"

_NUMBER: Final = re.compile(
    rf"""
    (?P<stays>
        # An id (RFC 9562 §4) and a time (RFC 3339 §5.6; a date alone in either order) are as they are.
        (?<!\w)[0-9A-Fa-f]{{8}}-[0-9A-Fa-f]{{4}}-[1-8][0-9A-Fa-f]{{3}}-[89ABab][0-9A-Fa-f]{{3}}-[0-9A-Fa-f]{{12}}(?!\w)
      | (?<![\w*-])(?:19|20)[0-9]{{2}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?![\d*-])
        (?:[T ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]{{1,9}})?)?(?![\d*]))?
      | (?<![\w*-])(?:0[1-9]|[12][0-9]|3[01])-(?:0[1-9]|1[0-2])-(?:19|20)[0-9]{{2}}(?![\d*-])
    )
    # One run. A longer one is no number that we know, but may hold one (two that were joined), so it is masked all the same.
  | (?P<run> \d{{7,}} )
    # In groups: with a plus; with the 0 of a national number; neither, but as long as a number with its country or area.
  | (?P<international> (?:(?<=\+)|(?<=%2B))
        [1-9]\d{{0,5}} (?: {_ANY_GAP}\d{{1,6}} | (?:\.\d{{2,6}}){{2,5}} ){{1,6}} (?![\d*]|\.\d) )
  | (?P<national> {_STARTS} 0\d{{2,4}} (?: (?:{_ANY_GAP}\d{{2,6}}){{1,4}} | (?:\.\d{{2,6}}){{1,4}} ) {_ENDS} )
  | (?P<pairs> {_STARTS} (?<!\d{_SPACE})
        0[1-9] (?P<between>{_SPACE}|[./]) \d\d (?:(?P=between)\d\d){{3}} {_ENDS} (?!(?P=between)\d) )
  | (?P<card> {_STARTS} 89\d{{0,4}} (?:{_GAP}\d{{2,6}}){{3,9}} {_ENDS} )
  | (?P<equipment> {_STARTS} (?: \d\d{_GAP}\d{{6}} | \d{{6}}{_GAP}\d\d ) {_GAP}\d{{6}} (?:{_GAP}\d\d?)? {_ENDS} )
  | (?P<grouped> {_STARTS} \d{{1,6}} (?:{_GAP}\d{{3,6}}){{1,5}} {_ENDS} )
  | (?P<dotted> {_STARTS} (?:1\.)?[2-9]\d{{2}}\.[2-9]\d{{2}}\.\d{{4}} {_ENDS} )
    """,
    re.VERBOSE,
)
_LEAST: Final = {
    "run": 7, "international": 7, "national": 9, "pairs": 10, "card": 18, "equipment": 14, "grouped": 10, "dotted": 10,
}  # fmt: skip
"""How many digits make a number of each form. Two groups without a plus or a 0 need one more: two ports are no number."""


def mask(text: str) -> str:
    """Return `text` with each phone, subscriber or card number cut to its first two and last two digits.

    `+447700900123` and `+44 7700 900123` become `+44********23`; keys in hexadecimal become `********`. Digits that were
    masked before stay as they are, so masking twice changes nothing.
    """
    if len(text) < 7:
        return text
    return replace_numbers(replace_keys(text, lambda _: MASK), _shorten)


def replace_numbers(text: str, hide: Callable[[str], str]) -> str:
    """Return `text` with each number as `hide` writes it; a number comes with what is between its groups."""

    def write(found: re.Match[str]) -> str:
        return hide(found.group()) if _is_number(found) else found.group()

    return _NUMBER.sub(write, text) if _SUSPECT.search(text) else text


def replace_keys(text: str, hide: Callable[[str], str]) -> str:
    """Return `text` with each key in hexadecimal as `hide` writes it, in groups or in one."""
    if len(text) < KEY_DIGITS:
        return text
    return _KEY.sub(lambda found: hide(found.group()) if _is_key(found) else found.group(), text)


def _is_key(found: re.Match[str]) -> bool:
    """Whether it is in one run, or has a letter: groups of decimal digits alone are numbers of some other kind."""
    written = found.group()
    return written.isalnum() or not set("abcdefABCDEF").isdisjoint(written)


def _is_number(found: re.Match[str]) -> bool:
    form, written = found.lastgroup, found.group()
    if form is None or form == "stays":
        return False
    alone = form == "grouped" and len(re.findall(r"\d+", written)) == 2
    return sum(map(str.isdecimal, written)) >= _LEAST[form] + alone


def _shorten(written: str) -> str:
    digits = "".join(filter(str.isdecimal, written))
    return f"{digits[:2]}{MASK}{digits[-2:]}"
