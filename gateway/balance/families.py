"""Families: one customer's wallet pays for other lines too, each up to a cap a month.

A member keeps a wallet of its own, with its own allowances, holds and cause. Before something of it is decided its wallet is
lent what the payer has and the cap allows; afterwards what nobody holds goes back, and one entry says what the member took or
gave back. A cap counts that by the operator's calendar month. Without a choice of its own a member's tenth goes to the payer's
causes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, or_, select, update

from gateway.balance import credit
from gateway.balance.changes import SubscriberUnknown
from gateway.balance.profiles import Profile
from gateway.balance.wallets import Wallet, WalletRows
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.ledger.money import format_amount
from gateway.rating.billing_days import calendar_month
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.statements import SelectAmong
from gateway.store.tables import families, subscribers
from gateway.subscribers.history import FAMILY, record
from gateway.subscribers.identifier_history import MSISDN, Family, IdentifierRows
from gateway.subscribers.status import ACTIVE, TERMINATED

_CURRENT: Final = SelectAmong(
    select(families.c.member_id, families.c.payer_id, families.c.cap).where(families.c.until.is_(None)),
    families.c.member_id,
    int,
)


def families_of(connection: Connection, members: Iterable[int]) -> Mapping[int, Family]:
    """Read who pays for lines beside their own wallets, by member."""
    return {member: Family(payer, cap) for member, payer, cap in _CURRENT.run(connection, members)}


def payers_of(connection: Connection, member: int) -> Sequence[int]:
    """Name everybody who pays for a line, or did."""
    return connection.scalars(select(families.c.payer_id).where(families.c.member_id == member).distinct()).all()


def payer_at(connection: Connection, member: int, at: int) -> int | None:
    """Say who paid for a line at a time (microseconds), None for nobody."""
    f = families.c
    then = (f.member_id == member, f.since <= at, or_(f.until.is_(None), f.until > at))
    return connection.scalar(select(f.payer_id).where(*then).order_by(f.id.desc()).limit(1))


class Loan(msgspec.Struct):
    """What a member's wallet was lent while something of it is decided."""

    member: Wallet
    payer: Wallet
    amount: int
    month: str

    def settle(self, now: int) -> list[Entry]:
        """Give back what nobody holds, and say what the member took, or gave back, altogether."""
        member, payer = self.member, self.payer
        outstanding = member.lent + self.amount
        back = max(0, min(outstanding, member.balance - member.reserved))
        member.balance -= back
        payer.balance += back
        net = self.amount - back
        member.lent = max(0, min(outstanding - back, member.balance))
        if not net:
            return []
        taken = member.taken if member.taken_in == self.month else 0
        member.taken, member.taken_in = max(0, taken + net), self.month
        member.changed = payer.changed = True
        debit, to = (payer, member) if net > 0 else (member, payer)
        return [
            Entry(
                kind="family",
                debit=debit.subscriber_id,
                credit=to.subscriber_id,
                amount=abs(net),
                currency=member.currency,
                event_at=now,
                reference=f"family:{member.subscriber_id}",
            )
        ]


def lend(member: Wallet, payer: Wallet | None, family: Family, now: int, zone: tzinfo) -> Loan | None:
    """Lend a member what the payer has and its cap allows; `Loan.settle` has to follow. None where nobody can pay for it.

    A payer that is suspended or has ended lends nothing more; what it lent goes back to it all the same.
    """
    if payer is None or payer.currency != member.currency or (payer.status != ACTIVE and not member.lent):
        return None
    month = calendar_month(now, zone)
    amount = max(0, payer.available - credit.promotional(payer)) if payer.status == ACTIVE else 0
    if family.cap is not None:
        amount = min(amount, max(0, family.cap - (member.taken if member.taken_in == month else 0)))
    member.balance += amount
    payer.balance -= amount
    return Loan(member, payer, amount, month)


def with_causes_of(profile: Profile, payer: Profile | None) -> Profile:
    """Return a member's profile, with the payer's choices where it has none of its own."""
    return profile if profile.choices or payer is None else Profile(profile.plans, payer.choices)


class FamilySet(msgspec.Struct, frozen=True):
    """Who pays for a line now; None for nobody. The cap in micro-units, None for none."""

    subscriber_id: int
    payer_id: int | None
    cap: int | None
    currency: str


