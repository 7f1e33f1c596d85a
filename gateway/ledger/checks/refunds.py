"""Refunds held against what they give back: each record once, no more than was charged, and the tenth that was booked of it."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select

from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.store.tables import transfers

CHECK: Final = "refund"
BACK: Final = {"refund": "charge", "promo_refund": "promotional"}
"""Kinds of entries that give back, and what they give back."""
TENTHS: Final = {"accrual_reversal": "accrual"}
REFERENCE: Final = "refund:%"
NEAR: Final = 1 << 16
"""What is booked of a record is numbered so near behind it: in one batch."""
SOME: Final = 200
"""Records that one query names."""
Sums = dict[tuple[int, str, int], int]
"""What was moved, by record, kind and the account beside the wallet's, or the giving expense's."""


def refunds_right(books: Examined) -> Iterator[Finding]:
    """Name records that were given back otherwise than they were charged; the first few."""
    for detail in islice(wrong_refunds(books.journals), SHOWN):
        yield Finding(CHECK, detail)


def wrong_refunds(journals: Sequence[Connection]) -> Iterator[str]:
    """Say what is wrong with refunds; `journals` are the parts of the journal."""
    back, references = _given_back(journals)
    numbers = sorted(references)
    for begin in range(0, len(numbers), SOME):
        some = numbers[begin : begin + SOME]
        charged = _charged(journals, some)
        for number in some:
            if len(references[number]) > 1:
                yield f"record {number} is given back more than once: {', '.join(sorted(references[number]))}"
            mine = {key: amount for key, amount in back.items() if key[0] == number}
            for (_, kind, account), amount in mine.items():
                booked = charged.get((number, (BACK | TENTHS)[kind], account), 0)
                if amount > booked or (amount < booked and kind != "promo_refund"):
                    yield f"record {number} has {amount} micro-units booked as {kind}, of {booked} that were moved by it"
            accrued = {account for other, kind, account in charged if (other, kind) == (number, "accrual")}
            if accrued - {account for _, kind, account in mine if kind in TENTHS}:
                yield f"record {number} was given back, and some of its tenth was not taken back"


def _given_back(journals: Sequence[Connection]) -> tuple[Sums, dict[int, set[str]]]:
    """Give what refunds moved, and by record under which references."""
    t, sums, references = transfers.c, Sums(), dict[int, set[str]]()
    wanted = select(t.kind, t.usage_id, t.debit, t.amount, t.reference).where(
        or_(t.kind.in_(list(BACK)), and_(t.kind.in_(list(TENTHS)), t.reference.like(REFERENCE)))
    )
    for journal in journals:
        for kind, number, account, amount, reference in journal.execute(wanted):
            if number is not None:  # else it is no refund that may be booked, which another check says
                sums[number, kind, account] = sums.get((number, kind, account), 0) + amount
                references.setdefault(number, set()).add(reference or "nothing")
    return sums, references


def _charged(journals: Sequence[Connection], numbers: Sequence[int]) -> Sums:
    """Give what records moved when they were booked."""
    t, sums = transfers.c, Sums()
    kinds = t.kind.in_([*BACK.values(), *TENTHS.values()])
    near: list[Any] = [and_(t.id > each, t.id < each + NEAR, t.usage_id == each) for each in numbers]
    for journal in journals:
        for kind, number, account, amount in journal.execute(
            select(t.kind, t.usage_id, t.credit, t.amount).where(kinds, or_(*near))
        ):
            sums[number, kind, account] = sums.get((number, kind, account), 0) + amount
    return sums
