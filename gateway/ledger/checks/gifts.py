"""Gifts held against their entries: each that was given is booked, whole, and no other; campaigns matched what they say."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, cast, func, literal, or_, select
from sqlalchemy.types import String

from gateway.ledger.accounts import matcher_account
from gateway.ledger.balances import account_names
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.store.tables import gifts, matched_sums, transfers


def gifts_match(books: Examined) -> Iterable[Finding]:
    """Name gifts that are booked otherwise than they stand, and campaigns whose entries are not what they matched."""
    booked: set[int] = set()
    for journal in books.journals:
        for number in journal.scalars(_booked_otherwise()):
            yield Finding("gift", f"gift {number} is booked otherwise than it stands")
        booked |= set(journal.scalars(_booked()))
    given = books.connection.scalars(select(gifts.c.id).where(gifts.c.state == "given").order_by(gifts.c.id))
    for number in [number for number in given if number not in booked][:SHOWN]:
        yield Finding("gift", f"gift {number} is given, and no entry says so")
    yield from _campaigns(books)


@cache
def _booked() -> Select[Any]:
    reference = literal("gift:") + cast(gifts.c.id, String)
    same = and_(transfers.c.kind == "gift", transfers.c.reference == reference)
    return select(gifts.c.id).join_from(gifts, transfers, same)


@cache
def _booked_otherwise() -> Select[Any]:
    wrong = or_(
        gifts.c.state != "given",
        gifts.c.amount != transfers.c.amount,
        gifts.c.subscriber_id != transfers.c.debit,
        gifts.c.currency != transfers.c.currency,
    )
    return _booked().where(wrong).limit(SHOWN)


def _campaigns(books: Examined) -> Iterable[Finding]:
    numbers = {name: number for number, name in account_names(books.connection).items()}
    paid = _paid_by_matchers(books)
    for campaign, currency, amount in books.connection.execute(select(matched_sums)):
        key = (numbers.get(matcher_account(campaign), 0), currency)
        matched = paid.get(key, 0) - books.totals.get(key, 0)
        if matched != amount:
            yield Finding("gift", f"campaign {campaign} matched {amount} micro-units, its entries {matched}")


def _paid_by_matchers(books: Examined) -> dict[tuple[int, str], int]:
    """Sum what matchers paid, by account and currency, less what was taken back."""
    entry, sums = transfers.c, dict[tuple[int, str], int]()
    for journal in books.journals:
        for side, sign in ((entry.credit, 1), (entry.debit, -1)):
            wanted = select(side, entry.currency, func.sum(entry.amount)).where(
                entry.kind.in_(("match_paid", "match_back"))
            )
            for number, currency, amount in journal.execute(wanted.group_by(side, entry.currency)):
                sums[number, currency] = sums.get((number, currency), 0) + sign * int(amount)
    return sums
