"""Which tenths are not paid for: those on the latest charges of wallets that owe money. Pure: no clock, no store.

A tenth is *confirmed* when paid money stands behind its charge. A wallet below zero owes, and what it owes makes its latest
charges unpaid, by the time of their event: as many as make up the debt. Of these, gifts go first (a payment settles the bill
before the gift), then the latest charges. So a paid bill confirms, a chargeback takes back, and a prepaid overdraft waits, all
by one rule; a gift of long ago, which was paid for, stays. What is unpaid of a charge makes the same part of its tenth unpaid,
rounded up to a micro-unit: a cause is never paid from nothing.

What a family's payer lends a member stands behind the member's charges: a payer's debt makes those unpaid too, up to what was
lent. What was written off was never paid: it counts as owed for ever.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

CHARGES: Final = frozenset({"charge", "service", "sale", "rerated", "gift"})
"""Kinds of entries that debit a wallet for what it used, bought or gave."""
GIVEN_BACK: Final = frozenset({"refund", "reversal"})
"""Kinds that give such a charge back; others, such as a part of a bundle's price, only make the debt smaller."""
TENTHS: Final = frozenset({"accrual", "rerated_accrual"})
TAKEN_BACK: Final = frozenset({"accrual_reversal"})
ROWS: Final = tuple(sorted(CHARGES | GIVEN_BACK | TENTHS | TAKEN_BACK))
"""Every kind that has to be read."""


class Row(NamedTuple):
    """What is read of an entry of the journal; times in microseconds, money in micro-units."""

    id: int
    kind: str
    debit: int
    credit: int
    amount: int
    event_at: int
    usage_id: int | None
    reference: str | None


class Charge(msgspec.Struct):
    """What a wallet was charged for one record, sale or gift, net of what was given back; `parts` is its tenth by account."""

    wallet: int
    event_at: int = 0
    number: int = 0
    amount: int = 0
    is_gift: bool = False
    parts: dict[int, int] = {}
    taken: int = 0
    """How much of it is known to be unpaid."""


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
        key: Key = row.reference or row.id if row.usage_id is None else row.usage_id
        if row.kind in CHARGES:
            if row.debit in self._wallets:
                self._charge(key, row)
        elif row.kind in GIVEN_BACK:
            if row.credit in self._wallets:
                self._of(key, row.credit).amount -= row.amount
        elif (charge := self._found.get(key)) is not None:
            account, sign = (row.credit, 1) if row.kind in TENTHS else (row.debit, -1)
            charge.parts[account] = charge.parts.get(account, 0) + sign * row.amount

    def _charge(self, key: Key, row: Row) -> None:
        charge = self._of(key, row.debit)
        charge.amount += row.amount
        charge.event_at, charge.number = max(charge.event_at, row.event_at), max(charge.number, row.id)
        if row.kind == "gift":
            charge.is_gift = True
            charge.parts[row.credit] = charge.parts.get(row.credit, 0) + row.amount

    def _of(self, key: Key, wallet: int) -> Charge:
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = Charge(wallet, parts={})
        return found

    def by_wallet(self) -> dict[int, list[Charge]]:
        """Give what each wallet was charged, the latest first."""
        found: dict[int, list[Charge]] = {}
        for charge in self._found.values():
            if charge.amount > 0 and charge.number:
                found.setdefault(charge.wallet, []).append(charge)
        for charges in found.values():
            charges.sort(key=_place, reverse=True)
        return found


def _place(charge: Charge) -> tuple[int, int]:
    return charge.event_at, charge.number


Lent = Mapping[int, Mapping[int, int]]
"""What payers lent and did not get back: by payer and member."""


def unpaid(debts: Mapping[int, int], charges: Mapping[int, list[Charge]], lent: Lent) -> dict[int, int]:
    """Give what is unpaid of the tenths and gifts of each account.

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
                for account, part in charge.parts.items():
                    share = -(-part * charge.taken // charge.amount)
                    found[account] = found.get(account, 0) + min(max(share, 0), max(part, 0))
    return found


def _reached(charges: Iterable[Charge], debt: int) -> list[Charge]:
    """Give the first of these that make up a debt."""
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
    """Tell from when on (event time, microseconds) these charges make up a debt; None where they do not."""
    for charge in charges:
        debt -= charge.amount
        if debt <= 0:
            return charge.event_at
    return None
