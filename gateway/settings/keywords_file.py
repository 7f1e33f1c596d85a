"""Read keywords.yaml: for each short code the words that customers text, and what they are answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from gateway.ledger.money import format_amount, is_payable
from gateway.messaging.keywords.amounts import MARKS
from gateway.messaging.keywords.catalogue import (
    EVERYWHERE,
    PLACEHOLDERS,
    KeywordAnswer,
    KeywordBook,
    Language,
    Service,
    placeholders_in,
)
from gateway.messaging.keywords.normalize import joined, tokens
from gateway.rating.paid_service_limits import limit_of
from gateway.settings.checks.found import Found
from gateway.settings.error_messages import Report
from gateway.settings.problems import KeyPath, did_you_mean, dotted
from gateway.settings.sections.section import Section
from gateway.settings.values import MICRO, Id, Price, ShortCode, Text

MAX_WORDS: Final = 6
"""Words of one phrase: `NO MORE TEXTS` has three."""

STOP_WORDS: Final = ("STOP", "END", "CANCEL", "UNSUBSCRIBE", "QUIT", "REVOKE", "OPT OUT")
"""Words that always mean stop (47 CFR 64.1200(a)(10)); STOP, END, CANCEL, UNSUBSCRIBE and QUIT by the CTIA's handbook too."""


def _word(value: str) -> str:
    words = tokens(value)
    if not words or not all(word.isalpha() for word in words):
        message = "must be one or more words of letters only"
        raise ValueError(message)
    if len(words) > MAX_WORDS:
        message = f"must be at most {MAX_WORDS} words"
        raise ValueError(message)
    if len(words) == 1 and words[0] in MARKS:
        message = f"is read as money beside a number, so that it can't be a word: {value}"
        raise ValueError(message)
    return value


def _language(value: str) -> str:
    if len(value) != 2 or not value.isascii() or not value.isalpha() or not value.islower():
        message = "must be a language code of two small letters, like en"
        raise ValueError(message)
    return value


Word = Annotated[str, AfterValidator(_word)]
Words = Annotated[list[Word], Field(min_length=1)]
LanguageCode = Annotated[str, AfterValidator(_language)]


class WordsEntry(Section):
    """The words for each service, in one language."""

    give: Words
    yes: Words
    no: Words = Field(default=["NO"])
    cause: Words
    balance: Words
    tenth: Words
    stop: Words
    start: Words = Field(default=["START", "UNSTOP"])
    help: Words


