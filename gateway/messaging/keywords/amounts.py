"""Amounts as people type them (`5`, `£5`, `5,50`, `5 pounds`) and as a text shows them (`£5.00`).

Micro-units, as everywhere. What could be read in two ways isn't read at all: the answer asks for it again.
"""

import re
from typing import Final, NamedTuple

from gateway.ledger.money import MICRO, digits_of

_CENT: Final = MICRO // 100
_NUMBER: Final = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,2}))?", re.ASCII)
"""`1,000` and `5.505` don't match: a comma before three digits is a thousand here and a decimal there. Nor does `.50`."""


class Money(NamedTuple):
    """An amount in micro-units; the currency is its ISO 4217 code."""

    micro: int
    currency: str


class Typed(NamedTuple):
    """An amount that somebody typed; the currency is empty where the text names none."""

    micro: int
    currency: str


class Mark(NamedTuple):
    """What a word or sign beside a number says: which currency (empty: not which), and how much one of them is."""

    currency: str
    micro: int


_MARKS_BY_MEANING: Final = {
    Mark("GBP", MICRO): "£ gbp pound pounds quid livre livres libra libras",
    Mark("GBP", _CENT): "p pence penny pennies penique peniques",
    Mark("USD", MICRO): "$ usd dollar dollars buck bucks dolar dolares",
    Mark("USD", _CENT): "¢",
    Mark("EUR", MICRO): "€ eur euro euros",
    Mark("", _CENT): "c cent cents centime centimes centavo centavos centimo centimos",
}
MARKS: Final = {word: mark for mark, words in _MARKS_BY_MEANING.items() for word in words.split()}
"""Words and signs that stand for money, folded."""


def take_amount(tokens: list[str]) -> tuple[Typed | None, list[str]]:
    """Return the one amount among `tokens`, and the tokens around it.

    None where there is no number, more than one, one with too many digits, or marks that contradict each other.
    """
    numbers = [place for place, token in enumerate(tokens) if token[-1].isdecimal()]
    if len(numbers) != 1:
        return None, [token for token in tokens if not token[-1].isdecimal() and token not in MARKS]
    [place] = numbers
    beside = [near for near in (place - 1, place + 1) if 0 <= near < len(tokens) and tokens[near] in MARKS]
    rest = [token for here, token in enumerate(tokens) if here != place and here not in beside]
    return _amount(tokens[place], {MARKS[tokens[near]] for near in beside}), rest


def _amount(number: str, marks: set[Mark]) -> Typed | None:
    digits = _NUMBER.fullmatch(number)
    if digits is None or len(marks) > 1:
        return None
    mark = next(iter(marks), Mark("", MICRO))
    whole, decimals = int(digits[1]), digits[2]
    if mark.micro == _CENT:
        return None if decimals else Typed(whole * _CENT, mark.currency)
    return Typed(whole * MICRO + int((decimals or "").ljust(2, "0")) * _CENT, mark.currency)


_SIGNS: Final = {"GBP": "£", "USD": "$", "EUR": "€"}


def write_amount(money: Money) -> str:
    """Write an amount in the currency's usual way, `£5.00`; less than a penny is cut off, so nothing is promised too much."""
    digits = digits_of(money.currency)
    minor = money.micro // 10 ** (6 - digits)
    whole, decimals = divmod(abs(minor), 10**digits)
    minus = "-" if minor < 0 else ""
    number = f"{whole}.{decimals:0{digits}d}" if digits else str(whole)
    sign = _SIGNS.get(money.currency)
    return f"{minus}{sign}{number}" if sign else f"{minus}{number} {money.currency}"
