"""Usage and its charges: each record is charged once, what it was priced."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, func, select

from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.tables import transfers, usage

CHARGES: Final = ("charge", "service", "promotional")
"""Kinds of entries that together are the price of a usage record: ours, and that of the service that was called."""


def usage_is_charged(connection: Connection) -> Iterable[Finding]:
    """Name records that were not charged what they were priced, or more than once."""
    of_records = (
        transfers.c.kind.in_(CHARGES),
        transfers.c.usage_id.is_not(None),
    )  # credit of the company pays for sales, too
    by_record = select(transfers.c.usage_id, func.sum(transfers.c.amount).label("amount"))
    paid = by_record.where(*of_records).group_by(transfers.c.usage_id).subquery()
    wrong = (
        select(usage.c.id, usage.c.price, paid.c.amount)
        .join_from(usage, paid, paid.c.usage_id == usage.c.id, isouter=True)
        .where(usage.c.price != func.coalesce(paid.c.amount, 0))
        .limit(SHOWN)
    )
    for record, price, amount in connection.execute(wrong):
        yield Finding("usage", f"record {record} was priced {price} micro-units and charged {amount or 0}")
    kinds = select(transfers.c.usage_id).where(*of_records)
    doubled = kinds.group_by(transfers.c.usage_id, transfers.c.kind).having(func.count() > 1).limit(SHOWN)
    for (record,) in connection.execute(doubled):
        yield Finding("usage", f"record {record} was charged more than once")
