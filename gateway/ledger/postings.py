"""What may be booked: each kind of entry with the accounts that it debits and credits and the evidence it carries.

One literal table. The check of the books and docs/postings.md derive from it; a kind or a pair of accounts that no row of it
has is a finding. `python -m gateway.ledger.postings` writes the page; a test compares it.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from gateway.ledger.account_names import (
    ABSORBED,
    ADDED_TAX,
    BREAKAGE,
    BREAKAGE_VAT,
    CASH,
    CHARITY_BANK,
    GIFT_PREFIXES,
    GIVING,
    HIGHEST_SYSTEM,
    OPENING,
    PROFIT_SHARE,
    PROMOTIONS,
    REFUNDS,
    REVENUE,
    SERVICE_CHARGES,
    TENTH_PREFIXES,
    UNASSIGNED,
    VAT,
    WRITE_OFFS,
)
from gateway.ledger.accounts import cause_account, gifts_account, matcher_account

PAGE: Final = Path("docs/postings.md")


class AccountClass(StrEnum):
    """Accounts that are alike as far as bookings go."""

    WALLET = "wallet:<subscriber>"
    TAX = "vat:<country>-<percent>"
    ADDED_TAX = "tax:<country>-<state>-<kind>"
    CASH = CASH
    OPENING = OPENING
    REVENUE = REVENUE
    GIVING = GIVING
    CAUSE = "cause:<cause>, unassigned"
    GIFTS = "gifts:<cause>"
    MATCHER = "matcher:<campaign>"
    REFUNDS = REFUNDS
    WRITE_OFFS = WRITE_OFFS
    ABSORBED = ABSORBED
    PROMOTIONS = PROMOTIONS
    BREAKAGE = BREAKAGE
    BREAKAGE_VAT = BREAKAGE_VAT
    SERVICE_CHARGES = SERVICE_CHARGES
    CHARITY_BANK = CHARITY_BANK
    PROFIT_SHARE = PROFIT_SHARE
    CONFIRMED = "confirmed:<cause>"
    PAYABLE = "payable:<cause>"
    INSTRUCTED = "instructed:<cause>"
    GIFTS_CONFIRMED = "gifts-confirmed:<cause>"
    GIFTS_PAYABLE = "gifts-payable:<cause>"
    GIFTS_INSTRUCTED = "gifts-instructed:<cause>"
    UNKNOWN = "an account without a name"


class Evidence(StrEnum):
    """Columns of an entry that prove where it comes from."""

    USAGE = "usage_id"
    REFERENCE = "reference"
    BASE = "base"
    POLICY = "policy"
    SHARE = "share"


class Posting(NamedTuple):
    """A kind of entry: the account classes that it debits and credits, and the evidence it must carry.

    Where `any_of` names evidence, one of it is enough. `unique` names the evidence of which each value is booked once a kind.
    """

    kind: str
    debit: AccountClass
    credit: AccountClass
    evidence: tuple[Evidence, ...]
    meaning: str
    any_of: tuple[Evidence, ...] = ()
    unique: Evidence | None = None


_WAYS: Final = (
    ("confirm", "{accrued}", "{confirmed}", "what customers have paid for, of a month (`month:<period>`)"),
    ("unconfirm", "{confirmed}", "{accrued}", "what is not paid for any more, of a month (`month:<period>`)"),
    (
        "succeed",
        "{confirmed}",
        "{confirmed}",
        "what goes from a closed cause to the one that its regulator or trustees named",
    ),
    ("release", "{confirmed}", "{payable}", "what a cause is to be paid, of a month (`month:<period>`)"),
    ("reclaim", "{payable}", "{confirmed}", "what was released and is not to be paid; below zero it is a receivable"),
    ("instruct", "{payable}", "{instructed}", "a payment in a file that two people stand for (`payment:<number>`)"),
    ("reject", "{instructed}", "{payable}", "a payment that the bank refused (`payment:<number>`)"),
    ("remit", "{instructed}", CHARITY_BANK, "a payment that the bank's statement has (`payment:<number>`)"),
    ("return", CHARITY_BANK, "{payable}", "a payment that came back (`payment:<number>`)"),
)
"""How what is owed to causes moves (charity.tenth_states), for the tenth and for gifts alike."""


def _moves() -> tuple[Posting, ...]:
    """Return a row a way, for the accounts of the tenth and for those of gifts."""
    tenth = {"accrued": "cause:<cause>, unassigned", "confirmed": "confirmed:<cause>"}
    gifts = {"accrued": "gifts:<cause>", "confirmed": "gifts-confirmed:<cause>"}
    tenth |= {"payable": "payable:<cause>", "instructed": "instructed:<cause>"}
    gifts |= {"payable": "gifts-payable:<cause>", "instructed": "gifts-instructed:<cause>"}
    return tuple(
        Posting(
            kind,
            AccountClass(debit.format_map(names)),
            AccountClass(credit.format_map(names)),
            (Evidence.REFERENCE,),
            meaning,
        )
        for kind, debit, credit, meaning in _WAYS
        for names in (tenth, gifts)
    )


_TENTH: Final = (Evidence.BASE, Evidence.POLICY, Evidence.SHARE)
POSTINGS: Final = (
    Posting(
        "opening",
        AccountClass.OPENING,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "what a line brought along when it was imported (`import:<iccid>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "topup",
        AccountClass.CASH,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "money that a customer paid in; the table `payments` keeps each reference once a channel",
    ),
    Posting(
        "charge",
        AccountClass.WALLET,
        AccountClass.REVENUE,
        (Evidence.USAGE,),
        "the price of a usage record",
        unique=Evidence.USAGE,
    ),
    Posting(
        "absorbed",
        AccountClass.ABSORBED,
        AccountClass.REVENUE,
        (Evidence.USAGE,),
        "what a usage record comes to beyond the customer's limit, and is never billed: no tenth accrues on it",
        unique=Evidence.USAGE,
    ),
    Posting(
        "service",
        AccountClass.WALLET,
        AccountClass.SERVICE_CHARGES,
        (Evidence.USAGE,),
        "the part of a usage record's price that the called party has, where no tenth accrues on it",
        unique=Evidence.USAGE,
    ),
    Posting(
        "sale",
        AccountClass.WALLET,
        AccountClass.REVENUE,
        (Evidence.REFERENCE,),
        "the price of a bundle (`sale:<number>`), of one for a part of its period or with credit of the company "
        "(`part:<number>`), of an add-on (`add-on:<number>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "accrual",
        AccountClass.GIVING,
        AccountClass.CAUSE,
        _TENTH,
        "a cause's part of the tenth of a charge or sale",
        any_of=(Evidence.USAGE, Evidence.REFERENCE),
    ),
    Posting(
        "reversal",
        AccountClass.REVENUE,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "the wrong price of a usage record or a bundle, given back whole (`rerate:<rerating>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "accrual_reversal",
        AccountClass.CAUSE,
        AccountClass.GIVING,
        (Evidence.REFERENCE, *_TENTH),
        "a cause's part of the tenth of a wrong price (`rerate:<rerating>`), or of one that is given back (`refund:<number>`, "
        "`pro-rata:<allowance>`)",
    ),
    Posting(
        "rerated",
        AccountClass.WALLET,
        AccountClass.REVENUE,
        (Evidence.REFERENCE,),
        "the right price of a usage record or a bundle that had a wrong one (`rerate:<rerating>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "rerated_accrual",
        AccountClass.GIVING,
        AccountClass.CAUSE,
        (Evidence.REFERENCE, *_TENTH),
        "a cause's part of the tenth of a right price (`rerate:<rerating>`)",
    ),
    Posting(
        "gift",
        AccountClass.WALLET,
        AccountClass.GIFTS,
        (Evidence.REFERENCE,),
        "a gift, whole (`gift:<number>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "settlement",
        AccountClass.WALLET,
        AccountClass.REFUNDS,
        (Evidence.REFERENCE,),
        "what is owed to a customer who left (`order:<number>`), also what came in or was given back later (by its reference)",
    ),
    Posting(
        "settlement",
        AccountClass.WRITE_OFFS,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "what a customer owes and will not be asked for: who left (`order:<number>`), or has not paid a bill (`bill:<number>`)",
    ),
    Posting(
        "promotion",
        AccountClass.PROMOTIONS,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "credit that a customer was given (`promotion:<allowance>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "promotional",
        AccountClass.WALLET,
        AccountClass.REVENUE,
        (),
        "the part of a price that such credit paid: no tenth accrues on it",
        any_of=(Evidence.USAGE, Evidence.REFERENCE),
    ),
    Posting(
        "lapse",
        AccountClass.WALLET,
        AccountClass.PROMOTIONS,
        (Evidence.REFERENCE,),
        "what was left of such credit when it, or the line, ended (`lapse:<number>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "breakage",
        AccountClass.WALLET,
        AccountClass.BREAKAGE,
        (Evidence.REFERENCE,),
        "credit that was paid for and left when it ended, without its tax (`lapse:<number>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "breakage_vat",
        AccountClass.WALLET,
        AccountClass.BREAKAGE_VAT,
        (Evidence.REFERENCE,),
        "the tax on it (`lapse:<number>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "breakage_back",
        AccountClass.BREAKAGE,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "such credit put back, as a bank took back what paid for it (`<channel>:<reference>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "breakage_vatback",
        AccountClass.BREAKAGE_VAT,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "the tax on it put back (`<channel>:<reference>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "refund",
        AccountClass.REVENUE,
        AccountClass.WALLET,
        (Evidence.USAGE, Evidence.REFERENCE),
        "the price of a usage record, given back whole (`refund:<number>`)",
        unique=Evidence.USAGE,
    ),
    Posting(
        "promo_refund",
        AccountClass.REVENUE,
        AccountClass.WALLET,
        (Evidence.USAGE, Evidence.REFERENCE),
        "the part of it that credit of the company had paid, given back as such (`refund:<number>`)",
        unique=Evidence.USAGE,
    ),
    Posting(
        "pro_rata",
        AccountClass.REVENUE,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "the part of a bundle's price for the time that is not used, as its plan was changed (`pro-rata:<allowance>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "family",
        AccountClass.WALLET,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "what the payer of a family lends a member, or gets back (`family:<member>`)",
    ),
    *_moves(),
    Posting(
        "unassign",
        AccountClass.CONFIRMED,
        AccountClass.CAUSE,
        (Evidence.REFERENCE,),
        "what a closed cause without a successor has after its customers were asked, in `unassigned` (`month:<period>`)",
    ),
    Posting(
        "profit_share",
        AccountClass.PROFIT_SHARE,
        AccountClass.CONFIRMED,
        (Evidence.REFERENCE,),
        "a cause's part of the company's profit (`profit:<period>`)",
    ),
    Posting(
        "profit_share",
        AccountClass.PROFIT_SHARE,
        AccountClass.CAUSE,
        (Evidence.REFERENCE,),
        "the part of it for which no cause was chosen (`profit:<period>`)",
    ),
    Posting(
        "payment",
        AccountClass.CASH,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "a payment of a bill (`<channel>:<reference>`); the table `payments` keeps each reference once a channel",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "chargeback",
        AccountClass.WALLET,
        AccountClass.CASH,
        (Evidence.REFERENCE,),
        "what a bank took back of a payment, or of a debit (`<channel>:<reference>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "match",
        AccountClass.MATCHER,
        AccountClass.GIFTS,
        (Evidence.REFERENCE,),
        "what a campaign adds to a gift, owed by its matcher (`match:<gift>:<campaign>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "match_paid",
        AccountClass.CHARITY_BANK,
        AccountClass.MATCHER,
        (Evidence.REFERENCE,),
        "what a campaign's matcher paid for gifts (`matched:<campaign>:<bank line or reference>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "match_back",
        AccountClass.MATCHER,
        AccountClass.CHARITY_BANK,
        (Evidence.REFERENCE,),
        "what was taken back of it",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "transfer",
        AccountClass.CHARITY_BANK,
        AccountClass.CASH,
        (Evidence.REFERENCE,),
        "what the company moved into the charity account (`transfer:<bank line or reference>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "transfer_back",
        AccountClass.CASH,
        AccountClass.CHARITY_BANK,
        (Evidence.REFERENCE,),
        "what it took back from there",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "tax",
        AccountClass.REVENUE,
        AccountClass.TAX,
        (Evidence.REFERENCE,),
        "the tax within what was charged and sold in a day, at one rate (`tax:<day's row>:<place>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "tax",
        AccountClass.SERVICE_CHARGES,
        AccountClass.TAX,
        (Evidence.REFERENCE,),
        "the tax within the service charges of a day",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "tax_back",
        AccountClass.TAX,
        AccountClass.REVENUE,
        (Evidence.REFERENCE,),
        "the tax within more that was given back in a day than charged (`tax:<day's row>:<place>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "tax_back",
        AccountClass.TAX,
        AccountClass.SERVICE_CHARGES,
        (Evidence.REFERENCE,),
        "what rounding of days before took too much off service charges",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "added_tax",
        AccountClass.WALLET,
        AccountClass.ADDED_TAX,
        (Evidence.REFERENCE,),
        "a tax or fee on what a line was charged in a month, by where it is (`added-tax:<row>:<place>`)",
        unique=Evidence.REFERENCE,
    ),
    Posting(
        "added_tax_back",
        AccountClass.ADDED_TAX,
        AccountClass.WALLET,
        (Evidence.REFERENCE,),
        "a tax on more that was given back in a month than charged",
        unique=Evidence.REFERENCE,
    ),
)  # fmt: skip  (a table reads best as one)
KINDS: Final = frozenset(posting.kind for posting in POSTINGS)


CAUSE_SUMS: Final = (*(way[0] for way in _WAYS), "unassign", "profit_share")
"""Kinds of which an entry tells what a single cause is owed or paid of a month: shown with the right `causes` alone."""


def account_class(number: int, names: Mapping[int, str]) -> AccountClass:
    """Return the class of an account by its number; `names` are those of the system accounts."""
    if number >= HIGHEST_SYSTEM:
        return AccountClass.WALLET
    name = names.get(number, "")
    if name == UNASSIGNED or name.startswith(cause_account("")):
        return AccountClass.CAUSE
    if name.startswith(gifts_account("")):
        return AccountClass.GIFTS
    for prefix in (*TENTH_PREFIXES, *GIFT_PREFIXES):
        if name.startswith(prefix):
            return AccountClass(f"{prefix}<cause>")
    if name.startswith(matcher_account("")):
        return AccountClass.MATCHER
    if name.startswith(VAT):
        return AccountClass.TAX
    if name.startswith(ADDED_TAX):
        return AccountClass.ADDED_TAX
    return AccountClass(name) if name in set(AccountClass) else AccountClass.UNKNOWN


def violation(kind: str, debit: AccountClass, credit: AccountClass, carried: Iterable[Evidence]) -> str | None:
    """Say why an entry of these accounts and this evidence may not be booked; None if it may."""
    rows = [posting for posting in POSTINGS if posting.kind == kind]
    if not rows:
        return f"there is no kind {kind!r}"
    row = next((posting for posting in rows if (posting.debit, posting.credit) == (debit, credit)), None)
    if row is None:
        return f"no {kind} debits {debit} and credits {credit}"
    carried = set(carried)
    missing = [str(evidence) for evidence in row.evidence if evidence not in carried]
    if row.any_of and not carried & set(row.any_of):
        missing.append(" or ".join(row.any_of))
    return f"every {kind} carries {', '.join(missing)}" if missing else None


def page() -> str:
    """Return docs/postings.md."""
    lines = [
        "# What may be booked",
        "",
        "Every entry of the journal is one of these kinds. This page is made from `gateway/ledger/postings.py` by",
        "`python -m gateway.ledger.postings`; `tpo ledger check` names each entry that stands in no row of it.",
        "",
        "| kind | debits | credits | carries | once for each | what it is |",
        "|---|---|---|---|---|---|",
    ]
    for row in POSTINGS:
        carries = ", ".join((*row.evidence, *([" or ".join(row.any_of)] if row.any_of else [])))
        lines.append(f"| {row.kind} | {row.debit} | {row.credit} | {carries} | {row.unique or ''} | {row.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
