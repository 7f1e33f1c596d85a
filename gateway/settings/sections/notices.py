"""The section `notices`: which notices are sent in which words, and when it is quiet."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from gateway.messaging.keywords.catalogue import TemplateInvalid
from gateway.notices.kinds import NoticeKind
from gateway.notices.wording import MOST_PARTS, WORDS, check_wording, longest
from gateway.settings.problems import did_you_mean
from gateway.settings.sections.section import MAX_NOTE, Section
from gateway.settings.values import Price, Text
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.text import encode_text

MAX_SENDER: Final = 11
"""Characters of an alphanumeric sender (3GPP TS 23.040 §9.1.2.5)."""
_QUIET: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


def read_quiet_hours(value: str) -> tuple[int, int]:
    """Read `21:00-08:00` as two minutes of the day; `off` as two equal ones. ValueError for anything else."""
    if value == "off":
        return 0, 0
    found = _QUIET.fullmatch(value)
    if found is None:
        message = "must be off, or two times of the day like 21:00-08:00"
        raise ValueError(message)
    hour, minute, until_hour, until_minute = map(int, found.groups())
    return hour * 60 + minute, until_hour * 60 + until_minute


def _quiet_hours(value: str) -> str:
    read_quiet_hours(value)
    return value


def _country_code(value: str) -> str:
    if not re.fullmatch(r"[2-7]\d\d", value, re.ASCII):
        message = "must be a mobile country code of three digits, in quotes, like 272"
        raise ValueError(message)
    return value


def _sender(value: str) -> str:
    if len(value) > MAX_SENDER and not value.isdecimal():
        message = f"must be a number, or a name of at most {MAX_SENDER} characters"
        raise ValueError(message)
    return value


def _wrong_with(kind: NoticeKind, template: str) -> str | None:
    """Say what is wrong with an operator's words."""
    try:
        wrong = check_wording(kind, template)
    except TemplateInvalid as error:
        return str(error)
    if wrong is not None or len(template) > MAX_NOTE:
        return wrong or f"must be at most {MAX_NOTE} characters"
    parts = len(encode_text(longest(kind, template, "en", "The operator's name"), Alphabet.GSM7).pieces)
    if parts > MOST_PARTS:
        size = "a part has 153 characters, or 67 where a letter is beyond the GSM alphabet"
        return f"takes up to {parts} parts, at most {MOST_PARTS} are sent: {size}"
    return None


def _own(templates: "str | dict[Spoken, str] | None", language: str) -> str | None:
    """Return the operator's own words in a language; None without any."""
    if templates is None or isinstance(templates, str):
        return templates
    return {str(spoken): template for spoken, template in templates.items()}.get(language)


Spoken = Literal["en", "es", "fr"]
"""A language that bills and notices are written in."""
MobileCountry = Annotated[str, AfterValidator(_country_code)]
Share = Annotated[int, Field(ge=1, le=99)]


class Notices(Section):
    """What customers are told of their line without asking, when, and in which words."""

    language: Spoken = "en"
    languages: list[Spoken] = Field(default_factory=list)
    sender: Annotated[Text, AfterValidator(_sender)] | None = None
    care: str = ""
    quiet_hours: Annotated[str, AfterValidator(_quiet_hours)] = "21:00-08:00"
    likely: Share = 80
    allowance: Share = 80
    low_balance: Price = 0
    border: list[MobileCountry] = Field(default_factory=list)
    wording: dict[str, Text | dict[Spoken, Text]] = Field(default_factory=dict)

    @field_validator("wording")
    @classmethod
    def _wordings_are_whole(cls, value: dict[str, "str | dict[Spoken, str]"]) -> dict[str, "str | dict[Spoken, str]"]:
        for name, templates in value.items():
            if name not in set(NoticeKind):
                message = f"there is no notice {name}{did_you_mean(name, list(NoticeKind))}"
                raise ValueError(message)
            for template in (templates,) if isinstance(templates, str) else templates.values():
                wrong = _wrong_with(NoticeKind(name), template)
                if wrong is not None:
                    message = f"{name}: {wrong}"
                    raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _speaks_each_language(self) -> "Notices":
        if self.languages and self.language not in self.languages:
            message = f"languages must have {self.language}, which is the operator's own (language)"
            raise ValueError(message)
        for name, templates in self.wording.items():
            said = (self.language,) if isinstance(templates, str) else tuple(templates)
            absent = [language for language in self.offered if language not in said]
            if absent:
                message = f"wording: {name} has no words in {', '.join(absent)}, which languages offers"
                raise ValueError(message)
        return self

    @property
    def offered(self) -> tuple[str, ...]:
        """The languages that customers may choose from.

        Where none are said, every one that the gateway speaks; or the operator's alone, while a wording is in that alone.
        """
        if self.languages:
            return tuple(dict.fromkeys(self.languages))
        is_alone = any(isinstance(templates, str) for templates in self.wording.values())
        return (self.language,) if is_alone else tuple(WORDS)

    @property
    def words(self) -> dict[str, dict[NoticeKind, str]]:
        """What each notice says by language: the operator's own words where there are some."""
        return {
            language: {kind: _own(self.wording.get(kind), language) or words for kind, words in WORDS[language].items()}
            for language in self.offered
        }
