"""Events of texts for the log, beside those of the links. No number stands in it but masked."""

import msgspec


class GivenUp(msgspec.Struct, frozen=True):
    """A part was sent as often as its link lets it, and the SMSC never answered; `state` is what became of its text."""

    name: str
    text_id: int
    part: int
    attempts: int
    state: str


class AnswersLimited(msgspec.Struct, frozen=True):
    """A number has had all its automatic answers of an hour; `subject` is its pseudonym."""

    name: str
    short_code: str
    subject: str


class UnmatchedReceipt(msgspec.Struct, frozen=True):
    """A delivery receipt of a link settled no text: why, its message id and `stat`, and the masked number that it is about."""

    name: str
    reason: str
    message_id: str
    stat: str
    number: str


class SwitchingAsked(msgspec.Struct, frozen=True):
    """A customer asks to switch: `request` is PAC, STAC or INFO, `to` where it was sent, `subject` the customer's pseudonym."""

    name: str
    request: str
    to: str
    subject: str


TextEvent = GivenUp | AnswersLimited | UnmatchedReceipt | SwitchingAsked
