"""What tenths accrue on: each has its charge or sale, and each charge or sale its tenth."""

from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import Connection, and_, or_, select

from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.checks.rules import Rule, left_out
from gateway.ledger.checks.tenths import wrong_tenths
from gateway.store.tables import transfers, usage

LEAST = 1000
"""A charge of fewer micro-units, a tenth of a penny, may be shared among so many causes that each part rounds to nothing."""


def bases_match(connection: Connection) -> Iterable[Finding]:
    """Hold the base of each accrual against the charge that it stands for."""
    accrual, charge = transfers.alias("accrual"), transfers.alias("charge")
    for kind, same in (
        ("charge", accrual.c.usage_id == charge.c.usage_id),
        ("sale", accrual.c.reference == charge.c.reference),
    ):
        key = accrual.c.usage_id if kind == "charge" else accrual.c.reference
        orphans = (
            select(accrual.c.id)
            .join_from(accrual, charge, and_(charge.c.kind == kind, same), isouter=True)
            .where(
                accrual.c.kind == "accrual",
                key.is_not(None),
                or_(charge.c.id.is_(None), charge.c.amount != accrual.c.base),
            )
            .limit(SHOWN)
        )
        for (entry,) in connection.execute(orphans):
            yield Finding("accrual", f"entry {entry} accrues on a base that is no {kind} of that amount")


def tenth_is_complete(books: Examined) -> Iterable[Finding]:
    """Find charges and sales whose tenth is worth something and was never booked, though no rule leaves them out."""
    for journal in books.recomputed:
        yield from _incomplete(journal, books.rules)


def _incomplete(connection: Connection, rules: Sequence[Rule]) -> Iterable[Finding]:
    for kind in ("charge", "sale"):
        accrual, charge = transfers.alias("accrual"), transfers.alias("charge")
        column = "usage_id" if kind == "charge" else "reference"
        same = and_(accrual.c.kind == "accrual", accrual.c[column] == charge.c[column])
        missing = (
            select(charge.c.id)
            .join_from(charge, accrual, same, isouter=True)
            .where(charge.c.kind == kind, charge.c.amount >= LEAST, accrual.c.id.is_(None))
            .limit(SHOWN)
        )
        if rules:
            missing = missing.join(usage, usage.c.id == charge.c.usage_id, isouter=True)
            missing = missing.where(~left_out(rules, charge.c, sale=kind == "sale"))
        for (entry,) in connection.execute(missing):
            yield Finding("accrual", f"entry {entry} is a {kind} of which no tenth was booked")


def tenths_match(books: Examined) -> Iterable[Finding]:
    """Name accruals that are not the tenth of what they stand on, computed again."""
    wrong = wrong_tenths(books.connection, books.journals, books.recompute, books.rules)
    return (Finding("accrual", detail) for detail in islice(wrong, SHOWN))
