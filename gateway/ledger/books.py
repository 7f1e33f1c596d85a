"""The books: entries become rows of the journal in the same transaction as what they tell of."""

from collections.abc import Callable, Iterable, Mapping

import msgspec
from sqlalchemy import select

from gateway.ledger.entries import Entry
from gateway.store.batch import Batch
from gateway.store.tables import accounts, transfers


class _Numbers(dict[str, int]):
    """The numbers of the system accounts by name; one that is not known has a number below zero, always the same."""

    def __init__(self, accounts: Mapping[str, int]) -> None:
        """Take those that are known."""
        super().__init__(accounts)
        self.not_met: list[str] = []

    def __missing__(self, name: str) -> int:
        """Give what stands for an account that is not known yet."""
        if name not in self.not_met:
            self.not_met.append(name)
        return -1 - self.not_met.index(name)


class Books:
    """Post entries to the journal; whoever makes them (balance.bookings) has moved the wallets.

    Another gateway on the store may have opened the account of a new cause, and a customer chosen it, before this one reads its
    configuration again: such an account has a number below zero until its entry is posted.
    """

    def __init__(self, accounts: Mapping[str, int]) -> None:
        """Take the numbers of the system accounts."""
        self._accounts = _Numbers(accounts)
        self.account: Callable[[str], int] = self._accounts.__getitem__
        """Gives a system account's number, or one below zero that stands for it until `post`."""

    def post(self, batch: Batch, entries: Iterable[Entry]) -> None:
        """Append entries to the journal; the wallets among their accounts were moved by whoever decided.

        LookupError names an account that nobody opened.
        """
        rows, take_id, now = batch.added(transfers), batch.take_id, batch.now
        for entry in entries:
            if entry.debit < 0 or entry.credit < 0:
                debit, credit = self._met(batch, entry.debit), self._met(batch, entry.credit)
                entry = msgspec.structs.replace(entry, debit=debit, credit=credit)  # noqa: PLW2901  (the same one)
            rows.append(entry.row(take_id(), now))

    def _met(self, batch: Batch, number: int) -> int:
        if number >= 0:
            return number
        name = self._accounts.not_met[-1 - number]
        if name not in self._accounts:
            found = batch.connection.execute(select(accounts.c.id).where(accounts.c.name == name)).scalar()
            if found is None:
                message = f"there is no account {name}"
                raise LookupError(message)
            self._accounts[name] = found
        return self._accounts[name]
