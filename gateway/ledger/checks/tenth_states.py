"""The life of the tenth: states are the journal's sums and add up, and payments are what was moved for them."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import func, select

from gateway.ledger.account_names import GIFT_PREFIXES, TENTH_PREFIXES
from gateway.ledger.balances import account_names
from gateway.ledger.checks.examined import Examined, Finding
from gateway.store.tables import cause_payments, cause_sums, transfers

CHECK: Final = "tenth_state"
STATES: Final = ("confirmed", "payable", "instructed")
PREFIXES: Final = {"tenth": TENTH_PREFIXES, "gift": GIFT_PREFIXES}
"""Of the accounts of these states, in their order."""
Key = tuple[str, str, str]
"""Stream, cause and currency."""


def states_match(books: Examined) -> Iterable[Finding]:
    """Hold what the store says of states against the journal, against each other, and against the payments."""
    rows = {(row.stream, row.cause, row.currency): row for row in books.connection.execute(select(cause_sums))}
    yield from _by_journal(books, rows)
    yield from _whole(books, rows)
    yield from _by_payments(books, rows)


def _by_journal(books: Examined, rows: dict[Key, Any]) -> Iterator[Finding]:
    """Name states that are not what their accounts come to."""
    journal: dict[tuple[Key, str], int] = {}
    names = account_names(books.connection)
    for (number, currency), amount in books.totals.items():
        for stream, prefixes in PREFIXES.items():
            for state, prefix in zip(STATES, prefixes, strict=True):
                name = names.get(number, "")
                if name.startswith(prefix):
                    journal[(stream, name.removeprefix(prefix), currency), state] = amount
    stored = {(key, state): getattr(row, state) for key, row in rows.items() for state in STATES}
    for key, state in sorted(stored.keys() | journal.keys()):
        said, found = stored.get((key, state), 0), journal.get((key, state), 0)
        if said != found:
            yield Finding(CHECK, f"{' '.join(key)}: {state} says {said} micro-units, its journal {found}")


def _whole(books: Examined, rows: dict[Key, Any]) -> Iterator[Finding]:
    """Name causes whose states do not add up to what was moved into them, and successions that lose something."""
    handed: dict[str, int] = {}
    for key, row in rows.items():
        together = row.confirmed + row.payable + row.instructed + row.paid + row.handed
        if row.moved != together:
            yield Finding(
                CHECK, f"{' '.join(key)}: {row.moved} micro-units were moved, its states add up to {together}"
            )
        handed[row.currency] = handed.get(row.currency, 0) + row.handed
    if not any(handed.values()):
        return  # as nearly always: the journal is not read for it
    given = _sums(books, "profit_share")
    nobody = [number for number, name in account_names(books.connection).items() if name == "unassigned"]
    held = _sums(books, "profit_share", nobody)
    unassigned = _sums(books, "unassign")
    for currency, amount in handed.items():
        outside = unassigned.get(currency, 0) - given.get(currency, 0) + held.get(currency, 0)
        if amount != outside:
            yield Finding(
                CHECK,
                f"what causes handed on comes to {amount} micro-units in {currency}, what went to unassigned less profit "
                f"shares to {outside}",
            )


def _sums(books: Examined, kind: str, to: list[int] | None = None) -> dict[str, int]:
    sums: dict[str, int] = {}
    wanted = select(transfers.c.currency, func.sum(transfers.c.amount)).where(transfers.c.kind == kind)
    if to is not None:
        wanted = wanted.where(transfers.c.credit.in_(to))
    for journal in books.journals:
        for currency, amount in journal.execute(wanted.group_by(transfers.c.currency)):
            sums[currency] = sums.get(currency, 0) + int(amount)
    return sums


def _by_payments(books: Examined, rows: dict[Key, Any]) -> Iterator[Finding]:
    """Name causes whose payments are not what stands in INSTRUCTED and PAID."""
    own = cause_payments.c
    group = (own.stream, own.cause, own.currency, own.state)
    wanted = select(*group, func.sum(own.amount)).where(own.state.in_(("instructed", "paid"))).group_by(*group)
    payments = {
        ((stream, cause, currency), state): int(amount)
        for stream, cause, currency, state, amount in books.connection.execute(wanted)
    }
    for state in ("instructed", "paid"):
        for key in sorted(rows.keys() | {key for key, its in payments if its == state}):
            said = getattr(rows[key], state) if key in rows else 0
            if said != payments.get((key, state), 0):
                found = payments.get((key, state), 0)
                yield Finding(CHECK, f"{' '.join(key)}: {state} says {said} micro-units, its payments {found}")
