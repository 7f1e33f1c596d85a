"""Amounts as people write them and as the books keep them: integers of 1/1,000,000 of the currency's major unit."""

import re

from gateway.ledger.currencies import CURRENCIES

MICRO = 1_000_000
DIGITS = 2
"""Of the minor unit of a currency that ISO 4217 does not have: it can only come from books of another time."""
_AMOUNT = re.compile(r"-?\d{1,12}(\.\d{1,6})?", re.ASCII)


class AmountInvalid(ValueError):
    """A text that is no amount of money."""


def parse_amount(text: str) -> int:
    """Read a decimal string in major units, such as `12.50`, into micro-units."""
    text = text.strip()
    if not _AMOUNT.fullmatch(text):
        raise AmountInvalid(
            f"{text[:32]!r} is no amount: give major units with a point and at most six decimals, such as 12.50"
        )
    whole, _, fraction = text.lstrip("-").partition(".")
    value = int(whole) * MICRO + int(fraction.ljust(6, "0"))
    return -value if text.startswith("-") else value


def parse_payable(text: str, currency: str) -> int:
    """Read an amount that a person gives in a currency: one with more decimals than the currency has is refused."""
    amount = parse_amount(text)
    if not is_payable(amount, currency):
        digits = digits_of(currency)
        allowed = f"{currency} has at most {digits} decimals" if digits else f"{currency} has no decimals"
        message = f"{text[:32]!r}: {allowed}; give whole minor units of {currency}"
        raise AmountInvalid(message)
    return amount


def format_amount(micro: int, currency: str) -> str:
    """Write micro-units in major units, with the currency's usual digits and as many more as the amount has."""
    sign = "-" if micro < 0 else ""
    whole, fraction = divmod(abs(micro), MICRO)
    digits = f"{fraction:06d}"
    usual = digits_of(currency)
    decimals = f"{digits[:usual]}{digits[usual:].rstrip('0')}"
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def digits_of(currency: str) -> int:
    """Return how many digits the minor unit of a currency has: 2 for GBP, 0 for JPY, 3 for KWD."""
    return CURRENCIES.get(currency, DIGITS)


def minor_unit(currency: str) -> int:
    """Return a currency's minor unit, such as a penny, in micro-units."""
    return int(10 ** (6 - digits_of(currency)))


def is_payable(micro: int, currency: str) -> bool:
    """Return whether an amount can be paid in a currency: whole minor units alone, such as pennies."""
    return micro % minor_unit(currency) == 0
