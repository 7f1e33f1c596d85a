"""System accounts by name. A wallet's account number is its subscriber's id; every other account has a row of its own."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.tables import accounts

REVENUE = "revenue"
CASH = "cash"
OPENING = "opening"
GIVING = "giving"
UNASSIGNED = "unassigned"
REFUNDS = "refunds"
"""What is owed to customers who left."""
WRITE_OFFS = "write-offs"
"""What customers who left owe, and will not be asked for."""
ABSORBED = "absorbed"
"""What was used beyond a customer's bill limit, and is never billed."""
WALLET = "wallet:"
SYSTEM = (REVENUE, CASH, OPENING, GIVING, UNASSIGNED, REFUNDS, WRITE_OFFS, ABSORBED)
HIGHEST_SYSTEM = 1 << 20
"""System accounts are numbered below this, subscribers far above."""


def cause_account(cause: str) -> str:
    """Name the account of what is owed to a cause."""
    return f"cause:{cause}"


def gifts_account(cause: str) -> str:
    """Name the account of gifts that are owed, whole, to a cause."""
    return f"gifts:{cause}"


def without_cause(name: str) -> str:
    """Name an account without its cause: what is owed to causes is `causes` and `gifts`, also where none was chosen."""
    if name == UNASSIGNED or name.startswith(cause_account("")):
        return "causes"
    return "gifts" if name.startswith(gifts_account("")) else name


def ensure(connection: Connection, names: Iterable[str]) -> Mapping[str, int]:
    """Make sure that these accounts exist, and give the numbers of all system accounts."""
    known = {name: number for number, name in connection.execute(select(accounts.c.id, accounts.c.name))}
    missing = [name for name in dict.fromkeys(names) if name not in known]
    if not missing:
        return known
    highest = connection.execute(select(func.max(accounts.c.id))).scalar() or 0
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = [{"id": highest + 1 + i, "name": name} for i, name in enumerate(missing)]
    connection.execute(insert(accounts).on_conflict_do_nothing(), rows)
    return ensure(connection, names)


def account_name(number: int, names: Mapping[int, str]) -> str:
    """Give an account's name by its number: a system account's own, else `wallet:<subscriber_id>`.

    One that has none in the books is `unnamed:<number>`.
    """
    return names.get(number, f"unnamed:{number}") if number < HIGHEST_SYSTEM else f"{WALLET}{number}"
