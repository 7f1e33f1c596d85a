"""Payments to causes: a maker's file, a checker's approval of exactly that file, and what becomes of each payment.

`MakePayout` reckons what is payable, in whole minor units, writes the file and keeps it sealed; nothing moves yet.
`ApprovePayout` takes the file's SHA-256 from somebody else and moves what is in it to INSTRUCTED. What the bank says of it then
is in charity.bank_matching.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, Row, select

from gateway.bank import nacha, pain001
from gateway.bank.accounts import BankAccount
from gateway.bank.pain001 import Order, Payment
from gateway.charity.bank_details import in_force, opened
from gateway.charity.confirmation import lock_standings, post_moves, read_standings, save_standings
from gateway.charity.proved_rows import change
from gateway.charity.standings import Account, Move
from gateway.charity.tenth_states import Stream, Way
from gateway.ledger.money import MICRO, digits_of
from gateway.privacy.sealing import Sealer
from gateway.store.batch import Batch, Unit
from gateway.store.known_values import member_of
from gateway.store.tables import cause_payments, payouts

MADE: Final = "made"
APPROVED: Final = "approved"
REPLACED: Final = "replaced"
INSTRUCTED: Final = "instructed"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Payee(msgspec.Struct, frozen=True):
    """A cause that may be paid: less than `threshold` (micro-units) is carried, unless it waited as long as it may (`due`)."""

    cause: str
    threshold: int
    due: bool


class Skipped(msgspec.Struct, frozen=True):
    """What is payable to a cause and is in no file, and why."""

    stream: str
    cause: str
    amount: int
    why: str


class Paid(msgspec.Struct, frozen=True):
    """A payment of a file, in micro-units."""

    id: int
    stream: str
    cause: str
    amount: int


class Payout(msgspec.Struct, frozen=True):
    """A payment file: `id` is 0 where there was nothing to pay."""

    id: int
    sha256: str
    payments: list[Paid]
    skipped: list[Skipped]


class PayoutRefused(msgspec.Struct, frozen=True):
    """Why a payment file was not approved, by a stable code."""

    code: str
    why: str


def end_to_end_id(number: int) -> str:
    """Write a payment's number as banks take it: at most 15 letters and digits."""
    text = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return f"T{text}"


def payment_number(text: str) -> int | None:
    """Read a payment's number; None for what is none of ours."""
    if not text.startswith("T") or not text[1:] or len(text) > 15 or not set(text[1:]) <= set(_DIGITS):
        return None
    return int(text[1:], 36)


def owner(payout_id: int) -> str:
    """Name what a sealed payment file belongs to."""
    return f"payout:{payout_id}"


def takes(form: str, account: BankAccount) -> bool:
    """Return whether payment files of a format can name an account: a routing number stands in those of US banks alone."""
    return bool(account.routing) == (form == nacha.FORMAT)


