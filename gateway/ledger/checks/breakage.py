"""Credit that has ended and was put back: no more than had ended, by what a bank took back, and as the allowances say it.

The journal has the money, and the entries of allowances have of which credit it is (balance.breakage).
"""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, select

from gateway.ledger.allowance_kinds import EXPIRY, REFUND
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.store.tables import allowance_entries, transfers

CHECK: Final = "breakage"
BACK: Final = ("breakage_back", "breakage_vatback")
CHARGEBACK: Final = "chargeback"
MONEY: Final = "money"
OTHERS: Final = "refund:%"
"""How references begin of what a refund gives back to a credit that has not ended."""
Key = tuple[str, int]
"""A reference, and a wallet."""


def breakage_right(books: Examined) -> Iterator[Finding]:
    """Name what was put back otherwise than it ended; the first few."""
    for detail in islice(_wrong(books), SHOWN):
        yield Finding(CHECK, detail)


def _wrong(books: Examined) -> Iterator[str]:
    said = {(row[0], row[1]): int(row[2]) for row in books.connection.execute(_by_reference())}
    booked, taken = _journal(books)
    for key in sorted(said.keys() | booked.keys()):
        amount = booked.get(key, 0)
        what = f"{key[0]} puts {amount} micro-units of ended credit back into wallet:{key[1]}"
        if amount != said.get(key, 0):
            yield f"{what}, its credits say {said.get(key, 0)}"
        if amount > taken.get(key, 0):
            yield f"{what}, and takes {taken.get(key, 0)} out of it"
    for number, units, lapsed in books.connection.execute(_by_credit()):
        if units > lapsed:
            yield f"credit {number} was put back by {int(units)} micro-units, {int(lapsed)} had ended"


def _given() -> tuple[ColumnElement[bool], ...]:
    own = allowance_entries.c
    return own.kind == REFUND, own.service == MONEY, own.reference.not_like(OTHERS)


@cache
def _by_reference() -> Select[Any]:
    own = allowance_entries.c
    sums = select(own.reference, own.subscriber_id, func.sum(own.units)).where(*_given())
    return sums.group_by(own.reference, own.subscriber_id)


@cache
def _by_credit() -> Select[Any]:
    own = allowance_entries.c
    back = func.sum(case((own.kind == REFUND, own.units), else_=0))
    ended = func.sum(case((own.kind == EXPIRY, -own.units), else_=0))
    of_credits = select(own.allowance_id, back, ended).where(
        own.allowance_id.in_(select(own.allowance_id).where(*_given())),
        own.service == MONEY,
        own.kind.in_((REFUND, EXPIRY)),
        own.reference.not_like(OTHERS),
    )
    return of_credits.group_by(own.allowance_id)


def _journal(books: Examined) -> tuple[dict[Key, int], dict[Key, int]]:
    """Sum what was put back, and what banks took back, by reference and wallet."""
    booked, taken = dict[Key, int](), dict[Key, int]()
    for journal in books.journals:
        for reference, number, kind, amount in journal.execute(_back_and_charged()):
            sums = taken if kind == CHARGEBACK else booked
            sums[reference or "", number] = sums.get((reference or "", number), 0) + int(amount)
    return booked, taken


@cache
def _back_and_charged() -> Select[Any]:
    entry = transfers.c
    wallet = case((entry.kind == CHARGEBACK, entry.debit), else_=entry.credit).label("wallet")
    wanted = select(entry.reference, wallet, entry.kind, entry.amount).where(entry.kind.in_((*BACK, CHARGEBACK)))
    each = wanted.subquery().c
    group = (each.reference, each.wallet, each.kind)
    return select(*group, func.sum(each.amount)).group_by(*group)
