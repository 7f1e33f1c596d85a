"""What each account stands at: the sum of its credits less the sum of its debits, read from the journal."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, func, select

from gateway.ledger.accounts import account_name, without_cause
from gateway.store.tables import accounts, transfers


class Balance(msgspec.Struct, frozen=True):
    """An account's balance in micro-units; what it was credited counts up."""

    account: str
    currency: str
    balance: int


def balances(connection: Connection) -> list[Balance]:
    """Sum the journal by account and currency, system accounts first."""
    names = account_names(connection)
    totals = journal_totals(connection)
    return [
        Balance(account_name(number, names), currency, totals[number, currency]) for number, currency in sorted(totals)
    ]


def without_causes(found: Iterable[Balance]) -> list[Balance]:
    """Join the balances of causes to one of `causes` and one of `gifts` a currency."""
    joined: dict[tuple[str, str], int] = {}
    for each in found:
        key = (without_cause(each.account), each.currency)
        joined[key] = joined.get(key, 0) + each.balance
    return [Balance(account, currency, balance) for (account, currency), balance in joined.items()]


def account_names(connection: Connection) -> Mapping[int, str]:
    """Give the names of the system accounts by number."""
    return {row.id: row.name for row in connection.execute(select(accounts.c.id, accounts.c.name))}


def journal_totals(connection: Connection) -> dict[tuple[int, str], int]:
    """Sum the journal: (account number, currency) -> credits less debits."""
    totals: dict[tuple[int, str], int] = {}
    for side, sign in ((transfers.c.credit, 1), (transfers.c.debit, -1)):
        rows = connection.execute(
            select(side, transfers.c.currency, func.sum(transfers.c.amount)).group_by(side, transfers.c.currency)
        )
        for number, currency, amount in rows:
            totals[number, currency] = totals.get((number, currency), 0) + sign * int(amount)
    return totals
