"""One form for a number at every door: what an SMSC says is read, what somebody asks for is read or refused."""

import pytest

from gateway.messaging import addresses
from provisioning.errors import IdentifierInvalid

UNKNOWN, INTERNATIONAL, NATIONAL, NETWORK, ALPHANUMERIC, ABBREVIATED = 0, 1, 2, 3, 5, 6


@pytest.mark.parametrize(
    ("address", "ton"),
    [
        ("447700900001", INTERNATIONAL),
        ("447700900001", UNKNOWN),
        ("447700900001", NATIONAL),
        ("+447700900001", INTERNATIONAL),
        ("00447700900001", INTERNATIONAL),
        ("00447700900001", UNKNOWN),
        ("07700900001", UNKNOWN),
        ("07700900001", INTERNATIONAL),
        ("07700900001", NATIONAL),
        ("+07700900001", UNKNOWN),
        ("7700900001", NATIONAL),
        ("7700900001", UNKNOWN),
        ("7700900001", INTERNATIONAL),
        (" 447700900001\0", INTERNATIONAL),
        ("0447700900001", UNKNOWN),
        ("+4407700900001", INTERNATIONAL),
        ("004407700900001", UNKNOWN),
        ("4407700900001", INTERNATIONAL),
        ("447700900001F", INTERNATIONAL),
        ("07700900001f", UNKNOWN),
    ],
)
def test_an_address_of_a_british_link_is_read_into_e164_whatever_its_form(address, ton):
    assert addresses.of_smsc(address, ton, "GB") == "447700900001"


@pytest.mark.parametrize(
    ("address", "ton", "country", "read"),
    [
        ("2025550129", UNKNOWN, "US", "12025550129"),
        ("2025550129", NATIONAL, "US", "12025550129"),
        ("2025550129", INTERNATIONAL, "US", "12025550129"),
        ("3125550129", INTERNATIONAL, "US", "13125550129"),
        ("447400123456", INTERNATIONAL, "US", "447400123456"),
        ("33612345678", INTERNATIONAL, "GB", "33612345678"),
        ("33612345678", UNKNOWN, "GB", "33612345678"),
        ("4520123456", INTERNATIONAL, "GB", "4520123456"),
        ("4520123456", UNKNOWN, "GB", "4520123456"),
        ("447700900001", INTERNATIONAL, "", "447700900001"),
        ("07700900001", UNKNOWN, "", "07700900001"),
        ("99999999999999999999", UNKNOWN, "GB", "99999999999999999999"),
    ],
)
def test_an_address_of_another_country_is_read_by_its_type_and_by_what_a_phone_there_has(address, ton, country, read):
    assert addresses.of_smsc(address, ton, country) == read


@pytest.mark.parametrize(
    ("address", "ton"),
    [
        ("70070", UNKNOWN),
        ("70070", ABBREVIATED),
        ("70070", NETWORK),
        ("447700", INTERNATIONAL),
        ("TPO", ALPHANUMERIC),
        ("0800", UNKNOWN),
        ("7700900001", ABBREVIATED),
        ("447700900001", ALPHANUMERIC),
        ("Bank 24/7", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_short_codes_and_names_stay_what_they_are(address, ton):
    assert addresses.of_smsc(address, ton, "GB") == address


@pytest.mark.parametrize("form", ["447700900123", "+447700900123", "00447700900123", "07700900123", " 07700900123 "])
def test_a_recipient_is_the_same_one_in_each_form(form):
    assert addresses.recipient(form, "GB") == addresses.sender(form, "GB") == "447700900123"


@pytest.mark.parametrize("given", ["447700", "0770", "4477009", "2025550129", "x", "", "+", "1234", "Anna"])
def test_what_may_be_no_number_is_no_recipient(given):
    with pytest.raises(IdentifierInvalid):
        addresses.recipient(given, "GB")


@pytest.mark.parametrize("given", ["70070", "61016", "TPO", "Water Aid"])
def test_a_sender_may_be_a_short_code_or_a_name(given):
    assert addresses.sender(given, "GB") == given


def test_a_text_may_go_to_a_short_code():
    assert addresses.recipient("61016", "GB") == "61016"
    assert addresses.recipient("223344", "US") == "223344"


@pytest.mark.parametrize("read", [addresses.recipient, addresses.sender])
@pytest.mark.parametrize(("digits", "country"), [("5550123", "US"), ("55501234", "US"), ("2233445", "CA")])
def test_a_number_without_its_area_is_no_short_code_of_north_america(read, digits, country):
    with pytest.raises(IdentifierInvalid, match="no number of"):
        read(digits, country)


@pytest.mark.parametrize(
    "address",
    ["+44 7700 900001", "07700-900001", "(07700) 900 001", "0044.7700.900001", "+44 (0)7700 900001", "44 7700 900001"],
)
def test_what_parts_the_digits_of_an_smsc_s_number_means_nothing(address):
    assert addresses.of_smsc(address, 0, "GB") == "447700900001"
    assert addresses.of_smsc(address, 5, "GB") == address.lstrip("+")
