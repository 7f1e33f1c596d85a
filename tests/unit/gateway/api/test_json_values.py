"""JSON of clients, read in one place: what is refused, and that it says where."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.json_values import MAX_DEPTH, check_value, read_value
from gateway.api.problems import Problem

LETTERS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
SINGLE = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e15, 1e15) | LETTERS
VALUES = st.recursive(
    SINGLE, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LETTERS, inner, max_size=4), max_leaves=10
)


@given(VALUES)
def test_what_the_store_holds_is_taken_as_it_is(value):
    assert read_value(msgspec.json.encode(value), "body.json") == value


@given(st.binary(max_size=200))
def test_any_octets_are_a_value_or_a_problem(octets):
    with suppress(Problem):
        read_value(octets, "body.json")


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (b"[" * 100_000, "params.invalid", "more than 16 deep"),
        (b"[" * 900 + b"]" * 900, "params.invalid", "more than 16 deep"),
        (b"1e400", "params.invalid", "too large"),
        (b'{"a":[0,9223372036854775808]}', "params.invalid", "a[1]: the number is too large"),
        (b'{"a":18446744073709551616}', "params.invalid", "a: the number is too large"),
        (b'{"rows":[{},{"msisdn":"44\\u0000"}]}', "params.invalid", "rows[1].msisdn: the text holds U+0000"),
        (b'{"\\u0000":1}', "params.invalid", "the body: the text holds U+0000"),
        (b"[" + b"0," * 100_001 + b"0]", "params.invalid", "more than 100000 values"),
        (b'{"a":NaN}', "body.json", "see its octet 5"),
        (b'{"a":', "body.json", "ends too early"),
        (b'{"a":"\\ud800"}', "body.json", "no JSON"),
        (b'"\xff"', "body.json", "give it in UTF-8"),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused_by_what_and_where(body, code, detail):
    with pytest.raises(Problem) as caught:
        read_value(body, "body.json")
    assert (caught.value.code, caught.value.status) == (code, 400)
    assert detail in caught.value.detail


def test_values_of_a_command_are_checked_alike():
    deep = value = {}
    for _ in range(MAX_DEPTH):
        value["a"] = value = {}
    check_value(deep)
    value["a"] = 1
    for wrong, detail in [
        (deep, "16 deep"),
        ({"number": "44\udcff"}, "number: the text holds half of a surrogate pair"),
        ({"number": float("nan")}, "number: the number is too large"),
        ({"number": float("inf")}, "number: the number is too large"),
        ({"rows": ({"a": "\0"},)}, "rows[0].a: the text holds U+0000"),
    ]:
        with pytest.raises(Problem) as caught:
            check_value(wrong)
        assert detail in caught.value.detail
