"""Requests about one line: renewal, taxes, preferences, limits, add-ons, credit, another plan or number."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import (
    MONTH,
    MONTH_WANTED,
    PRINTABLE,
    Currency,
    Limit,
    MaybeText,
    Number,
    Reason,
    Text,
    whole,
)
from gateway.notices.kinds import NoticeKind


class SetRenewal(msgspec.Struct, frozen=True):
    """Whether the customer agreed to renewals of the bundle, and the day on which its periods begin.

    What is left out, null or 0 stays as it is: who moves a billing day has not agreed to anything.
    """

    number: Text
    reason: Reason
    consent: bool | None = None
    billing_day: Annotated[int, Meta(ge=0, le=31)] = 0


class SetTaxArea(msgspec.Struct, frozen=True):
    """Where the line that has a number is taxed from now on, and why: a state of two capital letters, and a ZIP."""

    number: Text
    state: Annotated[
        str, Meta(pattern=whole("[A-Z]{2}"), extra=refused_as("tax.area", "a state of two capital letters"))
    ]
    zip: Annotated[str, Meta(pattern=whole("[0-9]{5}"), extra=refused_as("tax.area", "a ZIP of five digits"))]
    reason: Reason


class SetPreferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the customer of the line that has a number wants to be written to, and why: what is null stays as it is.

    An empty language is the operator's.
    """

    OBJECT_CODE: ClassVar[str] = "preferences.invalid"

    number: Text
    reason: Reason
    language: Annotated[
        Literal["", "en", "es", "fr"] | None, Meta(extra=refused_as("preferences.invalid", "en, es, fr or nothing"))
    ] = None
    itemised: Annotated[bool | None, Meta(extra=refused_as("preferences.invalid", "true or false"))] = None


class AgreeToPrices(msgspec.Struct, frozen=True):
    """The customer of the line that has a number agreed to the prices of today; `reason` says how."""

    number: Text
    reason: Reason


class SetCreditLimit(msgspec.Struct, frozen=True):
    """How far the line that has a number may go below zero, in major units, and why."""

    number: Text
    amount: Text
    reason: Reason


class SetPayer(msgspec.Struct, frozen=True):
    """Whose wallet pays for a line beside its own, at most `cap` a month in major units; without a payer nobody's does."""

    number: Text
    reason: Reason
    payer: MaybeText = ""
    cap: MaybeText = ""


class BuyAddOn(msgspec.Struct, frozen=True):
    """An add-on of the line's plan; `reference` is the buyer's own, and buys once."""

    number: Text
    add_on: Text
    reference: Text


class GiveCredit(msgspec.Struct, frozen=True):
    """Credit of the company for a line, in major units, that ends after so many days, once a reference."""

    number: Text
    amount: Text
    currency: Currency
    days: Annotated[int, Meta(ge=1, le=3660)]
    reference: Text


Effective = Annotated[
    Literal["", "pro-rata", "renewal"],
    Meta(extra=refused_as("order.effective", "pro-rata, renewal, or nothing for at once")),
]


class ChangePlan(msgspec.Struct, frozen=True):
    """Another plan for the line that has a number, and why; `key` is what a repeated request repeats.

    It begins at once, with the rest of a bundle's price given back (`pro-rata`), or when what was paid for ends (`renewal`).
    """

    number: Text
    plan: Text
    reason: Reason
    key: MaybeText = ""
    effective: Effective = ""


class ChangeNumber(msgspec.Struct, frozen=True):
    """Another number for the line that has one, and why; `returning` takes it out of quarantine for its last customer."""

    number: Text
    msisdn: Text
    reason: Reason
    returning: bool = False
    key: MaybeText = ""


class DecideLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer decided about a limit: `decision` set (with `amount`), removed or agreed; `what` is bill or abroad.

    `channel` is how it reached us, such as contract, call or app, `wording` the version of what the customer was asked. A bill
    limit is set, or removed, for all months, or with `period` for one.
    """

    OBJECT_CODE: ClassVar[str] = "limit.invalid"

    number: Text
    decision: Annotated[
        Literal["set", "removed", "agreed"], Meta(extra=refused_as("limit.invalid", "set, removed or agreed"))
    ]
    channel: Annotated[
        str,
        Meta(min_length=1, max_length=32, pattern=PRINTABLE, extra=refused_as("limit.invalid", "how it reached us")),
    ]
    wording: Reason
    amount: MaybeText = ""
    period: Annotated[
        str, Meta(pattern=whole(f"(?:{MONTH})?"), extra=refused_as("limit.period", f"{MONTH_WANTED}, or nothing"))
    ] = ""
    what: Annotated[Literal["bill", "abroad"], Meta(extra=refused_as("limit.invalid", "bill or abroad"))] = "bill"


class ListNotices(msgspec.Struct, frozen=True):
    """A page of notices to customers."""

    after: Number = 0
    limit: Limit = None
    number: MaybeText = ""
    kind: Annotated[NoticeKind, Meta(extra=refused_as("params.kind"))] | None = None
