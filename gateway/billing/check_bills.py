"""Bills held against the books, for `tpo ledger check`: each entry of a wallet is on one bill, and bills come to the journal.

How lines stand with their bills is followed beside that, in one look at them (billing.check_accounts).

What is on bills is known by the cuts of closes (billing.cuts), so that the journal is added up once: what it has within the
last cut is, line by line, what the latest bill closes with. Numbers have no gap, and each bill goes on from the one before.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, except_, func, or_, select, union_all

from gateway.billing.check_accounts import StandingsCheck
from gateway.billing.content import read_content
from gateway.billing.cuts import RUNNING, Close, closes
from gateway.billing.payments import CHARGEBACK, PAYMENT
from gateway.billing.rounding import rounded, unit_of
from gateway.billing.series import BILL, CREDIT_NOTE
from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.errors import StoreUnavailable
from gateway.store.sealed_months.parts import Part, parts, unreadable
from gateway.store.tables import bill_accounts, bills, payments, transfers

CHECK: Final = "bill"
STREAMED: Final = {"yield_per": 1000}


def wrong_bills(connection: Connection) -> list[Finding]:
    """Find bills that do not add up, do not follow each other, or are not what the journal has.

    Where the file of a sealed month cannot be read, which another check names, there is nothing to hold them against.
    """
    try:
        return _wrong_bills(connection)
    except StoreUnavailable:
        with parts(connection) as every:
            if all(part.month is None or unreadable(part) is None for part in every):
                raise
        return []


def _wrong_bills(connection: Connection) -> list[Finding]:
    found = closes(connection)
    standings = StandingsCheck(connection)
    if not found:
        return [*standings.findings(), *_wrong_payments(connection)]
    with parts(connection) as every:
        findings = [
            *islice(_gaps(connection), SHOWN),
            *_wrong_chains(connection, found, standings),
            *standings.findings(),
            *islice(_not_the_journal(connection, found[-1], every), SHOWN),
            *_wrong_sums(connection, found),
        ]
    return [*findings, *_wrong_payments(connection)]


def _gaps(connection: Connection) -> Iterator[Finding]:
    own = bills.c
    for series in (BILL, CREDIT_NOTE):
        count, last = connection.execute(select(func.count(), func.max(own.number)).where(own.series == series)).one()
        if count != (last or 0):
            yield Finding(CHECK, f"{count} rows of the series {series} are numbered up to {last}")


def _wrong_chains(connection: Connection, found: list[Close], standings: StandingsCheck) -> list[Finding]:
    """Go through the bills of each line in their order, once, and give the first few findings; `standings` take them, too."""
    wrong = _wrong_bills_of_lines(connection, found, standings)
    findings = list(islice(wrong, SHOWN))
    for _ in wrong:  # the bills behind the first few findings are still those that lines stand by
        pass
    return findings


def _wrong_bills_of_lines(connection: Connection, found: list[Close], standings: StandingsCheck) -> Iterator[Finding]:
    """Hold openings, contents and closings against each other."""
    order = {close.id: place for place, close in enumerate(found)}
    rows = connection.execute(select(bills).order_by(bills.c.subscriber_id, bills.c.id), execution_options=STREAMED)
    subscriber, closing = None, 0
    for row in rows:
        if row.subscriber_id != subscriber:
            subscriber, closing = row.subscriber_id, 0
        what = f"{row.series} {row.number}"
        if row.close_id not in order:
            yield Finding(CHECK, f"{what} is of no close")
        if row.opening != closing:
            yield Finding(CHECK, f"{what} opens with {row.opening} micro-units, after {closing}")
        content = read_content(row.content)
        standings.bill(row, content)
        if row.opening + content.amount != row.closing:
            yield Finding(
                CHECK, f"{what} closes with {row.closing} micro-units: it says {content.amount} of what moved it"
            )
        due = max(0, -rounded(row.closing, unit_of(row.currency)))
        if row.series == BILL and row.due != due:
            yield Finding(CHECK, f"{what} asks for {row.due} micro-units, where {due} are due")
        closing = row.closing


def _not_the_journal(connection: Connection, last: Close, every: Iterable[Part]) -> Iterator[Finding]:
    """Hold the latest closing of each line against the journal within the cut; for a close that runs, of lines done."""
    booked: dict[int, int] = {}
    runs = last.state == RUNNING
    for part in every:
        within = last.cut.within(transfers.c.id, transfers.c.event_at)
        rows = part.connection.execute(_moves(within), execution_options=STREAMED)
        for wallet, amount in rows:
            booked[wallet] = booked.get(wallet, 0) + int(amount)
    own = bill_accounts.c
    known = dict(map(tuple, connection.execute(select(own.subscriber_id, own.closing))))
    for wallet in sorted(known.keys() | booked.keys()):
        if runs and wallet > last.after:
            continue  # its bill is still to come
        billed, moved = known.get(wallet, 0), booked.get(wallet, 0)
        if billed != moved:
            yield Finding(CHECK, f"bills of {wallet} close with {billed} micro-units, the journal with {moved}")


def _moves(within: ColumnElement[bool]) -> Any:  # noqa: ANN401  (a select)
    own = transfers.c
    each = union_all(
        select(own.credit.label("wallet"), own.amount.label("amount")).where(within, own.credit >= HIGHEST_SYSTEM),
        select(own.debit, -own.amount).where(within, own.debit >= HIGHEST_SYSTEM),
    ).subquery()
    return select(each.c.wallet, func.sum(each.c.amount)).group_by(each.c.wallet)


def _wrong_sums(connection: Connection, found: list[Close]) -> Iterator[Finding]:
    """Hold the sums of each close against its bills and credit notes."""
    own = bills.c
    moved = func.sum(own.closing - own.opening)
    rows = connection.execute(
        select(own.close_id, own.currency, func.count(), moved, func.sum(own.given)).group_by(
            own.close_id, own.currency
        )
    )
    sums = {(row[0], row[1]): row[2:] for row in rows}
    for close in found:
        counted = sum(row[0] for (close_id, _), row in sums.items() if close_id == close.id)
        if counted != close.bills + close.credit_notes:
            yield Finding(
                CHECK, f"the close of {close.period} counts {close.bills + close.credit_notes} bills of {counted}"
            )
        for currency, each in close.sums.items():
            _, moves, given = sums.get((close.id, currency), (0, 0, 0))
            if (int(moves), int(given)) != (each.moved, each.given):
                detail = f"the close of {close.period} says {each.moved} {currency} micro-units, its bills {moves}"
                yield Finding(CHECK, detail)


def _wrong_payments(connection: Connection) -> Iterator[Finding]:
    """Name entries of payments and chargebacks that stand under no reference of a channel."""
    own = transfers.c
    booked = union_all(
        select(own.reference, own.currency, own.credit.label("line"), own.amount).where(own.kind == PAYMENT),
        select(own.reference, own.currency, own.debit, -own.amount).where(own.kind == CHARGEBACK),
    ).subquery()
    paid = payments.c
    known = select(paid.channel + ":" + paid.reference, paid.currency, paid.subscriber_id, paid.amount)
    lone = except_(select(booked), known).limit(
        SHOWN
    )  # sorted: a join by what has no index takes hours of a month's payments
    with parts(connection) as every:
        for part in every:
            references = [row.reference for row in part.connection.execute(lone)]
            if references:
                named = or_(own.reference.in_(references), own.reference.is_(None))
                wanted = select(own.id).where(own.kind.in_((PAYMENT, CHARGEBACK)), named).order_by(own.id).limit(SHOWN)
                for number in part.connection.scalars(wanted):
                    yield Finding(CHECK, f"entry {number} is under no reference of a payment")
