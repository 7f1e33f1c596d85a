"""What a bank says of payments to causes, matched with them: paid, returned, rejected; each line counts once.

A payment is known by its end-to-end id. Where a bank books a whole payment file as one line, that is known by the file's number
and sum. What comes in from matchers and from the company is known by what it says (charity.receipts). What matches nothing is
told of and books nothing; so is a line whose amount differs.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select

from gateway.bank.camt import BOOKED, CLOSING, BankLine, Statement
from gateway.bank.pain002 import PaymentStatus
from gateway.charity.confirmation import lock_standings, post_moves, read_standings, save_standings
from gateway.charity.payouts import INSTRUCTED, payment_number, payments_of
from gateway.charity.proved_rows import change
from gateway.charity.receipts import NOBODY, Receipt, Senders, book_receipts, receipt_of
from gateway.charity.standings import Account, Move
from gateway.charity.tenth_states import Stream, Way
from gateway.store.batch import Batch, Unit
from gateway.store.known_values import member_of
from gateway.store.tables import bank_lines, cause_payments, charity_balances

PAID: Final = "paid"
RETURNED: Final = "returned"
REJECTED: Final = "rejected"


class Said(msgspec.Struct, frozen=True):
    """What the bank says of a payment, or of all of a file: amounts in micro-units, 0 where it says none.

    `event_at` is the day on which it booked it, in microseconds; 0 where it says none.
    """

    identity: str
    outcome: str
    number: int
    amount: int
    currency: str
    reason: str = ""
    event_at: int = 0


class EndOfDay(msgspec.Struct, frozen=True):
    """What the account stood at at the end of a day (YYYY-MM-DD), in micro-units."""

    day: str
    currency: str
    amount: int


class Settled(msgspec.Struct, frozen=True):
    """What came of a file: payments by outcome, lines that were known already, and what matched nothing, by number of line.

    `received` are lines of what matchers paid, and of what the company moved.
    """

    paid: int
    returned: int
    rejected: int
    repeated: int
    unmatched: list[str]
    received: int = 0


_WAYS: Final = {PAID: (Way.REMIT, INSTRUCTED), RETURNED: (Way.RETURN, PAID), REJECTED: (Way.REJECT, INSTRUCTED)}
"""By outcome: which way the money goes, and in which state the payment has to be."""


class Statements(NamedTuple):
    """What statements say: of payments, of balances, of receipts, and which lines are none of these, each by its place."""

    said: list[Said]
    days: list[EndOfDay]
    receipts: list[Receipt]
    others: list[str]


def said_by_statements(statements: Iterable[Statement], senders: Senders = NOBODY, zone: tzinfo = UTC) -> Statements:
    """Read what statements say; `zone` is that of the bank's days."""
    found = Statements([], [], [], [])
    for statement in statements:
        closing = statement.balance(CLOSING)
        if closing is not None:
            found.days.append(EndOfDay(closing.day, closing.currency, closing.amount))
        for place, line in enumerate(statement.lines, 1):
            _read_line(found, line, f"line {place} of statement {statement.id}", senders, zone)
    return found


def _read_line(found: Statements, line: BankLine, place: str, senders: Senders, zone: tzinfo) -> None:
    day = line.booked_on or line.valued_on
    event_at = _noon(day, zone) if day else 0
    payment = _said(line, event_at)
    receipt = None if payment is not None else receipt_of(line, senders, event_at)
    if payment is not None:
        found.said.append(payment)
    elif isinstance(receipt, Receipt):
        found.receipts.append(receipt)
    elif line.status == BOOKED:
        found.others.append(
            f"{place}: {receipt or 'no payment to a cause, and none that a matcher or the company made'}"
        )


def _noon(day: str, zone: tzinfo) -> int:
    """Return the middle of a bank's day in UTC microseconds: banks say no time."""
    return int(datetime.combine(date.fromisoformat(day), time(12), zone).timestamp()) * 1_000_000


