"""What a link's settings come to on the wire."""

import pytest

from gateway.runtime.components.texts import route
from gateway.settings.sections.smpp import SmppLink


def link(**more):
    return SmppLink.model_validate({"name": "uk", "host": "smsc.example", "system_id": "tpo", **more})


@pytest.mark.parametrize(("given", "seconds"), [({}, 30.0), ({"bind_timeout": 6}, 6.0), ({"bind_timeout": 600}, 600.0)])
def test_a_bind_takes_as_long_as_the_link_says(given, seconds):
    assert route(link(**given), "GB").config.limits.session_init == seconds


@pytest.mark.parametrize(("given", "tlvs"), [({}, None), ({"tlvs": "always"}, True), ({"tlvs": "never"}, False)])
def test_a_link_says_whether_its_requests_carry_tlvs(given, tlvs):
    assert route(link(**given), "GB").config.tlvs is tlvs
