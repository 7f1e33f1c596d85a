"""What campaigns add to gifts: an entry of its own, from the matcher's account, never above the campaign's cap.

How much was matched stands in one row a campaign, which is locked before it is read: also of two gateways, and of two gifts in
one batch, the second sees what the first one left.
"""

from datetime import date
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.charity.campaigns import Campaign
from gateway.ledger import accounts
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.store.batch import Batch
from gateway.store.tables import accounts as account_rows
from gateway.store.tables import matched_sums


class Made(NamedTuple):
    """A gift that is made: its number, cause, amount in micro-units, currency, and the day by the operator's clock."""

    number: int
    cause: str
    amount: int
    currency: str
    day: date


def match(batch: Batch, campaign: Campaign, gift: Made) -> int:
    """Add what a campaign promises to a gift; gives how much, in micro-units."""
    if not campaign.adds(*gift[1:], 0):
        return 0
    added = campaign.adds(*gift[1:], _matched(batch, campaign))
    if not added:
        return 0
    change = update(matched_sums).where(matched_sums.c.campaign == campaign.id)
    batch.connection.execute(change.values(amount=matched_sums.c.amount + added))
    name, books = accounts.matcher_account(campaign.id), batch.policy(Books)
    for row in accounts.ensure(batch.connection, [name]).made:
        batch.prove(account_rows, row)
    entry = Entry(
        kind="match",
        debit=books.account(name),
        credit=books.account(accounts.gifts_account(gift.cause)),
        amount=added,
        currency=gift.currency,
        event_at=batch.now,
        reference=f"match:{gift.number}:{campaign.id}",
    )
    books.post(batch, [entry])
    return added


def _matched(batch: Batch, campaign: Campaign) -> int:
    """Lock a campaign's row, and give what it says; the first gift makes it."""
    row = select(matched_sums.c.amount).where(matched_sums.c.campaign == campaign.id).with_for_update()
    found = batch.connection.execute(row).scalar_one_or_none()
    if found is not None:
        return int(found)
    insert = postgresql.insert if batch.connection.dialect.name == "postgresql" else sqlite.insert
    first = {"campaign": campaign.id, "currency": campaign.currency, "amount": 0}
    batch.connection.execute(insert(matched_sums).values(first).on_conflict_do_nothing())
    return int(batch.connection.execute(row).scalar_one())
