import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.currencies import CURRENCIES
from gateway.ledger.money import AmountInvalid, format_amount, is_payable, parse_amount


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


@pytest.mark.parametrize(
    ("currency", "micro", "written"),
    [
        ("JPY", 500_000_000, "500"),
        ("JPY", -1_500_000, "-1.5"),
        ("JPY", 0, "0"),
        ("KWD", 1_500_000, "1.500"),
        ("KWD", 1_500_100, "1.5001"),
        ("GBP", 1_500_000, "1.50"),
    ],
)
def test_amounts_have_the_digits_of_their_currency(currency, micro, written):
    assert format_amount(micro, currency) == written
    assert parse_amount(written) == micro


@given(st.integers(-(10**17), 10**17), st.sampled_from(sorted(CURRENCIES)))
def test_an_amount_in_any_currency_survives_writing_and_reading(micro, currency):
    assert parse_amount(format_amount(micro, currency)) == micro


@pytest.mark.parametrize(
    ("amount", "currency", "payable"),
    [
        ("10", "JPY", True),
        ("10.5", "JPY", False),
        ("10.55", "GBP", True),
        ("10.555", "GBP", False),
        ("10.555", "KWD", True),
        ("10.5555", "KWD", False),
    ],
)
def test_only_whole_minor_units_can_be_paid(amount, currency, payable):
    assert is_payable(parse_amount(amount), currency) is payable
