"""From units to money and back: the one named boundary where a price is rounded, half-even, to the micro-unit.

The price of a report is the price of its session's total after it less the price of the total before it, so that any
slicing of the same usage costs the same.
"""

from gateway.rating.plans import Rate


def price(rate: Rate, total: int) -> int:
    """Price a session's total of units in micro-units, rounded half-even once."""
    if total <= 0:
        return 0
    counted = total if rate.step == 1 and total >= rate.minimum else billed(rate, total)
    return half_even(rate.price * counted, rate.per)


def billed(rate: Rate, total: int) -> int:
    """Count the units that are billed for a total: whole steps, and the minimum at least."""
    counted = max(total, rate.minimum)
    return -(-counted // rate.step) * rate.step


def affordable(rate: Rate, used: int, wanted: int, money: int) -> int:
    """Give the most units, at most `wanted`, that can follow `used` ones for `money` micro-units.

    What is free needs no money, nor does the rest of a step or minimum that was billed already. Beyond that the exact price
    counts, not the rounded one, so that nobody is given the crumbs that round to nothing.
    """
    if not rate.price:
        return wanted
    within = (price(rate, used) + max(money, 0)) * rate.per // rate.price
    within -= within % rate.step
    if within < rate.minimum:
        within = 0
    if within - used >= wanted:
        return wanted
    paid_for = billed(rate, used) if used else 0
    return min(wanted, max(within, paid_for) - used)


def half_even(numerator: int, denominator: int) -> int:
    """Divide integers and round half-even; the denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    doubled = 2 * rest
    if doubled > denominator or (doubled == denominator and quotient % 2):
        return quotient + 1
    return quotient
