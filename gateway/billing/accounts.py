"""How each line stands with its bills, on disk: its latest bill, what is due of it, and where it is in dunning."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.store.batch import Batch
from gateway.store.statements import Update
from gateway.store.tables import bill_accounts

OPEN: Final = "open"
"""The state of a line that dunning has done nothing about."""
_COLUMNS: Final = [column.name for column in bill_accounts.columns]
_SAVE: Final = Update(bill_accounts, _COLUMNS[1:], ["subscriber_id"])


class BillAccount(msgspec.Struct, frozen=True):
    """A row of the table; money in micro-units, times in microseconds.

    `due` is what the latest bill asks for, `arrears` how much of that stood on bills before it, due since `arrears_due_at`.
    """

    subscriber_id: int
    bill_id: int
    close_id: int
    currency: str
    closing: int
    due: int
    arrears: int
    due_at: int | None
    arrears_due_at: int | None
    state: str
    state_at: int
    next_at: int | None


def accounts_between(connection: Connection, low: int, high: int) -> dict[int, BillAccount]:
    """Read those of a range of lines, both ends within it."""
    wanted = select(bill_accounts).where(bill_accounts.c.subscriber_id.between(low, high))
    return {row.subscriber_id: account_of(row) for row in connection.execute(wanted)}


def account_of(row: Any) -> BillAccount:  # noqa: ANN401  (a row)
    """Read a row of the table."""
    return BillAccount(*row)


def write_accounts(batch: Batch, accounts: Iterable[BillAccount], known: Mapping[int, object]) -> None:
    """Write how lines stand: those that have a row are changed."""
    changed = []
    for account in accounts:
        row = msgspec.structs.astuple(account)
        if account.subscriber_id in known:
            changed.append((*row[1:], row[0]))
        else:
            batch.add(bill_accounts, row)
    _SAVE.run(batch.connection, changed)
