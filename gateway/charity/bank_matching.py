"""What a bank says of payments to causes, matched with them: paid, returned, rejected; each line counts once.

A payment is known by its end-to-end id. Where a bank books a whole payment file as one line, that is known by the file's number
and sum. What matches nothing is told of and books nothing; so is a line whose amount differs.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select

from gateway.bank.camt import BOOKED, CLOSING, BankLine, Statement
from gateway.bank.pain002 import PaymentStatus
from gateway.charity.confirmation import lock_standings, post_moves, read_standings, save_standings
from gateway.charity.payouts import INSTRUCTED, payment_number, payments_of
from gateway.charity.proved_rows import change
from gateway.charity.standings import Account, Move
from gateway.charity.tenth_states import Stream, Way
from gateway.store.batch import Batch, Unit
from gateway.store.tables import bank_lines, cause_payments, charity_balances

PAID: Final = "paid"
RETURNED: Final = "returned"
REJECTED: Final = "rejected"


class Said(msgspec.Struct, frozen=True):
    """What the bank says of a payment, or of all of a file: amounts in micro-units, 0 where it says none."""

    identity: str
    outcome: str
    number: int
    amount: int
    currency: str
    reason: str = ""


class EndOfDay(msgspec.Struct, frozen=True):
    """What the account stood at at the end of a day (YYYY-MM-DD), in micro-units."""

    day: str
    currency: str
    amount: int


class Settled(msgspec.Struct, frozen=True):
    """What came of a file: payments by outcome, lines that were known already, and what matched nothing, by number of line."""

    paid: int
    returned: int
    rejected: int
    repeated: int
    unmatched: list[str]


_WAYS: Final = {PAID: (Way.REMIT, INSTRUCTED), RETURNED: (Way.RETURN, PAID), REJECTED: (Way.REJECT, INSTRUCTED)}
"""By outcome: which way the money goes, and in which state the payment has to be."""


def said_by_statements(statements: Iterable[Statement]) -> tuple[list[Said], list[EndOfDay], list[str]]:
    """Read what statements say: of payments, of balances, and which lines are of neither kind, each by its place."""
    said: list[Said] = []
    days: list[EndOfDay] = []
    others: list[str] = []
    for statement in statements:
        closing = statement.balance(CLOSING)
        if closing is not None:
            days.append(EndOfDay(closing.day, closing.currency, closing.amount))
        for place, line in enumerate(statement.lines, 1):
            found = _said(line)
            if found is not None:
                said.append(found)
            elif line.status == BOOKED:
                others.append(f"line {place} of statement {statement.id}: no payment to a cause")
    return said, days, others


def said_by_report(statuses: Iterable[PaymentStatus]) -> list[Said]:
    """Read the rejections of a status report; other states say nothing that a statement does not."""
    found = []
    for each in statuses:
        number = payment_number(each.end_to_end_id or each.order)
        if each.is_rejected and number is not None:
            found.append(Said(f"rejected:{number}"[:32], REJECTED, number, 0, "", each.reason))
    return found


def _said(line: BankLine) -> Said | None:
    """Read what a line says of a payment of ours."""
    number = (
        payment_number(line.end_to_end_id) or payment_number(line.payment_id) or payment_number(line.instruction_id)
    )
    came_back = line.returned or line.reversal
    if number is None or line.status != BOOKED or line.credit != bool(came_back):
        return None  # money that came in otherwise, or what the bank took of a return again: a person looks at it
    outcome = RETURNED if line.credit else PAID
    return Said(line.identity, outcome, number, line.amount, line.currency, line.returned)


class SettleFile(Unit):
    """Move the payments of which a bank's file tells, all in one transaction; what was read before moves nothing again."""

    alone: ClassVar[bool] = True

    said: list[Said]
    days: list[EndOfDay]

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
            if why:
                unmatched.append(f"payment {each.number}: {why}")
                continue
            known.add(each.identity)
            way, _ = _WAYS[each.outcome]
            for payment in found:
                account = Account(Stream(payment.stream), payment.cause, payment.currency)
                standings[account].move(way, payment.amount)
                post_moves(batch, [Move(account, way, payment.amount)], f"payment:{payment.id}")
                change(batch, cause_payments, payment, state=each.outcome, state_at=batch.now, reason=each.reason[:4])
            counts[each.outcome] += len(found)
            row = {"identity": each.identity, "at": batch.now, "payment_id": each.number, "outcome": each.outcome}
            connection.execute(insert(bank_lines).values(row))
        save_standings(connection, standings)
        self._keep_days(connection, batch.now)
        return Settled(counts[PAID], counts[RETURNED], counts[REJECTED], counts["repeated"], unmatched)

    def _identities(self) -> list[str]:
        return [each.identity for each in self.said]

    def _keep_days(self, connection: Connection, now: int) -> None:
        own = charity_balances.c
        for each in self.days:
            connection.execute(delete(charity_balances).where(own.day == each.day, own.currency == each.currency))
            row = {"day": each.day, "currency": each.currency, "amount": each.amount, "at": now}
            connection.execute(insert(charity_balances).values(row))


def _matched(connection: Connection, said: Said) -> tuple[list[Row[Any]], str]:
    """Give the payments that are meant, or why there are none."""
    _, wanted = _WAYS[said.outcome]
    own = cause_payments.c
    found = list(connection.execute(select(cause_payments).where(own.id == said.number)))
    found = found or [each for each in payments_of(connection, said.number) if each.state == wanted]
    if not found:
        return [], "it is none of ours"
    if any(each.state != wanted for each in found):
        return [], f"it is {found[0].state}, not {wanted}"
    if said.currency and any(each.currency != said.currency for each in found):
        return [], "the bank says another currency"
    if said.amount and said.amount != sum(each.amount for each in found):
        return [], "the bank says another amount"
    return found, ""
