import pytest

from gateway.rating.destinations import LONGEST, Destination, called_number, destination

EMERGENCY, FREE, ORDINARY = Destination.EMERGENCY, Destination.FREE, Destination.ORDINARY


@pytest.mark.parametrize(
    "address",
    [
        *("112", "911", "999", "000", "118", "18000", "116000", "116123"),
        *("+112", "tel:+999", "tel:999", "tel:112;phone-context=+44", "tel:%39%39%39", "TEL:999", " 999 ", "9-9-9"),
        *("sip:999@ims.example", "sips:112@ims.example;user=phone", "sip:112;phone-context=x@ims.example"),
        *("+44999", "0044112", "44999", "sip:+44999@ims.example", "sip:%2B44116123@ims.example"),
        *("urn:service:sos", "URN:SERVICE:SOS", "urn:service:sos.ambulance", "sip:sos@home.example"),
        *(
            "999;phone-context=+44",
            "112@ims.example",
            "<sip:999@ims.example>;tag=1",
            "urn:service:sos;x=y",
            "sip:sos.fire@x",
        ),
        *("*31#999", "#31#112", "sip:*31%23112@ims.example", "141999", "1470 999", '"Help" <sip:999@x>', "999F"),
    ],
)
def test_emergencies_and_helplines_of_the_uk_however_they_are_written(address):
    assert destination(address, "GB") is EMERGENCY


@pytest.mark.parametrize(
    "address",
    [
        "101",
        "111",
        "tel:111;phone-context=+44",
        "+44101",
        "08001111",
        "0800 1111",
        "tel:+44-800-1111",
        "+44 (0)800 1111",
        "448001111",
        "00448080000000",
        "sip:+448088000000@x.example",
    ],
)
def test_freephone_numbers_of_the_uk(address):
    assert destination(address, "GB") is FREE


@pytest.mark.parametrize(
    "address",
    [
        *("447700900123", "+441164960000", "01164960000", "441164960000", "118118", "0909 8790123", "100", "70070"),
        *("+18005551234", "tel:+4411612345678", "1164", "urn:service:counseling", "urn:service:sosx", "mailto:999@x"),
        *("", "+", "abc", "٩٩٩", "9" * 5000, "sip:@", "sip:", "tel:", "999,999", "sip:alice@999.example", "\0"),
    ],
)
def test_everything_else_has_a_price(address):
    assert destination(address, "GB") is ORDINARY


def test_the_country_says_which_short_numbers_are_free():
    assert [destination("988", country) for country in ("US", "GB")] == [EMERGENCY, ORDINARY]
    assert [destination("18000", country) for country in ("US", "GB")] == [ORDINARY, EMERGENCY]
    assert [destination("15", country) for country in ("FR", "GB")] == [EMERGENCY, ORDINARY]
    assert destination("+18005551234", "US") is ORDINARY  # the call is free, the mobile's minutes are not


def test_no_more_of_an_address_is_looked_at_than_a_number_can_have():
    assert destination(" " * LONGEST + "999", "GB") is ORDINARY


@pytest.mark.parametrize("address", ["118118", "tel:118118", "+44118118", "0044118118", "sip:118118@ims.example"])
def test_directory_enquiries_keep_their_short_number_as_it_is_dialled(address):
    assert called_number(address, "GB") == "118118"


@pytest.mark.parametrize(
    ("address", "number"),
    [("01189960000", "441189960000"), ("+441189960000", "441189960000"), ("+11811812345", "11811812345")],
)
def test_numbers_of_reading_are_no_directory_enquiries(address, number):
    assert called_number(address, "GB") == number


@pytest.mark.parametrize(
    "address",
    [
        *("#31#07700900123", "*31#+447700900123", "sip:%2331%2307700900123@ims.example", "*6707700900123"),
        *("14107700900123", "141 +44 7700 900123", "1470-07700-900123", "14100447700900123"),
        *(
            '"Bob" <sip:+447700900123@ims.example>',
            "Bob <tel:07700900123>;tag=1",
            "sip:+447700900123:secret@ims.example",
        ),
        *(
            "tel:7700900123;phone-context=+44",
            "sip:07700900123;phone-context=+44@x",
            "<tel:7700900123;phone-context=+44>",
        ),
        *("tel:00447700900123;phone-context=+44", "tel:447700900123;phone-context=+44", "447700900123F"),
        *("+447700900123/TYPE=PLMN", "tel:+447700900123;npdi;rn=+441234000000"),
    ],
)
def test_a_number_is_the_same_whatever_is_dialled_before_it_or_written_around_it(address):
    assert called_number(address, "GB") == "447700900123"


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("14105550123", "14105550123"),
        ("14100555012", "14100555012"),
        ("01415550123", "441415550123"),
        ("tel:2125550123;phone-context=+1", "12125550123"),
        ("tel:212555;phone-context=ims.example", ""),
        ("*100#", ""),
        ("*67#", ""),
    ],
)
def test_what_only_looks_like_it_is_left_to_the_number(address, number):
    assert called_number(address, "GB") == number
