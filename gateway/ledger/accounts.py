"""System accounts by name. A wallet's account number is its subscriber's id; every other account has a row of its own."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection, Executable, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.ledger.account_names import (
    ADDED_TAX,
    GIFT_PREFIXES,
    HIGHEST_SYSTEM,
    TENTH_PREFIXES,
    UNASSIGNED,
    VAT,
    WALLET,
)
from gateway.rating.taxes import FEDERAL, percent
from gateway.store.tables import accounts


def cause_account(cause: str) -> str:
    """Name the account of what is owed to a cause."""
    return f"cause:{cause}"


def gifts_account(cause: str) -> str:
    """Name the account of gifts that are owed, whole, to a cause."""
    return f"gifts:{cause}"


def matcher_account(campaign: str) -> str:
    """Name the account of what a campaign's matcher owes for gifts that were matched."""
    return f"matcher:{campaign}"


def vat_account(jurisdiction: str, rate: int) -> str:
    """Name the account of what is owed of a country's tax at a rate (parts per million)."""
    return f"{VAT}{jurisdiction}-{percent(rate)}"


def added_tax_account(jurisdiction: str, state: str, kind: str) -> str:
    """Name the account of what is owed of a kind of taxes that are added to prices: `tax:US-NY-911`, or `tax:US-usf`."""
    return f"{ADDED_TAX}{jurisdiction}-{kind}" if kind == FEDERAL else f"{ADDED_TAX}{jurisdiction}-{state}-{kind}"


def without_cause(name: str) -> str:
    """Name an account without its cause: what is owed to causes is `causes` and `gifts`, also where none was chosen.

    A campaign may be for one cause alone: its account is `matchers`.
    """
    if name.startswith(matcher_account("")):
        return "matchers"
    if name == UNASSIGNED or name.startswith((cause_account(""), *TENTH_PREFIXES)):
        return "causes"
    return "gifts" if name.startswith((gifts_account(""), *GIFT_PREFIXES)) else name


def accounts_of(cause: str) -> tuple[str, ...]:
    """Name every account of a cause."""
    states = (f"{prefix}{cause}" for prefix in (*TENTH_PREFIXES, *GIFT_PREFIXES))
    return (cause_account(cause), gifts_account(cause), *states)


class Opened(NamedTuple):
    """The numbers of all system accounts by name, and the rows of those that were made now."""

    numbers: Mapping[str, int]
    made: list[tuple[int, str]]


def ensure(connection: Connection, names: Iterable[str]) -> Opened:
    """Make sure that these accounts exist; another gateway on the store may make some at the same moment."""
    wanted, known = dict.fromkeys(names), _numbers(connection)
    made: list[tuple[int, str]] = []
    while missing := [name for name in wanted if name not in known]:
        made += [row for row in enumerate(missing, max(known.values(), default=0) + 1) if _make(connection, *row)]
        known = _numbers(connection)
    return Opened(known, made)


def _numbers(connection: Connection) -> dict[str, int]:
    return {name: number for number, name in connection.execute(select(accounts.c.id, accounts.c.name))}


def _make(connection: Connection, number: int, name: str) -> bool:
    """Make an account; tells whether its number and its name were free."""
    free = connection.execute(_insert(connection.dialect.name), {"id": number, "name": name})
    return free.scalar() is not None


@cache
def _insert(dialect: str) -> Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(accounts).on_conflict_do_nothing().returning(accounts.c.id)


def account_name(number: int, names: Mapping[int, str]) -> str:
    """Return an account's name by its number: a system account's own, else `wallet:<subscriber_id>`.

    One that has none in the books is `unnamed:<number>`.
    """
    return names.get(number, f"unnamed:{number}") if number < HIGHEST_SYSTEM else f"{WALLET}{number}"
