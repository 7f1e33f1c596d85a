"""Taxes that are added to what a line was charged in a month are taken from its wallet, each to an account of its own."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import select

from gateway.balance import allowance_entries, credit
from gateway.balance.allowance_entries import AllowanceEntry
from gateway.balance.wallets import Wallet, WalletRows
from gateway.ledger import account_names, accounts
from gateway.ledger.added_taxes import ADDED, DONE, AddedTax
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.store import tables
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.tables import added_taxes
from gateway.subscribers.status import TERMINATED

_ASKED, _BACK = ADDED
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class BookAddedTax(Unit):
    """Book a line's month, once; `ends_at` is the month's last moment, so that it is on the month's bill.

    A line that has ended is settled already: it is not asked for more, and its row has no taxes. One on monthly terms that owes
    has those of what it was charged on its last bill.
    """

    touches: ClassVar[tuple[type, ...]] = (WalletRows,)

    of: AddedTax
    ends_at: int

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the line."""
        return (self.of.subscriber_id,)

    def decide(self, batch: Batch) -> bool:
        """Return whether it was booked now."""
        of, wallet = self.of, batch.row_set(WalletRows).get(self.of.subscriber_id)
        row = added_taxes.c
        same = (row.node == of.node, row.period == of.period, row.subscriber_id == of.subscriber_id)
        if batch.connection.execute(select(row.id).where(*same)).first() is not None or wallet is None:
            return False
        settled = wallet.status == TERMINATED and not (wallet.credit_limit > 0 and of.charges > 0)
        lines = [] if settled else of.lines
        number, content = batch.take_id(), (_encode(of.versions).decode(), _encode(lines).decode())
        place = (of.area.state, of.area.zip)
        found = (number, batch.now, of.node, of.period, of.subscriber_id, of.currency, of.charges, of.plan, *place)
        batch.add(added_taxes, (*found, *content))
        self._book(batch, wallet, number, msgspec.structs.replace(of, lines=lines))
        return True

    def _book(self, batch: Batch, wallet: Wallet, number: int, of: AddedTax) -> None:
        """Book each tax; the customer's credit that ends pays it before money that does not."""
        books, entries, uses = batch.policy(Books), [], list[AllowanceEntry]()
        for place, (line, name) in enumerate(zip(of.lines, accounts_of(of), strict=True)):
            parts = credit.take_paid(wallet, line.amount)
            wallet.move(-line.amount)
            pair = (wallet.subscriber_id, books.account(name))
            kind, (debit, credited) = (_ASKED, pair) if line.amount > 0 else (_BACK, pair[::-1])
            reference = f"added-tax:{number}:{place}"
            entries.append(
                Entry(kind, debit, credited, abs(line.amount), of.currency, self.ends_at, reference=reference)
            )
            uses += credit.uses(wallet, parts, self.ends_at, reference=reference)
        books.post(batch, entries)
        allowance_entries.post(batch, uses)


def accounts_of(row: AddedTax) -> list[str]:
    """Name the account of each of a row's taxes."""
    (country,) = row.versions
    return [accounts.added_tax_account(country, line.state or row.area.state, line.kind) for line in row.lines]


class OpenTaxAccounts(Unit):
    """Open the accounts of taxes that a month needs, by their names."""

    alone: ClassVar[bool] = True
    touches: ClassVar[tuple[type, ...]] = ()

    names: list[str]

    def decide(self, batch: Batch) -> None:
        """Open those that are missing."""
        for made in accounts.ensure(batch.connection, [*account_names.SYSTEM, *self.names]).made:
            batch.prove(tables.accounts, made)


class FinishAddedTaxes(Unit):
    """Note that every line of a shard's month was booked."""

    alone: ClassVar[bool] = True
    touches: ClassVar[tuple[type, ...]] = ()

    node: int
    period: str

    def decide(self, batch: Batch) -> bool:
        """Return whether it is new."""
        row = added_taxes.c
        same = (row.node == self.node, row.period == self.period, row.subscriber_id == DONE)
        if batch.connection.execute(select(row.id).where(*same)).first() is not None:
            return False
        said = (batch.take_id(), batch.now, self.node, self.period, DONE, "", 0, "", "", "", "{}", "[]")
        batch.add(added_taxes, said)
        return True
