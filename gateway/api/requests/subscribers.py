"""Requests about subscribers: importing, finding and erasing them, their top-ups and causes."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import (
    MAX_CHANNEL,
    PRINTABLE,
    Currency,
    Limit,
    MaybeText,
    Number,
    Reason,
    Rows,
    Text,
    whole,
)


class ImportSubscribers(msgspec.Struct, frozen=True):
    """Lines that are live already, a row each; `accept_checksum` takes ICCIDs whose check digit is not right."""

    rows: Rows
    accept_checksum: bool = False


class ShowSubscriber(msgspec.Struct, frozen=True):
    """A subscriber by any of its numbers: MSISDN, IMSI or ICCID."""

    number: Text


class TopUpSubscriber(msgspec.Struct, frozen=True):
    """Money paid in: `amount` in major units, `reference` the payment's own, `key` what a repeated request repeats."""

    number: Text
    amount: Text
    currency: Currency
    reference: Text
    key: MaybeText = ""


class ChooseCause(msgspec.Struct, frozen=True):
    """The causes of a subscriber from now on, each as `cause` or `cause=percent`.

    `channel` is how the customer agreed, such as call or app, `wording` the version of what the customer was asked.
    """

    number: Text
    causes: Annotated[list[str], Meta(extra=refused_as("cause.invalid", "a list of `cause` or `cause=percent`"))]
    channel: Annotated[str, Meta(max_length=MAX_CHANNEL, pattern=PRINTABLE)] = ""
    wording: Annotated[str, Meta(max_length=64, pattern=PRINTABLE)] = ""


class EraseSubscriber(msgspec.Struct, frozen=True):
    """Whom to forget: the id of a customer whose line has ended, or a number that it had, and why."""

    subscriber: Text
    reason: Reason


class ListSubscribers(msgspec.Struct, frozen=True):
    """Subscribers above the number `after`."""

    after: Number = 0
    limit: Limit = None


class FindSubscribers(msgspec.Struct, frozen=True):
    """Subscribers who have a number that ends in `tail`."""

    tail: Annotated[str, Meta(pattern=whole("[0-9]{3,20}"), extra=refused_as("subscriber.tail", "3 to 20 digits"))]
