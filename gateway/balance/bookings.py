"""The entries that move a wallet, one function for each kind (ledger.postings): nothing else makes an entry of its own.

Each moves the wallet in memory and gives the entries that say so; a charge and a sale come with the tenth that accrues on them.
Whoever decides posts them with its batch (`Books.post`).
"""

from collections.abc import Callable

import msgspec

from gateway.balance import credit
from gateway.balance.allowance_entries import AllowanceEntry, granted
from gateway.balance.allowances import CREDIT, MONEY, PROMOTION, Allowance
from gateway.balance.credit import UNDIVIDED
from gateway.balance.wallets import Wallet
from gateway.charity.accruals import RunningTenth, accrue
from gateway.charity.choices import Share
from gateway.charity.policies import Policy
from gateway.ledger.account_names import (
    ABSORBED,
    BREAKAGE,
    BREAKAGE_VAT,
    CASH,
    OPENING,
    PROMOTIONS,
    REFUNDS,
    REVENUE,
    SERVICE_CHARGES,
    WRITE_OFFS,
)
from gateway.ledger.accounts import gifts_account
from gateway.ledger.allowance_kinds import EXPIRY
from gateway.ledger.entries import Entry

Account = Callable[[str], int]
"""Gives a system account's number by its name."""
Accrue = Callable[[Entry, tuple[Share, ...], Policy, Account, RunningTenth], list[Entry]]
"""Makes the accruals of a charge (charity.accruals)."""


class Giving(msgspec.Struct, frozen=True, gc=False):
    """What the tenth of a charge goes by: the policy in force, the customer's shares at the time of use, the accounts."""

    policy: Policy
    shares: tuple[Share, ...]
    account: Account
    promotions_last: bool = False
    """Whether credit that the company gave pays after what customers paid in."""
    accrue: Accrue = accrue
    """Makes the tenth: `accrue`, or `leave_out` of what the rule leaves out. Which one is known before the charge is."""


class Booked(msgspec.Struct, frozen=True, gc=False):
    """What moved a wallet: entries of the journal, and of the credits that paid."""

    entries: list[Entry]
    uses: list[AllowanceEntry]


def charge(wallet: Wallet, giving: Giving, amount: int, event_at: int, usage_id: int, running: RunningTenth) -> Booked:
    """Charge the price of a usage record; `running` is what its session was charged so far, and is carried on."""
    return _revenue("charge", wallet, giving, amount, event_at, running, usage_id=usage_id)


def absorb(account: Account, amount: int, currency: str, event_at: int, usage_id: int) -> list[Entry]:
    """Book what a usage record comes to beyond the customer's limit: no wallet is moved, and no tenth accrues."""
    if not amount:
        return []
    entry = Entry("absorbed", account(ABSORBED), account(REVENUE), amount, currency, event_at, usage_id=usage_id)
    return [entry]


def service_charge(wallet: Wallet, account: Account, amount: int, event_at: int, usage_id: int) -> Booked:
    """Charge what the called party of a number for services has of a usage record's price: no tenth accrues on it.

    Credit of the company does not pay for it.
    """
    parts = credit.take_paid(wallet, amount) if wallet.allowances else []
    wallet.move(-amount)
    entry = Entry(
        kind="service",
        debit=wallet.subscriber_id,
        credit=account(SERVICE_CHARGES),
        amount=amount,
        currency=wallet.currency,
        event_at=event_at,
        usage_id=usage_id,
    )
    return Booked([entry], credit.uses(wallet, parts, event_at, usage_id=usage_id))


def sale(wallet: Wallet, giving: Giving, amount: int, event_at: int, reference: str) -> Booked:
    """Charge the price of a bundle or an add-on. What costs nothing moves nothing."""
    if not amount:
        return Booked([], [])
    return _revenue("sale", wallet, giving, amount, event_at, RunningTenth(), reference=reference)


def paid(booked: Booked) -> int:
    """Return what of a sale was paid by the customer's own money, in micro-units."""
    return sum(entry.amount for entry in booked.entries if entry.kind == "sale")


def sale_reference(wallet: Wallet, number: int, *, whole: bool) -> str:
    """Name the sale of a bundle by its number, as its entries and those of its allowance do.

    One at the whole price of its plan, paid by the customer alone, can be held against the plan, and be put right if that was
    wrong; of others (`part:`) the price depends on the day, or the credit.
    """
    return f"{'sale' if whole and not credit.promotional(wallet) else 'part'}:{number}"


def take_back(wallet: Wallet, entries: list[Entry], uses: list[AllowanceEntry]) -> None:
    """Undo what `charge` or `sale` did to a wallet, as long as its entries were not posted."""
    credit.give_back(wallet, uses)
    for entry in entries:
        if entry.debit == wallet.subscriber_id:
            wallet.move(entry.amount)
        else:
            wallet.given -= entry.amount


def gift(wallet: Wallet, account: Account, cause: str, amount: int, now: int, question: int) -> Booked:
    """Take a gift, whole, for a cause; `question` is the number of the question that was answered with YES.

    Whoever asks knows that the customer's own money suffices (`own_money`).
    """
    parts, reference = credit.take_paid(wallet, amount), f"gift:{question}"
    wallet.move(-amount)
    to = account(gifts_account(cause))
    entries = [_entry("gift", wallet.subscriber_id, to, amount, wallet.currency, now, reference)]
    return Booked(entries, credit.uses(wallet, parts, now, reference=reference))


def own_money(wallet: Wallet) -> int:
    """Return what a customer may give away: what nobody holds, without credit of the company or of a payer, not on credit."""
    return wallet.balance - wallet.reserved - credit.promotional(wallet) - wallet.lent


