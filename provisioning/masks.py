"""Hide numbers and keys in text, however people write them; times, ids, versions, addresses and amounts stay.

A number is an MSISDN of 7 to 15 digits (E.164 §6), an IMSI of 14 or 15 (E.212), an IMEI of 15 or 16, an ICCID of 18 to 22
(E.118). Written as one run it is known by its length alone; written in groups, only by its form, for dates, ranges and lists
of small numbers have digits in groups too.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "********"

# A key (Ki, OPc) prints as 32 hexadecimal digits or more; shorter runs are ids of traces and events.
_KEY: Final = re.compile(r"[0-9A-Fa-f]{32,}", re.ASCII)

# Most lines have nothing like a number: this sees so in one pass. What `_NUMBER` finds has seven digits as near as this.
_SUSPECT: Final = re.compile(r"\d(?:[ \t\u00a0\u2009\u202f\u2010-\u2013().-]{0,2}\d){6}")

# Between two groups: a space or a hyphen, as people or as typesetters write them, or a bracket around an area code.
_SPACE: Final = r"[ \t\u00a0\u2009\u202f\u2010-\u2013-]"
_GAP: Final = rf"(?:{_SPACE}?\(|\){_SPACE}?|{_SPACE})"
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
  | (?P<international> (?<=\+)[1-9]\d{{0,5}} (?: {_GAP}\d{{1,6}} | (?:\.\d{{2,6}}){{2}} ){{1,6}} (?![\d*]|\.\d) )
  | (?P<national> {_STARTS} 0\d{{2,4}} (?:{_GAP}\d{{2,6}}){{1,4}} {_ENDS} )
  | (?P<grouped> {_STARTS} \d{{1,6}} (?:{_GAP}\d{{3,6}}){{1,5}} {_ENDS} )
  | (?P<dotted> {_STARTS} [2-9]\d{{2}}\.[2-9]\d{{2}}\.\d{{4}} {_ENDS} )
    """,
    re.VERBOSE,
)
_LEAST: Final = {"run": 7, "international": 7, "national": 9, "grouped": 10, "dotted": 10}
"""How many digits make a number of each form. Two groups without a plus or a 0 need one more: two ports are no number."""


def mask(text: str) -> str:
    """Return `text` with each phone, subscriber or card number cut to its first two and last two digits.

    `+447700900123` and `+44 7700 900123` become `+44********23`; keys in hexadecimal become `********`. Digits that were
    masked before stay as they are, so masking twice changes nothing.
    """
    if len(text) < 7:
        return text
    text = _KEY.sub(MASK, text)
    return _NUMBER.sub(_shorten, text) if _SUSPECT.search(text) else text


def _shorten(found: re.Match[str]) -> str:
    form, written = found.lastgroup, found.group()
    if form is None or form == "stays":
        return written
    digits = written if form == "run" else "".join(filter(str.isdecimal, written))
    alone = form == "grouped" and len(re.findall(r"\d+", written)) == 2
    return written if len(digits) < _LEAST[form] + alone else f"{digits[:2]}{MASK}{digits[-2:]}"
