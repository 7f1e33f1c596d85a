"""The words of the notices: whole in each language, short, and checked where an operator writes his own."""

from datetime import date

import pytest

from gateway.messaging.smpp_mapping import count_parts
from gateway.notices.kinds import NoticeKind
from gateway.notices.wording import MOST_PARTS, WORDS, Day, Month, Service, check_wording, fill_in, longest, version_of
from protocols.smpp.alphabets import Alphabet

EVERY = [(language, kind) for language in WORDS for kind in NoticeKind]


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_each_language_has_whole_words_for_each_kind_in_a_few_parts(language, kind):
    template = WORDS[language][kind]
    assert check_wording(kind, template) is None
    body = longest(kind, template, language, "The People's Operator")
    assert count_parts(body, Alphabet.GSM7) <= MOST_PARTS
    assert "{" not in body


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("Limit {limit} reached.", None),
        ("Reached.", "must name {limit}"),
        ("{limit} {balance}", "unknown placeholder {balance}"),
    ],
)
def test_own_words_name_what_they_have_to_and_nothing_that_is_not_known(template, wrong):
    found = check_wording(NoticeKind.BILL_LIMIT_REACHED, template)
    assert (found is None) if wrong is None else found.startswith(wrong)


def test_days_months_and_services_are_written_in_the_language_of_the_notice():
    values = {"day": Day(date(2026, 8, 1)), "month": Month("2026-08"), "service": Service("voice")}
    told = {language: fill_in("{day}, {month}, {service}", values, language) for language in WORDS}
    assert told == {
        "en": "1 August 2026, August 2026, calls",
        "fr": "1 aout 2026, aout 2026, appels",  # in the letters of the GSM alphabet
        "es": "1 de agosto de 2026, agosto 2026, llamadas",
    }


def test_one_letter_beyond_the_gsm_alphabet_makes_parts_of_seventy_characters():
    plain, foreign = "a" * 160, "a" * 70 + "ж"
    assert count_parts(fill_in(plain, {}, "en"), Alphabet.GSM7) == 1
    assert count_parts(fill_in(foreign[1:], {}, "en"), Alphabet.GSM7) == 1
    assert count_parts(fill_in(foreign, {}, "en"), Alphabet.GSM7) == 2
    assert count_parts(fill_in("ж" * 135, {}, "en"), Alphabet.GSM7) == 3


def test_a_wording_is_named_by_its_content():
    assert version_of("a") == version_of("a") != version_of("b")
