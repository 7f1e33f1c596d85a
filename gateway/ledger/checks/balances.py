"""Balances: the books sum to zero, and each wallet stands at what its journal comes to."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, func, select

from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.store.tables import transfers, wallets


def zero_sum(books: Examined) -> Iterable[Finding]:
    """Name currencies in which all accounts do not add up to zero."""
    sums: dict[str, int] = {}
    for (_, currency), amount in books.totals.items():
        sums[currency] = sums.get(currency, 0) + amount
    for currency, amount in sums.items():
        if amount:
            yield Finding("zero_sum", f"all accounts in {currency} add up to {amount} micro-units, not to zero")


def wallets_match(books: Examined) -> Iterable[Finding]:
    """Name wallets that do not stand at the sum of their journal."""
    stored = {(row.subscriber_id, row.currency): row.balance for row in books.connection.execute(select(wallets))}
    journal = {key: amount for key, amount in books.totals.items() if key[0] >= HIGHEST_SYSTEM}
    wrong = [key for key in stored.keys() | journal.keys() if stored.get(key, 0) != journal.get(key, 0)]
    for subscriber_id, currency in sorted(wrong)[:SHOWN]:
        key = (subscriber_id, currency)
        yield Finding(
            "wallet",
            f"wallet:{subscriber_id} says {stored.get(key, 'nothing')} {currency} micro-units, "
            f"its journal {journal.get(key, 0)}",
        )


def given_matches(books: Examined) -> Iterable[Finding]:
    """Hold what each wallet says was given of its charges and sales against the accruals on them."""
    given: dict[int, int] = {}
    for kind, tenth, column in (
        ("charge", "accrual", "usage_id"),
        ("sale", "accrual", "reference"),
        ("rerated", "rerated_accrual", "reference"),
    ):
        for journal in books.journals:
            for subscriber_id, amount in journal.execute(_by_wallet(kind, tenth, column)):
                given[subscriber_id] = given.get(subscriber_id, 0) + int(amount)
    for journal in books.journals:
        for subscriber_id, amount in journal.execute(_taken_back()):
            given[subscriber_id] = given.get(subscriber_id, 0) - int(amount)
    stored = {
        row.subscriber_id: row.given
        for row in books.connection.execute(select(wallets.c.subscriber_id, wallets.c.given))
    }
    wrong = [number for number in stored.keys() | given.keys() if stored.get(number, 0) != given.get(number, 0)]
    for subscriber_id in sorted(wrong)[:SHOWN]:
        said, found = stored.get(subscriber_id, "nothing"), given.get(subscriber_id, 0)
        yield Finding(
            "given", f"wallet:{subscriber_id} says that {said} micro-units were given of it, its accruals {found}"
        )


@cache
def _by_wallet(kind: str, tenth: str, column: str) -> Select[Any]:
    """Sum the tenths of a kind of payment, by wallet."""
    paid, accrual = transfers.alias("paid"), transfers.alias("accrual")
    same = and_(accrual.c.kind == tenth, accrual.c[column] == paid.c[column])
    sums = select(paid.c.debit, func.sum(accrual.c.amount)).join_from(paid, accrual, same)
    return sums.where(paid.c.kind == kind).group_by(paid.c.debit)


@cache
def _taken_back() -> Select[Any]:
    """Sum the tenths of prices that were wrong, or given back, and were taken back, by wallet."""
    paid, tenth = transfers.alias("paid"), transfers.alias("accrual")
    same = and_(tenth.c.kind == "accrual_reversal", tenth.c.reference == paid.c.reference)
    sums = select(paid.c.credit, func.sum(tenth.c.amount)).join_from(paid, tenth, same)
    return sums.where(paid.c.kind.in_(("reversal", "refund", "pro_rata"))).group_by(paid.c.credit)
