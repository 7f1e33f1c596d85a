"""Parts of a balance that end: credit that was paid in and holds for a time, and credit that the company gave. Pure.

They are allowances of money (`allowances.MONEY`). A price is paid by what the company gave first, or last, as the operator set;
of each kind by what ends soonest, and by money that never ends after credit that does. A gift is never paid by what the company
gave.
"""

from typing import Final

import msgspec

from gateway.balance.allowance_entries import AllowanceEntry
from gateway.balance.allowances import CREDIT, MONEY, PROMOTION, Allowance, Covered
from gateway.balance.wallets import Wallet
from gateway.ledger.allowance_kinds import USE
from gateway.rating.prices import half_even

NEVER: Final = 1 << 62
"""The end (microseconds) of what never ends."""
NOTHING: Final[list[Covered]] = []


class Split(msgspec.Struct, frozen=True, gc=False):
    """How a price is paid: `promotional` of it by what the company gave; `parts` say which credits paid, and how much."""

    promotional: int
    parts: list[Covered]


UNDIVIDED: Final = Split(0, NOTHING)


def split(wallet: Wallet, amount: int, *, promotions_last: bool = False) -> Split:
    """Find what pays a price (micro-units), before the wallet is moved, and take it from the credits."""
    found = [each for each in wallet.allowances if each.left.get(MONEY)]
    if not found:
        return UNDIVIDED
    found.sort(key=_ends)
    given = [each for each in found if each.kind == PROMOTION]
    paid = [each for each in found if each.kind == CREDIT]
    rest = amount
    parts: list[Covered] = []
    if promotions_last:
        rest -= _take(parts, paid, rest)
        endless = max(0, wallet.balance - sum(part.units for part in parts) - money_of(found))
        rest -= min(rest, endless)
        _take(parts, given, rest)
    else:
        rest -= _take(parts, given, rest)
        _take(parts, paid, rest)
    promotional = sum(part.units for part in parts if part.allowance.kind == PROMOTION)
    return Split(promotional, parts)


def take_paid(wallet: Wallet, amount: int) -> list[Covered]:
    """Take money for what only the customer's own may pay: credit that ends first."""
    parts: list[Covered] = []
    _take(parts, sorted((each for each in wallet.allowances if each.kind == CREDIT), key=_ends), amount)
    return parts


def money_of(allowances: list[Allowance]) -> int:
    """Sum what is left of credits, in micro-units."""
    return sum(each.left.get(MONEY, 0) for each in allowances)


def promotional(wallet: Wallet) -> int:
    """Return what of a wallet the company gave, in micro-units."""
    return money_of([each for each in wallet.allowances if each.kind == PROMOTION])


def uses(
    wallet: Wallet, parts: list[Covered], event_at: int, *, usage_id: int | None = None, reference: str | None = None
) -> list[AllowanceEntry]:
    """Say which credits paid for a usage record, or for what has a reference."""
    owner = wallet.subscriber_id
    return [
        AllowanceEntry(owner, part.allowance.id, USE, MONEY, -part.units, event_at, usage_id, reference)
        for part in parts
    ]


def give_back(wallet: Wallet, entries: list[AllowanceEntry]) -> None:
    """Put back what `split` took, as long as nothing of it was posted."""
    by_id = {each.id: each for each in wallet.allowances}
    for entry in entries:
        if entry.service == MONEY and entry.kind == USE:
            by_id[entry.allowance_id].take(MONEY, entry.units)


def tax_within(amount: int, percent: int) -> int:
    """Return the tax in an amount that includes it, rounded half-even to the micro-unit; the rate in basis points."""
    return half_even(amount * percent, 10_000 + percent)


def _take(parts: list[Covered], among: list[Allowance], amount: int) -> int:
    """Take as much of an amount as credits have, in their order; gives how much it was."""
    taken = 0
    for each in among:
        part = min(amount - taken, each.left.get(MONEY, 0))
        if part > 0:
            each.take(MONEY, part)
            parts.append(Covered(each, part))
            taken += part
    return taken


def _ends(each: Allowance) -> tuple[int, int]:
    return each.ends_at, each.id
