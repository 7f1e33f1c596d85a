"""The words of the notices: whole in each language, short, and checked where an operator writes his own."""

import pytest

from gateway.messaging.keywords.amounts import Money
from gateway.messaging.smpp_mapping import count_parts
from gateway.notices.kinds import KINDS, NoticeKind
from gateway.notices.wording import EVERYWHERE, MOST_PARTS, WORDS, check_wording, fill_in, version_of
from protocols.smpp.alphabets import Alphabet

EVERY = [(language, kind) for language in WORDS for kind in NoticeKind]
MOST = Money(99_999_990_000, "GBP")


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_each_language_has_whole_words_for_each_kind_in_a_few_parts(language, kind):
    template = WORDS[language][kind]
    assert check_wording(kind, template) is None
    names = (*KINDS[kind].must, *KINDS[kind].may, *EVERYWHERE)
    values = dict.fromkeys(names, MOST) | {"operator": "The People's Operator", "care": "", "percent": "80"}
    values |= {"month": "2026-11", "service": "texts"}
    body = fill_in(template, {name: value for name, value in values.items() if name in names})
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


def test_a_wording_is_named_by_its_content():
    assert version_of("a") == version_of("a") != version_of("b")