class MakePayout(Unit):
    """Make the payment file of a currency; one that was made before and not approved is replaced."""

    alone: ClassVar[bool] = True

    period: str
    currency: str
    format: str
    company: str
    payer: BankAccount
    day: str
    maker: str
    payees: list[Payee]

    def decide(self, batch: Batch) -> Payout:
        """Make it."""
        connection, sealer = batch.connection, batch.policy(Sealer)
        lock_standings(connection)
        self._replace(batch)
        skipped: list[Skipped] = []
        rows, payments = [], []
        number = batch.take_id()
        for payee, account, amount in self._due(connection, skipped):
            details = in_force(connection, payee.cause, self.currency, batch.now)
            if details is None:
                skipped.append(Skipped(account.stream, payee.cause, amount, "no bank details are in force"))
                continue
            to = opened(sealer, payee.cause, self.currency, details[1])
            if not takes(self.format, to):
                skipped.append(Skipped(account.stream, payee.cause, amount, f"its account is none of {self.format}"))
                continue
            paid = Paid(batch.take_id(), account.stream, payee.cause, amount)
            what = "gifts" if account.stream is Stream.GIFT else "tenths"
            payments.append(Payment(end_to_end_id(paid.id), amount, to, f"{self.payer.name[:60]} {what} {self.period}"))
            rows.append((paid, details[0]))
        if not rows:
            return Payout(0, "", [], skipped)
        file = self._written(
            Order(end_to_end_id(number), _created(batch.now), self.day, self.payer, self.currency, payments)
        )
        sha256 = hashlib.sha256(file).hexdigest()
        sealed = sealer.seal(file, owner(number))
        made = (
            number,
            self.period,
            self.currency,
            batch.now,
            self.maker,
            self.format,
            sha256,
            sealed,
            MADE,
            None,
            None,
        )
        batch.add(payouts, made)
        for paid, details_id in rows:
            told = (
                paid.id,
                number,
                paid.stream,
                paid.cause,
                self.currency,
                paid.amount,
                details_id,
                MADE,
                batch.now,
                "",
            )
            batch.add(cause_payments, told)
        return Payout(number, sha256, [paid for paid, _ in rows], skipped)

    def _due(self, connection: Connection, skipped: list[Skipped]) -> Iterator[tuple[Payee, Account, int]]:
        """Return what is paid to whom, in whole minor units; what is left over, and what is too little, is carried."""
        standings, step = read_standings(connection), MICRO // 10 ** digits_of(self.currency)
        for payee in sorted(self.payees, key=lambda each: each.cause):
            for stream in Stream:
                account = Account(stream, payee.cause, self.currency)
                payable = standings[account].payable if account in standings else 0
                amount = min(payable // step * step, nacha.MOST if self.format == nacha.FORMAT else payable)
                if amount <= 0:
                    if payable < 0:
                        skipped.append(Skipped(stream, payee.cause, payable, "a receivable, against the next payment"))
                elif amount < payee.threshold and not payee.due:
                    skipped.append(Skipped(stream, payee.cause, payable, "less than the threshold: carried"))
                else:
                    yield payee, account, amount

    def _written(self, order: Order) -> bytes:
        return (
            nacha.written(order, self.company) if self.format == nacha.FORMAT else pain001.written(order, self.format)
        )

    def _replace(self, batch: Batch) -> None:
        own = payouts.c
        old = batch.connection.execute(select(payouts).where(own.currency == self.currency, own.state == MADE)).all()
        for row in old:
            change(batch, payouts, row, state=REPLACED)
            for payment in payments_of(batch.connection, row.id):
                change(batch, cause_payments, payment, state=REPLACED, state_at=batch.now)


class ApprovePayout(Unit):
    """Instruct the payments of the file with this SHA-256, which somebody else made, on a day by the operator's clock."""

    alone: ClassVar[bool] = True

    sha256: str
    actor: str
    today: str

    def decide(self, batch: Batch) -> Payout | PayoutRefused:
        """Move them to INSTRUCTED, all or none."""
        connection = batch.connection
        lock_standings(connection)
        row = connection.execute(select(payouts).where(payouts.c.sha256 == self.sha256)).one_or_none()
        if row is None or row.state == REPLACED:
            return PayoutRefused("payout.unknown", "no payment file that waits for approval has this hash")
        if row.state == APPROVED:
            return PayoutRefused("payout.approved", "this payment file is approved already")
        if row.maker == self.actor:
            return PayoutRefused("payout.same_person", "whoever made a payment file does not approve it")
        file = batch.policy(Sealer).open(row.file, owner(row.id))
        if hashlib.sha256(file).hexdigest() != self.sha256:
            return PayoutRefused("payout.changed", "the payment file that is kept is not the one that was made")
        day = nacha.day_of(file) if row.format == nacha.FORMAT else pain001.day_of(file)
        if day < self.today:
            why = f"the day on which it has the bank pay, {day}, is over: make it anew, for today or later"
            return PayoutRefused("payout.day", why)
        found = payments_of(connection, row.id)
        why = self._instruct(batch, found)
        if why:
            return PayoutRefused("payout.outdated", why)
        change(batch, payouts, row, state=APPROVED, approver=self.actor, approved_at=batch.now)
        return Payout(row.id, self.sha256, [Paid(each.id, each.stream, each.cause, each.amount) for each in found], [])

    def _instruct(self, batch: Batch, found: Iterable[Row[Any]]) -> str:
        """Move what is in the file, unless less than that is payable by now, or to another account: then say so."""
        standings, moves = read_standings(batch.connection), []
        for payment in found:
            account = Account(
                member_of(Stream, payment.stream, "cause_payments", payment.id), payment.cause, payment.currency
            )
            if standings[account].payable < payment.amount:
                return "less is payable than the file pays, since something was taken back: make it anew"
            details = in_force(batch.connection, payment.cause, payment.currency, batch.now)
            if details is None or details[0] != payment.details_id:
                return f"other bank details of {payment.cause} are in force by now: make it anew"
            standings[account].move(Way.INSTRUCT, payment.amount)
            moves.append((Move(account, Way.INSTRUCT, payment.amount), payment))
        for move, payment in moves:
            post_moves(batch, [move], f"payment:{payment.id}")
            change(batch, cause_payments, payment, state=INSTRUCTED, state_at=batch.now)
        save_standings(batch.connection, standings)
        return ""


def payments_of(connection: Connection, payout_id: int) -> list[Row[Any]]:
    """Return the payments of a file, in the order of their numbers."""
    own = cause_payments.c
    return list(connection.execute(select(cause_payments).where(own.payout_id == payout_id).order_by(own.id)))


def payees_of(connection: Connection, sha256: str) -> list[tuple[str, str]]:
    """Return the causes that a file pays, each with its currency."""
    own = cause_payments.c
    wanted = select(own.cause, own.currency).distinct().join(payouts, payouts.c.id == own.payout_id)
    rows = connection.execute(wanted.where(payouts.c.sha256 == sha256).order_by(own.cause))
    return [(row.cause, row.currency) for row in rows]


def file_of(connection: Connection, sealer: Sealer, sha256: str) -> tuple[str, bytes] | None:
    """Return the state and the octets of a payment file by its hash; None where there is none."""
    row = connection.execute(select(payouts).where(payouts.c.sha256 == sha256)).one_or_none()
    return None if row is None else (row.state, sealer.open(row.file, owner(row.id)))


class Head(msgspec.Struct, frozen=True):
    """What is known of a payment file without opening it."""

    period: str
    currency: str
    format: str
    payments: int
    total: int


def head_of(connection: Connection, sha256: str) -> Head | None:
    """Return what a payment file is of, by its hash."""
    row = connection.execute(select(payouts).where(payouts.c.sha256 == sha256)).one_or_none()
    if row is None:
        return None
    found = payments_of(connection, row.id)
    return Head(row.period, row.currency, row.format, len(found), sum(each.amount for each in found))


def _created(now: int) -> str:
    return datetime.fromtimestamp(now // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