def said_by_report(statuses: Iterable[PaymentStatus]) -> list[Said]:
    """Read the rejections of a status report; other states say nothing that a statement does not."""
    found = []
    for each in statuses:
        number = payment_number(each.end_to_end_id or each.order)
        if each.is_rejected and number is not None:
            found.append(Said(f"rejected:{number}"[:32], REJECTED, number, 0, "", each.reason))
    return found


def _said(line: BankLine, event_at: int) -> Said | None:
    """Read what a line says of a payment of ours."""
    number = (
        payment_number(line.end_to_end_id) or payment_number(line.payment_id) or payment_number(line.instruction_id)
    )
    if number is None or line.status != BOOKED or line.credit != line.came_back:
        return None  # money that came in otherwise, or what the bank took of a return again: a person looks at it
    outcome = RETURNED if line.credit else PAID
    return Said(line.identity, outcome, number, line.amount, line.currency, line.returned, event_at)


class SettleFile(Unit):
    """Move the payments of which a bank's file tells, all in one transaction; what was read before moves nothing again."""

    alone: ClassVar[bool] = True

    said: list[Said]
    days: list[EndOfDay]
    receipts: list[Receipt]

    def decide(self, batch: Batch) -> Settled:
        """Move them."""
        connection = batch.connection
        lock_standings(connection)
        standings, counts, unmatched = read_standings(connection), dict.fromkeys((*_WAYS, "repeated"), 0), []
        known = set(
            connection.scalars(select(bank_lines.c.identity).where(bank_lines.c.identity.in_(self._identities())))
        )
        for each in self.said:
            if each.identity in known:
                counts["repeated"] += 1
                continue
            found, why = _matched(connection, each)
            if found and found[0].state == each.outcome:
                counts["repeated"] += 1
                continue
            if why:
                unmatched.append(f"payment {each.number}: {why}")
                continue
            known.add(each.identity)
            way, _ = _WAYS[each.outcome]
            for payment in found:
                account = Account(
                    member_of(Stream, payment.stream, "cause_payments", payment.id), payment.cause, payment.currency
                )
                standings[account].move(way, payment.amount)
                moved = [Move(account, way, payment.amount)]
                post_moves(batch, moved, f"payment:{payment.id}", min(each.event_at or batch.now, batch.now))
                change(batch, cause_payments, payment, state=each.outcome, state_at=batch.now, reason=each.reason[:4])
            counts[each.outcome] += len(found)
            row = {"identity": each.identity, "at": batch.now, "payment_id": each.number, "outcome": each.outcome}
            connection.execute(insert(bank_lines).values(row))
        save_standings(connection, standings)
        self._keep_days(connection, batch.now)
        received = book_receipts(batch, self.receipts)
        counts["repeated"] += len(self.receipts) - received
        return Settled(counts[PAID], counts[RETURNED], counts[REJECTED], counts["repeated"], unmatched, received)

    def _identities(self) -> list[str]:
        return [each.identity for each in self.said]

    def _keep_days(self, connection: Connection, now: int) -> None:
        own = charity_balances.c
        for each in self.days:
            connection.execute(delete(charity_balances).where(own.day == each.day, own.currency == each.currency))
            row = {"day": each.day, "currency": each.currency, "amount": each.amount, "at": now}
            connection.execute(insert(charity_balances).values(row))


def _matched(connection: Connection, said: Said) -> tuple[list[Row[Any]], str]:
    """Return the payments that are meant, or why there are none."""
    _, wanted = _WAYS[said.outcome]
    own = cause_payments.c
    found = list(connection.execute(select(cause_payments).where(own.id == said.number)))
    found = found or [each for each in payments_of(connection, said.number) if each.state == wanted]
    if not found:
        return [], "it is none of ours"
    if said.outcome == REJECTED and all(each.state == REJECTED for each in found):
        return found, ""  # a report may say it of the file, and once more of each payment
    if any(each.state != wanted for each in found):
        return [], f"it is {found[0].state}, not {wanted}"
    if said.currency and any(each.currency != said.currency for each in found):
        return [], "the bank says another currency"
    if said.amount and said.amount != sum(each.amount for each in found):
        return [], "the bank says another amount"
    return found, ""
