"""What comes into the charity account, and is no payment to a cause: what matchers pay for gifts, what the company moves there.

The tenth is the company's own money until it stands in the charity account; what a campaign matched is its matcher's until that
has paid. Each line of the bank, and each reference of a command, is booked once. The same lines taken back are booked the other
way round.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

import msgspec
from sqlalchemy import Connection, func, insert, select

from gateway.bank.camt import BOOKED, BankLine
from gateway.ledger import accounts
from gateway.ledger.account_names import CASH, CHARITY_BANK
from gateway.ledger.balances import account_names
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.ledger.money import MICRO
from gateway.store.batch import Batch, Unit
from gateway.store.idempotency import KeyConflict
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import accounts as account_rows
from gateway.store.tables import bank_lines, matched_sums, transfers

MATCH_PAID, MATCH_BACK = "match_paid", "match_back"
TRANSFER, TRANSFER_BACK = "transfer", "transfer_back"
"""Kinds of their entries."""
RECEIVED: Final = "received"
"""What is kept of their lines in the place of an outcome."""
KINDS: Final = (MATCH_PAID, MATCH_BACK, TRANSFER, TRANSFER_BACK)
LARGEST: Final = 1_000_000_000 * MICRO
"""Micro-units: a receipt beyond it is a mistake of whoever wrote it."""
_WORD: Final = re.compile(r"[a-z0-9-]+", re.ASCII)


class Receipt(msgspec.Struct, frozen=True):
    """Money that came into the charity account, or with `back` left it again: micro-units, the event's time in microseconds.

    `campaign` is whose matcher paid it, empty for the company's own; `identity` is a bank line's, or made of a command's
    reference.
    """

    identity: str
    reference: str
    campaign: str
    amount: int
    currency: str
    event_at: int
    """Microseconds; 0: as it is booked, where the bank names no day."""
    back: bool = False

    @property
    def kind(self) -> str:
        """The kind of its entry."""
        if self.campaign:
            return MATCH_BACK if self.back else MATCH_PAID
        return TRANSFER_BACK if self.back else TRANSFER

    @property
    def booked_as(self) -> str:
        """The reference of its entry."""
        return f"matched:{self.campaign}:{self.reference}" if self.campaign else f"transfer:{self.reference}"


class Senders(msgspec.Struct, frozen=True):
    """By what a bank's lines are known: the campaigns' ids, with their currencies, and the company's own word.

    `currencies` are those of the accounts that causes are paid from: money in another one is none that stands in them.
    """

    campaigns: Mapping[str, str] = {}
    own: str = ""
    currencies: frozenset[str] = frozenset()


NOBODY: Final = Senders()


def identity_of(campaign: str, reference: str) -> str:
    """Make what a command's receipt is known by, as a line of the bank is by its own."""
    return hashlib.sha256(f"command\x00{campaign}\x00{reference}".encode()).hexdigest()[:32]


def receipt_of(line: BankLine, senders: Senders, event_at: int) -> Receipt | str | None:
    """Read what a bank's line is: a receipt, why it is none though it names one, or None."""
    if line.status != BOOKED or (line.credit and line.returned):
        return None
    words = set(_WORD.findall(f"{line.remittance} {line.end_to_end_id}".lower()))
    named = sorted(words & senders.campaigns.keys())
    is_own = bool(senders.own) and senders.own.lower() in words
    if len(named) + is_own != 1:
        return "it names several campaigns or senders" if named else None
    if line.currency not in senders.currencies:
        return f"charity.accounts has none in {line.currency}"
    campaign = named[0] if named else ""
    if campaign and senders.campaigns[campaign] != line.currency:
        return f"campaign {campaign} is in {senders.campaigns[campaign]}"
    if not 0 < line.amount <= LARGEST:
        return "its amount is nothing, or more than a billion"
    return Receipt(line.identity, line.identity, campaign, line.amount, line.currency, event_at, back=not line.credit)


def book_receipts(batch: Batch, receipts: Iterable[Receipt]) -> int:
    """Book what was not booked before; gives how many were."""
    wanted = {each.identity: each for each in receipts}
    known = set(batch.connection.scalars(select(bank_lines.c.identity).where(bank_lines.c.identity.in_(list(wanted)))))
    new = [each for identity, each in wanted.items() if identity not in known]
    for each in new:
        batch.policy(Books).post(batch, [_entry(batch, each)])
        row = {"identity": each.identity, "at": batch.now, "payment_id": 0, "outcome": RECEIVED}
        batch.connection.execute(insert(bank_lines).values(row))
    return len(new)


