"""What is left of the gifts and Gift Aid declarations of a customer who is erased: what tax law asks for, as long as it does.

A charity, and whoever takes declarations for it, keeps a declaration and the gifts that were claimed by it for six years
after the end of the accounting period that the claim is for (HMRC, Gift Aid guidance, chapter 3). That period ends within a
year of the gift: so we keep them for seven years from the end of the gift's tax year. Whatever no declaration covers goes at
once. A row that goes is proved as gone; the journal keeps each gift that was made, by the opaque id, as it was booked.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, delete, select, update

from gateway.balance.gift_aid import Declaration, declarations_of
from gateway.balance.gifts import Gift, GiftState, gifts_of
from gateway.charity.gift_aid import CURRENCY
from gateway.charity.sealed_causes import CauseSeals
from gateway.store.batch import Batch, Unit
from gateway.store.tables import erasures, gift_aid_declarations, gifts

KEPT_YEARS: Final = 7
TAX_YEAR_ENDS: Final = (4, 5)
"""Month and day."""
_ZONE: Final = ZoneInfo("Europe/London")
"""Whose days tax years are of."""
ERASED: Final = "erased"
"""What stands for the channel of a gift that is kept."""


class Remains(msgspec.Struct, frozen=True):
    """How many gifts and declarations went, and how many are kept still."""

    gone: dict[str, int]
    kept: dict[str, int]


def kept_until(made_at: int) -> date:
    """Return the day after which a gift's declaration is not needed any more; `made_at` in microseconds."""
    day = _day(made_at)
    ends = date(day.year, *TAX_YEAR_ENDS)
    year = day.year if day <= ends else day.year + 1
    return date(year + KEPT_YEARS, *TAX_YEAR_ENDS)


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(_ZONE).date()


def forget_gifts(batch: Batch, subscriber_id: int) -> Remains:
    """Delete the gifts and declarations of a customer that nobody needs any more; what a kept gift came by goes, too."""
    seals, connection = batch.policy(CauseSeals), batch.connection
    given, declared = gifts_of(connection, subscriber_id, seals), declarations_of(connection, subscriber_id, seals)
    needed = [each for each in given if _is_needed(each, declared, batch.now)]
    used = [each.id for each in declared if any(each.covers(gift.cause, gift.done_at or 0) for gift in needed)]
    kept = [each.id for each in needed]
    _unlink(batch, kept)
    gone = {
        gifts.name: _drop(batch, gifts, (each.id for each in given if each.id not in kept)),
        gift_aid_declarations.name: _drop(
            batch, gift_aid_declarations, (each.id for each in declared if each.id not in used)
        ),
    }
    return Remains(gone, {gifts.name: len(kept), gift_aid_declarations.name: len(used)})


def _is_needed(gift: Gift, declared: Iterable[Declaration], now: int) -> bool:
    """Return whether a gift is one that a charity claims by, or has claimed, and the time for that is not over."""
    if gift.state is not GiftState.GIVEN or gift.currency != CURRENCY or gift.done_at is None:
        return False
    return _day(now) <= kept_until(gift.done_at) and any(each.covers(gift.cause, gift.done_at) for each in declared)


def _drop(batch: Batch, table: Any, numbers: Iterable[int]) -> int:  # noqa: ANN401  (a table)
    """Delete rows, each proved as gone."""
    wanted = list(numbers)
    if wanted:
        batch.connection.execute(delete(table).where(table.c.id.in_(wanted)))
    for number in wanted:
        batch.prove(table, (number,))
    return len(wanted)


def _unlink(batch: Batch, numbers: Sequence[int]) -> None:
    """Take away by which channel and reference gifts came: such a reference may be a number, or somebody's own."""
    for number in numbers:
        change = update(gifts).where(gifts.c.id == number, gifts.c.channel != ERASED)
        values = {"channel": ERASED, "reference": str(number)}
        row = batch.connection.execute(change.values(values).returning(*gifts.columns)).one_or_none()
        if row is not None:
            batch.prove(gifts, tuple(row))


def erased_givers(connection: Connection) -> list[int]:
    """Return the customers who were erased and of whom declarations are kept."""
    own = gift_aid_declarations.c.subscriber_id
    wanted = select(own).distinct().where(own.in_(select(erasures.c.subscriber_id))).order_by(own)
    return list(connection.scalars(wanted))


class ForgetGifts(Unit):
    """Delete what is kept no longer of the gifts and declarations of a customer who was erased."""

    alone: ClassVar[bool] = True

    subscriber_id: int

    def decide(self, batch: Batch) -> Remains:
        """Delete it."""
        return forget_gifts(batch, self.subscriber_id)
