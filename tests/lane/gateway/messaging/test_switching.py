"""PAC, STAC and INFO by text: never a "sorry", but an event and an alarm for the care desk."""

import pytest
from support.charging_fixture import MSISDN
from support.messaging_fixture import CODE, text_place

from gateway.messaging.inbound.unanswered import Silence
from gateway.messaging.keywords.switching import switching_request


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/texts.db") as opened:
        opened.enrol(1_000_000)
        yield opened


@pytest.mark.parametrize("source", [MSISDN, "447700900099"])
@pytest.mark.parametrize(
    ("to", "words", "request_"),
    [
        ("65075", "PAC", "PAC"),
        ("65075", "pac please", "PAC"),
        ("65075", "", "PAC"),
        ("65075", "PAC 01/02/1980", "PAC"),
        ("75075", "STAC", "STAC"),
        ("85075", "Info", "INFO"),
        ("85075", "PAC", "PAC"),
        ("4465075", "PAC", "PAC"),
        (CODE, "PAC", "PAC"),
        (CODE, "my stac please", "STAC"),
        (CODE, "Can I have my PAC code please?", "PAC"),
        (CODE, "I need a STAC", "STAC"),
    ],
)
def test_who_asks_to_switch_is_told_of_and_gets_no_answer(place, to, words, request_, source):
    arrived = place.come(words, source, to=to)
    assert (arrived.answers, arrived.silent, arrived.switching) == ([], Silence.SWITCHING, request_)
    assert arrived.subject == f"p{source[-4:]}"
    (told,) = place.told("sms/switching_requested")
    assert (told["subject"], told["data"]) == (f"p{source[-4:]}", {"request": request_, "to": to})


@pytest.mark.parametrize("words", ["INFO", "HELP", "package", "pack", "what is a PAC", "BALANCE", "I need help"])
def test_other_words_to_a_short_code_of_ours_are_served(place, words):
    arrived = place.come(words)
    assert len(arrived.answers) == 1
    assert arrived.switching == ""


def test_a_machine_that_says_so_is_not_told_of(place):
    arrived = place.come("PAC", "TPO", source_addr_ton=5)
    assert (arrived.answers, arrived.switching) == ([], "")


def test_in_other_countries_these_numbers_mean_nothing_and_nobody_elses_texts_are_ours():
    assert switching_request("65075", "PAC", "US", None) is None
    assert switching_request("12345", "PAC", "GB", None) is None
