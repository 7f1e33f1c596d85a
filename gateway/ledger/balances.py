"""What each account stands at: the sum of its credits less the sum of its debits, read from the journal.

The file of a sealed month has these sums beside its rows, and only of a month that is wanted in part the rows are read.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, func, select, union

from gateway.ledger.account_names import HIGHEST_SYSTEM, WALLET
from gateway.ledger.accounts import account_name, without_cause
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.sealed_months.records import SealedMonth
from gateway.store.sealed_months.sums import sums
from gateway.store.tables import accounts, subscribers, transfers

_SIDES: Final = (transfers.c.credit, transfers.c.debit)


class Balance(msgspec.Struct, frozen=True):
    """An account's balance in micro-units; what it was credited counts up."""

    account: str
    currency: str
    balance: int


class Selection(msgspec.Struct, frozen=True):
    """Which entries are wanted: those of some accounts (None: of all), booked from `since` until before `until`."""

    accounts: Sequence[int] | None = None
    since: int | None = None
    until: int | None = None

    def in_time(self) -> list[ColumnElement[bool]]:
        """Return the conditions of the time in which they were booked."""
        began = [] if self.since is None else [transfers.c.at >= self.since]
        return began if self.until is None else [*began, transfers.c.at < self.until]

    def wants(self, month: SealedMonth) -> bool:
        """Return whether a sealed month may have such entries."""
        return month.journal.overlaps(self.since, self.until)


ALL: Final = Selection()


class BalancePage(msgspec.Struct, frozen=True):
    """A page of balances; `next` is the `after` of the next one, None on the last."""

    rows: list[Balance]
    next: int | None


def balances(connection: Connection, *, after: int, limit: int, only: Selection = ALL) -> BalancePage:
    """Sum the wanted entries by account and currency, for the accounts above `after`, system accounts first.

    A page has `limit` wallets at most. The system accounts are all in the first page: who may not see those of causes apart
    cannot have them one by one.
    """
    after = after if after >= HIGHEST_SYSTEM else 0
    with parts(connection, only.wants) as found:
        numbers = _numbers(found, max(after, HIGHEST_SYSTEM - 1), limit, only)
        last = numbers[-1] if len(numbers) == limit else None
        totals = _totals(found, after, last, only)
    names = account_names(connection)
    rows = [
        Balance(account_name(number, names), currency, totals[number, currency]) for number, currency in sorted(totals)
    ]
    return BalancePage(rows, last)


def _numbers(found: Iterable[Part], after: int, limit: int, only: Selection) -> list[int]:
    """Return the first account numbers above `after` of the wanted entries."""
    numbers: set[int] = set()
    for part in found:
        if _is_summed(part, only):
            of = (
                select(sums.c.account.label("number"))
                .distinct()
                .where(*_on(sums.c.account, after, None, only))
                .subquery()
            )
        else:
            of = union(
                *(select(side.label("number")).where(*_of(side, after, None, only)) for side in _SIDES)
            ).subquery()
        numbers.update(part.connection.scalars(select(of.c.number).order_by(of.c.number).limit(limit)))
    return sorted(numbers)[:limit]


def _is_summed(part: Part, only: Selection) -> bool:
    """Return whether all of a month is wanted: its sums do then."""
    return part.month is not None and part.month.journal.is_within(only.since, only.until)


def _of(side: Column[int], after: int, last: int | None, only: Selection) -> list[ColumnElement[bool]]:
    return [*_on(side, after, last, only), *only.in_time()]


def _on(side: Column[int], after: int, last: int | None, only: Selection) -> list[ColumnElement[bool]]:
    conditions = [side > after]
    if last is not None:
        conditions.append(side <= last)
    if only.accounts is not None:
        conditions.append(side.in_(only.accounts))
    return conditions


def without_causes(found: Iterable[Balance]) -> list[Balance]:
    """Join the balances of causes to one of `causes` and one of `gifts` a currency."""
    joined: dict[tuple[str, str], int] = {}
    for each in found:
        key = (without_cause(each.account), each.currency)
        joined[key] = joined.get(key, 0) + each.balance
    return [Balance(account, currency, balance) for (account, currency), balance in joined.items()]


def account_names(connection: Connection) -> Mapping[int, str]:
    """Return the names of the system accounts by number."""
    return {row.id: row.name for row in connection.execute(select(accounts.c.id, accounts.c.name))}


def account_numbers(connection: Connection, name: str, *, causes: bool) -> list[int]:
    """Return the numbers of the accounts that are shown under this name: with `causes` one, without it `causes` is several."""
    if name.startswith(WALLET):
        number = name.removeprefix(WALLET)
        known = number.isascii() and number.isdigit() and len(number) < 19
        own = subscribers.c.id
        return list(connection.scalars(select(own).where(own == int(number)))) if known else []
    shown = ((number, known if causes else without_cause(known)) for number, known in account_names(connection).items())
    return [number for number, known in shown if known == name]


def journal_totals(connection: Connection, only: Selection = ALL) -> dict[tuple[int, str], int]:
    """Sum the journal, or the wanted entries: (number, currency) -> credits less debits."""
    with parts(connection, only.wants) as found:
        return _totals(found, 0, None, only)


def _totals(found: Iterable[Part], after: int, last: int | None, only: Selection) -> dict[tuple[int, str], int]:
    """Sum the wanted entries of the accounts above `after`, of all parts."""
    totals: dict[tuple[int, str], int] = {}
    for part in found:
        if _is_summed(part, only):
            wanted = select(sums).where(*_on(sums.c.account, after, last, only))
            of = {(row.account, row.currency): row.amount for row in part.connection.execute(wanted)}
        else:
            of = entry_totals(part.connection, after, last, only)
        add(totals, of)
    return totals


def entry_totals(
    connection: Connection, after: int = 0, last: int | None = None, only: Selection = ALL
) -> dict[tuple[int, str], int]:
    """Sum the entries of one part of the journal, of the accounts above `after`."""
    totals: dict[tuple[int, str], int] = {}
    for side, sign in zip(_SIDES, (1, -1), strict=True):
        rows = connection.execute(
            select(side, transfers.c.currency, func.sum(transfers.c.amount))
            .where(*_of(side, after, last, only))
            .group_by(side, transfers.c.currency)
        )
        add(totals, {(number, currency): sign * int(amount) for number, currency, amount in rows})
    return totals


def add(totals: dict[tuple[int, str], int], more: Mapping[tuple[int, str], int]) -> None:
    """Add sums to totals."""
    for key, amount in more.items():
        totals[key] = totals.get(key, 0) + amount
