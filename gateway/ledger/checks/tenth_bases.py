"""What tenths accrue on: each has its charge or sale, and each charge or sale its tenth."""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice

from sqlalchemy import Connection, FromClause, Select, and_, or_, select

from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.checks.rules import Rule, left_out
from gateway.ledger.checks.tenths import wrong_tenths
from gateway.store.tables import transfers, usage

COLUMNS = {"charge": "usage_id", "sale": "reference"}
"""By which column accruals are found that stand on a kind of entry."""
LEAST = 1000
"""A charge of fewer micro-units, a tenth of a penny, may be shared among so many causes that each part rounds to nothing."""


def bases_match(connection: Connection) -> Iterable[Finding]:
    """Hold the base of each accrual against the charge that it stands for."""
    for kind in COLUMNS:
        for (entry,) in connection.execute(_orphans(kind)):
            yield Finding("accrual", f"entry {entry} accrues on a base that is no {kind} of that amount")


@cache
def _orphans(kind: str) -> Select[int]:
    accrual, charge = transfers.alias("accrual"), transfers.alias("charge")
    key = accrual.c[COLUMNS[kind]]
    same = and_(charge.c.kind == kind, key == charge.c[COLUMNS[kind]])
    other = or_(charge.c.id.is_(None), charge.c.amount != accrual.c.base)
    joined = select(accrual.c.id).join_from(accrual, charge, same, isouter=True)
    return joined.where(accrual.c.kind == "accrual", key.is_not(None), other).limit(SHOWN)


def tenth_is_complete(books: Examined) -> Iterable[Finding]:
    """Find charges and sales whose tenth is worth something and was never booked, though no rule leaves them out."""
    for journal in books.recomputed:
        yield from _incomplete(journal, books.rules)


def _incomplete(connection: Connection, rules: Sequence[Rule]) -> Iterable[Finding]:
    for kind in COLUMNS:
        missing, charge = _without_tenth(kind)
        if rules:
            missing = missing.join(usage, usage.c.id == charge.c.usage_id, isouter=True)
            missing = missing.where(~left_out(rules, charge.c, sale=kind == "sale"))
        for (entry,) in connection.execute(missing):
            yield Finding("accrual", f"entry {entry} is a {kind} of which no tenth was booked")


@cache
def _without_tenth(kind: str) -> tuple[Select[int], FromClause]:
    accrual, charge = transfers.alias("accrual"), transfers.alias("charge")
    same = and_(accrual.c.kind == "accrual", accrual.c[COLUMNS[kind]] == charge.c[COLUMNS[kind]])
    joined = select(charge.c.id).join_from(charge, accrual, same, isouter=True)
    return joined.where(charge.c.kind == kind, charge.c.amount >= LEAST, accrual.c.id.is_(None)).limit(SHOWN), charge


def tenths_match(books: Examined) -> Iterable[Finding]:
    """Name accruals that are not the tenth of what they stand on, computed again."""
    wrong = wrong_tenths(books.connection, books.journals, books.recompute, books.rules)
    return (Finding("accrual", detail) for detail in islice(wrong, SHOWN))
