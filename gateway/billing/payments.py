"""Money that comes in for bills, and what a bank takes back of it: each booked once, by the bank's own reference."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import exists, func, select, update

from gateway.balance import allowance_entries, bookings
from gateway.balance.bookings import Booked
from gateway.balance.breakage import Lapsed, already_back, put_back
from gateway.balance.endings import settle_late
from gateway.balance.topups import Booked as BookedBefore
from gateway.balance.topups import Payment, PaymentRows
from gateway.balance.wallets import Wallet, WalletRows
from gateway.billing.dunning import State
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.ledger.money import format_amount
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.idempotency import KeyConflict
from gateway.store.tables import bill_accounts, bill_events, payments
from gateway.subscribers.status import TERMINATED

PAYMENT, CHARGEBACK = "payment", "chargeback"
BANK: Final = "bank"
"""The channel of the references that banks give."""
LARGEST: Final = 1_000_000 * 1_000_000
"""Micro-units: a payment beyond it is a mistake of whoever wrote the file."""
ACTOR: Final = 64
ALIKE: Final = 5 * 86_400 * 1_000_000
"""Microseconds within which two channels may tell of one payment, each by a reference of its own."""


class PaymentRefused(ValueError):
    """A payment that cannot be booked as it is said; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        """Take a stable code and a sentence."""
        super().__init__(detail)
        self.code = code


class Paid(msgspec.Struct, frozen=True):
    """A line's balance after a payment (micro-units); `repeated` where it was booked before.

    `alike` is the reference of a payment that another channel told of a few days before, of as much: it may be the same one.
    """

    subscriber_id: int
    currency: str
    balance: int
    repeated: bool = False
    alike: str = ""


class _Money(Unit):
    """Money of one line, by a channel's reference; `event_at` is when the bank booked it (microseconds)."""

    touches: ClassVar[tuple[type, ...]] = (PaymentRows, WalletRows)

    payment: Payment
    event_at: int
    payer_reference: str
    actor: str

    def _subscriber(self, batch: Batch) -> int | None:
        raise NotImplementedError

    def _references(self) -> tuple[tuple[str, str], ...]:
        return ((self.payment.channel, self.payment.reference),)

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the references, each with its channel, then the line."""
        if isinstance(row_set, PaymentRows):
            return self._references()
        owner = self._subscriber(batch)
        return () if owner is None else (owner,)

    def _known(self, batch: Batch, subscriber_id: int, amount: int) -> bool | KeyConflict:
        """Return whether it was booked before, as the same."""
        known = batch.row_set(PaymentRows).find(self.payment.channel, self.payment.reference)
        if known is None:
            return False
        if known != BookedBefore(subscriber_id, amount, self.payment.currency):
            return KeyConflict(f"reference {self.payment.reference!r} was booked before, as something else")
        return True

    def _post(self, batch: Batch, wallet: Wallet, event: str, entries: Sequence[Entry], amount: int) -> Paid:
        batch.policy(Books).post(batch, entries)
        signed = msgspec.structs.replace(self.payment, amount=amount)
        batch.row_set(PaymentRows).keep(batch, signed, wallet.subscriber_id)
        row = (batch.take_id(), batch.now, wallet.subscriber_id, event, amount, wallet.currency, self.payer_reference)
        batch.add(bill_events, (*row, self.payment.reference, self.actor[:ACTOR]))
        look_again = update(bill_accounts).where(bill_accounts.c.subscriber_id == wallet.subscriber_id)
        batch.connection.execute(look_again.values(next_at=batch.now))
        return Paid(wallet.subscriber_id, wallet.currency, wallet.balance)

    @property
    def _reference(self) -> str:
        return f"{self.payment.channel}:{self.payment.reference}"


class PayBill(_Money):
    """A payment of a line's bills: cash -> wallet."""

    subscriber_id: int

    def _subscriber(self, batch: Batch) -> int | None:  # noqa: ARG002  (another one asks the batch)
        return self.subscriber_id

    def decide(self, batch: Batch) -> Paid | KeyConflict | PaymentRefused:
        """Book it, or tell that it was booked before."""
        payment, wallet = self.payment, batch.row_set(WalletRows).get(self.subscriber_id)
        if wallet is None:
            return PaymentRefused("payment.line", "the line has no wallet")
        known = self._known(batch, wallet.subscriber_id, payment.amount)
        if isinstance(known, KeyConflict):
            return known
        if known:
            return Paid(wallet.subscriber_id, wallet.currency, wallet.balance, repeated=True)
        if payment.currency != wallet.currency:
            detail = f"currency: the bill is in {wallet.currency}, the payment in {payment.currency}"
            return PaymentRefused("payment.currency", detail)
        if not 0 < payment.amount <= LARGEST:
            return PaymentRefused("payment.amount", "amount: more than zero, and at most a million")
        entry = bookings.payment(wallet, batch.policy(Books).account, payment.amount, self.event_at, self._reference)
        entries, alike = [entry, *self._settled(batch, wallet)], self._alike(batch)
        return msgspec.structs.replace(self._post(batch, wallet, PAYMENT, entries, payment.amount), alike=alike)

    def _alike(self, batch: Batch) -> str:
        """Return the reference of a payment that may be this one, by another channel, and was not taken back; else nothing."""
        own, kept, since = bill_events.c, payments.c, min(self.event_at, batch.now) - ALIKE
        mine = exists().where(kept.channel == self.payment.channel, kept.reference == own.payment)
        wanted = select(own.payment).where(
            own.subscriber_id == self.subscriber_id, own.event == PAYMENT, own.amount == self.payment.amount
        )
        back = bill_events.alias().c
        returned = exists().where(
            back.subscriber_id == own.subscriber_id,
            back.event == CHARGEBACK,
            back.reference == own.reference,
            back.id > own.id,
        )
        found = wanted.where(own.at >= since, ~mine, ~returned).order_by(own.id.desc()).limit(1)
        return batch.connection.scalar(found) or ""

    def _settled(self, batch: Batch, wallet: Wallet) -> list[Entry]:
        """Owe a customer who left what is too much; what pays a debt that was written off stays, for a person to look at."""
        if wallet.status != TERMINATED:
            return []
        own = bill_events.c
        written_off = (own.subscriber_id == wallet.subscriber_id, own.event == State.WRITTEN_OFF.value)
        if batch.connection.execute(select(own.id).where(*written_off).limit(1)).first() is not None:
            return []
        return settle_late(wallet, batch.policy(Books).account, batch.now, self._reference)


