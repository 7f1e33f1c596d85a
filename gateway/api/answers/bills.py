"""Answers about bills; amounts are decimal strings in major units, times RFC 3339."""

import msgspec

from gateway.events.times import Timestamp


class CloseSums(msgspec.Struct, frozen=True):
    """What the bills of a close come to in a currency: what they moved balances by, what is due, and the tenth."""

    currency: str
    moved: str
    due: str
    given: str


class CloseView(msgspec.Struct, frozen=True):
    """A close of a month; `state` is running, closed or reopened."""

    period: str
    revision: int
    state: str
    bills: int
    credit_notes: int
    sums: list[CloseSums]
    begun_at: Timestamp
    begun_by: str
    closed_at: Timestamp | None
    reopening_by: str
    reopened_by: str
    reason: str


class Closes(msgspec.Struct, frozen=True):
    """Every close, the first one first."""

    rows: list[CloseView]


class BillRow(msgspec.Struct, frozen=True):
    """A bill or credit note in a list; the line's number is masked."""

    series: str
    number: int
    period: str
    subscriber_id: str
    msisdn: str | None
    issued_at: Timestamp
    opening: str
    closing: str
    due: str
    due_at: Timestamp | None
    currency: str


class BillPage(msgspec.Struct, frozen=True):
    """A page of bills; `next` is the `after` of the next one, None on the last."""

    rows: list[BillRow]
    next: int | None


class LineView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a bill; one of tax or of a fee has its name, kind (`tax`), state and rate in percent, as the taxes name it."""

    section: str
    what: str
    amount: str
    count: int = 0
    traffic: str = ""
    octets: int = 0
    seconds: int = 0
    units: int = 0
    note: int = 0
    name: str = ""
    tax: str = ""
    state: str = ""
    rate: str = ""


class ItemView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call, text, data session, sale or payment."""

    at: Timestamp
    section: str
    what: str
    amount: str
    traffic: str = ""
    destination: str = ""
    octets: int = 0
    seconds: int = 0
    units: int = 0


class TaxView(msgspec.Struct, frozen=True):
    """The tax within prices at one rate, in percent."""

    jurisdiction: str
    rate: str
    gross: str
    net: str
    tax: str


class YearMonth(msgspec.Struct, frozen=True):
    """A month of the year so far."""

    period: str
    charged: str
    given: str


class CauseOfBill(msgspec.Struct, frozen=True):
    """A cause that the line gives to, and its part of the tenth in percent."""

    cause: str
    percent: str


class BillView(msgspec.Struct, frozen=True):
    """A whole bill; `items` is null where it is not itemised, `causes` where whoever asks may not see them, or did not ask."""

    series: str
    number: int
    period: str
    subscriber_id: str
    msisdn: str
    issued_at: Timestamp
    currency: str
    plan: str
    opening: str
    closing: str
    due: str
    due_at: Timestamp | None
    payment_reference: str
    final: bool
    replaces: int | None
    credit_notes: list[int]
    lines: list[LineView]
    taxes: list[TaxView]
    given: str
    given_in_year: str
    gifts_in_year: str
    year: list[YearMonth]
    items: list[ItemView] | None
    causes: list[CauseOfBill] | None


class BillShown(msgspec.Struct, frozen=True):
    """A bill in the form that was asked for: `text`, or `pdf` (base64); the other is empty."""

    bill: BillView
    text: str = ""
    pdf: bytes = b""


class PreviewSums(msgspec.Struct, frozen=True):
    """What a section of the bills of a month would come to."""

    section: str
    what: str
    currency: str
    count: int
    amount: str


class Previewed(msgspec.Struct, frozen=True):
    """What the bills of a month would come to, if it were closed now.

    `closed_first` is a month before it that has to be closed first, and is in none of the rows; empty where there is none.
    `has_earlier`: no month was ever closed, so that the first one has all that was before it.
    """

    period: str
    over: bool
    lines: int
    rows: list[PreviewSums]
    closed_first: str = ""
    has_earlier: bool = False


class OverdueRow(msgspec.Struct, frozen=True):
    """A line that owes on bills: its number is masked, `overdue` of what is outstanding is past its date, `gifts`
    of it are gifts, which are paid last."""

    subscriber_id: str
    msisdn: str | None
    state: str
    since: Timestamp
    bill: int
    due: str
    outstanding: str
    overdue: str
    gifts: str
    currency: str
    due_at: Timestamp | None
    next_at: Timestamp | None


class OverduePage(msgspec.Struct, frozen=True):
    """A page of lines that owe; `next` is the `after` of the next one, None on the last."""

    rows: list[OverdueRow]
    next: int | None


class LinePaid(msgspec.Struct, frozen=True):
    """What became of a line of a bank's file: paid, repeated, taken_back, unmatched or refused; `message` says why.

    A line that is paid has one where another channel told of as much for the same line a few days before: of the same payment?
    """

    reference: str
    outcome: str
    bill: int | None = None
    message: str = ""


class LinesPaid(msgspec.Struct, frozen=True):
    """What became of each line, in their order."""

    results: list[LinePaid]


class BillPaid(msgspec.Struct, frozen=True):
    """A line's balance after a payment of a bill; `repeated` where the payment was booked before.

    `warning`: another channel told of as much for the same line a few days before, perhaps of the same payment; else empty.
    """

    bill: int
    subscriber_id: str
    balance: str
    currency: str
    repeated: bool
    warning: str
