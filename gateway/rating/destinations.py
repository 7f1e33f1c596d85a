"""What a called address is to rating: an emergency, a free number, or one with a price.

Emergency numbers and the other short numbers that are free to call everywhere in a country (116xxx, the text relay 18000) are
taken from libphonenumber's metadata for the operator's country, and from 3GPP TS 22.101 §10.1.1, which lists the numbers that
every handset treats as an emergency call. A URN `urn:service:sos` is one too (RFC 5031 §4.2).
"""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import phonenumbers
from phonenumbers import shortnumberinfo
from phonenumbers.shortnumberinfo import ShortNumberCost

EVERYWHERE: Final = frozenset({"000", "08", "110", "112", "118", "119", "911", "999"})
"""Emergency numbers of any handset, whichever country it is in (TS 22.101 §10.1.1 a and c)."""
FREEPHONE: Final = frozenset({"GB"})
"""Countries whose toll-free numbers cost nothing from a mobile, too: 0800 and 0808 in the UK (Ofcom, since July 2015)."""
FREE_PREFIXES: Final = {"GB": ("44800", "44808", "44500", "44116")}
"""First digits (E.164) of numbers that no plan of a country may price."""
FREE_SHORT: Final = {"GB": frozenset({"101", "111"})}
"""Short numbers that cost nothing though the metadata does not say so: the UK's police (since April 2020) and NHS."""
DIRECTORY_ENQUIRIES: Final = {"GB": "118"}
"""First digits of short numbers, dialled as they are, that have prices of their own; no number of any country begins so."""
LONGEST_SHORT: Final = 6
"""Digits of the longest short number that is looked up, such as 116123."""
LONGEST: Final = 128
"""Characters of an address that are looked at: no number and no user part of a number is longer."""
_SEPARATORS: Final = re.compile(r"(?<=\d)[\s.-]*\(0\)|[\s().-]")
"""What only parts digits, and the zero that is dialled at home alone: `+44 (0)800 1111`."""
_SOS: Final = re.compile(r"(?:urn:service:)?sos(?:\.[a-z0-9.-]*)?$", re.IGNORECASE)
_PARAMETERS: Final = re.compile(r"[;@]|/TYPE=", re.IGNORECASE)
"""Where an address goes on with parameters or a host, as clients write them without a scheme, too; or with the type that
stands behind it in a multimedia message (`+447700900123/TYPE=PLMN`)."""
_CONTEXT: Final = re.compile(r";phone-context=\+(\d{1,3})(?:[;@>]|$)", re.IGNORECASE)
"""The country in which a local number is meant (RFC 3966 §5.1.5)."""
_SHOWN_OR_NOT: Final = re.compile(r"[*#]31#|\*(?:67|82)(?=\d)")
"""Dialled before a number to hide or show the caller's (TS 22.030 annex B, and North America's): no part of the number."""
_SHOWN_OR_NOT_AT_HOME: Final = {"GB": re.compile(r"(?:141|1470)(?=(?:0\d{9,}|\+\d+|\d{3}|118\d{3})$)")}
"""The same in digits alone, before a whole number or a short one: `1410xxxxxxx` may be in Maryland."""


class Destination(IntEnum):
    """How a called address is treated."""

    ORDINARY = 0
    """It has the plan's price."""
    FREE = 1
    """It costs nothing; a line that may not be served is refused it all the same."""
    EMERGENCY = 2
    """It costs nothing, nothing is held for it, and it is never refused."""


@lru_cache(4096)
def destination(address: str, country: str) -> Destination:
    """Classify an address as it was called.

    `address` is a number, a tel or sip URI (RFC 3966, RFC 3261) or an emergency URN; `country` the ISO 3166 code of the country
    where a number without an international prefix is meant. What cannot be read is ORDINARY.
    """
    dialled = _dialled(address[:LONGEST])
    if _SOS.match(dialled):
        return Destination.EMERGENCY
    number = _number(dialled, country)
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return Destination.ORDINARY
    # No number of any country is as short as +112: a switch wrote the sign that was not dialled.
    international = number.startswith("+") and digits not in EVERYWHERE
    shorts = {"" if international else digits, _national(digits, country)}
    if any(_is_free_short(short, country) for short in shorts):
        return Destination.EMERGENCY
    if shorts & FREE_SHORT.get(country, frozenset()):
        return Destination.FREE
    return Destination.FREE if country in FREEPHONE and _is_freephone(number, country) else Destination.ORDINARY


