"""The books: entries become rows of the journal in the same transaction as what they tell of."""

from collections.abc import Iterable, Mapping

from gateway.ledger.entries import Entry
from gateway.store.batch import Batch
from gateway.store.tables import transfers


class Books:
    """Post entries to the journal; whoever makes them (balance.bookings) has moved the wallets."""

    def __init__(self, accounts: Mapping[str, int]) -> None:
        """Take the numbers of the system accounts."""
        self._accounts = accounts

    def account(self, name: str) -> int:
        """Give a system account's number; KeyError names one that was never opened."""
        return self._accounts[name]

    def post(self, batch: Batch, entries: Iterable[Entry]) -> None:
        """Append entries to the journal; the wallets among their accounts were moved by whoever decided."""
        for entry in entries:
            batch.add(transfers, entry.row(batch.take_id(), batch.now))
