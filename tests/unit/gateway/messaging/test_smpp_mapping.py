"""A text on the wire: its parts are those that it was cut in, whichever link carries them."""

import pytest
from support.messaging_fixture import make_text

from gateway.messaging.smpp_mapping import submit_sm
from protocols.errors import LocalProtocolError
from protocols.smpp.alphabets import Alphabet


def test_a_text_that_a_link_would_cut_otherwise_is_not_sent_by_it():
    body = "a" * 150
    assert submit_sm(make_text(body=body), 0, Alphabet.GSM7).short_message == b"a" * 150
    with pytest.raises(LocalProtocolError, match="in latin1 it takes 2 parts, not 1"):
        submit_sm(make_text(body=body), 0, Alphabet.LATIN1)
    with pytest.raises(LocalProtocolError, match="in gsm7 it takes 1 parts, not 2"):
        submit_sm(make_text(body=body, parts=2), 1, Alphabet.GSM7)
