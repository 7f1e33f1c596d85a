"""The keyword book of a short code: which words ask for which service, and what is answered, as keywords.yaml has it."""

import string
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from gateway.messaging.keywords.normalize import joined, latin, tokens


class Service(StrEnum):
    """What a text may ask for."""

    GIVE = "give"
    YES = "yes"
    NO = "no"
    CAUSE = "cause"
    BALANCE = "balance"
    TENTH = "tenth"
    STOP = "stop"
    START = "start"
    HELP = "help"


class KeywordAnswer(StrEnum):
    """What may be answered; each has one template in each language."""

    ASK = "ask"
    GIVEN = "given"
    HELD = "held"
    WITHDRAWN = "withdrawn"
    NOTHING_ASKED = "nothing_asked"
    DROPPED = "dropped"
    TOO_POOR = "too_poor"
    CAUSES = "causes"
    CHOSEN = "chosen"
    CLOSED = "closed"
    BALANCE = "balance"
    TENTH = "tenth"
    STOPPED = "stopped"
    STARTED = "started"
    HELP = "help"
    WHICH_CAUSE = "which_cause"
    HOW_MUCH = "how_much"
    OUT_OF_BOUNDS = "out_of_bounds"
    OVER_LIMIT = "over_limit"
    OTHER_CURRENCY = "other_currency"
    UNKNOWN = "unknown"
    STRANGER = "stranger"
    SUSPENDED = "suspended"
    LATER = "later"


class Placeholders(NamedTuple):
    """What a template has to name in braces, and what else it may."""

    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


EVERYWHERE: Final = ("operator", "short_code")
"""Placeholders that every template may have."""

PLACEHOLDERS: Final = {
    # A question about money names the price and the charity, and so does the thank-you.
    KeywordAnswer.ASK: Placeholders(("amount", "cause"), ("minutes",)),
    KeywordAnswer.GIVEN: Placeholders(("amount", "cause"), ("balance",)),
    KeywordAnswer.HELD: Placeholders(("amount", "cause"), ("balance", "hours")),
    KeywordAnswer.WITHDRAWN: Placeholders((), ("amount", "cause", "balance")),
    KeywordAnswer.NOTHING_ASKED: Placeholders(),
    KeywordAnswer.DROPPED: Placeholders((), ("amount", "cause")),
    KeywordAnswer.TOO_POOR: Placeholders((), ("amount", "cause", "balance")),
    KeywordAnswer.CAUSES: Placeholders(("causes",)),
    KeywordAnswer.CHOSEN: Placeholders(("cause",)),
    KeywordAnswer.CLOSED: Placeholders((), ("cause", "causes")),
    KeywordAnswer.BALANCE: Placeholders(("balance",)),
    KeywordAnswer.TENTH: Placeholders(("given",)),
    KeywordAnswer.STOPPED: Placeholders(),
    KeywordAnswer.STARTED: Placeholders(),
    KeywordAnswer.HELP: Placeholders(),
    KeywordAnswer.WHICH_CAUSE: Placeholders(("causes",)),
    KeywordAnswer.HOW_MUCH: Placeholders((), ("minimum", "maximum")),
    KeywordAnswer.OUT_OF_BOUNDS: Placeholders(("minimum", "maximum")),
    KeywordAnswer.OVER_LIMIT: Placeholders((), ("amount", "cause", "limit", "left")),
    KeywordAnswer.OTHER_CURRENCY: Placeholders(("currency",)),
    KeywordAnswer.UNKNOWN: Placeholders(),
    KeywordAnswer.STRANGER: Placeholders(),
    KeywordAnswer.SUSPENDED: Placeholders(),
    KeywordAnswer.LATER: Placeholders(),
}

STAND_INS: Final = {
    KeywordAnswer.DROPPED: KeywordAnswer.NOTHING_ASKED,
    KeywordAnswer.HELD: KeywordAnswer.GIVEN,
    KeywordAnswer.WITHDRAWN: KeywordAnswer.NOTHING_ASKED,
    KeywordAnswer.OVER_LIMIT: KeywordAnswer.LATER,
    KeywordAnswer.STARTED: KeywordAnswer.HELP,
    KeywordAnswer.SUSPENDED: KeywordAnswer.LATER,
}
"""Answers that a book need not have, and what is said in their place: books were written before these came."""


class TemplateInvalid(ValueError):
    """A template that could not be filled in."""


def placeholders_in(template: str) -> list[str]:
    """Return the names in braces, in order. Raises TemplateInvalid for braces that don't pair and for anything but a name."""
    try:
        parts = [part[1:] for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError:
        raise TemplateInvalid("has a brace without its partner; a brace itself is written twice") from None
    for name, form, conversion in parts:
        if form or conversion or not (name or "").isidentifier():
            raise TemplateInvalid("may have nothing but a name between braces, like {amount}")
    return [name for name, _, _ in parts if name]


class Language(msgspec.Struct, frozen=True):
    """One language of a book: the words of each service, words that mean nothing (`please`), and the answers."""

    words: dict[Service, list[str]]
    ignored: list[str]
    answers: dict[KeywordAnswer, str]


class Heading(NamedTuple):
    """What a word stands for, and in which language."""

    service: Service
    language: str


class Index(msgspec.Struct, frozen=True):
    """The words of a book, folded, for looking up: `phrases` by words with one space between, the rest without any."""

    phrases: dict[str, Heading]
    whole: dict[str, Heading]
    longest: int
    ignored: frozenset[str]
    causes: dict[str, str]
    names: frozenset[str]


class KeywordBook(msgspec.Struct, frozen=True, dict=True):
    """The services of one short code.

    `language` is that of answers to texts that don't show theirs, `minimum` and `maximum` bound a gift (micro-units of
    the giver's currency), `causes` are the words of each cause by its id, the first of them the one to be told.
    `names` are what customers call us before a keyword, beside the short code.
    """

    short_code: str
    language: str
    minimum: int
    maximum: int
    languages: dict[str, Language]
    causes: dict[str, list[str]]
    names: list[str] = []

    @cached_property
    def index(self) -> Index:
        """The folded words; of a word that two languages share, the book's own language has it, then the first."""
        phrases: dict[str, Heading] = {}
        for language, service, _, word in sorted(self.words(), key=lambda entry: entry[0] != self.language):
            for spelling in (word, latin(word)):  # the latter is found in a text that mixes alphabets
                phrases.setdefault(" ".join(tokens(spelling)), Heading(service, language))
        ignored = (word for language in self.languages.values() for word in language.ignored)
        causes = {joined(tokens(word)): cause for cause, words in self.causes.items() for word in words}
        return Index(
            phrases=phrases,
            whole={phrase.replace(" ", ""): heading for phrase, heading in phrases.items()},
            longest=max((phrase.count(" ") + 1 for phrase in phrases), default=0),
            ignored=frozenset(token for word in ignored for token in tokens(word)),
            causes=causes,
            names=frozenset(joined(tokens(name)) for name in (self.short_code, *self.names)),
        )

    def wording(self, language: str, answer: KeywordAnswer) -> str:
        """Name the version of an answer's words in a language: evidence of what a customer was told."""
        known = language if language in self.languages else self.language
        words = self.languages[known].answers.get(answer, "")
        return f"{known}:{answer}:{sha256(words.encode()).hexdigest()[:12]}"

    def words(self) -> Iterator[tuple[str, Service, int, str]]:
        """Return every word of every service: its language, the service, its place in the list, the word as written."""
        for name, language in self.languages.items():
            for service, words in language.words.items():
                for place, word in enumerate(words):
                    yield name, service, place, word
