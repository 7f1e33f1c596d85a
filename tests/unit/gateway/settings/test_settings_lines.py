"""The sections about what watches over lines: notices in the operator's words, quiet hours, fraud limits by plan."""

import pytest
from pydantic import ValidationError

from gateway.notices.kinds import NoticeKind
from gateway.settings.sections.fraud import Fraud, FraudLimits
from gateway.settings.sections.notices import Notices, read_quiet_hours


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("off", (0, 0)), ("21:00-08:00", (1260, 480)), ("9:30-10:00", (570, 600)), ("00:00-23:59", (0, 1439))],
)
def test_quiet_hours_are_two_times_of_the_day(written, minutes):
    assert read_quiet_hours(written) == minutes


@pytest.mark.parametrize("written", ["", "21-8", "25:00-08:00", "21:00-08:60", "21:00", "always"])
def test_what_is_no_quiet_hours_is_refused(written):
    with pytest.raises(ValidationError, match="21:00-08:00"):
        Notices(quiet_hours=written)


def test_own_words_stand_in_the_place_of_ours_and_the_others_stay():
    words = Notices(language="fr", wording={"low_balance": "Solde : {balance}"}).words
    assert words["fr"][NoticeKind.LOW_BALANCE] == "Solde : {balance}"
    assert "plafond" in words["fr"][NoticeKind.BILL_LIMIT_REACHED]


def test_every_language_is_offered_unless_some_are_named_or_words_are_in_one_alone():
    own = {"low_balance": {"en": "{balance} left", "fr": "reste {balance}"}}
    assert Notices().offered == ("en", "es", "fr")
    assert Notices(wording={"low_balance": "{balance}"}).offered == ("en",)
    both = Notices(languages=["en", "fr"], wording=own)
    assert both.offered == ("en", "fr")
    assert {language: words["low_balance"] for language, words in both.words.items()} == own["low_balance"]


@pytest.mark.parametrize(
    ("languages", "wording", "wrong"),
    [
        (["en", "fr"], {"low_balance": "{balance}"}, "low_balance has no words in fr, which languages offers"),
        ([], {"low_balance": {"en": "{balance}"}}, "low_balance has no words in es, fr"),
        (["fr"], {}, "languages must have en"),
        (["en"], {"low_balance": {"en": "{balance}", "de": "{balance}"}}, "de"),
    ],
)
def test_words_that_lack_a_language_are_refused(languages, wording, wrong):
    with pytest.raises(ValidationError, match=wrong):
        Notices(languages=languages, wording=wording)


@pytest.mark.parametrize(
    ("wording", "wrong"),
    [
        ({"low_balence": "{balance}"}, "there is no notice low_balence; did you mean `low_balance`"),
        ({"low_balance": "Nothing left"}, r"low_balance: must name \{balance\}"),
        ({"low_balance": "{balance} {amount}"}, r"unknown placeholder \{amount\}"),
        ({"low_balance": "{balance"}, "brace"),
        ({"low_balance": "{balance}" + "!" * 480}, "at most 480 characters"),
        ({"low_balance": "{balance}" + "!" * 460}, "takes up to 4 parts, at most 3 are sent"),
        ({"low_balance": "{balance} ж" + "!" * 200}, "takes up to 4 parts, at most 3 are sent"),
    ],
)
def test_words_that_would_not_tell_what_they_have_to_are_refused(wording, wrong):
    with pytest.raises(ValidationError, match=wrong):
        Notices(wording=wording)


@pytest.mark.parametrize(("border", "right"), [("272", True), ("27", False), ("27201", False), ("IRL", False)])
def test_a_country_across_the_border_is_a_mobile_country_code(border, right):
    if right:
        assert Notices(border=[border]).border == [border]
        return
    with pytest.raises(ValidationError, match="mobile country code"):
        Notices(border=[border])


def test_a_bar_names_what_is_looked_at():
    assert FraudLimits(topups=3, bar=["topups"]).bar == ["topups"]
    with pytest.raises(ValidationError, match="bar names premium, which has no limit here"):
        FraudLimits(topups=3, bar=["premium"])


def test_nothing_is_looked_at_where_nothing_is_said():
    assert set(Fraud().limits.model_dump(exclude={"bar"}).values()) == {None}
