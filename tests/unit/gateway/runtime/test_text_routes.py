"""Routes as the settings write them, and as texts are matched with them."""

import pytest
from support.messaging_fixture import make_text

from gateway.runtime.components.texts import rule
from gateway.settings.sections.smpp import SmppRoute


@pytest.mark.parametrize("given", ["447700900777", "+447700900777", "00447700900777", "07700900777"])
def test_a_sender_of_a_route_is_read_into_the_form_that_texts_have(given):
    found = rule(SmppRoute(links=["uk"], senders=[given, "70070", "TPO"]), "GB")
    assert all(found.takes(make_text(source=source)) for source in ("447700900777", "70070", "TPO"))
    assert not found.takes(make_text(source="447700900778"))
