import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.money import AmountInvalid, format_amount, parse_amount


@given(st.integers(-(10**17), 10**17))
def test_an_amount_survives_writing_and_reading(micro):
    assert parse_amount(format_amount(micro, "GBP")) == micro


def test_amounts_show_the_currency_s_digits_and_no_more_than_needed():
    assert [format_amount(a, "GBP") for a in (0, 5_000_000, 1, -12_340_000, 100)] == [
        "0.00",
        "5.00",
        "0.000001",
        "-12.34",
        "0.0001",
    ]


@pytest.mark.parametrize(
    "text", ["", "1,50", "1e3", "0x10", "1.", ".5", "1.1234567", "٣", "NaN", "1 000", "9999999999999"]
)
def test_what_is_no_amount_is_refused_with_an_example(text):
    with pytest.raises(AmountInvalid, match=r"such as 12\.50"):
        parse_amount(text)
