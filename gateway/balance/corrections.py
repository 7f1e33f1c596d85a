"""The entries that put a wrong price right: what was booked is given back whole, and what should have been is booked anew.

The entries of before stay; negated ones stand beside them, the tenth's too, each to the very account that it was booked to.
"""

import msgspec

from gateway.balance.bookings import Account
from gateway.balance.wallets import Wallet
from gateway.ledger.account_names import GIVING, REVENUE
from gateway.ledger.entries import Entry


class TenthPart(msgspec.Struct, frozen=True):
    """A part of a tenth: the account of whom it is owed to, micro-units, and the share in basis points."""

    account: int
    amount: int
    share: int


class Charged(msgspec.Struct, frozen=True):
    """What a usage record was charged, or should have been: its price, and the parts of its tenth by a policy.

    `passed_on` of the price is what a third party has of it without a tenth: it stands in an entry of its own, and stays.
    """

    price: int
    policy: str
    parts: tuple[TenthPart, ...] = ()
    passed_on: int = 0

    @property
    def own(self) -> int:
        """Return what of the price is ours."""
        return self.price - self.passed_on

    @property
    def tenth(self) -> int:
        """Return what went to causes."""
        return sum(part.amount for part in self.parts)


class Correction(msgspec.Struct, frozen=True):
    """A usage record, or the sale of a bundle, that is charged anew: `rerating` is the number of the row that says so."""

    rerating: int
    usage_id: int | None
    event_at: int
    before: Charged
    after: Charged


def correct(wallet: Wallet, account: Account, correction: Correction) -> list[Entry]:
    """Give back what was charged, and charge what should have been; the wallet is moved by both."""
    before, after = correction.before, correction.after
    wallet.move(before.price - after.price)
    wallet.given += after.tenth - before.tenth
    revenue, giving = account(REVENUE), account(GIVING)
    entries = [
        _entry(correction, wallet, "reversal", revenue, wallet.subscriber_id, before.own),
        *(_tenth(correction, wallet, "accrual_reversal", part.account, giving, before, part) for part in before.parts),
        _entry(correction, wallet, "rerated", wallet.subscriber_id, revenue, after.own),
        *(_tenth(correction, wallet, "rerated_accrual", giving, part.account, after, part) for part in after.parts),
    ]
    return [entry for entry in entries if entry.amount]


def _entry(correction: Correction, wallet: Wallet, kind: str, debit: int, credit: int, amount: int) -> Entry:
    return Entry(
        kind=kind,
        debit=debit,
        credit=credit,
        amount=amount,
        currency=wallet.currency,
        event_at=correction.event_at,
        usage_id=correction.usage_id,
        reference=f"rerate:{correction.rerating}",
    )


def _tenth(
    correction: Correction, wallet: Wallet, kind: str, debit: int, credit: int, charged: Charged, part: TenthPart
) -> Entry:
    entry = _entry(correction, wallet, kind, debit, credit, part.amount)
    return msgspec.structs.replace(entry, base=charged.own, policy=charged.policy, share=part.share)
