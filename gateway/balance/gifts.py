"""Gifts: held of the wallet first, so that the customer may take them back, then made, whole and for good.

A gift that was made is never given back: Gift Aid forbids a condition of repayment (ITA 2007 s.416(2)), so the time to change
one's mind is before it. Its row in `gifts` says how it stands; the cause is sealed there. Made is made once: the row and the
entry of the journal are written by one transaction, under the wallet's lock.
"""

from collections.abc import Mapping
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Row, select, update

from gateway.balance import allowance_entries, bookings
from gateway.balance.matching import Made, match
from gateway.balance.paid_services import count_paid, forget_paid, left_of_month
from gateway.balance.wallets import Wallet
from gateway.charity.campaigns import Campaign
from gateway.charity.sealed_causes import CauseSeals
from gateway.ledger.books import Books
from gateway.rating.calendars import day_of
from gateway.rating.paid_service_limits import PaidServiceLimit, limit_of
from gateway.store.batch import Batch
from gateway.store.known_values import member_of
from gateway.store.tables import gifts


class GiftState(StrEnum):
    """How a gift stands; all but `held` are for good."""

    HELD = "held"
    GIVEN = "given"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


class GiftPolicy(msgspec.Struct, frozen=True):
    """What gifts are decided by: open causes by id, the time to take one back (microseconds), the law's limits, campaigns."""

    causes: Mapping[str, str]
    country: str
    zone: ZoneInfo
    window: int = 0
    campaigns: tuple[Campaign, ...] = ()

    def limit(self, currency: str) -> PaidServiceLimit | None:
        """Return what gifts may come to by law; None where there is no limit."""
        return limit_of(self.country, currency)


class Gift(msgspec.Struct, frozen=True):
    """A gift as its row has it, with its cause opened; amount in micro-units, times in microseconds."""

    id: int
    subscriber_id: int
    cause: str
    amount: int
    currency: str
    state: GiftState
    made_at: int
    due_at: int
    done_at: int | None


class GiftRefused(ValueError):
    """A gift that cannot be, or be taken back, with a stable code; the wallet is as it was."""

    def __init__(self, code: str, detail: str) -> None:
        """Take the code and a sentence."""
        super().__init__(detail)
        self.code = code


def gift_owner(number: int) -> str:
    """Name the row of a gift, for which its cause is sealed."""
    return f"gift/{number}"


def hold_gift(batch: Batch, wallet: Wallet, number: int, cause: str, amount: int, source: tuple[str, str]) -> Gift:
    """Hold a gift that may be made; without a time to take it back it is made at once.

    `source` is the channel and the reference there, which is taken once. Whoever asks has seen `refusal` give None.
    """
    policy = batch.policy(GiftPolicy)
    sealed = batch.policy(CauseSeals).seal(cause, gift_owner(number))
    due_at = batch.now + policy.window
    money, held = (amount, wallet.currency), str(GiftState.HELD)
    row = (number, wallet.subscriber_id, sealed, *money, *source, held, batch.now, due_at, None)
    batch.connection.execute(gifts.insert().values(dict(zip(gifts.columns.keys(), row, strict=True))))
    batch.prove(gifts, row)
    wallet.hold(amount)
    count_paid(wallet, amount, batch.now, policy.zone)
    gift = Gift(number, wallet.subscriber_id, cause, amount, wallet.currency, GiftState.HELD, batch.now, due_at, None)
    return gift if policy.window else give(batch, wallet, gift)


def refusal(policy: GiftPolicy, wallet: Wallet, cause: str, amount: int, now: int) -> GiftRefused | None:
    """Say why a customer cannot give so much to a cause; None where it can be."""
    if cause not in policy.causes:
        return GiftRefused("gift.cause", f"{cause[:64]!r} is not an open cause")
    limit = policy.limit(wallet.currency)
    if limit is not None and amount > limit.each:
        return GiftRefused("gift.limit", "a gift by the phone bill may not be so large")
    if limit is not None and amount > left_of_month(wallet, limit, now, policy.zone):
        return GiftRefused("gift.month", "gifts and services by the phone bill may not come to so much in a month")
    if amount > bookings.own_money(wallet):
        return GiftRefused("gift.balance", "the balance, without what is held or lent, is less than the gift")
    return None


def give(batch: Batch, wallet: Wallet, gift: Gift) -> Gift:
    """Make a held gift, with what campaigns add to it; refused where usage took the money meanwhile."""
    wallet.hold(-gift.amount)
    if gift.amount > bookings.own_money(wallet):
        _uncount(batch, wallet, gift)
        return _settle(batch, gift, GiftState.REFUSED)
    books = batch.policy(Books)
    booked = bookings.gift(wallet, books.account, gift.cause, gift.amount, batch.now, gift.id)
    books.post(batch, booked.entries)
    allowance_entries.post(batch, booked.uses)
    policy = batch.policy(GiftPolicy)
    for campaign in policy.campaigns:
        match(batch, campaign, Made(gift.id, gift.cause, gift.amount, gift.currency, day_of(batch.now, policy.zone)[2]))
    return _settle(batch, gift, GiftState.GIVEN)


def withdraw(batch: Batch, wallet: Wallet, gift: Gift) -> Gift:
    """Take back a gift that is held; it counts towards no limit any more."""
    wallet.hold(-gift.amount)
    _uncount(batch, wallet, gift)
    return _settle(batch, gift, GiftState.WITHDRAWN)


def find_gift(batch: Batch, number: int) -> Gift | None:
    """Return a gift by its number, opened."""
    found = batch.connection.execute(select(gifts).where(gifts.c.id == number)).one_or_none()
    return None if found is None else opened(found, batch.policy(CauseSeals))


def latest_held(batch: Batch, subscriber_id: int) -> Gift | None:
    """Return the gift of a customer that may be taken back and was asked for last; None where there is none."""
    held = (gifts.c.subscriber_id == subscriber_id, gifts.c.state == str(GiftState.HELD), gifts.c.due_at > batch.now)
    found = batch.connection.execute(select(gifts).where(*held).order_by(gifts.c.id.desc()).limit(1)).one_or_none()
    return None if found is None else opened(found, batch.policy(CauseSeals))


def gifts_of(connection: Connection, subscriber_id: int, seals: CauseSeals | None) -> list[Gift]:
    """Give a customer's gifts, the newest first; without `seals` no cause is opened."""
    rows = connection.execute(select(gifts).where(gifts.c.subscriber_id == subscriber_id).order_by(gifts.c.id.desc()))
    return [opened(row, seals) for row in rows]


def opened(row: Row[tuple[object, ...]], seals: CauseSeals | None) -> Gift:
    """Make a gift of its row; its cause is "" where nobody opens it."""
    cause = "" if seals is None else seals.open(row.cause, gift_owner(row.id))
    money = (row.amount, row.currency)
    state = member_of(GiftState, row.state, "gifts", row.id)
    return Gift(row.id, row.subscriber_id, cause, *money, state, row.made_at, row.due_at, row.done_at)


def _uncount(batch: Batch, wallet: Wallet, gift: Gift) -> None:
    forget_paid(wallet, gift.amount, gift.made_at, batch.policy(GiftPolicy).zone)


def _settle(batch: Batch, gift: Gift, state: GiftState) -> Gift:
    row = batch.connection.execute(
        update(gifts).where(gifts.c.id == gift.id).values(state=str(state), done_at=batch.now).returning(*gifts.columns)
    ).one()
    batch.prove(gifts, tuple(row))
    return msgspec.structs.replace(gift, state=state, done_at=batch.now)
