"""Fills in the words of notices, and checks those that an operator wrote; our own are `languages.notices`."""

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from gateway.languages import notices
from gateway.languages.dates import write_day, write_month
from gateway.languages.gsm_letters import gsm_safe
from gateway.messaging.keywords.amounts import Money, write_amount
from gateway.messaging.keywords.catalogue import placeholders_in
from gateway.notices.kinds import KINDS, NoticeKind

EVERYWHERE: Final = ("operator", "care")
"""Placeholders that every wording may have: the operator's name, and the number that one may ask at."""
MOST_PARTS: Final = 3
"""Parts of a notice: what is longer is hardly read, and a statutory one carries nothing else."""
VERSION_DIGITS: Final = 12
WORDS: Final = {
    language: {NoticeKind(kind): template for kind, template in templates.items()}
    for language, templates in notices.WORDS.items()
}


class Service(NamedTuple):
    """A service that a notice names: data, voice or sms."""

    name: str


class Day(NamedTuple):
    """A day of the calendar that a notice names."""

    date: date


class Month(NamedTuple):
    """A calendar month, such as 2026-11, that a notice names."""

    period: str


Value = str | Money | Service | Day | Month
Values = Mapping[str, Value]


def check_wording(kind: NoticeKind, template: str) -> str | None:
    """Say what is wrong with an operator's own words for a kind; None if nothing is.

    TemplateInvalid where the braces do not pair.
    """
    row = KINDS[kind]
    named, known = placeholders_in(template), (*row.must, *row.may, *EVERYWHERE)
    unknown = [name for name in named if name not in known]
    if unknown:
        return f"unknown placeholder {{{unknown[0]}}}; it may have {', '.join(f'{{{name}}}' for name in known)}"
    absent = [name for name in row.must if name not in named]
    return f"must name {', '.join(f'{{{name}}}' for name in absent)}" if absent else None


def longest(kind: NoticeKind, template: str, language: str, operator: str) -> str:
    """Fill in a wording with about the longest that it may have to say, to see how many parts it takes at most."""
    most = Money(99_999_990_000, "GBP")
    values: dict[str, Value] = dict.fromkeys((*KINDS[kind].must, *KINDS[kind].may), most)
    known: dict[str, Value] = {
        "operator": operator,
        "care": "+44 20 7946 0123",
        "percent": "80",
        "service": Service("voice"),
    }
    known |= {"month": Month("2026-09"), "date": Day(date(2026, 9, 30)), "reference": "RF18539007547034"}
    return fill_in(template, {**values, **known}, language)


def fill_in(template: str, values: Values, language: str) -> str:
    """Return a notice's text; amounts in the currency's usual way, letters in the GSM alphabet where they have a twin there."""
    return gsm_safe(template.format_map({name: _written(value, language) for name, value in values.items()}))


def _written(value: Value, language: str) -> str:
    """Write what a notice names in its language."""
    match value:
        case Money():
            return write_amount(value)
        case Service(name):
            return notices.SERVICES[language][name]
        case Day(day):
            return write_day(day, language)
        case Month(period):
            return write_month(period, language)
        case str():
            return value


def version_of(template: str) -> str:
    """Name a wording by its content, so that it can be shown later which words a customer got."""
    return hashlib.sha256(template.encode()).hexdigest()[:VERSION_DIGITS]
