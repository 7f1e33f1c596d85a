"""Phone numbers and other addresses of texts in one form, whatever interface they come by: E.164 digits, short codes, names.

A number is read by the country of the link that it came by, or of the operator. What an SMSC says is taken as well as it can be
read; what somebody asks us to send to or from is refused where it cannot be.
"""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final

from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import calling_code, is_mobile, is_possible, msisdn, msisdn_at_home

SHORT_CODE_DIGITS: Final = 8
"""Digits of the longest short code of any country."""
SHORT_CODE_DIGITS_BY_CODE: Final = {"1": 6}
"""The same, by calling code, where something longer is a number without its area (CSCA: five or six digits)."""
LEAST_SENDER, LEAST_RECIPIENT = 3, 5
"""Digits of the shortest short code that a text may come from, or go to."""
LONGEST_NAME: Final = 11
"""Letters of a sender that is a name (TS 23.040 §9.1.2.5)."""
_PADDING: Final = " \t\r\n\0"
_SEPARATORS: Final = re.compile(r"(?<=\d)[\s.-]*\(0\)|[\s().-]")
"""What only parts digits, and the zero that is dialled at home alone: `+44 (0)7700 900123`."""


class TypeOfNumber(IntEnum):
    """Types of number that change how an address is read (SMPP 3.4 §5.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    ALPHANUMERIC = 5
    ABBREVIATED = 6


def unparted(address: str) -> str:
    """Return an address of a PDU without its padding, a number also without what parts its digits or fills half an octet."""
    text = address.strip(_PADDING)
    number = _SEPARATORS.sub("", text).rstrip("Ff")  # TS 29.002 §17.7.8
    digits = number.removeprefix("+")
    return number if digits.isascii() and digits.isdigit() else text


@lru_cache(maxsize=16_384)
def of_smsc(address: str, ton: int, country: str) -> str:
    """Read an address of a PDU: a phone number into E.164, a short code or a name as it is.

    A type of number is often wrong: `0...` is dialled at home and `+...` abroad, whatever it says.
    """
    address = address.strip(_PADDING) if ton == TypeOfNumber.ALPHANUMERIC else unparted(address)
    digits = address.removeprefix("+")
    if ton == TypeOfNumber.ALPHANUMERIC or not (digits.isascii() and digits.isdigit()):
        return address.lstrip("+")
    if ton == TypeOfNumber.ABBREVIATED or len(digits) <= SHORT_CODE_DIGITS:
        return digits
    if digits.startswith("0") or address.startswith("+"):
        try:
            return msisdn(digits if digits.startswith("0") else address, country)
        except IdentifierInvalid:
            return _with_prefixes_too_many(digits, country)
    return _bare(digits, ton, country)


def _with_prefixes_too_many(digits: str, country: str) -> str:
    """Read a number of the country that has its 0 or 00 beside the country's code: `0447...`, `+4407...`, `004470070`."""
    rest = digits.lstrip("0")
    code = calling_code(country)
    if not (code and rest.startswith(code)):
        return digits
    if len(rest) <= len(code) + SHORT_CODE_DIGITS:  # a short code after the country's code
        return rest if digits.startswith("00") else digits
    return msisdn_at_home(rest, country, bare=False) or digits


def _bare(digits: str, ton: int, country: str) -> str:
    """Read digits without any prefix: a person who texts has a mobile phone, which tells most countries' numbers apart."""
    certain, likely = msisdn_at_home(digits, country, bare=False), msisdn_at_home(digits, country)
    if certain == digits:
        return digits
    if ton == TypeOfNumber.NATIONAL:
        return likely or digits
    abroad = is_mobile(digits)
    if certain is not None and not (abroad and ton == TypeOfNumber.INTERNATIONAL):
        return certain
    if likely is None or abroad or (ton == TypeOfNumber.INTERNATIONAL and is_possible(digits)):
        return digits
    return likely


def sender(value: str, country: str) -> str:
    """Read who a text is said to come from: a number, a short code, or a name. IdentifierInvalid for anything else."""
    text = value.strip(_PADDING)
    digits = text.removeprefix("+")
    if digits.isascii() and digits.isdigit():
        return digits if LEAST_SENDER <= len(digits) <= _longest_short_code(country) else msisdn(text, country)
    if text.startswith("+") or not (text.isascii() and text.isprintable() and 0 < len(text) <= LONGEST_NAME):
        raise IdentifierInvalid("it is neither a number nor a name", "sms.address")
    return text


def recipient(value: str, country: str) -> str:
    """Read who a text goes to: a number or a short code. IdentifierInvalid for anything else."""
    text = value.strip(_PADDING)
    short = text.isascii() and text.isdigit() and LEAST_RECIPIENT <= len(text) <= _longest_short_code(country)
    cut = text.startswith(("0", calling_code(country) or "0"))  # the beginning of a number rather than a short code
    return text if short and not cut else msisdn(text, country)


def _longest_short_code(country: str) -> int:
    return SHORT_CODE_DIGITS_BY_CODE.get(calling_code(country), SHORT_CODE_DIGITS)
