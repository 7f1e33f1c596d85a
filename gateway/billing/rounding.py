"""The one place at which bills are rounded: to whole minor units of the currency, so that lines add up to totals. Pure.

A balance is rounded half-even. What lies between two of them is split over its lines by largest remainder, so that each bill
adds up, the closing balance of one is the opening balance of the next, and the bills of a line come to its balance.
"""

from collections.abc import Sequence
from typing import Final

from gateway.ledger.money import digits_of
from gateway.rating.prices import half_even

_MOST_DIGITS: Final = 6


def unit_of(currency: str) -> int:
    """Return a currency's minor unit in micro-units: 10,000 for GBP, 1,000,000 for JPY."""
    return int(10 ** (_MOST_DIGITS - digits_of(currency)))


def rounded(amount: int, unit: int) -> int:
    """Round an amount half-even to whole units."""
    return half_even(amount, unit) * unit


def split(amounts: Sequence[int], total: int, unit: int) -> list[int]:
    """Round each amount down or up to whole units, so that they add up to a total that is such; ties go to the first.

    What is left after rounding down goes to the largest remainders, and round again where there are fewer lines than units.
    """
    floors = [amount // unit for amount in amounts]
    left = total // unit - sum(floors)
    order = sorted(range(len(amounts)), key=lambda place: (-(amounts[place] % unit), place))
    if not order:
        return []
    every, more = divmod(left, len(order))
    for rank, place in enumerate(order):
        floors[place] += every + (rank < more)
    return [whole * unit for whole in floors]


def billed(opening: int, amounts: Sequence[int], currency: str) -> tuple[int, list[int], int]:
    """Round a bill: its opening balance, its lines, and its closing balance, in micro-units that are whole minor units."""
    unit = unit_of(currency)
    begin, end = rounded(opening, unit), rounded(opening + sum(amounts), unit)
    return begin, split(amounts, end - begin, unit), end
