"""The tenth of a final charge, as journal entries: giving expense -> payable to each chosen cause."""

from collections.abc import Callable

from gateway.charity.choices import Share
from gateway.charity.policies import WHOLE, Policy
from gateway.ledger.accounts import GIVING, UNASSIGNED, cause_account
from gateway.ledger.entries import Entry


def accrue(charge: Entry, shares: tuple[Share, ...], policy: Policy, account: Callable[[str], int]) -> list[Entry]:
    """Make the accruals of one final charge; a price of nothing, or a part that rounds to nothing, makes none.

    `charge` is the entry wallet -> revenue; `account` gives a system account's number by its name.
    """
    parts = shares or (Share(UNASSIGNED, WHOLE),)  # held there, visibly, until the company decides
    entries = []
    for part in parts:
        amount = policy.accrual(charge.amount, part.share)
        if amount:
            name = UNASSIGNED if part.cause == UNASSIGNED else cause_account(part.cause)
            entries.append(
                Entry(
                    kind="accrual",
                    debit=account(GIVING),
                    credit=account(name),
                    amount=amount,
                    currency=charge.currency,
                    event_at=charge.event_at,
                    usage_id=charge.usage_id,
                    base=charge.amount,
                    policy=policy.id,
                    share=part.share,
                    reference=charge.reference,
                )
            )
    return entries
