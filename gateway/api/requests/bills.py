"""Requests about bills: previews, closes, bills and credit notes, and what was paid for them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import (
    DAY,
    DAY_WANTED,
    MAX_PAGE,
    MONTH,
    MONTH_WANTED,
    Currency,
    Limit,
    MaybeReason,
    MaybeText,
    Number,
    Text,
    whole,
)

Period = Annotated[str, Meta(pattern=whole(MONTH), extra=refused_as("bill.period", MONTH_WANTED))]
MaybePeriod = Annotated[str, Meta(pattern=whole(f"(?:{MONTH})?"), extra=refused_as("bill.period", MONTH_WANTED))]


class BillMonth(msgspec.Struct, frozen=True):
    """A calendar month on the operator's clock, such as 2026-11."""

    period: Period


class PreviewMonth(msgspec.Struct, frozen=True):
    """What the bills of a month would come to now; with `number` that line's alone."""

    period: Period
    number: MaybeText = ""


class ReopenClosedMonth(msgspec.Struct, frozen=True):
    """Ask for a closed month to be reopened, with a reason; or confirm what another person asked for."""

    period: Period
    reason: MaybeReason = ""
    confirm: bool = False


class ShowBill(msgspec.Struct, frozen=True):
    """A line's bill of a month; `causes` needs the right to see them, and is noted.

    What is left out, whether it is itemised and in which `language` it is, is as the customer prefers.
    """

    number: Text
    period: Period
    format: Annotated[Literal["text", "json", "pdf"], Meta(extra=refused_as("bill.format", "text, json or pdf"))] = (
        "json"
    )
    itemised: bool | None = None
    causes: bool = False
    language: Annotated[Literal["", "en", "fr", "es"], Meta(extra=refused_as("bill.language", "en, fr or es"))] = ""


class ShowNote(msgspec.Struct, frozen=True):
    """A credit note by its number, in a form and a language as a bill."""

    note: Number
    format: Annotated[Literal["text", "json", "pdf"], Meta(extra=refused_as("bill.format", "text, json or pdf"))] = (
        "json"
    )
    language: Annotated[Literal["", "en", "fr", "es"], Meta(extra=refused_as("bill.language", "en, fr or es"))] = ""


class ListOverdue(msgspec.Struct, frozen=True):
    """A page of the lines that owe on bills, those numbered above `after`."""

    after: Number = 0
    limit: Limit = None


class ListBills(msgspec.Struct, frozen=True):
    """A page of bills, those behind the number `after` of their series; of one month, or one line, where these are named."""

    after: Number = 0
    limit: Limit = None
    period: MaybePeriod = ""
    number: MaybeText = ""
    notes: bool = False


class BankLineSaid(msgspec.Struct, frozen=True):
    """A booked line of a bank's file: `date` is YYYY-MM-DD, `texts` what may name a bill.

    `account` is which one it is of, as the file calls it; null where the file says none.
    """

    reference: Text
    amount: Text
    currency: Currency
    date: Annotated[str, Meta(pattern=whole(DAY), extra=refused_as("payment.date", DAY_WANTED))]
    credit: bool
    returned: MaybeText = ""
    payer_reference: MaybeText = ""
    texts: Annotated[
        list[MaybeText], Meta(max_length=8, extra=refused_as("payment.texts", "a list of at most 8 texts"))
    ] = []
    account: MaybeText | None = None


class PaidLines(msgspec.Struct, frozen=True):
    """Lines of a bank's file, in their order."""

    lines: Annotated[
        list[BankLineSaid], Meta(max_length=MAX_PAGE, extra=refused_as("payment.lines", f"at most {MAX_PAGE} lines"))
    ]


class PayBillOnce(msgspec.Struct, frozen=True):
    """A payment of a bill by its number; the same reference again books nothing."""

    bill: Number
    amount: Text
    currency: Currency
    reference: Text
