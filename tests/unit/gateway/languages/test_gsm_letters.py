"""Letters that a text can carry 160 of take the place of their accented twins."""

# ruff: noqa: RUF001  (word processors put in such signs: that is what is tested)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.languages.gsm_letters import gsm_safe


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Envía décimo, ¿cuánto? ñandú", "Envia décimo, ¿cuanto? ñandu"),
        ("reçu, arrête, cœur, où, déjà", "recu, arrete, coeur, où, déjà"),
        ("“It’s” – «ok»…\u00a0`x`", '"It\'s" - "ok"... \'x\''),
        ("e\u0301a\u0302", "éa"),
        ("{[~|^\\]}€", "{[~|^\\]}€"),
        ("Ελλάς 水 🙂", "Ελλάς 水 🙂"),
    ],
)
def test_letters_with_a_plain_twin_are_written_with_it(text, safe):
    assert gsm_safe(text) == safe


@given(st.text())
def test_any_text_can_be_made_safe_and_is_so_once_and_for_all(text):
    assert gsm_safe(gsm_safe(text)) == gsm_safe(text)
