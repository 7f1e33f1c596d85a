"""Amounts as people write them and as the books keep them: integers of 1/1,000,000 of the currency's major unit."""

import re

MICRO = 1_000_000
CURRENCIES = {"GBP": 2, "USD": 2, "EUR": 2}
"""ISO 4217 minor-unit digits of the currencies that the gateway keeps books in."""
MOST_PAID_IN = 1_000_000_000 * MICRO
"""The most that is paid in at once; thousands of such payments still add up within the 64 bits of a balance."""
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


def format_amount(micro: int, currency: str) -> str:
    """Write micro-units in major units, with the currency's usual digits and as many more as the amount has."""
    sign = "-" if micro < 0 else ""
    whole, fraction = divmod(abs(micro), MICRO)
    digits = f"{fraction:06d}"
    usual = CURRENCIES.get(currency, 2)
    return f"{sign}{whole}.{digits[:usual]}{digits[usual:].rstrip('0')}"
