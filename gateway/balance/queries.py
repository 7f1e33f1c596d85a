"""A subscriber as `tpo subscriber show` and the HTTP interface tell of it."""

from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy import Connection, or_, select

from gateway.balance.families import families_of
from gateway.balance.profiles import Profile, read_plans
from gateway.balance.tax_areas import LineTax, area_at, line_tax
from gateway.charity.choices import Share
from gateway.charity.choices import at as choice_at
from gateway.charity.sealed_causes import CauseSeals, ask_choices
from gateway.ledger.money import format_amount
from gateway.rating.plans import Plan
from gateway.rating.taxes import TaxTable
from gateway.store.statements import SelectAmong
from gateway.store.tables import lines, sessions, subscribers, wallets
from gateway.subscribers.identifier_history import ICCID, IMSI, MSISDN, Family

_LINES = SelectAmong(
    select(lines.c.subscriber_id, lines.c.kind, lines.c.value, lines.c.valid_to), lines.c.subscriber_id, int
)
_WALLETS = SelectAmong(
    select(subscribers.c.id, subscribers.c.status, wallets.c.balance, wallets.c.reserved, wallets.c.currency).join_from(
        subscribers, wallets, wallets.c.subscriber_id == subscribers.c.id
    ),
    subscribers.c.id,
    int,
)


class CauseShare(msgspec.Struct, frozen=True):
    """A cause's part of a subscriber's tenth, in percent."""

    cause: str
    percent: int | float


class Terms(msgspec.Struct, frozen=True):
    """What a line's view goes by beside the store: its plan at a time, and the taxes of the files."""

    plan_of: Callable[[Profile, int], Plan | None]
    taxes: TaxTable


class LinePayer(msgspec.Struct, frozen=True):
    """Whose wallet pays for a line beside its own, and at most how much a calendar month; None for no cap."""

    subscriber_id: str
    cap: str | None


class SubscriberView(msgspec.Struct, frozen=True):
    """What is told of a subscriber: amounts are decimal strings in major units."""

    subscriber_id: str
    msisdn: str | None
    imsi: str | None
    iccid: str | None
    plan: str | None
    status: str
    balance: str
    reserved: str
    currency: str
    causes: Annotated[
        list[CauseShare] | None,
        Meta(description="null for a token without the right `causes`; each look of one that has it is noted"),
    ]
    open_sessions: int
    plan_version: Annotated[int | None, Meta(description="by which version of its plan it is charged")]
    tax: Annotated[LineTax | None, Meta(description="null where its plan says nothing of tax")]
    payer: Annotated[LinePayer | None, Meta(description="null where nobody else's wallet pays for it")]


def show(
    connection: Connection, subscriber_id: int, now: int, terms: Terms | None = None, seals: CauseSeals | None = None
) -> SubscriberView:
    """Return a subscriber's numbers, plan, money and taxes; amounts are decimal strings in major units.

    The choice is told under `seals` alone: whoever may not see it opens none.
    """
    status = connection.execute(select(subscribers.c.status).where(subscribers.c.id == subscriber_id)).scalar_one()
    wallet = connection.execute(select(wallets).where(wallets.c.subscriber_id == subscriber_id)).one()
    current = or_(lines.c.valid_to.is_(None), lines.c.valid_to > now)
    rows = connection.execute(
        select(lines.c.kind, lines.c.value).where(lines.c.subscriber_id == subscriber_id, current)
    )
    numbers = {row.kind: row.value for row in rows}
    causes = None
    if seals is not None:
        chosen = ask_choices(connection, {subscriber_id})(seals)
        causes = causes_of(choice_at(chosen.get(subscriber_id, ()), now))
    open_sessions = select(sessions.c.id).where(
        sessions.c.subscriber_id == subscriber_id, sessions.c.closed_at.is_(None)
    )
    profile = Profile(read_plans(connection, {subscriber_id})[subscriber_id])
    plan = None if terms is None else terms.plan_of(profile, now)
    family = families_of(connection, [subscriber_id]).get(subscriber_id)
    return SubscriberView(
        subscriber_id=str(subscriber_id),
        msisdn=numbers.get(MSISDN),
        imsi=numbers.get(IMSI),
        iccid=numbers.get(ICCID),
        plan=profile.plan_at(now),
        status=status,
        balance=format_amount(wallet.balance, wallet.currency),
        reserved=format_amount(wallet.reserved, wallet.currency),
        currency=wallet.currency,
        causes=causes,
        open_sessions=len(connection.execute(open_sessions).all()),
        plan_version=None if plan is None else plan.version,
        tax=line_tax(plan, area_at(connection, subscriber_id, now), {} if terms is None else terms.taxes),
        payer=None if family is None else _payer(family, wallet.currency),
    )


def _payer(family: Family, currency: str) -> LinePayer:
    return LinePayer(str(family.payer_id), None if family.cap is None else format_amount(family.cap, currency))


class SubscriberRow(msgspec.Struct, frozen=True):
    """A subscriber as lists have it: nothing of its causes."""

    subscriber_id: str
    msisdn: str | None
    imsi: str | None
    iccid: str | None
    plan: str | None
    status: str
    balance: str
    reserved: str
    currency: str


def rows_after(connection: Connection, after: int, limit: int, now: int) -> list[SubscriberRow]:
    """Return the subscribers numbered above `after`, in the order of their numbers."""
    found = select(subscribers.c.id).where(subscribers.c.id > after).order_by(subscribers.c.id).limit(limit)
    return rows_of(connection, list(connection.scalars(found)), now)


def rows_of(connection: Connection, ids: Iterable[int], now: int) -> list[SubscriberRow]:
    """Return these subscribers, in the order of their numbers."""
    wanted = sorted(ids)
    numbers: dict[tuple[int, str], str] = {}
    for subscriber_id, kind, value, valid_to in _LINES.run(connection, wanted):
        if valid_to is None or valid_to > now:
            numbers[subscriber_id, kind] = value
    plans = read_plans(connection, wanted)
    found = {row[0]: row for row in _WALLETS.run(connection, wanted)}
    return [
        SubscriberRow(
            subscriber_id=str(subscriber_id),
            msisdn=numbers.get((subscriber_id, MSISDN)),
            imsi=numbers.get((subscriber_id, IMSI)),
            iccid=numbers.get((subscriber_id, ICCID)),
            plan=Profile(plans[subscriber_id]).plan_at(now),
            status=status,
            balance=format_amount(balance, currency),
            reserved=format_amount(reserved, currency),
            currency=currency,
        )
        for subscriber_id, status, balance, reserved, currency in (found[each] for each in wanted if each in found)
    ]


def causes_of(shares: Iterable[Share]) -> list[CauseShare]:
    """Write shares as they are told."""
    return [CauseShare(share.cause, percent(share.share)) for share in shares]


def percent(basis_points: int) -> int | float:
    """Return basis points as a percentage: 5000 -> 50, 3333 -> 33.33."""
    return basis_points / 100 if basis_points % 100 else basis_points // 100
