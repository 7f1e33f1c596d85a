"""To which bank account a cause is paid: sealed, from a time on, and changed by two people and not before seven days are over.

Whoever can change them alone, or at once, can have a month's giving paid to an account of their own.
"""

from typing import ClassVar, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.bank.accounts import BankAccount
from gateway.charity.proved_rows import change
from gateway.privacy.sealing import Sealer
from gateway.store.batch import Batch, Unit
from gateway.store.tables import bank_details

WAIT: Final = 7 * 86_400 * 1_000_000
"""A change counts so long after its approval (microseconds); the first account of a cause counts at once."""
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(BankAccount).decode


class DetailsRefused(msgspec.Struct, frozen=True):
    """Why nothing was changed, by a stable code."""

    code: str
    why: str


class Details(msgspec.Struct, frozen=True):
    """Bank details by their number; `valid_from` in microseconds, None until they are approved."""

    id: int
    cause: str
    currency: str
    valid_from: int | None


def owner(cause: str, currency: str) -> str:
    """Name what sealed details belong to, so that those of one cause never open as another's."""
    return f"bank-details:{cause}:{currency}"


def seal(sealer: Sealer, cause: str, currency: str, account: BankAccount) -> bytes:
    """Seal an account."""
    return sealer.seal(_encode(account), owner(cause, currency))


def opened(sealer: Sealer, cause: str, currency: str, sealed: bytes) -> BankAccount:
    """Open an account; SealBroken where it was sealed for another cause."""
    return _decode(sealer.open(sealed, owner(cause, currency)))


class ProposeDetails(Unit):
    """Write down an account that a cause is to be paid to; it counts for nothing until somebody else approves it."""

    alone: ClassVar[bool] = True

    cause: str
    currency: str
    sealed: bytes
    actor: str

    def decide(self, batch: Batch) -> Details:
        """Write it."""
        number = batch.take_id()
        row = (number, self.cause, self.currency, self.sealed, batch.now, self.actor, None, None, None)
        batch.add(bank_details, row)
        return Details(number, self.cause, self.currency, None)


class ApproveDetails(Unit):
    """Let details count that somebody else proposed: the first of a cause at once, a change after seven days."""

    alone: ClassVar[bool] = True

    id: int
    actor: str

    def decide(self, batch: Batch) -> Details | DetailsRefused:
        """Approve them."""
        connection = batch.connection
        own = bank_details.c
        row = connection.execute(select(bank_details).where(own.id == self.id).with_for_update()).one_or_none()
        if row is None:
            return DetailsRefused("bank.unknown", "there are no bank details of this number")
        if row.approved_at is not None:
            return DetailsRefused("bank.approved", "these bank details are approved already")
        if row.proposed_by == self.actor:
            return DetailsRefused("bank.same_person", "whoever proposed bank details does not approve them")
        same = (own.cause == row.cause, own.currency == row.currency, own.approved_at.is_not(None))
        is_change = connection.execute(select(own.id).where(*same).limit(1)).scalar() is not None
        valid_from = batch.now + (WAIT if is_change else 0)
        change(batch, bank_details, row, approved_at=batch.now, approved_by=self.actor, valid_from=valid_from)
        return Details(row.id, row.cause, row.currency, valid_from)


class Proposal(msgspec.Struct, frozen=True):
    """Bank details with who stands for them; times in microseconds, None where nobody approved them."""

    id: int
    cause: str
    currency: str
    proposed_at: int
    proposed_by: str
    approved_by: str | None
    valid_from: int | None


def listed(connection: Connection) -> list[Proposal]:
    """Return all bank details, the latest first; not the accounts."""
    own = bank_details.c
    columns = (own.id, own.cause, own.currency, own.proposed_at, own.proposed_by, own.approved_by, own.valid_from)
    return [Proposal(*row) for row in connection.execute(select(*columns).order_by(own.id.desc()))]


def shown(connection: Connection, sealer: Sealer, number: int) -> tuple[str, str, BankAccount] | None:
    """Return the cause, the currency and the account of details by their number; None where there are none."""
    own = bank_details.c
    row = connection.execute(select(own.cause, own.currency, own.sealed).where(own.id == number)).one_or_none()
    return None if row is None else (row.cause, row.currency, opened(sealer, row.cause, row.currency, row.sealed))


def in_force(connection: Connection, cause: str, currency: str, now: int) -> tuple[int, bytes] | None:
    """Return the number and the sealed account that a cause is paid to at a time; None where there is none."""
    own = bank_details.c
    wanted = (
        select(own.id, own.sealed)
        .where(own.cause == cause, own.currency == currency, own.valid_from <= now)
        .order_by(own.valid_from.desc(), own.id.desc())
        .limit(1)
    )
    row = connection.execute(wanted).one_or_none()
    return None if row is None else (row.id, row.sealed)
