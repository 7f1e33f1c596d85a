"""Credit that was paid for and has ended, put back where a bank takes back what paid for it.

What was left of it at its end became the company's (breakage, and the tax on it). If the money behind it is taken back, that
is put back first: else the customer would owe what nobody served, and the company keep what it has no money for.
"""

from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from gateway.balance.allowance_entries import AllowanceEntry
from gateway.balance.allowances import MONEY
from gateway.balance.bookings import Account, Booked
from gateway.balance.wallets import Wallet
from gateway.ledger.account_names import BREAKAGE, BREAKAGE_VAT
from gateway.ledger.allowance_kinds import EXPIRY, GRANT, REFUND, USE
from gateway.ledger.entries import Entry
from gateway.rating.prices import half_even
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import allowance_entries, payments, transfers

BACK, TAX_BACK = "breakage_back", "breakage_vatback"
"""Kinds of their entries."""
_NEAR: Final = 64
"""What is booked of a top-up is numbered so near before its payment: by one unit."""


class Lapsed(msgspec.Struct, frozen=True):
    """A credit that has ended: its number, what was left of it at its end, and the tax within that; micro-units."""

    allowance_id: int
    amount: int
    tax: int


def lapsed_credit(connection: Connection, channel: str, reference: str) -> Lapsed | None:
    """Read what has ended of the credit that a channel's reference paid for, wherever its month stands; None: nothing has."""
    paid = payments.c
    payment = connection.execute(
        select(paid.id, paid.subscriber_id, paid.at).where(paid.channel == channel, paid.reference == reference)
    ).one_or_none()
    if payment is None:
        return None
    own = allowance_entries.c
    mine = (own.subscriber_id == payment.subscriber_id, own.service == MONEY)
    near = (own.id < payment.id, own.id > payment.id - _NEAR, own.at == payment.at)
    granted = select(own.allowance_id).where(*mine, *near, own.kind == GRANT, own.reference.like("topup:%"))
    number = connection.execute(granted).scalar()
    if number is None:
        return None
    ended = select(own.reference).where(*mine, own.allowance_id == number, own.kind == EXPIRY)
    lapses = [reference for reference in connection.scalars(ended) if reference]
    amounts = dict.fromkeys(("breakage", "breakage_vat"), 0)
    booked = select(transfers.c.kind, func.sum(transfers.c.amount)).where(
        transfers.c.kind.in_(list(amounts)), transfers.c.reference.in_(lapses)
    )
    with parts(connection) as every:
        for part in every if lapses else ():
            for kind, amount in part.connection.execute(booked.group_by(transfers.c.kind)):
                amounts[kind] += int(amount)
    total = sum(amounts.values())
    return Lapsed(number, total, amounts["breakage_vat"]) if total else None


def already_back(connection: Connection, subscriber_id: int, lapsed: Lapsed) -> int:
    """Return what of it was put back before; under the lock of the wallet."""
    own = allowance_entries.c
    mine = (own.subscriber_id == subscriber_id, own.allowance_id == lapsed.allowance_id, own.service == MONEY)
    back = select(func.sum(own.units)).where(*mine, own.kind == REFUND, own.reference.not_like("refund:%"))
    return int(connection.scalar(back) or 0)


def put_back(
    wallet: Wallet, account: Account, lapsed: Lapsed, before: int, amount: int, event_at: int, reference: str
) -> Booked:
    """Put back what ended, at most `amount`, of which `before` was put back already: it is there for the bank to take.

    The tax goes back in the share in which it was booked; so the parts of several returns add up to it.
    """
    back = min(amount, lapsed.amount - before)
    if back <= 0:
        return Booked([], [])
    tax = half_even(lapsed.tax * (before + back), lapsed.amount) - half_even(lapsed.tax * before, lapsed.amount)
    wallet.move(back)
    owner, currency = wallet.subscriber_id, wallet.currency
    entries = [
        Entry(kind, account(name), owner, part, currency, event_at, reference=reference)
        for kind, name, part in ((BACK, BREAKAGE, back - tax), (TAX_BACK, BREAKAGE_VAT, tax))
        if part
    ]
    number = lapsed.allowance_id
    uses = [
        AllowanceEntry(owner, number, REFUND, MONEY, back, event_at, reference=reference),
        AllowanceEntry(owner, number, USE, MONEY, -back, event_at, reference=reference),
    ]
    return Booked(entries, uses)
