"""What the store can't hold, told before it is queued."""

import pytest

from gateway.store import tables
from gateway.store.fitting import LONGEST_INDEXED, length_of, misfit


@pytest.mark.parametrize(
    ("text", "most", "why"),
    [
        ("", 0, None),
        ("\u00e9" * 5, 5, None),
        ("\U0001f600" * 5, 5, None),
        ("\x01\x7f\x9b\ufffe\uffff", 5, None),
        ("a\0", None, "holds U+0000"),
        ("\ud83d", None, "holds half of a surrogate pair"),
        ("\U0001f600" * 6, 5, "has 6 characters, more than 5"),
    ],
)
def test_a_text_fits_or_it_is_said_why_not(text, most, why):
    assert misfit(text, most) == why


def test_a_columns_own_length_counts_and_else_what_its_index_takes():
    assert length_of(tables.sessions.c.origin_host) == 255
    assert length_of(tables.sessions.c.session_id) == LONGEST_INDEXED