def _entry(batch: Batch, receipt: Receipt) -> Entry:
    name = accounts.matcher_account(receipt.campaign) if receipt.campaign else CASH
    for row in accounts.ensure(batch.connection, [name]).made:
        batch.prove(account_rows, row)
    books = batch.policy(Books)
    into, of = books.account(CHARITY_BANK), books.account(name)
    return Entry(
        kind=receipt.kind,
        debit=of if receipt.back else into,
        credit=into if receipt.back else of,
        amount=receipt.amount,
        currency=receipt.currency,
        event_at=min(receipt.event_at or batch.now, batch.now),
        reference=receipt.booked_as,
    )


class BookReceipt(Unit):
    """Book one receipt by hand: tells whether it was booked now; the same reference for another one is a conflict."""

    alone: ClassVar[bool] = True

    receipt: Receipt

    def decide(self, batch: Batch) -> bool | KeyConflict:
        """Book it."""
        own, receipt = transfers.c, self.receipt
        same = (own.kind.in_(KINDS), own.reference == receipt.booked_as)
        found = batch.connection.execute(select(own.kind, own.amount, own.currency).where(*same)).first()
        if found is not None and tuple(found) != (receipt.kind, receipt.amount, receipt.currency):
            return KeyConflict(f"reference {receipt.reference!r} was booked before, for something else")
        return bool(book_receipts(batch, [receipt]))


class CampaignSums(msgspec.Struct):
    """What a campaign matched so far and what its matcher paid, in micro-units; below zero `owed` was paid ahead."""

    currency: str
    matched: int = 0
    received: int = 0

    @property
    def owed(self) -> int:
        """What its matcher owes."""
        return self.matched - self.received


def campaign_sums(connection: Connection, until: int | None = None) -> dict[str, list[CampaignSums]]:
    """Sum what was matched and paid of each campaign, by currency, before a time; from the journal."""
    prefix = accounts.matcher_account("")
    known = {number: name for number, name in account_names(connection).items() if name.startswith(prefix)}
    found: dict[tuple[str, str], CampaignSums] = {}
    for number, kind, currency, amount in _moved(connection, list(known), until):
        key = (known[number].removeprefix(prefix), currency)
        sums = found.setdefault(key, CampaignSums(currency))
        if kind in KINDS:
            sums.received += amount
        else:
            sums.matched -= amount
    campaigns: dict[str, list[CampaignSums]] = {}
    for (campaign, _), sums in sorted(found.items()):
        campaigns.setdefault(campaign, []).append(sums)
    return campaigns


def known_campaigns(connection: Connection) -> dict[str, str]:
    """Return campaigns that ever matched a gift, with their currencies; one may be gone from the settings and owed still."""
    rows = connection.execute(select(matched_sums.c.campaign, matched_sums.c.currency))
    return {row.campaign: row.currency for row in rows}


def booked_balance(connection: Connection, until: int) -> dict[str, int]:
    """Return what the charity account stands at by the books before a time, by currency: by the day that the bank says."""
    numbers = [number for number, name in account_names(connection).items() if name == CHARITY_BANK]
    sums: dict[str, int] = {}
    for _, _, currency, amount in _moved(connection, numbers, until):
        sums[currency] = sums.get(currency, 0) - amount
    return sums


def _moved(connection: Connection, numbers: list[int], until: int | None) -> Iterable[tuple[int, str, str, int]]:
    """Return, by account, kind and currency, credits less debits of what happened before a time."""
    own = transfers.c
    with parts(connection) as found:
        for part in found:
            for side, sign in ((own.credit, 1), (own.debit, -1)):
                wanted = select(side, own.kind, own.currency, func.sum(own.amount)).where(side.in_(numbers))
                if until is not None:
                    wanted = wanted.where(own.event_at < until)
                for number, kind, currency, amount in part.connection.execute(
                    wanted.group_by(side, own.kind, own.currency)
                ):
                    yield number, kind, currency, sign * int(amount)
