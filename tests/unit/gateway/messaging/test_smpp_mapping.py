"""A text on the wire: its parts are those that it was cut in, whichever link carries them."""

from typing import get_args

import pytest
from support.messaging_fixture import make_text

from gateway.messaging.smpp_mapping import submit_sm
from gateway.settings.sections.smpp import SmppLink
from protocols.errors import LocalProtocolError
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.messages import DeliverSm
from protocols.smpp.text import encode_text, read_text, user_data


def test_a_text_that_a_link_would_cut_otherwise_is_not_sent_by_it():
    body = "a" * 150
    assert submit_sm(make_text(body=body), 0, Alphabet.GSM7).short_message == b"a" * 150
    with pytest.raises(LocalProtocolError, match="in latin1 it takes 2 parts, not 1"):
        submit_sm(make_text(body=body), 0, Alphabet.LATIN1)
    with pytest.raises(LocalProtocolError, match="in gsm7 it takes 1 parts, not 2"):
        submit_sm(make_text(body=body, parts=2), 1, Alphabet.GSM7)


ALPHABETS = get_args(SmppLink.model_fields["default_alphabet"].annotation)


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_whatever_data_coding_0_means_on_a_link_texts_go_out_and_come_in_by_it(alphabet):
    body = "GIVE WATERAID 5 " * 20
    parts = len(encode_text(body, Alphabet(alphabet)).pieces)
    sent = [submit_sm(make_text(body=body, parts=parts), number, Alphabet(alphabet)) for number in range(parts)]
    assert parts > 1
    came = [
        user_data(
            DeliverSm(esm_class=each.esm_class, data_coding=0, short_message=each.short_message), Alphabet(alphabet)
        )
        for each in sent
        if each.data_coding == 0
    ]
    assert read_text(came).text == body
    assert max(len(each.short_message) for each in sent) <= (160 if alphabet == "gsm7" else 140)


def test_an_smsc_that_packs_septets_has_a_name_in_the_settings():
    assert "gsm7-packed" in ALPHABETS
