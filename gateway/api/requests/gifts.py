"""Requests about gifts to causes, and Gift Aid declarations for them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.api.conversion import refused_as
from gateway.api.requests.fields import MAX_CHANNEL, MONTH, MONTH_WANTED, PRINTABLE, MaybeText, Text, whole


class GiveGift(msgspec.Struct, frozen=True):
    """A gift of a line to a cause, in major units of the wallet's currency; the same reference again gives nothing more."""

    number: Text
    cause: Text
    amount: Text
    currency: Text
    reference: Text


class NamedGift(msgspec.Struct, frozen=True):
    """A gift of a line, by the number that it has."""

    number: Text
    gift: Text


class DeclareGiftAid(msgspec.Struct, frozen=True):
    """A natural person's Gift Aid declaration to a cause, for gifts of a line: name and home address, as HMRC has them.

    `channel` is how it reached us, `wording` the version of HMRC's words that the person agreed to; `covers_from` is a day,
    empty for today.
    """

    number: Text
    cause: Text
    first_name: Text
    last_name: Text
    house: Text
    postcode: Text
    channel: Annotated[str, Meta(min_length=1, max_length=MAX_CHANNEL, pattern=PRINTABLE)]
    wording: Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE)]
    title: MaybeText = ""
    covers_from: MaybeText = ""


class CancelGiftAid(msgspec.Struct, frozen=True):
    """The end of a line's declaration to a cause."""

    number: Text
    cause: Text


class ExportGiftAid(msgspec.Struct, frozen=True):
    """The Gift Aid schedule of a month (2026-11) for one cause."""

    cause: Text
    period: Annotated[str, Meta(pattern=whole(MONTH), extra=refused_as("gift-aid.period", MONTH_WANTED))]
