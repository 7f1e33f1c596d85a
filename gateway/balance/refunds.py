"""Refunds: the price of a usage record, or what covered it, given back whole and once, each part to where it came from.

The entries of the charge are negated leg by leg, also those of its tenth: nothing is computed anew. What allowances covered
goes back to those that are still there; money goes back into the credit that paid, or into the wallet where that has ended.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.balance import allowance_entries
from gateway.balance.allowance_entries import AllowanceEntry
from gateway.balance.allowances import MONEY, PROMOTION, Allowance
from gateway.balance.endings import settle_late
from gateway.balance.wallets import Wallet, WalletRows
from gateway.ledger.allowance_kinds import REFUND, USE
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.idempotency import KeptResult, KeyRows
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import allowance_entries as allowance_rows
from gateway.store.tables import reratings, transfers, usage
from gateway.subscribers.history import REFUND as REFUNDED
from gateway.subscribers.history import record

SCOPE: Final = "refund"
NEAR: Final = 1 << 16
"""What is booked of a record is numbered so near behind it: in one batch."""


class Leg(msgspec.Struct, frozen=True):
    """An entry of the journal that is to be negated."""

    kind: str
    debit: int
    credit: int
    amount: int
    base: int | None = None
    policy: str | None = None
    share: int | None = None


class Cover(msgspec.Struct, frozen=True):
    """Units of an allowance, or micro-units of a credit, that covered or paid for a record."""

    allowance_id: int
    service: str
    units: int


class Charged(msgspec.Struct, frozen=True):
    """What was booked of a usage record."""

    usage_id: int
    subscriber_id: int
    currency: str
    legs: tuple[Leg, ...]
    covers: tuple[Cover, ...]


class Refunded(msgspec.Struct, frozen=True):
    """What was given back: money in micro-units, and units by service that went back to allowances."""

    subscriber_id: int
    amount: int
    currency: str
    units: dict[str, int]
    repeated: bool = False


def charged(connection: Connection, usage_id: int) -> Charged | None:
    """Read what was booked of a usage record, wherever its month stands; None where there is no such record."""
    near = (transfers.c.id > usage_id, transfers.c.id < usage_id + NEAR, transfers.c.usage_id == usage_id)
    entry = transfers.c
    wanted = select(entry.kind, entry.debit, entry.credit, entry.amount, entry.base, entry.policy, entry.share)
    row, legs = None, []
    with parts(connection) as found:
        for part in found:
            used = part.connection.execute(select(usage).where(usage.c.id == usage_id)).one_or_none()
            if used is not None:
                row = used
                legs = [Leg(*each) for each in part.connection.execute(wanted.where(*near).order_by(entry.id))]
    if row is None:
        return None
    own = allowance_rows.c
    uses = select(own.allowance_id, own.service, -own.units).where(
        own.id > usage_id, own.id < usage_id + NEAR, own.usage_id == usage_id, own.kind == USE
    )
    covers = [Cover(*each) for each in connection.execute(uses.order_by(own.id))]
    first = (row.covered or 0) - sum(each.units for each in covers if each.service == row.service)
    if row.allowance_id is not None and first > 0:
        covers.append(Cover(row.allowance_id, row.service, first))
    return Charged(usage_id, row.subscriber_id, row.currency, tuple(legs), tuple(covers))


class RefundRefused(ValueError):
    """A record that cannot be given back as it was booked: it was priced anew since."""


class RefundUsage(Unit):
    """Give a usage record back, once; `actor` decides so for a `reason`."""

    touches: ClassVar[tuple[type, ...]] = (KeyRows, WalletRows)

    of: Charged
    actor: str
    reason: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the record and its customer."""
        return (self._key,) if isinstance(row_set, KeyRows) else (self.of.subscriber_id,)

    @property
    def _key(self) -> tuple[str, str]:
        return SCOPE, str(self.of.usage_id)

    def decide(self, batch: Batch) -> Refunded | RefundRefused:
        """Negate what was booked, unless that was done before."""
        keys, wallet = batch.row_set(KeyRows), batch.row_set(WalletRows).rows[self.of.subscriber_id]
        known = keys.find(*self._key)
        if known is not None:
            return msgspec.structs.replace(msgspec.json.decode(known.result, type=Refunded), repeated=True)
        anew = select(reratings.c.id).where(reratings.c.record_id == self.of.usage_id).limit(1)
        if batch.connection.execute(anew).first() is not None:
            return RefundRefused("the record was priced anew: give the customer credit instead")
        number = batch.take_id()
        reference, there = f"refund:{number}", {each.id: each for each in wallet.allowances}
        entries = self._entries(batch, wallet, reference, self._promotional(there))
        returned, units = self._returned(wallet, there, batch.now, reference)
        late = settle_late(wallet, batch.policy(Books).account, batch.now, reference)
        batch.policy(Books).post(batch, [*entries, *late])
        allowance_entries.post(batch, returned)
        amount = sum(entry.amount for entry in entries if entry.credit == wallet.subscriber_id)
        refunded = Refunded(wallet.subscriber_id, amount, wallet.currency, units)
        keys.keep(batch, *self._key, KeptResult("", msgspec.json.encode(refunded)), for_ever=True)
        record(batch, wallet.subscriber_id, REFUNDED, ("", str(self.of.usage_id)), self.actor, self.reason)
        return refunded

    def _promotional(self, there: Mapping[int, Allowance]) -> int:
        """Return what credit of the company paid that has not ended since, in micro-units."""
        paid = (each for each in self.of.covers if each.service == MONEY and each.allowance_id in there)
        return sum(each.units for each in paid if there[each.allowance_id].kind == PROMOTION)

    def _entries(self, batch: Batch, wallet: Wallet, reference: str, promotional: int) -> list[Entry]:
        """Negate each leg; what credit of the company paid that has ended is not the customer's any more."""
        kinds = {"charge": "refund", "promotional": "promo_refund", "accrual": "accrual_reversal"}
        entries = []
        for leg in self.of.legs:
            kind = kinds.get(leg.kind)
            amount = min(leg.amount, promotional) if leg.kind == "promotional" else leg.amount
            if kind is None or not amount:
                continue
            if leg.kind == "accrual":
                wallet.given -= amount
            else:
                wallet.move(amount)
            entries.append(
                Entry(
                    kind, leg.credit, leg.debit, amount, wallet.currency, batch.now, self.of.usage_id,
                    leg.base, leg.policy, leg.share, reference,
                )
            )  # fmt: skip
        wallet.changed = True
        return entries

    def _returned(
        self, wallet: Wallet, there: dict[int, Allowance], now: int, reference: str
    ) -> tuple[list[AllowanceEntry], dict[str, int]]:
        """Put back what covered and paid, but for what paid a third party: our own part of the price was paid first."""
        entries, units = [], dict[str, int]()
        own = sum(leg.amount for leg in self.of.legs if leg.kind == "charge")
        for each in self.of.covers:
            allowance = there.get(each.allowance_id)
            amount = each.units
            if each.service == MONEY and (allowance is None or allowance.kind != PROMOTION):
                amount = min(amount, own)
                own -= amount
            if allowance is None or not amount:
                continue
            allowance.take(each.service, -amount)
            if each.service != MONEY:
                units[each.service] = units.get(each.service, 0) + amount
            owner, usage_id = wallet.subscriber_id, self.of.usage_id
            entries.append(AllowanceEntry(owner, allowance.id, REFUND, each.service, amount, now, usage_id, reference))
        return entries, units
