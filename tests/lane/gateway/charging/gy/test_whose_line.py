"""Whose line a request is of, where it names several numbers."""

import pytest
from support.charging_fixture import IMSI, MSISDN, PENNY, ccr, charging_place, service

from protocols.diameter.messages import (
    SubscriptionId,
)

E164, IMSI_TYPE, SIP_URI, NAI, PRIVATE = range(5)


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/desk.db") as opened:
        opened.enrol(100 * PENNY)
        yield opened


def test_the_second_number_is_served_where_the_first_is_nobody_s(place):
    twice = (SubscriptionId(E164, "447700900199"), SubscriptionId(E164, f"tel:+{MSISDN}"))
    assert place.ask(ccr(1, 0, service(ask=0), subscription_id=twice)).result_code == 2001
    assert place.last.alarms == []


def test_the_name_of_a_network_leads_to_its_line(place):
    derived = (SubscriptionId(NAI, f"0{IMSI}@nai.epc.mnc015.mcc234.3gppnetwork.org"),)
    assert place.ask(ccr(1, 0, service(ask=0), subscription_id=derived)).result_code == 2001
