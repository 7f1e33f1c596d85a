"""The AVPs that say where a request comes from and goes to, read by its layout as by looking at each AVP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gy_samples import avp, credit_control_request, frame

from protocols.diameter import routing
from protocols.diameter.codec import encode_avp, encode_message
from protocols.diameter.errors import DiameterError
from protocols.diameter.layouts import MISSES

TWO_RELAYS = [
    avp("Route-Record", b"dra-1"),
    avp("Proxy-Info", avp("Proxy-Host", b"dra-1") + avp("Proxy-State", b"\0\1\2")),
    encode_avp(264, b"of another vendor", 10415),
    avp("Route-Record", b"dra-22"),
    avp("Proxy-Info", avp("Proxy-Host", b"dra-22") + avp("Proxy-State", b"")),
]
FRAMES = [
    frame(0xC0, 4, credit_control_request()),
    encode_message(0xC0, 272, 4, 1, 1, frame(0xC0, 4, credit_control_request())[20:] + b"".join(TWO_RELAYS)),
    encode_message(0xC0, 272, 4, 1, 1, avp("Origin-Host", b"first") + avp("Origin-Host", b"second")),
    encode_message(0xC0, 272, 4, 1, 1, b""),
]
for _frame in FRAMES:
    for _ in range(MISSES):
        routing.scan(_frame)


def scanned(look, octets):
    try:
        return look(octets)
    except DiameterError as error:
        return error.result_code, error.failed_avp


@pytest.mark.parametrize("octets", FRAMES)
def test_routing_avps_are_read_by_the_layout_of_a_message(octets):
    found = routing._layouts.read(routing.Routing, octets, routing.STANDARD)
    assert found == routing._scan(octets)


def test_what_relays_have_put_in_is_given_in_its_order_and_whole_where_it_is_given_back():
    found = routing.scan(FRAMES[1])
    assert found.route_records == (b"dra-1", b"dra-22")
    assert found.proxy_info == TWO_RELAYS[1] + TWO_RELAYS[4]
    assert found.origin_host == b"smf.localdomain"
    assert FRAMES[1][found.origin_position :].startswith(avp("Origin-Host", b"smf.localdomain"))


@given(octets=st.sampled_from(FRAMES[:3]), data=st.data())
def test_a_changed_message_is_scanned_the_same_with_layouts_and_without(octets, data):
    octets = bytearray(octets)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(20, len(octets) - 1))] = data.draw(st.integers(0, 255))
    octets = bytes(octets)
    assert scanned(routing.scan, octets) == scanned(routing._scan, octets)
