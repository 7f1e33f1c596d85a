"""Answers about subscribers: what an import did, a top-up, and changes."""

import msgspec

from gateway.subscribers.views import SubscriberChange


class ImportedRow(msgspec.Struct, frozen=True):
    """What became of a row of `subscriber import`; `message` says why it was refused, or what differs."""

    outcome: str
    subscriber_id: str | None
    message: str


class ImportedRows(msgspec.Struct, frozen=True):
    """What became of each row, in their order."""

    results: list[ImportedRow]


class ToppedUp(msgspec.Struct, frozen=True):
    """A wallet after a payment; `repeated` where the payment was booked before."""

    subscriber_id: str
    balance: str
    currency: str
    repeated: bool


class SubscriberChanges(msgspec.Struct, frozen=True):
    """The changes of a subscriber, the first one first."""

    subscriber_id: str
    rows: list[SubscriberChange]


class SubscriberErased(msgspec.Struct, frozen=True):
    """Who was forgotten, by the id that the books have, and what: how many rows of which tables.

    `kept` are gifts and Gift Aid declarations that tax law has us keep, sealed, until their time is over.
    """

    subscriber_id: str
    rows: dict[str, int]
    kept: dict[str, int]