def promotion(wallet: Wallet, account: Account, amount: int, ends_at: int, now: int, number: int) -> Booked:
    """Give a customer credit until a time (microseconds); `number` becomes that of its allowance."""
    given = Allowance("", ends_at, {MONEY: amount}, id=number, starts_at=now, kind=PROMOTION)
    wallet.add_allowance(given)
    wallet.move(amount)
    reference = f"promotion:{number}"
    entry = _entry("promotion", account(PROMOTIONS), wallet.subscriber_id, amount, wallet.currency, now, reference)
    return Booked([entry], granted(given, wallet.subscriber_id, now, reference))


def lapse(wallet: Wallet, account: Account, ended: Allowance, amount: int, vat: int, now: int, number: int) -> Booked:
    """Take what is left of a credit that ended: back to the company's promotions, or as breakage and its tax.

    `vat` is the rate in hundredths of a percent; it is within the amount. `number` is that of the lapse.
    """
    ended.take(MONEY, amount)
    wallet.move(-amount)
    owner, reference = wallet.subscriber_id, f"lapse:{number}"
    tax = credit.tax_within(amount, vat) if ended.kind == CREDIT else 0
    parts = (
        [("lapse", PROMOTIONS, amount)]
        if ended.kind == PROMOTION
        else [("breakage", BREAKAGE, amount - tax), ("breakage_vat", BREAKAGE_VAT, tax)]
    )
    entries = [
        _entry(kind, owner, account(name), part, wallet.currency, now, reference) for kind, name, part in parts if part
    ]
    taken = AllowanceEntry(owner, ended.id, EXPIRY, MONEY, -amount, now, reference=reference)
    return Booked(entries, [taken])


def top_up(
    wallet: Wallet, account: Account, amount: int, now: int, reference: str, ends: tuple[int, int] | None
) -> Booked:
    """Put in money that the customer paid; with `ends` it is credit that ends at a time, and that is its number."""
    wallet.move(amount)
    entries = [_entry("topup", account(CASH), wallet.subscriber_id, amount, wallet.currency, now, reference)]
    if ends is None:
        return Booked(entries, [])
    paid = Allowance("", ends[0], {MONEY: amount}, id=ends[1], starts_at=now, kind=CREDIT)
    wallet.add_allowance(paid)
    return Booked(entries, granted(paid, wallet.subscriber_id, now, f"topup:{paid.id}"))


def opening(subscriber_id: int, account: Account, amount: int, currency: str, now: int, iccid: str) -> list[Entry]:
    """Book what a line brought along; its wallet is made with that balance."""
    return (
        [_entry("opening", account(OPENING), subscriber_id, amount, currency, now, f"import:{iccid}")] if amount else []
    )


def settlement(wallet: Wallet, account: Account, now: int, reference: str) -> list[Entry]:
    """Bring a wallet to what is still held of it: the rest is owed to the customer, or written off (decision 010)."""
    amount = wallet.balance - wallet.reserved
    if not amount:
        return []
    wallet.move(-amount)
    debit, credit = (
        (wallet.subscriber_id, account(REFUNDS)) if amount > 0 else (account(WRITE_OFFS), wallet.subscriber_id)
    )
    return [_entry("settlement", debit, credit, abs(amount), wallet.currency, now, reference)]


def payment(wallet: Wallet, account: Account, amount: int, event_at: int, reference: str) -> Entry:
    """Book a payment of a bill; it ends never, whatever credit that is topped up does."""
    wallet.move(amount)
    return _entry("payment", account(CASH), wallet.subscriber_id, amount, wallet.currency, event_at, reference)


def chargeback(
    wallet: Wallet, account: Account, amount: int, event_at: int, reference: str, *, of_credit: int
) -> Booked:
    """Book what a bank took back of a payment, or of a top-up; the wallet may go below zero by it.

    `of_credit` of it is taken from credit that ends, where there is any: its end would take the same money a second time.
    """
    parts = credit.take_paid(wallet, of_credit) if of_credit else []
    wallet.move(-amount)
    entry = _entry("chargeback", wallet.subscriber_id, account(CASH), amount, wallet.currency, event_at, reference)
    return Booked([entry], credit.uses(wallet, parts, event_at, reference=reference))


def write_off(wallet: Wallet, account: Account, amount: int, now: int, reference: str) -> Entry:
    """Write off what a customer owes on bills: it was never paid, so that no tenth of it is confirmed."""
    wallet.move(amount)
    return _entry("settlement", account(WRITE_OFFS), wallet.subscriber_id, amount, wallet.currency, now, reference)


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
) -> Booked:
    how = credit.split(wallet, amount, promotions_last=giving.promotions_last) if wallet.allowances else UNDIVIDED
    entry = Entry(
        kind=kind,
        debit=wallet.subscriber_id,
        credit=giving.account(REVENUE),
        amount=amount - how.promotional,
        currency=wallet.currency,
        event_at=event_at,
        usage_id=usage_id,
        reference=reference,
    )
    wallet.move(-amount)
    entries = []
    if entry.amount:
        accruals = giving.accrue(entry, giving.shares, giving.policy, giving.account, running)
        for accrual in accruals:
            wallet.given += accrual.amount
        entries = [entry, *accruals]
    if not how.parts:
        return Booked(entries, [])
    if how.promotional:
        entries.append(msgspec.structs.replace(entry, kind="promotional", amount=how.promotional))
        running.unaccrued += how.promotional
    return Booked(entries, credit.uses(wallet, how.parts, event_at, usage_id=usage_id, reference=reference))


def _entry(kind: str, debit: int, credit: int, amount: int, currency: str, now: int, reference: str) -> Entry:
    return Entry(
        kind=kind, debit=debit, credit=credit, amount=amount, currency=currency, event_at=now, reference=reference
    )
