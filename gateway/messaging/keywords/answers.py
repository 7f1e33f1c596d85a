"""Fills in the answers of a keyword book."""

from collections.abc import Collection

from gateway.languages.gsm_letters import gsm_safe
from gateway.messaging.keywords.amounts import Money, write_amount
from gateway.messaging.keywords.catalogue import STAND_INS, KeywordAnswer, KeywordBook
from gateway.rating.paid_service_limits import limit_of


def render(book: KeywordBook, language: str, answer: KeywordAnswer, **values: str | Money) -> str:
    """Return the answer's text; a language that the book doesn't have is answered in the book's own.

    `values` fill the placeholders (PLACEHOLDERS says which there are); short_code is filled in here. Values that the
    template doesn't name are left aside; KeyError if one that it names is missing.
    """
    templates = book.languages.get(language) or book.languages[book.language]
    written = {name: write_amount(value) if isinstance(value, Money) else value for name, value in values.items()}
    if answer in STAND_INS and not templates.answers.get(answer):
        answer = STAND_INS[answer]
    return gsm_safe(templates.answers[answer].format_map({"short_code": book.short_code, **written}))


def bounds(book: KeywordBook, currency: str, country: str) -> dict[str, Money]:
    """Return the values of {minimum} and {maximum} for a giver whose wallet has `currency`, within the law of a country."""
    limit = limit_of(country, currency)
    maximum = book.maximum if limit is None else min(book.maximum, limit.each)
    return {"minimum": Money(book.minimum, currency), "maximum": Money(maximum, currency)}


def cause_list(book: KeywordBook, open_causes: Collection[str]) -> str:
    """Return the value of {causes}: the word to type for each cause that may be chosen, in the book's order."""
    return ", ".join(words[0] for cause, words in book.causes.items() if cause in open_causes)
