"""Answers about causes; amounts are decimal strings in major units."""

import msgspec


class CauseRow(msgspec.Struct, frozen=True):
    """A cause and whether it may be paid today: `obstacle` says why not, `register` what its register said, how long ago.

    `registered_as` is the name that the register has under its number: whoever vets the cause compares it with `name`.

    `successor_by` is who named its successor, when, and by what. Of a closed cause without one: since which day it is closed,
    until which its customers were asked to choose another (empty while they are being asked), and what becomes of what it
    cannot be paid then: `held` or `unassigned`.
    """

    id: str
    name: str
    country: str
    regulator: str
    number: str
    open: bool
    vetting: str
    currency: str
    transmit_within: int | None
    register: str
    register_age: int | None
    obstacle: str
    statement: str
    editors: list[str]
    successor: str
    successor_by: str = ""
    closed_on: str = ""
    asked_until: str = ""
    after_asking: str = ""
    registered_as: str = ""


class CauseRows(msgspec.Struct, frozen=True):
    """The causes of the file."""

    rows: list[CauseRow]


class StandingRow(msgspec.Struct, frozen=True):
    """What is owed to a cause, by state; `oldest` is the month from which the oldest unpaid money is, `days` its age."""

    stream: str
    cause: str
    currency: str
    confirmed: str
    payable: str
    instructed: str
    paid: str
    oldest: str
    days: int | None
    agreed: int | None


class MonthConfirmed(msgspec.Struct, frozen=True):
    """What is confirmed by now; `repeated`: the month was confirmed before."""

    period: str
    repeated: bool
    rows: list[StandingRow]


class PayoutFile(msgspec.Struct, frozen=True):
    """A payment file: its name, SHA-256, and content as base64; `state` is made or approved."""

    name: str
    sha256: str
    currency: str
    state: str
    payments: int
    total: str
    content: str


class PayoutSkipped(msgspec.Struct, frozen=True):
    """What is payable and is in no file."""

    stream: str
    cause: str
    currency: str
    amount: str
    why: str


class PayoutMade(msgspec.Struct, frozen=True):
    """The files of a payout, one a currency, and what is in none."""

    period: str
    files: list[PayoutFile]
    skipped: list[PayoutSkipped]


class PaymentsSettled(msgspec.Struct, frozen=True):
    """What came of a bank's file: payments by outcome, lines that were read before, and lines that matched nothing."""

    paid: int
    returned: int
    rejected: int
    repeated: int
    unmatched: list[str]
    received: int = 0
    """Lines of what matchers paid, and of what the company moved."""


class CampaignRow(msgspec.Struct, frozen=True):
    """A matching campaign: what its matcher pledged, what was matched of it, what the matcher paid and owes.

    `pledged` is None of one that stands in no settings any more.
    """

    campaign: str
    matcher: str
    currency: str
    pledged: str | None
    matched: str
    received: str
    owed: str


class CampaignRows(msgspec.Struct, frozen=True):
    """The campaigns."""

    rows: list[CampaignRow]


class ReceiptBooked(msgspec.Struct, frozen=True):
    """What came into the charity account, or left it, and whether it was booked before; `campaign` is empty of a transfer."""

    campaign: str
    amount: str
    currency: str
    reference: str
    repeated: bool


class BankDetails(msgspec.Struct, frozen=True):
    """Bank details by their number; `valid_from` is RFC 3339, None until somebody else approves them."""

    details: str
    cause: str
    currency: str
    valid_from: str | None


class BankDetailsRow(msgspec.Struct, frozen=True):
    """Bank details with who stands for them, without the account."""

    details: str
    cause: str
    currency: str
    proposed_at: str
    proposed_by: str
    approved_by: str | None
    valid_from: str | None


class BankDetailsRows(msgspec.Struct, frozen=True):
    """All bank details, the latest first."""

    rows: list[BankDetailsRow]


class BankAccountShown(msgspec.Struct, frozen=True):
    """The account of bank details: what whoever approves them compares with what the cause said."""

    details: str
    cause: str
    currency: str
    name: str
    sort_code: str
    account: str
    iban: str
    bic: str
    routing: str


class RemittanceRow(msgspec.Struct, frozen=True):
    """opening + accrued + reversed + paid + carried = closing, which the states make up.

    `oldest` is the month from which the oldest money is that waits today, `days` its age, of the days that were `agreed`.
    """

    stream: str
    cause: str
    currency: str
    opening: str
    accrued: str
    reversed: str
    paid: str
    carried: str
    closing: str
    waiting: str
    confirmed: str
    payable: str
    instructed: str
    oldest: str = ""
    days: int | None = None
    agreed: int | None = None


