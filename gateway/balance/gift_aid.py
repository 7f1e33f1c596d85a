"""Gift Aid declarations of customers on disk: made, cancelled, listed, and held beside the gifts that they cover."""

from collections.abc import Iterator
from datetime import tzinfo

import msgspec
from sqlalchemy import Connection, and_, select, update

from gateway.balance.changes import Change, SubscriberUnknown
from gateway.balance.gifts import GiftState, gift_owner
from gateway.charity.gift_aid import CURRENCY, Details, Donation, Person, open_details, seal_details
from gateway.charity.months import begin_of, end_of
from gateway.charity.sealed_causes import CauseSeals
from gateway.ledger.money import format_amount
from gateway.rating.calendars import day_of
from gateway.store.batch import Batch
from gateway.store.tables import gift_aid_declarations, gifts

_ROWS = gift_aid_declarations


class Declaration(msgspec.Struct, frozen=True):
    """A declaration as its row has it; `details` are None where nobody opens them. Times in microseconds."""

    id: int
    subscriber_id: int
    declared_at: int
    covers_from: int
    channel: str
    wording: str
    actor: str
    cancelled_at: int | None
    details: Details | None = None

    def covers(self, cause: str, at: int) -> bool:
        """Return whether it is opened, to this cause, and in force at a time (microseconds)."""
        in_force = self.covers_from <= at and (self.cancelled_at is None or at < self.cancelled_at)
        return in_force and self.details is not None and self.details.cause == cause


class DeclareGiftAid(Change):
    """A person's declaration for gifts of a line to a cause from a time on; one to the same cause before ends."""

    cause: str
    person: Person
    covers_from: int
    channel: str
    wording: str
    actor: str

    def decide(self, batch: Batch) -> Declaration | SubscriberUnknown:
        """Write it, sealed."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        _cancel(batch, wallet.subscriber_id, self.cause)
        number, details = batch.take_id(), Details(self.cause, self.person)
        sealed = seal_details(batch.policy(CauseSeals), number, details)
        covers_from = self.covers_from or batch.now
        said = (self.channel, self.wording, self.actor, None)
        row = (number, wallet.subscriber_id, batch.now, covers_from, sealed, *said)
        batch.connection.execute(_ROWS.insert().values(dict(zip(_ROWS.columns.keys(), row, strict=True))))
        batch.prove(_ROWS, row)
        return Declaration(number, wallet.subscriber_id, batch.now, covers_from, *said)


class CancelGiftAid(Change):
    """The end of a line's declaration to a cause: gifts that are made from now on are not covered."""

    cause: str

    def decide(self, batch: Batch) -> int | SubscriberUnknown:
        """End it; gives how many ended, 0 where none was in force."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        return _cancel(batch, wallet.subscriber_id, self.cause)


def _cancel(batch: Batch, subscriber_id: int, cause: str) -> int:
    in_force = select(_ROWS).where(_ROWS.c.subscriber_id == subscriber_id, _ROWS.c.cancelled_at.is_(None))
    ended = 0
    for row in batch.connection.execute(in_force).all():
        if open_details(batch.policy(CauseSeals), row.id, row.details).cause == cause:
            change = update(_ROWS).where(_ROWS.c.id == row.id).values(cancelled_at=batch.now).returning(*_ROWS.columns)
            batch.prove(_ROWS, tuple(batch.connection.execute(change).one()))
            ended += 1
    return ended


def declarations_of(connection: Connection, subscriber_id: int, seals: CauseSeals | None) -> list[Declaration]:
    """Return a line's declarations, the newest first; opened under `seals` alone."""
    rows = connection.execute(select(_ROWS).where(_ROWS.c.subscriber_id == subscriber_id).order_by(_ROWS.c.id.desc()))
    return [
        Declaration(
            row.id,
            row.subscriber_id,
            row.declared_at,
            row.covers_from,
            row.channel,
            row.wording,
            row.actor,
            row.cancelled_at,
            None if seals is None else open_details(seals, row.id, row.details),
        )
        for row in rows
    ]


def covered(connection: Connection, cause: str, period: str, zone: tzinfo, seals: CauseSeals) -> Iterator[Donation]:
    """Return the gifts of a month to a cause that a declaration to it covers, each once.

    A gift has the day on which it was made, by the operator's clock. Others than those in pounds are not claimed on.
    """
    made = and_(
        gifts.c.state == str(GiftState.GIVEN),
        gifts.c.currency == CURRENCY,
        gifts.c.done_at >= begin_of(period, zone),
        gifts.c.done_at < end_of(period, zone),
        gifts.c.subscriber_id.in_(select(_ROWS.c.subscriber_id)),
    )
    for gift in connection.execute(select(gifts).where(made).order_by(gifts.c.id)).all():
        if seals.open(gift.cause, gift_owner(gift.id)) != cause:
            continue
        person = _declared(connection, gift.subscriber_id, cause, gift.done_at, seals)
        if person is not None:
            yield Donation(person, day_of(gift.done_at, zone)[2], format_amount(gift.amount, gift.currency))


def _declared(connection: Connection, owner: int, cause: str, at: int, seals: CauseSeals) -> Person | None:
    for each in declarations_of(connection, owner, seals):
        if each.details is not None and each.covers(cause, at):
            return each.details.person
    return None
