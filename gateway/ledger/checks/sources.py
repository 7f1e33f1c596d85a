"""Entries held against what they tell of: a payment, an import, a usage record, and a customer's choice at the time of use.

Whoever changes the books alone, however well they add up afterwards, is found by these; `ledger check` runs them.
"""

from collections.abc import Iterator

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from gateway.ledger.accounts import UNASSIGNED, cause_account
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import (
    accounts,
    choices,
    erasures,
    families,
    idempotency_keys,
    payments,
    subscriptions,
    transfers,
    usage,
)

IMPORT = "import"
"""The scope of the keys of imported lines; an opening balance refers to `import:<iccid>`."""
SECOND_US = 1_000_000
GRACE_US = 10 * SECOND_US
"""Gateways on one store do not agree on the time to the second: so long after a new choice the old one may be met."""
WHOLE = 10_000
PAID = ("charge", "sale", "rerated")
"""What tenths accrue on."""


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
        *(
            ("choice", _not_chosen(kind), "accrues to a cause, or by a share, that was not chosen then")
            for kind in PAID
        ),
    ):
        for (entry,) in connection.execute(statement.limit(SHOWN)):
            yield Finding(name, f"entry {entry} {what}")
    for (record,) in connection.execute(_by_another_plan().limit(SHOWN)):
        yield Finding("plan", f"record {record} was priced by a plan that the customer never had")


def _unpaid() -> Select[int]:
    same = and_(
        payments.c.reference == transfers.c.reference,
        payments.c.subscriber_id == transfers.c.credit,
        payments.c.amount == transfers.c.amount,
        payments.c.currency == transfers.c.currency,
    )
    joined = select(transfers.c.id).join_from(transfers, payments, same, isouter=True)
    return joined.where(transfers.c.kind == "topup", payments.c.reference.is_(None))


def _not_imported() -> Select[int]:
    iccid = func.substr(transfers.c.reference, len(IMPORT) + 2)
    imported = exists().where(idempotency_keys.c.scope == IMPORT, idempotency_keys.c.key == iccid)
    return select(transfers.c.id).where(transfers.c.kind == "opening", ~imported)


def _of_another_record() -> Select[int]:
    differs = or_(
        usage.c.subscriber_id != transfers.c.debit,
        usage.c.event_at != transfers.c.event_at,
        usage.c.currency != transfers.c.currency,
    )
    found = select(transfers.c.id).join_from(transfers, usage, usage.c.id == transfers.c.usage_id)
    return found.where(transfers.c.kind.in_(("charge", "service")), differs)


def _by_another_plan() -> Select[int]:
    """What was used without a plan, such as an emergency call, names none."""
    plan = exists().where(subscriptions.c.subscriber_id == usage.c.subscriber_id, subscriptions.c.plan == usage.c.plan)
    return select(usage.c.id).where(usage.c.plan != "", ~plan)


def _accruals(kind: str) -> tuple[Select[int], FromClause, FromClause]:
    """Select the accruals on charges, sales or prices put right; gives the accrual and what it is on, too."""
    accrual, paid = transfers.alias("accrual"), transfers.alias("paid")
    same = accrual.c.usage_id == paid.c.usage_id if kind == "charge" else accrual.c.reference == paid.c.reference
    joined = select(accrual.c.id).join_from(accrual, paid, and_(paid.c.kind == kind, same))
    tenth = "rerated_accrual" if kind == "rerated" else "accrual"
    return joined.where(accrual.c.kind == tenth), accrual, paid


def _of_another_charge(kind: str) -> Select[int]:
    found, accrual, paid = _accruals(kind)
    return found.where(or_(accrual.c.event_at != paid.c.event_at, accrual.c.currency != paid.c.currency))


def _not_chosen(kind: str) -> Select[int]:
    """Find accruals whose cause and share are of no choice that was in force when the event was, or a moment before."""
    found, accrual, paid = _accruals(kind)
    used_at = case((accrual.c.event_at < accrual.c.at, accrual.c.event_at), else_=accrual.c.at)
    later = choices.alias("later")
    replaced = (
        select(later.c.id)
        .where(
            later.c.subscriber_id == choices.c.subscriber_id,
            later.c.valid_from > choices.c.valid_from,
            later.c.valid_from < used_at - GRACE_US,
            _made_before(later, accrual),
        )
        .correlate(choices, accrual)  # the accrual stands two selects further out
        .exists()
    )
    pays_for = exists().where(  # without a choice of its own a member's tenth goes by that of the family's payer
        families.c.member_id == paid.c.debit, families.c.payer_id == choices.c.subscriber_id
    )
    chosen = (
        select(choices.c.id)
        .join_from(choices, accounts, accounts.c.name == literal(cause_account("")) + choices.c.cause)
        .where(
            or_(choices.c.subscriber_id == paid.c.debit, pays_for.correlate(paid, choices)),
            accounts.c.id == accrual.c.credit,
            choices.c.share == accrual.c.share,
            choices.c.valid_from < accrual.c.event_at + SECOND_US,
            ~replaced,
        )
        .exists()
    )
    choice = exists().where(
        choices.c.subscriber_id == paid.c.debit,
        choices.c.valid_from < used_at - GRACE_US,
        _made_before(choices, accrual),
    )
    nowhere = select(accounts.c.id).where(accounts.c.name == UNASSIGNED).scalar_subquery()
    unassigned = and_(accrual.c.credit == nowhere, accrual.c.share == WHOLE, ~choice)
    forgotten = exists().where(erasures.c.subscriber_id == paid.c.debit)  # what they chose nobody knows any more
    paid_by_forgotten = exists().where(
        families.c.member_id == paid.c.debit, families.c.payer_id == erasures.c.subscriber_id
    )
    return found.where(~chosen, ~unassigned, ~forgotten, ~paid_by_forgotten)


def _made_before(choice: FromClause, accrual: FromClause) -> ColumnElement[bool]:
    """Whether a choice may have been there when a tenth was booked: a clock that was set back says so of later ones, too.

    Identifiers that one gateway gave are in the order in which it gave them.
    """
    given_by: ColumnElement[int] = literal_column(str(SPAN_BITS))
    elsewhere = choice.c.id.op(">>")(given_by) != accrual.c.id.op(">>")(given_by)
    return or_(elsewhere, choice.c.id < accrual.c.id)
