"""Entries held against what they tell of: a payment, an import, a usage record (and choices: ledger.checks.choices).

Whoever changes the books alone, however well they add up afterwards, is found by these; `ledger check` runs them.
"""

from collections.abc import Iterator
from functools import cache

from sqlalchemy import (
    Connection,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
)

from gateway.ledger.checks.choices import PAID, accruals_on
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.tables import (
    idempotency_keys,
    payments,
    subscriptions,
    transfers,
    usage,
)

IMPORT = "import"
"""The scope of the keys of imported lines; an opening balance refers to `import:<iccid>`."""


def sources_there(connection: Connection) -> Iterator[Finding]:
    """Name entries without what they tell of, the first of each kind."""
    for name, statement, what in (
        ("payment", _unpaid(), "is a top-up for which no payment was taken"),
        ("opening", _not_imported(), "is the opening balance of a line that was never imported"),
        ("usage", _of_another_record(), "charges another customer, time or currency than its usage record"),
        *(
            ("accrual", _of_another_charge(kind), f"accrues at another time or currency than its {kind}")
            for kind in PAID
        ),
    ):
        for (entry,) in connection.execute(statement):
            yield Finding(name, f"entry {entry} {what}")
    for (record,) in connection.execute(_by_another_plan()):
        yield Finding("plan", f"record {record} was priced by a plan that the customer never had")


@cache
def _unpaid() -> Select[int]:
    same = and_(
        payments.c.reference == transfers.c.reference,
        payments.c.subscriber_id == transfers.c.credit,
        payments.c.amount == transfers.c.amount,
        payments.c.currency == transfers.c.currency,
    )
    joined = select(transfers.c.id).join_from(transfers, payments, same, isouter=True)
    return joined.where(transfers.c.kind == "topup", payments.c.reference.is_(None)).limit(SHOWN)


@cache
def _not_imported() -> Select[int]:
    iccid = func.substr(transfers.c.reference, len(IMPORT) + 2)
    imported = exists().where(idempotency_keys.c.scope == IMPORT, idempotency_keys.c.key == iccid)
    return select(transfers.c.id).where(transfers.c.kind == "opening", ~imported).limit(SHOWN)


@cache
def _of_another_record() -> Select[int]:
    differs = or_(
        usage.c.subscriber_id != transfers.c.debit,
        usage.c.event_at != transfers.c.event_at,
        usage.c.currency != transfers.c.currency,
    )
    found = select(transfers.c.id).join_from(transfers, usage, usage.c.id == transfers.c.usage_id)
    return found.where(transfers.c.kind.in_(("charge", "service")), differs).limit(SHOWN)


@cache
def _by_another_plan() -> Select[int]:
    """What was used without a plan, such as an emergency call, names none."""
    plan = exists().where(subscriptions.c.subscriber_id == usage.c.subscriber_id, subscriptions.c.plan == usage.c.plan)
    return select(usage.c.id).where(usage.c.plan != "", ~plan).limit(SHOWN)


@cache
def _of_another_charge(kind: str) -> Select[int]:
    found, accrual, paid = accruals_on(kind)
    differs = or_(accrual.c.event_at != paid.c.event_at, accrual.c.currency != paid.c.currency)
    return found.where(differs).limit(SHOWN)
