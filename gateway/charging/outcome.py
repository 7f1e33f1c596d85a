"""What a charging request came to, in no protocol's terms: what the store keeps of an answer, and what a protocol renders.

A stored outcome begins with its version. A field is added at the end and with a default; whatever else changes what is stored
is a new version, and the old one is still read for as long as answers are kept.
"""

from enum import StrEnum
from typing import Final

import msgspec

VERSION: Final = 1
CHANGING: Final = 2
"""The version of outcomes that tell of a change of tariff; all others are as they were."""
ENQUIRED: Final = 3
"""The tag of answers to enquiries, which are never stored."""


class Outcome(StrEnum):
    """What a request, or one item of it, came to. The store has these words."""

    SUCCESS = "success"
    UNKNOWN_SESSION = "unknown_session"
    UNKNOWN_SUBSCRIBER = "unknown_subscriber"
    SERVICE_DENIED = "service_denied"
    CREDIT_LIMIT_REACHED = "credit_limit_reached"
    RATING_FAILED = "rating_failed"

    __hash__ = str.__hash__
    """That of the word, which it is equal to; an Enum's own is a Python function, called for each answer that is looked up."""


class ItemOutcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of one item: `granted` units of the service, None where no quota was given; `final` if there is no more."""

    code: Outcome
    rating_group: int | None
    service_identifier: tuple[int, ...]
    granted: int | None = None
    final: bool = False
    command_level: bool = False


class RequestOutcome(msgspec.Struct, frozen=True, array_like=True, tag=VERSION):
    """Everything that the answer to a request says, but for who answers.

    `message` is why the request as a whole is refused, for people. `validity` and `quota_holding` (seconds) and `threshold`
    (percentage of a grant) are the terms that quota was granted on: a repeat is answered on the same, whatever holds by then.
    """

    code: Outcome
    request_type: int
    request_number: int
    service: str
    message: str
    items: tuple[ItemOutcome, ...]
    validity: int
    threshold: int
    quota_holding: int


class ChangingOutcome(RequestOutcome, frozen=True, array_like=True, tag=CHANGING):
    """An outcome that grants units which begin to cost something else at `tariff_change` (microseconds)."""

    tariff_change: int


class EnquiryOutcome(RequestOutcome, frozen=True, array_like=True, tag=ENQUIRED):
    """What an enquiry came to: whether the wallet can pay (None where that was not asked), or the price in micro-units."""

    enough: bool | None = None
    cost: int | None = None
    currency: str = ""


class RenderedAnswer(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """A stored answer of a version that kept the octets which went out: there is nothing left to render.

    It is tagged as no outcome is, so that either can cross from the write lane's process.
    """

    body: bytes


class OutcomeUnreadable(ValueError):
    """The store has an outcome that this version cannot read, such as one of a later version."""


encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[RequestOutcome | ChangingOutcome]
_decoder = msgspec.msgpack.Decoder(RequestOutcome | ChangingOutcome)
_RENDERED: Final = b"\0"
"""Rendered answers are Diameter AVPs and begin with the code of one, which is below 2^24; an encoded array never does."""


def decode(stored: bytes) -> RequestOutcome | RenderedAnswer:
    """Read a stored outcome. OutcomeUnreadable says what is wrong with it."""
    if stored.startswith(_RENDERED):
        return RenderedAnswer(stored)
    try:
        return _decoder.decode(stored)
    except msgspec.DecodeError as error:
        message = (
            f"a stored answer cannot be read as an outcome of version {VERSION}, was it a later gateway's? {error}"
        )
        raise OutcomeUnreadable(message) from error
