"""Times as SMPP writes them, sixteen characters `YYMMDDhhmmsstnnp` (SMPP 3.4 §7.1), to Unix seconds and back.

`p` is + or - for an absolute time, `nn` quarters of an hour east or west of UTC; with R the digits are a span from now.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from protocols.errors import LocalProtocolError
from protocols.smpp.errors import CommandStatus, SmppError

LONGEST_RELATIVE: Final = 31 * 86400 + 86399
"""Seconds of the longest span that days alone can say; how long a month is, the specification leaves open."""

_FORM: Final = re.compile(r"\d{15}[+\-R]", re.ASCII)
_PIVOT: Final = 38
"""Two-digit years from here on are of the 1900s (SMPP 3.4 appendix C)."""


def well_formed(text: str) -> bool:
    """Whether it is sixteen characters of the right kind; the date need not exist."""
    return _FORM.fullmatch(text) is not None


def parse_time(text: str, now: int) -> int:
    """Unix seconds of an absolute time, or of `now` and a span; a month counts 30 days there, a year 365.

    Raises SmppError (ESME_RINVSCHED: the owner answers as fits the field) for what is no time. Tenths are dropped.
    """
    if not well_formed(text):
        raise SmppError(CommandStatus.ESME_RINVSCHED, f"{text!r} is no time")
    year, month, day, hour, minute, second = (int(text[place : place + 2]) for place in range(0, 12, 2))
    if text[15] == "R":
        days = year * 365 + month * 30 + day
        return now + days * 86400 + hour * 3600 + minute * 60 + second
    century = 1900 if year >= _PIVOT else 2000
    try:
        moment = datetime(century + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise SmppError(CommandStatus.ESME_RINVSCHED, f"{text!r} is no time: {error}") from None
    east = int(text[13:15]) * 900
    return int(moment.timestamp()) + (east if text[15] == "-" else -east)


def absolute_time(moment: int) -> str:
    """Unix seconds as an absolute time in UTC."""
    found = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)
    if not 1900 + _PIVOT <= found.year < 2000 + _PIVOT:
        raise LocalProtocolError(f"{moment} s is outside what a time can say", "smpp.encode.value")
    return found.strftime("%y%m%d%H%M%S000+")


def relative_time(seconds: int) -> str:
    """A span from the moment at which the message centre takes the message, up to LONGEST_RELATIVE."""
    if not 0 <= seconds <= LONGEST_RELATIVE:
        raise LocalProtocolError(f"{seconds} s is outside what a relative time can say", "smpp.encode.value")
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"0000{day:02}{hour:02}{minute:02}{second:02}000R"
