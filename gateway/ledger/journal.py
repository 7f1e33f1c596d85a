"""The journal as an auditor reads it: entries in the order in which they were booked."""

import msgspec
from sqlalchemy import Connection, or_, select

from gateway.events.times import rfc3339
from gateway.ledger.accounts import account_name, without_cause
from gateway.ledger.balances import ALL, Selection, account_names
from gateway.ledger.money import format_amount
from gateway.ledger.postings import CAUSE_SUMS
from gateway.store.nodes import SPAN_BITS, in_shard
from gateway.store.sealed_months.parts import lowest_rows, parts
from gateway.store.sealed_months.records import sealed_months
from gateway.store.tables import transfers


class JournalEntry(msgspec.Struct, frozen=True):
    """A double entry; one of an accrual has what it was computed from: base, policy and share (basis points)."""

    id: int
    at: str
    kind: str
    debit: str
    credit: str
    amount: str
    currency: str
    event_at: str
    record_id: int | None
    base: str | None
    policy: str | None
    share: int | None
    reference: str | None


def read(
    connection: Connection, *, after: int, limit: int, causes: bool = False, only: Selection = ALL
) -> list[JournalEntry]:
    """Return at most `limit` of the wanted entries numbered above `after`; amounts in major units, times RFC 3339.

    Without `causes` no account of a cause is named: all of them are `causes`, and their gifts' `gifts`; entries of what a
    single cause is owed of a month are left out, as their amounts would tell whose it is.
    """
    names = account_names(connection)
    if not causes:
        names = {number: without_cause(name) for number, name in names.items()}
    wanted = select(transfers).where(transfers.c.id > after, *only.in_time())
    if not causes:
        wanted = wanted.where(transfers.c.kind.not_in(CAUSE_SUMS))
    if only.accounts is not None:
        wanted = wanted.where(or_(transfers.c.debit.in_(only.accounts), transfers.c.credit.in_(only.accounts)))
    with parts(connection, lambda month: month.ends_above(after) and only.wants(month)) as found:
        rows = lowest_rows(found, wanted.order_by(transfers.c.id), limit)
    return [
        JournalEntry(
            id=row.id,
            at=rfc3339(row.at),
            kind=row.kind,
            debit=account_name(row.debit, names),
            credit=account_name(row.credit, names),
            amount=format_amount(row.amount, row.currency),
            currency=row.currency,
            event_at=rfc3339(row.event_at),
            record_id=row.usage_id,
            base=None if row.base is None else format_amount(row.base, row.currency),
            policy=row.policy,
            share=row.share,
            reference=row.reference,
        )
        for row in rows
    ]


def latest_entry(connection: Connection, node: int) -> int:
    """Return when a node booked its latest entry, in microseconds; 0 before its first."""
    latest = select(transfers.c.at).where(*in_shard(transfers.c.id, node)).order_by(transfers.c.id.desc()).limit(1)
    sealed = [
        month.journal.last_at or 0
        for month in sealed_months(connection)
        if any(last >> SPAN_BITS == node for _, last in month.ranges)
    ]
    return max(*sealed, connection.execute(latest).scalar() or 0, 0)
