"""Which tenths are not paid for: those on the latest charges of wallets that owe money. Pure: no clock, no store.

A tenth is *confirmed* when paid money stands behind its charge. A wallet below zero owes, and what it owes makes its latest
charges unpaid, by the time of their event: as many as make up the debt. Of these, gifts go first (a payment settles the bill
before the gift), then the latest charges. So a paid bill confirms, a chargeback takes back, and a prepaid overdraft waits, all
by one rule; a gift of long ago, which was paid for, stays. What is unpaid of a charge makes the same part of its tenth unpaid,
rounded up to a micro-unit: a cause is never paid from nothing.

What a family's payer lends a member stands behind the member's charges: a payer's debt makes those unpaid too, up to what was
lent. What was written off was never paid: it counts as owed for ever.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

CHARGES: Final = frozenset({"charge", "service", "sale", "rerated", "gift", "added_tax"})
"""Kinds of entries that debit a wallet for what it used, bought or gave."""
GIVEN_BACK: Final = frozenset({"refund", "reversal"})
"""Kinds that give such a charge back; others, such as a part of a bundle's price, only make the debt smaller."""
TENTHS: Final = frozenset({"accrual", "rerated_accrual"})
TAKEN_BACK: Final = frozenset({"accrual_reversal"})


class Charge(msgspec.Struct, gc=False):
    """What a wallet was charged for one record, sale or gift, net of what was given back.

    `parts` is its tenth: an account, an amount, and so on; there are many millions of charges, and a mapping each is large.
    """

    wallet: int
    event_at: int = 0
    number: int = 0
    amount: int = 0
    is_gift: bool = False
    parts: tuple[int, ...] = ()
    taken: int = 0
    """How much of it is known to be unpaid."""


Row = tuple[int, str, int, int, int, int, int | None, str | None]
"""What is read of an entry: number, kind, debit, credit, amount (micro-units), the event's time, usage, reference."""
Key = int | str
"""What a charge and its tenths have in common: the usage record, else the reference."""


class Charges:
    """The charges of some wallets, put together from rows of the journal.

    Rows may come in parts of the journal, the latest part first, but a charge stands before its tenths within a part.
    """

    def __init__(self, wallets: Iterable[int]) -> None:
        """Take whose charges are wanted."""
        self._wallets = frozenset(wallets)
        self._found: dict[Key, Charge] = {}

    def add(self, row: Row) -> None:
        """Take a row; those of other wallets are passed over."""
        number, kind, debit, credit, amount, event_at, usage_id, reference = row
        key: Key = reference or number if usage_id is None else usage_id
        found = self._found.get(key)
        if kind in TENTHS:
            if found is not None:
                found.parts = _with(found.parts, credit, amount)
        elif kind in CHARGES:
            if debit in self._wallets:
                parts = (credit, amount) if kind == "gift" else ()
                charge = Charge(debit, event_at, number, amount, bool(parts), parts)
                self._found[key] = charge if found is None else _joined(found, charge)
        elif kind in GIVEN_BACK:
            if credit in self._wallets:
                given = Charge(credit, amount=-amount)
                self._found[key] = given if found is None else _joined(found, given)
        elif found is not None:
            found.parts = _with(found.parts, debit, -amount)

    def by_wallet(self) -> dict[int, list[Charge]]:
        """Return what each wallet was charged, the latest first."""
        found: dict[int, list[Charge]] = {}
        for charge in self._found.values():
            if charge.amount > 0 and charge.number:
                found.setdefault(charge.wallet, []).append(charge)
        for charges in found.values():
            charges.sort(key=_place, reverse=True)
        return found


def _joined(one: Charge, other: Charge) -> Charge:
    """Add up two rows of one charge."""
    one.amount += other.amount
    one.event_at, one.number = max(one.event_at, other.event_at), max(one.number, other.number)
    one.is_gift = one.is_gift or other.is_gift
    for account, part in pairs_of(other.parts):
        one.parts = _with(one.parts, account, part)
    return one


def pairs_of(parts: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Return the parts of a tenth as pairs of account and amount."""
    return zip(parts[::2], parts[1::2], strict=True)


def _with(parts: tuple[int, ...], account: int, amount: int) -> tuple[int, ...]:
    """Add an amount to the part of an account."""
    if not parts:
        return account, amount
    sums = dict(pairs_of(parts))
    sums[account] = sums.get(account, 0) + amount
    return tuple(value for pair in sums.items() for value in pair)


def _place(charge: Charge) -> tuple[int, int]:
    return charge.event_at, charge.number


Lent = Mapping[int, Mapping[int, int]]
"""What payers lent and did not get back: by payer and member."""


def unpaid(debts: Mapping[int, int], charges: Mapping[int, list[Charge]], lent: Lent) -> dict[int, int]:
    """Return what is unpaid of the tenths and gifts of each account.

    `debts` are what wallets owe; each one's own charges are taken first, then those of members that it lent to.
    """
    for wallet, debt in debts.items():
        reached = _reached(charges.get(wallet, ()), debt)
        left = _take(sorted(reached, key=lambda charge: not charge.is_gift), debt)
        members = lent.get(wallet, {})
        if left and members:
            _take_of_members(charges, members, left)
    found: dict[int, int] = {}
    for of_wallet in charges.values():
        for charge in of_wallet:
            if charge.taken:
                for account, part in pairs_of(charge.parts):
                    share = -(-part * charge.taken // charge.amount)
                    found[account] = found.get(account, 0) + min(max(share, 0), max(part, 0))
    return found


def _reached(charges: Iterable[Charge], debt: int) -> list[Charge]:
    """Return the first of these that make up a debt."""
    found = []
    for charge in charges:
        if debt <= 0:
            break
        found.append(charge)
        debt -= charge.amount - charge.taken
    return found


def _take(charges: Iterable[Charge], debt: int, most: int | None = None) -> int:
    """Make the first of these unpaid, up to a debt (and `most` of it), and give what of the debt is left."""
    room = debt if most is None else min(debt, most)
    for charge in charges:
        if not room:
            break
        part = min(room, charge.amount - charge.taken)
        charge.taken += part
        room -= part
        debt -= part
    return debt


def _take_of_members(charges: Mapping[int, list[Charge]], members: Mapping[int, int], debt: int) -> None:
    """Make members' charges unpaid, the latest of all of them first, each member's up to what it was lent."""
    room = dict(members)
    every = sorted((charge for member in members for charge in charges.get(member, ())), key=_place, reverse=True)
    for charge in every:
        before = debt
        debt = _take([charge], debt, room[charge.wallet])
        room[charge.wallet] -= before - debt
        if not debt:
            break


def covers(charges: Iterable[Charge], debt: int) -> int | None:
    """Return from when on (event time, microseconds) these charges make up a debt; None where they do not."""
    for charge in charges:
        debt -= charge.amount
        if debt <= 0:
            return charge.event_at
    return None
