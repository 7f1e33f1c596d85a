"""Events of texts for the log, beside those of the links. No number stands in it."""

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


TextEvent = GivenUp | AnswersLimited
