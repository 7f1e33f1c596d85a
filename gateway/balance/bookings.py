"""The entries that move a wallet, one function for each kind (ledger.postings): nothing else makes an entry of its own.

Each moves the wallet in memory and gives the entries that say so; a charge and a sale come with the tenth that accrues on them.
Whoever decides posts them with its batch (`Books.post`).
"""

from collections.abc import Callable

import msgspec

from gateway.balance.wallets import Wallet
from gateway.charity.accruals import RunningTenth, accrue
from gateway.charity.choices import Share
from gateway.charity.policies import Policy
from gateway.ledger.accounts import (
    ABSORBED,
    CASH,
    OPENING,
    REFUNDS,
    REVENUE,
    SERVICE_CHARGES,
    WRITE_OFFS,
    gifts_account,
)
from gateway.ledger.entries import Entry

Account = Callable[[str], int]
"""Gives a system account's number by its name."""


class Giving(msgspec.Struct, frozen=True, gc=False):
    """What the tenth of a charge goes by: the policy in force, the customer's shares at the time of use, the accounts."""

    policy: Policy
    shares: tuple[Share, ...]
    account: Account


def charge(
    wallet: Wallet, giving: Giving, amount: int, event_at: int, usage_id: int, running: RunningTenth
) -> list[Entry]:
    """Charge the price of a usage record; `running` is what its session was charged so far, and is carried on."""
    return _revenue("charge", wallet, giving, amount, event_at, running, usage_id=usage_id)


def absorb(account: Account, amount: int, currency: str, event_at: int, usage_id: int) -> list[Entry]:
    """Book what a usage record comes to beyond the customer's limit: no wallet is moved, and no tenth accrues."""
    if not amount:
        return []
    entry = Entry("absorbed", account(ABSORBED), account(REVENUE), amount, currency, event_at, usage_id=usage_id)
    return [entry]


def service_charge(wallet: Wallet, account: Account, amount: int, event_at: int, usage_id: int) -> list[Entry]:
    """Charge what the called party of a number for services has of a usage record's price: no tenth accrues on it."""
    wallet.move(-amount)
    return [
        Entry(
            kind="service",
            debit=wallet.subscriber_id,
            credit=account(SERVICE_CHARGES),
            amount=amount,
            currency=wallet.currency,
            event_at=event_at,
            usage_id=usage_id,
        )
    ]


def sale(wallet: Wallet, giving: Giving, amount: int, event_at: int, number: int) -> list[Entry]:
    """Charge the price of a bundle; `number` is the sale's own. What costs nothing moves nothing."""
    if not amount:
        return []
    return _revenue("sale", wallet, giving, amount, event_at, RunningTenth(), reference=f"sale:{number}")


def take_back(wallet: Wallet, entries: list[Entry]) -> None:
    """Undo what `charge` or `sale` did to a wallet, as long as its entries were not posted."""
    for entry in entries:
        if entry.debit == wallet.subscriber_id:
            wallet.move(entry.amount)
        else:
            wallet.given -= entry.amount


def gift(wallet: Wallet, account: Account, cause: str, amount: int, now: int, question: int) -> list[Entry]:
    """Take a gift, whole, for a cause; `question` is the number of the question that was answered with YES."""
    wallet.move(-amount)
    credit = account(gifts_account(cause))
    return [_entry("gift", wallet.subscriber_id, credit, amount, wallet.currency, now, f"gift:{question}")]


def top_up(wallet: Wallet, account: Account, amount: int, now: int, reference: str) -> list[Entry]:
    """Put in money that the customer paid."""
    wallet.move(amount)
    return [_entry("topup", account(CASH), wallet.subscriber_id, amount, wallet.currency, now, reference)]


def opening(subscriber_id: int, account: Account, amount: int, currency: str, now: int, iccid: str) -> list[Entry]:
    """Book what a line brought along; its wallet is made with that balance."""
    return (
        [_entry("opening", account(OPENING), subscriber_id, amount, currency, now, f"import:{iccid}")] if amount else []
    )


def settlement(wallet: Wallet, account: Account, now: int, order_id: int) -> list[Entry]:
    """Bring a wallet to what is still held of it: the rest is owed to the customer, or written off (decision 010)."""
    amount = wallet.available
    if not amount:
        return []
    wallet.move(-amount)
    debit, credit = (
        (wallet.subscriber_id, account(REFUNDS)) if amount > 0 else (account(WRITE_OFFS), wallet.subscriber_id)
    )
    return [_entry("settlement", debit, credit, abs(amount), wallet.currency, now, f"order:{order_id}")]


def _revenue(
    kind: str,
    wallet: Wallet,
    giving: Giving,
    amount: int,
    event_at: int,
    running: RunningTenth,
    *,
    usage_id: int | None = None,
    reference: str | None = None,
) -> list[Entry]:
    entry = Entry(
        kind=kind,
        debit=wallet.subscriber_id,
        credit=giving.account(REVENUE),
        amount=amount,
        currency=wallet.currency,
        event_at=event_at,
        usage_id=usage_id,
        reference=reference,
    )
    wallet.move(-amount)
    accruals = accrue(entry, giving.shares, giving.policy, giving.account, running)
    wallet.given += sum(accrual.amount for accrual in accruals)
    return [entry, *accruals]


def _entry(kind: str, debit: int, credit: int, amount: int, currency: str, now: int, reference: str) -> Entry:
    return Entry(
        kind=kind, debit=debit, credit=credit, amount=amount, currency=currency, event_at=now, reference=reference
    )
