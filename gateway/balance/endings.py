"""What becomes of allowances before their time: their line ends, or its plan is changed and the rest of a bundle given back."""

from collections.abc import Callable

from gateway.balance import bookings
from gateway.balance.allowance_entries import emptied
from gateway.balance.allowances import BUNDLE, MONEY, PROMOTION, UNITS, Allowance
from gateway.balance.bookings import Account, Booked, Giving
from gateway.balance.wallets import Wallet
from gateway.charity.accruals import RunningTenth, take_back
from gateway.ledger.account_names import REVENUE
from gateway.ledger.allowance_kinds import FORFEIT
from gateway.ledger.entries import Entry
from gateway.rating.billing_days import part_of
from gateway.subscribers.status import TERMINATED


def settle(
    wallet: Wallet, account: Account, now: int, order_id: int, take_id: Callable[[], int], *, is_billed: bool = False
) -> Booked:
    """Settle a wallet whose line has ended: every allowance has an entry that says what became of it.

    Credit of the company goes back to it; what the customer paid in is owed to the customer, also credit that would have ended;
    units are no more. Nothing is renewed, or lent, any longer. What a line owes that pays at the end of the month, or was asked
    for it by a bill (`is_billed`), stands until its last bill is paid, or written off (billing.dunning), also when its card is
    retired: its credit limit says so till then.
    """
    booked, reference = Booked([], []), f"order:{order_id}"
    for allowance in wallet.allowances:
        if allowance.kind == PROMOTION:
            amount = min(allowance.left[MONEY], max(0, wallet.balance - wallet.reserved))
            _join(booked, bookings.lapse(wallet, account, allowance, amount, 0, now, take_id()) if amount else None)
        else:
            booked.uses.extend(emptied(allowance, wallet.subscriber_id, now, FORFEIT, reference=reference))
    wallet.allowances = [each for each in wallet.allowances if each.left.get(MONEY)]
    bills_follow = (wallet.credit_limit > 0 or is_billed) and wallet.balance < wallet.reserved
    wallet.renewal, wallet.changed = None, True
    if not bills_follow:
        wallet.credit_limit = 0
        booked.entries.extend(bookings.settlement(wallet, account, now, reference))
    return booked


def settle_late(wallet: Wallet, account: Account, now: int, reference: str) -> list[Entry]:
    """Settle what came in, or was given back, for a line that has ended: nothing else would, once its card is retired.

    `reference` is that of the payment or refund. What it owes is asked for by its bills.
    """
    if wallet.status != TERMINATED or wallet.balance <= wallet.reserved:
        return []
    return bookings.settlement(wallet, account, now, reference)


def leave_bundles(wallet: Wallet, plan: str, giving: Callable[[int], Giving], now: int) -> Booked:
    """Give back the price of a plan's bundles for the time that is left of them, to the micro-unit, and the tenth of that.

    `giving` tells what the tenth of a sale went by at its time (microseconds). What is left of their units is no more.
    """
    booked = Booked([], [])
    for allowance in [each for each in wallet.allowances if each.kind == BUNDLE and each.plan == plan]:
        if allowance.ends_at <= now:
            continue
        amount = part_of(allowance.price, now, (allowance.starts_at, allowance.ends_at))
        reference = f"pro-rata:{allowance.id}"
        booked.uses.extend(emptied(allowance, wallet.subscriber_id, now, FORFEIT, UNITS, reference))
        allowance.ends_at = now
        if amount:
            booked.entries.extend(_given_back(wallet, giving(allowance.starts_at), allowance, amount, now, reference))
    wallet.changed = True
    return booked


def _given_back(
    wallet: Wallet, giving: Giving, allowance: Allowance, amount: int, now: int, reference: str
) -> list[Entry]:
    entry = Entry(
        kind="pro_rata",
        debit=giving.account(REVENUE),
        credit=wallet.subscriber_id,
        amount=amount,
        currency=wallet.currency,
        event_at=now,
        reference=reference,
    )
    wallet.move(amount)
    allowance.price -= amount
    reversals = take_back(entry, giving.shares, giving.policy, giving.account, RunningTenth(allowance.price))
    wallet.given -= sum(each.amount for each in reversals)
    return [entry, *reversals]


def _join(booked: Booked, more: Booked | None) -> None:
    if more is not None:
        booked.entries.extend(more.entries)
        booked.uses.extend(more.uses)
