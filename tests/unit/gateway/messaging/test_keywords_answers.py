"""What is answered to keywords: in the language of the word, with amounts as people write them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.languages.gsm_letters import GSM, GSM_EXTENDED
from gateway.messaging.keywords.amounts import Money, write_amount
from gateway.messaging.keywords.answers import bounds, cause_list, render
from gateway.messaging.keywords.catalogue import (
    EVERYWHERE,
    PLACEHOLDERS,
    KeywordAnswer,
    TemplateInvalid,
    placeholders_in,
)
from gateway.messaging.keywords.parser import Unknown, read
from gateway.settings import load

ROOT = Path(__file__).parents[4]
SETTINGS = load(ROOT / "config/gateway.yaml", {})
BOOK = SETTINGS.keywords["70070"]
LONGEST = {
    "operator": "The People's Operator",
    "amount": Money(100_000_000, "GBP"),
    "balance": Money(1_234_560_000, "GBP"),
    "given": Money(1_234_560_000, "GBP"),
    "cause": "Emerge Poverty Free",
    "causes": cause_list(BOOK, SETTINGS.causes),
    "minutes": "1440",
    "hours": "720",
    "currency": "GBP",
    **bounds(BOOK, "GBP", "GB"),
    "limit": Money(240_000_000, "GBP"),
    "left": Money(239_990_000, "GBP"),
}


def septets(text):
    return sum(2 if character in GSM_EXTENDED else 1 for character in text)


@pytest.mark.parametrize("language", BOOK.languages)
@pytest.mark.parametrize("answer", KeywordAnswer)
def test_every_shipped_answer_is_one_text_of_the_gsm_alphabet(language, answer):
    text = render(BOOK, language, answer, **LONGEST)
    assert set(text) <= GSM | GSM_EXTENDED
    assert septets(text) <= 160, text
    assert "{" not in text


def test_the_question_names_price_and_charity():
    text = render(BOOK, "en", KeywordAnswer.ASK, amount=Money(5_000_000, "GBP"), cause="WaterAid")
    assert text.startswith("Reply YES to give £5.00 to WaterAid.")
    text = render(BOOK, "fr", KeywordAnswer.ASK, amount=Money(5_500_000, "USD"), cause="WaterAid")
    assert text.startswith("Répondez OUI pour donner $5.50 à WaterAid.")
    assert render(BOOK, "es", KeywordAnswer.BALANCE, balance=Money(12_000_000, "EUR")) == "Tu saldo es €12.00."


def test_what_the_answers_tell_people_to_text_is_understood():
    for example in (
        "GIVE WATERAID 5",
        "DON WATERAID 5",
        "DONAR WATERAID 5",
        "DIXIEME",
        "DECIMO",
        "CHOISIR",
        "CAUSA",
        "SI",
    ):
        assert not isinstance(read(example, BOOK), Unknown)
    for word in cause_list(BOOK, SETTINGS.causes).split(", "):
        assert read(f"CAUSE {word}", BOOK).cause in SETTINGS.causes


def test_a_language_that_the_book_has_not_is_answered_in_its_own():
    assert render(BOOK, "de", KeywordAnswer.UNKNOWN) == render(BOOK, "en", KeywordAnswer.UNKNOWN)


def test_a_value_that_is_missing_is_an_error_and_one_too_many_is_not():
    with pytest.raises(KeyError):
        render(BOOK, "en", KeywordAnswer.BALANCE)
    assert "70070" in render(BOOK, "en", KeywordAnswer.HELP, operator="TPO", amount="unused")


def test_braces_in_a_value_stay_what_they_are():
    text = render(BOOK, "en", KeywordAnswer.CHOSEN, cause="{balance} {0.__class__}")
    assert "{balance} {0.__class__}" in text


def test_the_list_of_causes_leaves_out_those_that_are_closed():
    assert cause_list(BOOK, ["wwf", "wateraid"]) == "WATERAID, WWF"
    assert cause_list(BOOK, []) == ""


@pytest.mark.parametrize(
    ("micro", "currency", "text"),
    [
        (5_000_000, "GBP", "£5.00"),
        (5_000_000, "USD", "$5.00"),
        (5_500_000, "EUR", "€5.50"),
        (5_000_000, "CHF", "5.00 CHF"),
        (1_234_567_890, "GBP", "£1234.56"),
        (9_999, "GBP", "£0.00"),
        (0, "GBP", "£0.00"),
        (-1, "GBP", "-£0.01"),
        (-2_500_000, "GBP", "-£2.50"),
        (500_000_000, "JPY", "500 JPY"),
        (5_500_000, "KWD", "5.500 KWD"),
    ],
)
def test_amounts_are_written_in_the_usual_way_and_never_promise_too_much(micro, currency, text):
    assert write_amount(Money(micro, currency)) == text


@given(st.text(alphabet="{}a0!:.[ ", max_size=12))
def test_any_template_is_known_by_its_names_or_refused(template):
    try:
        names = placeholders_in(template)
    except TemplateInvalid:
        return
    assert isinstance(template.format_map(dict.fromkeys(names, "x")), str)


def test_no_placeholder_is_both_needed_and_allowed_or_known_everywhere():
    for must, may in PLACEHOLDERS.values():
        assert not set(must) & set(may)
        assert not {*must, *may} & set(EVERYWHERE)
