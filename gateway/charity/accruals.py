"""The tenth of a final charge, as journal entries: giving expense -> payable to each chosen cause."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from gateway.charity.choices import Share
from gateway.charity.policies import WHOLE, Policy
from gateway.ledger.account_names import GIVING, UNASSIGNED
from gateway.ledger.accounts import cause_account
from gateway.ledger.entries import Entry

REVERSAL = "accrual_reversal"
"""The kind of entries by which a tenth is taken back."""


class RunningTenth(msgspec.Struct, array_like=True):
    """What the charges of one session came to so far (micro-units), and what rounding still owes each part of their tenth.

    `owed` is in basis points of a micro-unit, in the order of the causes' ids; empty where nothing is owed. Many small charges
    come to the tenth of their sum, and each part to its share of that, as one large charge would.
    """

    base: int = 0
    owed: list[int] = []
    unaccrued: int = 0
    """What of the charges was paid by credit of the company, or left out by the rule: nothing accrues on it."""

    def add(self, amount: int, policy: Policy) -> int:
        """Add a charge and give the tenth that it adds."""
        before = policy.tenth(self.base) if self.base else 0
        self.base += amount
        return policy.tenth(self.base) - before

    def split(self, amount: int, shares: Sequence[int]) -> list[int]:
        """Split a tenth by shares (basis points of one whole) to the largest remainder; equal ones by their order."""
        owed = self.owed if len(self.owed) == len(shares) else [0] * len(shares)
        parts = [amount * share // WHOLE for share in shares]
        owed = [before + amount * share % WHOLE for before, share in zip(owed, shares, strict=True)]
        for i in sorted(range(len(shares)), key=lambda i: -owed[i])[: amount - sum(parts)]:
            parts[i] += 1
            owed[i] -= WHOLE
        self.owed = owed if any(owed) else []
        return parts


def accrue(
    charge: Entry, shares: tuple[Share, ...], policy: Policy, account: Callable[[str], int], running: RunningTenth
) -> list[Entry]:
    """Make the accruals of one final charge; a part that comes to nothing makes none.

    `charge` is the entry wallet -> revenue; `account` gives a system account's number by its name; `running` is what was
    charged before, and is carried on.
    """
    tenth = running.add(charge.amount, policy)
    if len(shares) == 1 and shares[0].share == WHOLE and not running.owed:  # one cause gets all of it, as nearly always
        return _entries("accrual", charge, policy, ((shares[0], tenth),), account)
    chosen = _in_order(shares)
    parts = running.split(tenth, [part.share for part in chosen])
    return _entries("accrual", charge, policy, zip(chosen, parts, strict=True), account)


def leave_out(
    charge: Entry, shares: tuple[Share, ...], policy: Policy, account: Callable[[str], int], running: RunningTenth
) -> list[Entry]:
    """Make no accrual of a charge that the rule leaves out, in place of `accrue`: it counts in no running tenth."""
    del shares, policy, account
    running.unaccrued += charge.amount
    return []


def take_back(
    refund: Entry, shares: tuple[Share, ...], policy: Policy, account: Callable[[str], int], rest: RunningTenth
) -> list[Entry]:
    """Take back the tenth of a part of a price that is given back: as much as the tenth of all was more than that of the rest.

    `refund` is the entry revenue -> wallet; `rest` has the base that stays; shares and policy are those of the sale.
    """
    chosen = _in_order(shares)
    parts = RunningTenth().split(rest.add(refund.amount, policy), [part.share for part in chosen])
    return _entries(REVERSAL, refund, policy, zip(chosen, parts, strict=True), account)


def _entries(
    kind: str, moved: Entry, policy: Policy, parts: Iterable[tuple[Share, int]], account: Callable[[str], int]
) -> list[Entry]:
    """Book the parts of a tenth on what was moved: to each cause, or from it where the tenth is taken back."""
    giving, booked = account(GIVING), []
    for part, amount in parts:
        if not amount:
            continue
        cause = account(UNASSIGNED if part.cause == UNASSIGNED else cause_account(part.cause))
        debit, credit = (cause, giving) if kind == REVERSAL else (giving, cause)
        entry = Entry(
            kind=kind,
            debit=debit,
            credit=credit,
            amount=amount,
            currency=moved.currency,
            event_at=moved.event_at,
            usage_id=moved.usage_id,
            base=moved.amount,
            policy=policy.id,
            share=part.share,
            reference=moved.reference,
        )
        booked.append(entry)
    return booked


def _in_order(shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """What nobody chose a cause for is held where it shows, until the company decides."""
    chosen = shares or (Share(UNASSIGNED, WHOLE),)
    return tuple(sorted(chosen, key=lambda part: part.cause)) if len(chosen) > 1 else chosen
