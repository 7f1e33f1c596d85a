"""In which order money pays what is owed: the oldest bill first, and of a bill the charges before the gifts. Pure.

A gift on the bill is the customer's to give once the bill is paid: who pays in part has paid for the service, as the tenth is
confirmed (decision 056) and as others bill gifts (telcotogether.org: after two unpaid months the gift is taken off).
"""

import msgspec


class Owed(msgspec.Struct, frozen=True):
    """What is owed in micro-units, in the order in which it is paid: earlier bills, the latest bill's charges, its gifts."""

    arrears: int
    charges: int
    gifts: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.arrears + self.charges + self.gifts


def owed(due: int, arrears: int, gifts: int) -> Owed:
    """Split what a bill asks for: `arrears` of it stood on bills before, and `gifts` are the latest bill's."""
    new = due - arrears
    mine = min(gifts, new)
    return Owed(arrears, new - mine, mine)


def after_payment(asked: Owed, paid: int) -> Owed:
    """Return what is still owed after so much was paid in all."""
    left = max(0, paid)
    parts = []
    for part in (asked.arrears, asked.charges, asked.gifts):
        taken = min(part, left)
        parts.append(part - taken)
        left -= taken
    return Owed(*parts)