class FamilyRefused(ValueError):
    """A family that cannot be, with a stable code."""

    def __init__(self, code: str, detail: str) -> None:
        """Take the code and a sentence."""
        super().__init__(detail)
        self.code = code


class SetPayer(Unit):
    """Have another line's wallet pay for a line, up to a cap a month, or nobody's (`payer` empty)."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, WalletRows)

    number: str
    payer: str
    cap: int | None
    actor: str
    reason: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name both lines, and whoever paid so far."""
        if isinstance(row_set, IdentifierRows):
            return [number for number in (self.number, self.payer) if number]
        found = {owner for number in (self.number, self.payer) if (owner := self._owner(batch, number)) is not None}
        family = self._family(batch)
        return found | ({family.payer_id} if family is not None else set())

    def decide(self, batch: Batch) -> FamilySet | SubscriberUnknown | FamilyRefused:
        """Set it; what the payer before had lent goes back."""
        wallets, member = batch.row_set(WalletRows), self._owner(batch, self.number)
        payer = self._owner(batch, self.payer) if self.payer else None
        wallet = wallets.get(member) if member is not None else None
        if member is None or wallet is None or (self.payer and payer is None):
            return SubscriberUnknown("no subscriber has this number")
        refusal = self._refusal(batch, wallet, payer)
        if refusal is not None:
            return refusal
        before = self._family(batch)
        former = wallets.get(before.payer_id) if before is not None else None
        if former is not None:
            batch.policy(Books).post(batch, return_lent(wallet, former, batch.now))
        current = (families.c.member_id == member, families.c.until.is_(None))
        ended = batch.connection.execute(update(families).where(*current).values(until=batch.now).returning(families))
        for row in ended.all():
            batch.prove(families, tuple(row))
        if payer is not None:
            begun = (batch.take_id(), member, payer, self.cap, batch.now, None)
            batch.connection.execute(families.insert().values(begun))
            batch.prove(families, begun)
        values = (
            _said(before, wallet.currency),
            _said(None if payer is None else Family(payer, self.cap), wallet.currency),
        )
        record(batch, member, FAMILY, values, self.actor, self.reason)
        return FamilySet(member, payer, self.cap if payer is not None else None, wallet.currency)

    def _refusal(self, batch: Batch, wallet: Wallet, payer: int | None) -> FamilyRefused | None:
        if payer is None:
            return None
        other = batch.row_set(WalletRows).get(payer)
        if other is None or payer == wallet.subscriber_id:
            return FamilyRefused("family.payer", "the payer is another line with a wallet")
        if other.currency != wallet.currency:
            return FamilyRefused(
                "family.currency", f"the payer's wallet is in {other.currency}, the line's in {wallet.currency}"
            )
        paid_for = select(families.c.id).where(families.c.member_id == payer, families.c.until.is_(None))
        pays = (
            select(families.c.id)
            .join_from(families, subscribers, subscribers.c.id == families.c.member_id)
            .where(families.c.payer_id == wallet.subscriber_id, families.c.until.is_(None))
            .where(subscribers.c.status != TERMINATED)
        )
        if any(batch.connection.execute(each.limit(1)).first() for each in (paid_for, pays)):
            return FamilyRefused(
                "family.chain", "who is paid for pays for nobody, and whoever pays is paid for by nobody"
            )
        return None

    def _owner(self, batch: Batch, number: str) -> int | None:
        return batch.row_set(IdentifierRows).owner(MSISDN, number, batch.now)

    def _family(self, batch: Batch) -> Family | None:
        member = self._owner(batch, self.number)
        return None if member is None else batch.row_set(IdentifierRows).family_of(member)


def return_lent(member: Wallet, payer: Wallet, now: int) -> list[Entry]:
    """Give back to a payer what a member has of it and nobody holds; what is held is the member's from now on."""
    entries = Loan(member, payer, 0, member.taken_in).settle(now)
    member.lent = 0
    member.changed = True
    return entries


def _said(family: Family | None, currency: str) -> str:
    if family is None:
        return "nobody"
    cap = "" if family.cap is None else f" up to {format_amount(family.cap, currency)} a month"
    return f"subscriber {family.payer_id}{cap}"[:64]