class AnswersEntry(Section):
    """The templates of the answers, in one language."""

    ask: Text
    given: Text
    held: Text | None = None
    withdrawn: Text | None = None
    nothing_asked: Text
    dropped: Text | None = None
    too_poor: Text
    causes: Text
    chosen: Text
    closed: Text
    balance: Text
    tenth: Text
    stopped: Text
    started: Text | None = None
    help: Text
    which_cause: Text
    how_much: Text
    out_of_bounds: Text
    over_limit: Text | None = None
    other_currency: Text
    unknown: Text
    stranger: Text
    suspended: Text | None = None
    later: Text

    @field_validator("*")
    @classmethod
    def _placeholders_are_known(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        must, may = PLACEHOLDERS[KeywordAnswer(info.field_name or "")]
        known = (*must, *may, *EVERYWHERE)
        named = placeholders_in(value)
        for name in named:
            if name not in known:
                hint = did_you_mean(name, known) or f"; it may have {_in_braces(known)}"
                message = f"unknown placeholder {{{name}}}{hint}"
                raise ValueError(message)
        absent = [name for name in must if name not in named]
        if absent:
            message = f"must name {_in_braces(absent)}"
            raise ValueError(message)
        return value


def _in_braces(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


class LanguageEntry(Section):
    """One language of a short code's services."""

    words: WordsEntry
    ignored: list[Word] = Field(default_factory=list)
    answers: AnswersEntry

    def language(self) -> Language:
        """Return the language as the services use it."""
        return Language(
            words={service: getattr(self.words, service) for service in Service},
            ignored=self.ignored,
            answers={answer: text for answer in KeywordAnswer if (text := getattr(self.answers, answer)) is not None},
        )


class GiftEntry(Section):
    """The bounds of one gift."""

    minimum: Price = 1 * MICRO
    maximum: Price = 40 * MICRO

    @model_validator(mode="after")
    def _bounds_can_be_met(self) -> GiftEntry:
        if not 0 < self.minimum <= self.maximum:
            message = "minimum must be more than 0, and maximum no less than minimum"
            raise ValueError(message)
        return self


class BookEntry(Section):
    """One short code of keywords.yaml."""

    language: str | None = None
    gift: GiftEntry = GiftEntry()
    causes: dict[Id, Words] = Field(default_factory=dict)
    names: list[Word] = Field(default_factory=list)
    languages: Annotated[dict[LanguageCode, LanguageEntry], Field(min_length=1)]

    def book(self, short_code: str) -> KeywordBook:
        """Return the book that texts to `short_code` are read by."""
        return KeywordBook(
            short_code=short_code,
            language=self.language or next(iter(self.languages)),
            minimum=self.gift.minimum,
            maximum=self.gift.maximum,
            languages={code: entry.language() for code, entry in self.languages.items()},
            causes=self.causes,
            names=self.names,
        )


KEYWORDS_FILE: Final = dict[ShortCode, BookEntry]
"""The shape of keywords.yaml: the services of each short code."""


def keywords_from(entries: dict[str, BookEntry]) -> dict[str, KeywordBook]:
    """Turn validated entries into keyword books by short code."""
    return {short_code: entry.book(short_code) for short_code, entry in entries.items()}


def check_keywords(found: Found, report: Report) -> None:
    """Refuse words with two meanings, causes that don't exist and a STOP that doesn't stop; warn of what nobody can use."""
    for code, book in (found.keywords or {}).items():
        if found.messaging and code not in found.messaging.short_codes:
            report.warn((code,), "is none of messaging.short_codes, so nobody is answered", at_key=True)
        if book.language not in book.languages:
            report.error((code, "language"), f"{book.language} is none of languages: {', '.join(book.languages)}")
        _check_gifts(code, book, found, report)
        _check_meanings(code, book, report)
        _check_stop(code, book, report)
        if found.causes is not None:
            _check_causes(code, book, found, report)


def _check_gifts(code: str, book: KeywordBook, found: Found, report: Report) -> None:
    """Refuse a gift that is more than the law lets pass by the phone bill."""
    operator = found.operator
    for name, amount in (("minimum", book.minimum), ("maximum", book.maximum)):
        if operator and not is_payable(amount, operator.currency):
            report.error((code, "gift", name), f"has more decimals than {operator.currency}")
    limit = limit_of(operator.country, operator.currency) if operator else None
    if limit is not None and book.maximum > limit.each:
        most = f"{format_amount(limit.each, limit.currency)} {limit.currency}"
        why = f"is more than {most}: what is paid by the phone bill may be no more in {operator.country if operator else ''}"
        report.error((code, "gift", "maximum"), f"{why} (Payment Services Regulations)")


def _check_meanings(code: str, book: KeywordBook, report: Report) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for path, word, meaning in _words(code, book):
        key = joined(tokens(word))
        other, where = seen.setdefault(key, (meaning, dotted(path)))
        if other != meaning:
            report.error(path, f"{word} means {other} already ({where})")


def _words(code: str, book: KeywordBook) -> Iterator[tuple[KeyPath, str, str]]:
    """Return every service's words, our names and words to ignore: where each stands, as written, and what it means."""
    for language, service, place, word in book.words():
        yield (code, "languages", language, "words", service.value, place), word, service.value
    for place, name in enumerate(book.names):
        yield (code, "names", place), name, "us"
    for name, entry in book.languages.items():
        for place, word in enumerate(entry.ignored):
            yield (code, "languages", name, "ignored", place), word, "nothing"


def _check_stop(code: str, book: KeywordBook, report: Report) -> None:
    words = {joined(tokens(word)) for _, service, _, word in book.words() if service is Service.STOP}
    absent = [word for word in STOP_WORDS if joined(tokens(word)) not in words]
    if absent:
        report.error(
            (code, "languages"), f"no language has these among its words.stop: {', '.join(absent)}", at_key=True
        )


def _check_causes(code: str, book: KeywordBook, found: Found, report: Report) -> None:
    causes = found.causes or {}
    seen: dict[str, str] = {}
    for cause, words in book.causes.items():
        path: KeyPath = (code, "causes", cause)
        if cause not in causes:
            report.error(path, f"there is no such cause in causes{did_you_mean(cause, causes)}", at_key=True)
        for place, word in enumerate(words):
            other = seen.setdefault(joined(tokens(word)), cause)
            if other != cause:
                report.error((*path, place), f"{word} means {other} already")
    for cause, entry in causes.items():
        if entry.open and cause not in book.causes:
            report.warn((code, "causes"), f"nobody can choose {cause} or give to it by text: it has no word here")
