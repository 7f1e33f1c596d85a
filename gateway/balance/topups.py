"""Money that customers pay in: booked once a payment, within what a wallet may hold, in its own currency."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, select

from gateway.balance import allowance_entries, bookings
from gateway.balance.changes import Change, SubscriberUnknown
from gateway.balance.line_rules import LineRules
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import Wallet
from gateway.ledger.books import Books
from gateway.ledger.money import format_amount
from gateway.store.batch import Batch, RowSet
from gateway.store.idempotency import KeptResult, KeyConflict, KeyRows, digest
from gateway.store.statements import SelectPairs
from gateway.store.tables import payments

_PAYMENTS = SelectPairs(
    select(
        payments.c.channel,
        payments.c.reference,
        payments.c.subscriber_id,
        payments.c.amount,
        payments.c.currency,
    ),
    payments.c.channel,
    payments.c.reference,
)
DAY_US = 86_400_000_000
EVERY_CHANNEL = ""
"""The channel of references that were booked before channels were told apart."""


class PaymentRefused(ValueError):
    """A payment that may not be booked: another currency than the wallet's, or more than a wallet may hold."""

    def __init__(self, code: str, detail: str) -> None:
        """Take a stable code and a sentence."""
        super().__init__(detail)
        self.code = code


class Payment(msgspec.Struct, frozen=True):
    """Money that came in: micro-units of a currency by a channel, under the reference that the channel gave it, once for ever.

    A channel is whoever takes payments: one of the API's tokens, or the people at the command line.
    """

    channel: str
    reference: str
    amount: int
    currency: str


class ToppedUp(msgspec.Struct, frozen=True):
    """The balance after a top-up, in micro-units; `repeated` if this payment was booked before: then as it stands now."""

    subscriber_id: int
    currency: str
    balance: int
    repeated: bool = False


class Booked(msgspec.Struct, frozen=True):
    """What a payment was booked as."""

    subscriber_id: int
    amount: int
    currency: str


class PaymentRows(RowSet[tuple[str, str], Booked]):
    """The payments of the references that a batch names, each with its channel; another gateway may book one, too."""

    under_locks = True

    def load(self, connection: Connection, keys: set[tuple[str, str]]) -> None:
        """Read whatever was booked under these references by their channels, or before channels were told apart."""
        every = {(EVERY_CHANNEL, reference) for _, reference in keys}
        for channel, reference, *kept in _PAYMENTS.run(connection, keys | every):
            self.rows[channel, reference] = Booked(*kept)

    def find(self, channel: str, reference: str) -> Booked | None:
        """Return what a channel's reference was booked as, None if it is new."""
        return self.rows.get((channel, reference)) or self.rows.get((EVERY_CHANNEL, reference))

    def keep(self, batch: Batch, payment: Payment, subscriber_id: int) -> None:
        """Remember a payment, with the batch."""
        kept = Booked(subscriber_id, payment.amount, payment.currency)
        self.rows[payment.channel, payment.reference] = kept
        row = (payment.channel, payment.reference, *msgspec.structs.astuple(kept), batch.now, batch.take_id())
        batch.add(payments, row)


class TopUp(Change):
    """Money paid in by a customer: cash -> wallet, once a payment.

    `wallet_limit` is what a wallet may hold at most, in micro-units; `idempotency_key` the request's own, if it has one;
    `credit_days` how long the money holds, 0 for ever.
    """

    touches: ClassVar[tuple[type, ...]] = (PaymentRows, KeyRows, *Change.touches)

    payment: Payment
    wallet_limit: int
    idempotency_key: str | None = None
    credit_days: int = 0

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the reference and the key too."""
        if isinstance(row_set, PaymentRows):
            return ((self.payment.channel, self.payment.reference),)
        if isinstance(row_set, KeyRows):
            return () if self.idempotency_key is None else ((self._scope, self.idempotency_key),)
        return super().keys(row_set, batch)

    @property
    def _scope(self) -> str:
        return f"topup:{self.payment.channel}"

    def decide(self, batch: Batch) -> ToppedUp | SubscriberUnknown | KeyConflict | PaymentRefused:
        """Book the payment, or tell that it was booked before."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        if self.idempotency_key is None:
            return self._book(batch, wallet)
        keys, scope = batch.row_set(KeyRows), self._scope
        asked = digest(wallet.subscriber_id, *msgspec.structs.astuple(self.payment))
        used = keys.find(scope, self.idempotency_key)
        if used is not None and used.digest != asked:
            return KeyConflict(f"the key {self.idempotency_key!r} was used before, for another top-up")
        booked = self._book(batch, wallet)
        if used is None and isinstance(booked, ToppedUp):
            keys.keep(batch, scope, self.idempotency_key, KeptResult(asked, b""))
        return booked

    def _book(self, batch: Batch, wallet: Wallet) -> ToppedUp | KeyConflict | PaymentRefused:
        payment = self.payment
        known = batch.row_set(PaymentRows).find(payment.channel, payment.reference)
        if known is not None:
            return _repeated(known, payment, wallet)
        if payment.currency != wallet.currency:
            detail = f"currency: the wallet is in {wallet.currency}, the payment in {payment.currency}"
            return PaymentRefused("topup.currency", detail)
        if wallet.balance + payment.amount > self.wallet_limit:
            limit = format_amount(self.wallet_limit, wallet.currency)
            detail = f"amount: the wallet would hold more than {limit} {wallet.currency} (charging.wallet_limit)"
            return PaymentRefused("topup.limit", detail)
        books = batch.policy(Books)
        ends = (batch.now + self.credit_days * DAY_US, batch.take_id()) if self.credit_days else None
        booked = bookings.top_up(wallet, books.account, payment.amount, batch.now, payment.reference, ends)
        books.post(batch, booked.entries)
        allowance_entries.post(batch, booked.uses)
        batch.row_set(PaymentRows).keep(batch, payment, wallet.subscriber_id)
        profile = batch.row_set(ProfileRows).get(wallet.subscriber_id)
        if profile is not None:
            batch.policy(LineRules).after_top_up(batch, wallet, profile, payment.amount)
        return ToppedUp(wallet.subscriber_id, wallet.currency, wallet.balance)


def _repeated(known: Booked, payment: Payment, wallet: Wallet) -> ToppedUp | KeyConflict:
    if known != Booked(wallet.subscriber_id, payment.amount, payment.currency):
        return KeyConflict(f"reference {payment.reference!r} was booked before, for another line, amount or currency")
    return ToppedUp(wallet.subscriber_id, wallet.currency, wallet.balance, repeated=True)
