"""From units to money and back: the one named boundary where a price is rounded, half-even, to the micro-unit.

The price of a report is the price of its session's total after it less the price of the total before it, so that any
slicing of the same usage costs the same.
"""

from gateway.rating.plans import Rate


def price(rate: Rate, total: int) -> int:
    """Price a session's total of units in micro-units: the connection fee, the units, and what a third party has of it."""
    if total <= 0:
        return 0
    counted = total if rate.step == 1 and total >= rate.minimum else billed(rate, total)
    found = rate.connection + half_even(rate.price * counted, rate.per)
    return found if rate.service is None else found + price(rate.service.rate, total)


def service_price(rate: Rate, total: int) -> int:
    """Return the part of a total's price that is the service charge of the called number, in micro-units."""
    return 0 if rate.service is None else price(rate.service.rate, total)


def billed(rate: Rate, total: int) -> int:
    """Count the units that are billed for a total: whole steps, and the minimum at least."""
    counted = max(total, rate.minimum)
    return -(-counted // rate.step) * rate.step


def affordable(rate: Rate, used: int, wanted: int, money: int, before: int) -> int:
    """Return the most units, at most `wanted`, that can follow `used` ones for `money` micro-units; `before` is their price.

    What is free needs no money, nor does the rest of a step or minimum that was billed already. Beyond that the exact price
    counts, not the rounded one, so that nobody is given the crumbs that round to nothing.
    """
    if rate.service is not None:
        return _affordable_together(rate, used, wanted, money, before)
    if not (rate.price or rate.connection):
        return wanted
    paid = before - rate.connection + (max(0, money))
    if paid < 0:
        return 0
    if not rate.price:
        return wanted
    within = paid * rate.per // rate.price
    within -= within % rate.step
    if within < rate.minimum:
        within = 0
    if within - used >= wanted:
        return wanted
    paid_for = billed(rate, used) if used else 0
    return min(wanted, max(within, paid_for) - used)


def _affordable_together(rate: Rate, used: int, wanted: int, money: int, before: int) -> int:
    """Look for the most units of a rate with a service charge: two prices with steps of their own have no common inverse."""
    most = before + max(money, 0)

    def fit(units: int) -> bool:
        return _rounded_up(rate, used + units) <= most or price(rate, used + units) == before

    if fit(wanted):
        return wanted
    fits, too_many = 0, wanted
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if fit(middle) else (fits, middle)
    return fits


def _rounded_up(rate: Rate, total: int) -> int:
    """Return a price with each part rounded up, so that no crumbs are given away."""
    found = rate.connection - -rate.price * billed(rate, total) // rate.per
    return found if rate.service is None else found + _rounded_up(rate.service.rate, total)


def half_even(numerator: int, denominator: int) -> int:
    """Divide integers and round half-even; the denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    if not rest:
        return quotient
    doubled = 2 * rest
    if doubled > denominator or (doubled == denominator and quotient % 2):
        return quotient + 1
    return quotient
