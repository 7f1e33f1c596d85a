"""Accruals on what their rule of the tenth leaves out."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, false, or_, select

from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.checks.rules import SALE, USAGE, Rule
from gateway.store.tables import transfers, usage

CHECK: Final = "accrual"
ACCRUALS: Final = ("accrual", "rerated_accrual")


def none_where_left_out(books: Examined) -> Iterable[Finding]:
    """Name accruals by a rule that leaves out what they are on."""
    for rule in books.rules:
        for journal in books.recomputed if rule.exclusions else ():
            for number in journal.scalars(_against(rule).limit(SHOWN)):
                yield Finding(CHECK, f"entry {number} accrues on what its rule {rule.name} leaves out")


def _against(rule: Rule) -> Any:  # noqa: ANN401  (a select)
    entry = transfers.c
    by_rule = (entry.kind.in_(ACCRUALS), entry.policy == rule.name)
    on_sale, on_usage = entry.usage_id.is_(None), entry.usage_id.is_not(None)
    services = rule.exclusions - {SALE}
    wrong: list[ColumnElement[bool]] = [on_sale] if SALE in rule.exclusions else []
    if USAGE in services:
        wrong.append(on_usage)
    elif services:
        wrong.append(and_(on_usage, usage.c.service.in_(sorted(services))))
    joined = select(entry.id).join_from(transfers, usage, usage.c.id == entry.usage_id, isouter=True)
    return joined.where(*by_rule, or_(false(), *wrong)).order_by(entry.id)
