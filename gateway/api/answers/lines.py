"""Answers about one line: its allowances, terms, taxes, preferences, add-ons and credit."""

import msgspec

from provisioning.orders import OrderState


class AllowanceRow(msgspec.Struct, frozen=True):
    """What is left of an allowance for one service: octets, seconds or texts, or money in major units."""

    id: str
    kind: str
    plan: str | None
    service: str
    left: str
    held: str
    zones: list[str]
    ends_at: str


class LinePreferences(msgspec.Struct, frozen=True):
    """How a customer is written to: in which language (null: the operator's), and whether bills tell of calls one by one."""

    subscriber_id: str
    language: str | None
    itemised: bool


class LineTerms(msgspec.Struct, frozen=True):
    """Whether a line's bundle is renewed, on which day of the month, when next, and how far its balance may go below zero."""

    subscriber_id: str
    billing_day: int | None
    consent_at: str | None
    next_at: str | None
    credit_limit: str
    currency: str


class LineTaxArea(msgspec.Struct, frozen=True):
    """Where a line is taxed, and from when on; `known`: taxes that are added there are in the gateway's taxes."""

    subscriber_id: str
    state: str
    zip: str
    valid_from: str
    known: bool


class LinePrices(msgspec.Struct, frozen=True):
    """By which version of its plan a line is charged from now on, and by which it was; the same where nothing changed."""

    subscriber_id: str
    plan: str
    version_before: int | None
    version: int | None


class Allowances(msgspec.Struct, frozen=True):
    """A line's allowances, and on what terms it has them."""

    rows: list[AllowanceRow]
    terms: LineTerms


class FamilyOf(msgspec.Struct, frozen=True):
    """Who pays for a line beside its own wallet, and at most how much a calendar month; None for nobody, and for no cap."""

    subscriber_id: str
    payer: str | None
    cap: str | None
    currency: str


class AddOnTaken(msgspec.Struct, frozen=True):
    """An add-on that a line has; `repeated` where the reference bought it before."""

    subscriber_id: str
    ends_at: str
    price: str
    balance: str
    currency: str
    repeated: bool


class CreditGiven(msgspec.Struct, frozen=True):
    """A wallet with the credit that the company gave; `repeated` where the reference gave it before."""

    subscriber_id: str
    balance: str
    currency: str
    ends_at: str
    repeated: bool


class LineChanged(msgspec.Struct, frozen=True):
    """A line's other plan or number: done in our books, or the order that has its host changed first."""

    subscriber_id: str | None
    order: str | None
    state: OrderState
