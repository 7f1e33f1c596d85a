"""Answers about balances of accounts."""

import msgspec


class AccountBalance(msgspec.Struct, frozen=True):
    """An account's balance in major units."""

    account: str
    currency: str
    balance: str


class AccountBalances(msgspec.Struct, frozen=True):
    """The balances of accounts, by currency; `next` is the `after` of the next page, None on the last."""

    rows: list[AccountBalance]
    next: int | None
