"""Refunds held against what they give back: each record once, no more than was charged, and the tenth that was booked of it.

So is what is given back of a bundle when its plan is changed: a part of its tenth, of the causes that it went to.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select

from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.store.tables import reratings, transfers

CHECK: Final = "refund"
BACK: Final = {"refund": "charge", "promo_refund": "promotional"}
"""Kinds of entries that give back, and what they give back."""
TENTHS: Final = {"accrual_reversal": "accrual"}
REFERENCE: Final = "refund:%"
NEAR: Final = 1 << 16
"""What is booked of a record is numbered so near behind it: in one batch."""
PART: Final = "pro-rata:"
SOLD: Final = ("sale:", "part:")
"""How references of what is given back of a bundle begin, and of the sale of one, before the same number."""
CHARGED: Final = {"sale": "sale", "rerated": "sale", "accrual": "accrual", "rerated_accrual": "accrual"}
SOME: Final = 200
"""Records that one query names."""
Sums = dict[tuple[int, str, int], int]
"""What was moved, by record, kind and the account beside the wallet's, or the giving expense's."""


def refunds_right(books: Examined) -> Iterator[Finding]:
    """Name records that were given back otherwise than they were charged; the first few."""
    for look in (wrong_refunds, wrong_parts):
        for detail in islice(look(books.journals), SHOWN):
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
    """Return what refunds moved, and by record under which references."""
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
    """Return what records moved when they were booked."""
    t, sums = transfers.c, Sums()
    kinds = t.kind.in_([*BACK.values(), *TENTHS.values()])
    near: list[Any] = [and_(t.id > each, t.id < each + NEAR, t.usage_id == each) for each in numbers]
    for journal in journals:
        for kind, number, account, amount in journal.execute(
            select(t.kind, t.usage_id, t.credit, t.amount).where(kinds, or_(*near))
        ):
            sums[number, kind, account] = sums.get((number, kind, account), 0) + amount
    return sums


def wrong_parts(journals: Sequence[Connection]) -> Iterator[str]:
    """Say of which bundles more, or the tenth of another cause, was given back than was sold, or put right."""
    t, back = transfers.c, dict[int, list[Any]]()
    wanted = select(t.id, t.kind, t.debit, t.amount, t.reference).where(
        or_(t.kind == "pro_rata", and_(t.kind.in_(list(TENTHS)), t.reference.like(f"{PART}%")))
    )
    for journal in journals:
        for row in journal.execute(wanted):
            number = (row.reference or "").removeprefix(PART)
            if number.isascii() and number.isdigit():
                back.setdefault(int(number), []).append(row)
    numbers = sorted(back)
    for begin in range(0, len(numbers), SOME):
        some = numbers[begin : begin + SOME]
        sold = _sold(journals, some)
        for number in some:
            for row in back[number]:
                kind, account = ("sale", None) if row.kind == "pro_rata" else ("accrual", row.debit)
                if row.amount > sold.get((number, kind, account), 0):
                    yield f"entry {row.id} gives back {row.amount} micro-units that sale {number} did not move"


def _sold(journals: Sequence[Connection], numbers: Sequence[int]) -> dict[tuple[int, str, int | None], int]:
    """Return the most that sales, and what put their prices right, charged, and moved to each account of a cause."""
    t, r, found = transfers.c, reratings.c, dict[tuple[int, str, int | None], int]()
    anew = {f"rerate:{each}": record for journal in journals[-1:] for each, record in journal.execute(
        select(r.id, r.record_id).where(r.record_id.in_(numbers)))}  # fmt: skip
    references = {f"{kind}{number}": number for number in numbers for kind in SOLD} | anew
    near: list[Any] = [
        and_(t.id > number, t.id < number + NEAR)
        for number in (*numbers, *(int(each.removeprefix("rerate:")) for each in anew))
    ]
    for journal in journals:
        for kind, credit, amount, reference in journal.execute(
            select(t.kind, t.credit, t.amount, t.reference).where(t.kind.in_(list(CHARGED)), or_(*near))
        ):
            number = references.get(reference or "")
            if number is not None:
                key = (number, CHARGED[kind], None if CHARGED[kind] == "sale" else credit)
                found[key] = max(amount, found.get(key, 0))
    return found
