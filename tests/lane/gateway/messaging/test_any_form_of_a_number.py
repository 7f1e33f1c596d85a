"""A customer is the same one whatever the form of the number that an SMSC gives."""

import pytest
from support.charging_fixture import MSISDN
from support.messaging_fixture import CODE, FRIEND, OWN, text_place

from gateway.messaging.inbound.unanswered import Silence


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/texts.db") as opened:
        opened.enrol(1_000_000)
        yield opened


@pytest.mark.parametrize(
    ("source", "ton"), [("07700900001", 0), ("07700900001", 2), ("7700900001", 2), ("00447700900001", 0)]
)
def test_a_customer_is_known_and_opted_out_by_any_form_of_the_number(place, source, ton):
    assert place.says("BALANCE", source, source_addr_ton=ton).startswith("Your balance is")
    assert "no more texts" in place.says("STOP", source, source_addr_ton=ton)
    assert place.out(MSISDN)
    sent = place.accept(place.draft(source=CODE, destination=MSISDN)).ids[0]
    assert place.take(sent) == []
    assert place.state(sent) == "cancelled"


@pytest.mark.parametrize(
    "to", [OWN, "07700900777", "+447700900777", "00447700900777", "70070 ", "+70070", "4470070", "004470070"]
)
def test_a_text_to_a_number_or_short_code_of_ours_in_any_form_is_served(place, to):
    assert place.says("BALANCE", to=to).startswith("Your balance is")


def test_a_text_to_nobody_of_ours_is_not_served_and_our_own_number_in_national_form_is_not_answered(place):
    assert place.says("BALANCE", to=FRIEND) is None
    assert place.come("BALANCE", "07700900777").silent == Silence.OURS


def test_a_redelivery_in_another_form_of_the_number_is_known(place):
    assert place.says("BALANCE", "447700900001", source_addr_ton=1)
    assert place.come("BALANCE", "07700900001", source_addr_ton=2).repeated