class TakeBack(_Money):
    """What a bank took back of a payment or top-up that a channel booked as `original`: wallet -> cash, at most what is left.

    What was paid under the payer's reference, less what was taken back of that before, is what is left: a bank may tell of one
    return in several files by several references, and a debit that was returned may be collected once more by the same one.
    """

    alone: ClassVar[bool] = True

    original: str
    original_channel: str = BANK
    lapsed: Lapsed | None = None
    """What has ended of the credit that a top-up paid for: it is put back first."""

    def _references(self) -> tuple[tuple[str, str], ...]:
        return (*super()._references(), (self.original_channel, self.original))

    def _subscriber(self, batch: Batch) -> int | None:
        paid = batch.row_set(PaymentRows).find(self.original_channel, self.original)
        return None if paid is None else paid.subscriber_id

    def decide(self, batch: Batch) -> Paid | KeyConflict | PaymentRefused:
        """Book it, or tell that it was booked before."""
        payment, rows = self.payment, batch.row_set(PaymentRows)
        paid = rows.find(self.original_channel, self.original)
        wallet = None if paid is None else batch.row_set(WalletRows).get(paid.subscriber_id)
        if paid is None or wallet is None or paid.amount <= 0:
            return PaymentRefused("payment.original", "no payment was booked under the reference that is taken back")
        known = self._known(batch, wallet.subscriber_id, -payment.amount)
        if isinstance(known, KeyConflict):
            return known
        if known:
            return Paid(wallet.subscriber_id, wallet.currency, wallet.balance, repeated=True)
        on_bills, taken = self._moved(batch, wallet.subscriber_id)
        left = (on_bills or paid.amount) - taken
        if payment.currency != paid.currency or not 0 < payment.amount <= left:
            most = f"{format_amount(left, paid.currency)} {paid.currency}"
            return PaymentRefused("payment.amount", f"amount: at most what was paid and not taken back yet, {most}")
        account, ended = batch.policy(Books).account, Booked([], [])
        if self.lapsed is not None and not on_bills:
            before = already_back(batch.connection, wallet.subscriber_id, self.lapsed)
            ended = put_back(wallet, account, self.lapsed, before, payment.amount, self.event_at, self._reference)
        of_credit = 0 if on_bills else payment.amount - sum(entry.amount for entry in ended.entries)
        booked = bookings.chargeback(
            wallet, account, payment.amount, self.event_at, self._reference, of_credit=of_credit
        )
        allowance_entries.post(batch, [*ended.uses, *booked.uses])
        return self._post(batch, wallet, CHARGEBACK, [*ended.entries, *booked.entries], -payment.amount)

    def _moved(self, batch: Batch, subscriber_id: int) -> tuple[int, int]:
        """Return what paid bills under the payer's reference, and what was taken back by it; under the lock of the wallet."""
        own = bill_events.c
        wanted = select(own.event, func.sum(own.amount)).where(
            own.subscriber_id == subscriber_id, own.reference == self.payer_reference
        )
        sums = {event: int(amount) for event, amount in batch.connection.execute(wanted.group_by(own.event))}
        return sums.get(PAYMENT, 0), -sums.get(CHARGEBACK, 0)