class RemittanceRows(msgspec.Struct, frozen=True):
    """What causes are told of a month; each is confidential to its cause. `advice` is what one is written, in a language."""

    period: str
    rows: list[RemittanceRow]
    advice: str = ""


class CoverRow(msgspec.Struct, frozen=True):
    """Whether the charity account covers what is owed: `balance` and its day are the bank's, None where it never said.

    `owed_by_matchers` is what `needed` leaves out of gifts that wait; `booked` is the account by the books at the end of the
    bank's day, `unbooked` what the bank has beyond that: 0 where they agree.
    """

    currency: str
    balance: str | None
    balance_day: str | None
    needed: str
    difference: str | None
    covered: bool
    owed_by_matchers: str
    booked: str
    unbooked: str | None


class CoverRows(msgspec.Struct, frozen=True):
    """The cover at the end of a day, by currency."""

    day: str
    rows: list[CoverRow]


class RegisterImported(msgspec.Struct, frozen=True):
    """What an extract said of our causes' numbers."""

    regulator: str
    extracted_on: str
    registered: int
    not_registered: list[str]


class ShareRow(msgspec.Struct, frozen=True):
    """A cause's part of a profit share; `weight` is what was confirmed of its tenths."""

    cause: str
    weight: str
    amount: str


class ProfitShared(msgspec.Struct, frozen=True):
    """A quarter of a profit or turnover, and what a quarter of the journal's turnover would be; `seal` is the latest."""

    period: str
    basis: str
    amount: str
    share: str
    turnover: str
    share_of_turnover: str
    currency: str
    booked: bool
    repeated: bool
    seal: str
    rows: list[ShareRow]


class ReportRow(msgspec.Struct, frozen=True):
    """What a cause was given of a month: tenths by the rules in force, and by another one (None where none is compared)."""

    cause: str
    currency: str
    accrued: str
    other: str | None


class ClosedCauseRow(msgspec.Struct, frozen=True):
    """What stands of a closed cause without a successor, now: what is held for it, and what went to `unassigned`."""

    cause: str
    stream: str
    currency: str
    closed_on: str
    asked_until: str
    held: str
    unassigned: str


class CharityReport(msgspec.Struct, frozen=True):
    """A month for the company: by cause, in all, and what was published of it; `policy` is the one it is compared with."""

    period: str
    policy: str | None
    rows: list[ReportRow]
    published: list[ReportRow]
    closed: list[ClosedCauseRow] = []


class ReportFigures(msgspec.Struct, frozen=True):
    """A cause's figures of a month by their names: opening to closing, or what was published."""

    cause: str
    stream: str
    currency: str
    amounts: dict[str, str]


class ReportMonth(msgspec.Struct, frozen=True):
    """What a cause was given in a month of the year, less what was taken back."""

    period: str
    cause: str
    currency: str
    amount: str


class ReportMade(msgspec.Struct, frozen=True):
    """A report for its reader: the figures, and the year up to them; `text` or `pdf` where that is asked for."""

    period: str
    reader: str
    rows: list[ReportFigures]
    year: list[ReportMonth]
    text: str = ""
    pdf: bytes = b""


class PackMade(msgspec.Struct, frozen=True):
    """An evidence pack: a .tar.gz as base64, with its SHA-256; `bills` of the month's `of` are in it, `key` proves it.

    `unsealed` is how many of its rows no day's seal proves, as they were booked since.
    """

    name: str
    period: str
    kind: str
    bills: int
    of: int
    claim: str
    key: str
    sha256: str
    unsealed: int
    pack: str


class AuditMade(msgspec.Struct, frozen=True):
    """What was made of a month for an auditor: the pack is fetched by its SHA-256, within `kept_seconds`."""

    period: str
    bills: int
    of: int
    unsealed: int
    claim: str
    key: str
    sha256: str
    octets: int
    kept_seconds: int


class CommitmentMade(msgspec.Struct, frozen=True):
    """What is told of a month's bills before a sample is drawn: the file as base64, and its signature."""

    period: str
    bills: int
    root: str
    commitment: str
    signature: str


class Cause(msgspec.Struct, frozen=True):
    """A charity that may be chosen: where it is registered, and under which number.

    `statement` is what customers have to be told: how much it gets, and how that is determined (Charities Act 1992 s.60(3)).
    """

    id: str
    name: str
    country: str
    regulator: str | None
    number: str | None
    open: bool
    statement: str | None


class Causes(msgspec.Struct, frozen=True):
    """The causes that may be chosen."""

    causes: list[Cause]