def are_free(first: str, country: str) -> bool:
    """Return whether numbers with these first digits (E.164) are free to call in a country, whatever a plan says."""
    code = str(phonenumbers.country_code_for_region(country))
    if not first.startswith(code):
        return False
    short = len(first) - len(code) <= LONGEST_SHORT
    free = FREE_PREFIXES.get(country)
    return (free is not None and first.startswith(free)) or (
        short and destination(f"+{first}", country) is not Destination.ORDINARY
    )


@lru_cache(4096)
def called_number(address: str, country: str) -> str:
    """Return the number that was called as E.164 digits; empty where it is none, such as a short number.

    Digits alone may be a number of the country as it is dialled there, or one in international form: what is valid counts. A
    short number for directory enquiries (118xxx in the UK) stays as it is, with or without its country's calling code.
    """
    number = _number(_dialled(address[:LONGEST]), country)
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return ""
    enquiries = DIRECTORY_ENQUIRIES.get(country)
    if enquiries is not None:
        short = _national(digits, country) or digits
        if len(short) == LONGEST_SHORT and short.startswith(enquiries):
            return short
    if number.startswith(("+", "00")):
        return digits if number.startswith("+") else digits[2:]
    context = _CONTEXT.search(address)
    try:
        if context is not None:
            parsed = phonenumbers.parse(f"+{context[1]}{digits}")
            if phonenumbers.is_possible_number(parsed):
                return f"{parsed.country_code}{parsed.national_number}"
        parsed = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return ""
    national = digits[0] == "0" and phonenumbers.is_possible_number(parsed)
    if national or phonenumbers.is_valid_number(parsed):
        return f"{parsed.country_code}{parsed.national_number}"
    return digits if len(digits) > LONGEST_SHORT else ""


def _dialled(address: str) -> str:
    """Return what was dialled out of a URI: its user part, without parameters and password."""
    address = address.partition("<")[2].partition(">")[0] or address  # a name before the URI (RFC 3261 §20.10)
    address = address.strip()
    scheme, colon, rest = address.partition(":")
    if not colon or scheme.lower() not in ("sip", "sips", "tel"):
        return unquote(_PARAMETERS.split(address, maxsplit=1)[0])
    return unquote(_PARAMETERS.split(rest, maxsplit=1)[0].partition(":")[0])


def _number(dialled: str, country: str) -> str:
    """Return what was dialled without what parts digits or fills half an octet, and without what is no part of the number."""
    number = _SHOWN_OR_NOT.sub("", _SEPARATORS.sub("", dialled).rstrip("Ff"), count=1)
    at_home = _SHOWN_OR_NOT_AT_HOME.get(country)
    return number if at_home is None else at_home.sub("", number, count=1)


def _national(digits: str, country: str) -> str:
    """Return a short number without its country's calling code, as some switches write it (`44999`); else an empty text."""
    code = str(phonenumbers.country_code_for_region(country))
    rest = digits.removeprefix("00").removeprefix(code)
    return rest if rest != digits and len(rest) <= LONGEST_SHORT else ""


def _is_free_short(digits: str, country: str) -> bool:
    """Return an emergency number, and a short number that is free to call in the country."""
    if not digits or len(digits) > LONGEST_SHORT:
        return False
    if digits in EVERYWHERE or shortnumberinfo.is_emergency_number(digits, country):
        return True
    number = phonenumbers.PhoneNumber(
        country_code=phonenumbers.country_code_for_region(country), national_number=int(digits)
    )
    return bool(shortnumberinfo.expected_cost_for_region(number, country) == ShortNumberCost.TOLL_FREE)


def _is_freephone(number: str, country: str) -> bool:
    if number.startswith("00"):
        number = f"+{number[2:]}"
    try:
        parsed = phonenumbers.parse(number, country)
        if phonenumbers.region_code_for_number(parsed) != country:
            parsed = phonenumbers.parse(f"+{number.lstrip('+')}", country)  # E.164 digits without the plus
    except phonenumbers.NumberParseException:
        return False
    return (
        phonenumbers.region_code_for_number(parsed) == country
        and phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.TOLL_FREE
    )
