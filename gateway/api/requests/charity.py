"""Requests about causes: registers, months confirmed, payouts, bank details, reports and evidence."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import DAY, DAY_WANTED, MAX_ROWS, MONTH, MONTH_WANTED, PRINTABLE, YEAR, Number, whole

Period = Annotated[str, Meta(pattern=whole(MONTH), extra=refused_as("charity.period", MONTH_WANTED))]
YearOrMonth = Annotated[
    str,
    Meta(
        pattern=whole(f"{YEAR}|{MONTH}"),
        extra=refused_as("charity.period", f"a year as YYYY, or {MONTH_WANTED}"),
    ),
]
Day = Annotated[str, Meta(pattern=whole(DAY), extra=refused_as("charity.day", DAY_WANTED))]
MaybeDay = Annotated[
    str,
    Meta(
        pattern=whole(f"(?:{DAY})?"),
        extra=refused_as("charity.day", f"{DAY_WANTED}, or nothing for today"),
    ),
]
ReceiptReference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=PRINTABLE,
        extra=refused_as("charity.reference", "1 to 64 printable characters"),
    ),
]
Hash = Annotated[
    str, Meta(pattern=whole("[0-9a-f]{64}"), extra=refused_as("payout.hash", "a SHA-256 of 64 hexadecimal digits"))
]
MAX_FILE: Final = 7 << 20
"""Characters of a bank's file as base64: a body has 8 MiB at most."""
MOST_SEED: Final = 128
"""Characters of the seed of a sample."""
MOST_DRAWN: Final = 500
"""Bills of a sample."""
File = Annotated[str, Meta(max_length=MAX_FILE, extra=refused_as("charity.file", "base64 of a file of at most 5 MiB"))]
CauseId = Annotated[str, Meta(min_length=1, max_length=64, pattern=whole("[a-z0-9-]+"))]
Currency = Annotated[
    str, Meta(pattern=whole("[A-Z]{3}"), extra=refused_as("charity.currency", "a currency such as GBP"))
]
Amount = Annotated[str, Meta(max_length=24, extra=refused_as("charity.amount", "an amount such as 12.50"))]
Regulator = Annotated[
    Literal["GB-CHC", "GB-SC", "US-EIN"], Meta(extra=refused_as("charity.register", "one of GB-CHC, GB-SC, US-EIN"))
]
Basis = Annotated[Literal["profit", "turnover"], Meta(extra=refused_as("charity.basis", "profit or turnover"))]
RegisterRows = Annotated[
    list[dict[str, str]],
    Meta(max_length=MAX_ROWS, extra=refused_as("charity.register", "rows of number, name and status")),
]


class ConfirmMonth(msgspec.Struct, frozen=True):
    """The month whose tenths are confirmed: the one after the last that was."""

    period: Period


class MakePayout(msgspec.Struct, frozen=True):
    """A month that was confirmed, or is by this, and the day on which the bank pays."""

    period: Period
    day: Day


class NamePayout(msgspec.Struct, frozen=True):
    """A payment file by its SHA-256."""

    sha256: Hash


class BankFile(msgspec.Struct, frozen=True):
    """A file of the charity account's bank, as base64."""

    file: File


class ProposeBank(msgspec.Struct, frozen=True):
    """The account that a cause is to be paid to: a JSON object as text."""

    cause: CauseId
    currency: Currency
    account: Annotated[str, Meta(max_length=1000)]


class ApproveBank(msgspec.Struct, frozen=True):
    """Bank details that somebody proposed, by their number: to show or to approve."""

    details: Number


class Remittances(msgspec.Struct, frozen=True):
    """What causes are told of a month; with `cause` that one alone, and then with `language` also as it is written to it."""

    period: Period
    cause: Annotated[str, Meta(max_length=64)] = ""
    language: Annotated[
        Literal["", "en", "fr", "es"], Meta(extra=refused_as("charity.language", "en, fr or es, and a cause with it"))
    ] = ""


class Cover(msgspec.Struct, frozen=True):
    """The end of a day."""

    day: Day


class ImportRegister(msgspec.Struct, frozen=True):
    """What an extract of a register says of our causes' numbers."""

    regulator: Regulator
    extracted_on: Day
    rows: RegisterRows


class BookMatchPaid(msgspec.Struct, frozen=True):
    """What a campaign's matcher paid into the charity account on a day, by the payer's reference; `back`: it was taken back."""

    campaign: CauseId
    amount: Amount
    reference: ReceiptReference
    day: MaybeDay = ""
    back: bool = False


class BookTransfer(msgspec.Struct, frozen=True):
    """What the company moved into the charity account on a day, by its reference; `back`: it took it out."""

    amount: Amount
    currency: Currency
    reference: ReceiptReference
    day: MaybeDay = ""
    back: bool = False


class ProfitShare(msgspec.Struct, frozen=True):
    """A profit, or turnover, of a year or month; without `book` it is only reckoned."""

    period: YearOrMonth
    amount: Amount
    basis: Basis = "profit"
    book: bool = False


class Report(msgspec.Struct, frozen=True):
    """A month, perhaps with another policy to compare: `policy` is an object of id, base, rate, tax and exclusions.

    With `public` it is what was published of the month alone.
    """

    period: Period
    public: bool = False
    policy: Annotated[dict[str, object] | None, Meta(extra=refused_as("charity.policy", "an object of a policy"))] = (
        None
    )


class ReportDocument(msgspec.Struct, frozen=True):
    """A report of a month that a person reads; `reader` is company, public, or cause: and the id of one."""

    period: Period
    reader: Annotated[
        str,
        Meta(
            pattern=whole("company|public|cause:[a-z0-9-]{1,64}"),
            extra=refused_as("charity.reader", "company, public, or cause: and the id of one"),
        ),
    ] = "company"
    format: Annotated[Literal["text", "json", "pdf"], Meta(extra=refused_as("charity.format", "text, json or pdf"))] = (
        "text"
    )
    language: Annotated[Literal["en", "fr", "es"], Meta(extra=refused_as("charity.language", "en, fr or es"))] = "en"


class BillEvidence(msgspec.Struct, frozen=True):
    """A bill by its number; `named`: with its causes, for an auditor alone."""

    bill: Number
    named: bool = False


class CommitMonth(msgspec.Struct, frozen=True):
    """A month that is closed."""

    period: Period


class NamePack(msgspec.Struct, frozen=True):
    """An evidence pack by its SHA-256."""

    sha256: Annotated[
        str,
        Meta(pattern=whole("[0-9a-f]{64}"), extra=refused_as("evidence.hash", "a SHA-256 of 64 hexadecimal digits")),
    ]


class AuditSample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many bills of a closed month are drawn, by which seed; `named`: with their causes, for an auditor alone.

    A name that is none is refused: what was meant by it would be drawn otherwise, and a month has only so many samples.
    """

    period: Period
    seed: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MOST_SEED,
            pattern=PRINTABLE,
            extra=refused_as("evidence.seed", "1 to 128 printable characters"),
        ),
    ]
    sample: Annotated[int, Meta(ge=1, le=MOST_DRAWN, extra=refused_as("evidence.sample", "1 to 500 bills"))] = 50
    named: bool = False
