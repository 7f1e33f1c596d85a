"""Identifiers at the edge: what is taken, what is refused, and what an error shows."""

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import (
    OpcWatch,
    eid,
    iccid,
    imsi,
    is_imsi_of,
    is_number_of,
    key,
    luhn_ok,
    msisdn,
    network,
    read_keys,
)
from provisioning.keys import Keys

KI, OPC, OTHER = (
    "465b5ce8b199b49faa5f0a2ee238a6bc",
    "cd63cb71954a9f4e48a5994e37a02baf",
    "0396eb317b6d1c36f19c1c84cd6ffd16",
)
UNQUOTED = st.characters(exclude_characters="'\"\\")  # so that a test can tell what an error quotes
READERS = {"iccid": iccid, "imsi": imsi, "msisdn": msisdn, "eid": eid}


def refused(read, *arguments, **options):
    """Have it refused, and give the error."""
    with pytest.raises(IdentifierInvalid) as caught:
        read(*arguments, **options)
    return caught.value


def attempt(read, text):
    """Give (what was read, None) or (None, the error)."""
    try:
        return read(text), None
    except IdentifierInvalid as error:
        return None, error


def eid_of(first):
    return f"{first}{98 - int(first + '00') % 97:02}"


# ICCID


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("8944100000000000018", "8944100000000000018"),
        ("8944100000000000018F", "8944100000000000018"),
        ("8944100000000000001f", "8944100000000000001"),
        ("894410000000000001FF", "894410000000000001"),
        (" 89860468152080348700\n", "89860468152080348700"),
    ],
)
def test_an_iccid_loses_its_filler_and_blanks(text, digits):
    assert iccid(text) == digits


@pytest.mark.parametrize("text", ["8985211116317800004", "8965880812100011146", "8944100000000000018"])
def test_a_luhn_digit_that_fits_is_seen(text):
    assert luhn_ok(text)
    assert iccid(text, luhn="require") == text


@pytest.mark.parametrize("text", ["89860468152080348700", "89860468152080349618", "8944100000000000019"])
def test_a_luhn_digit_that_does_not_fit_is_refused_only_for_issuers_that_promise_it(text):
    assert iccid(text) == text
    assert not luhn_ok(text)
    assert "Luhn" in str(refused(iccid, text, luhn="require"))


def test_eighteen_digits_have_no_check_digit_even_if_the_sum_fits_by_chance():
    text = next(t for t in (f"8944100000000000{n:02}" for n in range(100)) if luhn.is_valid(t))
    assert iccid(text) == text
    assert not luhn_ok(text)
    assert "has no check digit" in str(refused(iccid, text, luhn="require"))


@given(st.from_regex(r"89[0-9]{16,17}", fullmatch=True), st.integers(0, 2))
def test_an_iccid_with_its_check_digit_is_read_whatever_its_filler(first, filler):
    text = first + luhn.calc_check_digit(first)
    assert iccid(text + "F" * filler, luhn="require") == text
    wrong = text[:-1] + str((int(text[-1]) + 1) % 10)
    assert not luhn_ok(wrong)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("89441000000000000", "17 digits"),
        ("894410000000000000180", "21 digits"),
        ("1944100000000000018", "beginning with 89"),
        ("9844010000000000108F", "swapped"),
        ("98440100000000001FF8", "swapped"),
        ("8.94410E+18", "spreadsheet"),
        ("8,9441E+19", "spreadsheet"),
        ("8944 1000 0000 0000 018", "not made of digits"),
        ("89441F00000000000018", "not made of digits"),
        ("\u0668\u0669" + "4" * 17, "not made of digits"),
        ("", "is missing"),
        ("F", "is missing"),
    ],
)
def test_an_iccid_that_is_none_is_refused_with_a_reason(text, why):
    error = refused(iccid, text)
    assert error.code == "identifier.iccid"
    assert why in str(error)
    assert str(error).startswith("ICCID ")


# IMSI


@pytest.mark.parametrize("text", ["234150999999999", " 00101000000001 "])
def test_an_imsi_keeps_its_leading_zeros(text):
    assert imsi(text) == text.strip()


@pytest.mark.parametrize(
    "text", ["2341509999999", "2341509999999990", "+234150999999999", "23415-0999999999", "2.3415E+14", ""]
)
def test_an_imsi_that_is_none_is_refused(text):
    assert refused(imsi, text).code == "identifier.imsi"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("234150999999999", ("234", "15")),
        ("235910123456789", ("235", "91")),
        ("23410099999999", ("234", "10")),
        ("310150123456789", ("310", "150")),
        ("310260123456789", ("310", "260")),
        ("311480123456789", ("311", "480")),
        ("001010123456789", ("001", "01")),
        ("001001123456789", ("001", "001")),
        ("502120123456789", ("502", "12")),
        ("502153123456789", ("502", "153")),
    ],
)
def test_the_length_of_an_mnc_comes_from_the_table(text, expected):
    assert network(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("999700000000001", "belongs to no network"),
        ("310999123456789", "belongs to no network"),
        ("000000000000000", "belongs to no network"),
        ("208501440000000", "belongs to no network"),
        ("310590123456789", "may belong to two networks"),
        ("999999000000001", "may belong to two networks"),
    ],
)
def test_the_length_of_an_mnc_is_never_guessed(text, why):
    error = refused(network, text)
    assert error.code == "identifier.imsi"
    assert why in str(error)


@given(st.from_regex(r"[0-9]{14,15}", fullmatch=True))
def test_a_network_is_the_beginning_of_its_imsi_or_an_error(text):
    found, error = attempt(network, text)
    if found is None:
        assert error.code == "identifier.imsi"
    else:
        mcc, mnc = found
        assert text.startswith(mcc + mnc)
        assert (len(mcc), len(mnc)) in {(3, 2), (3, 3)}


# MSISDN


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("447700900123", "447700900123"),
        ("+447700900123", "447700900123"),
        (" +12025550123 ", "12025550123"),
        ("390612345678", "390612345678"),
        ("2250701020304", "2250701020304"),
        ("870773111632", "870773111632"),
    ],
)
def test_an_msisdn_is_kept_without_its_plus(text, digits):
    assert msisdn(text) == digits


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("07700900123", "begin with the country code"),
        ("+07700900123", "begin with the country code"),
        ("000447700900123", "begin with the country code"),
        ("4407700900123", "has the prefix of home calls after country code 44"),
        ("7700900123", "country code 7 does not use"),
        ("15550123", "country code 1 does not use"),
        ("4477009001", "has 10 digits"),
        ("4915123456789012", "at most 15"),
        ("9" * 4000, "at most 15"),
        ("999123456", "no known country code"),
        ("++447700900123", "not made of digits"),
        ("+44 7700 900123", "leave out blanks"),
        ("4.477E+11", "spreadsheet"),
        ("+", "is missing"),
    ],
)
def test_an_msisdn_that_is_none_is_refused_with_a_hint(text, why):
    error = refused(msisdn, text)
    assert error.code == "identifier.msisdn"
    assert why in str(error)


@pytest.mark.parametrize("country", ["GB", "US", "IT", ""])
@pytest.mark.parametrize("text", ["+447700900123", "00447700900123", " 00447700900123\n"])
def test_a_number_with_plus_or_00_is_the_same_one_in_every_country(country, text):
    assert msisdn(text, country) == "447700900123"


@pytest.mark.parametrize(
    ("country", "text", "digits"),
    [
        ("GB", "447700900101", "447700900101"),
        ("GB", "07700900101", "447700900101"),
        ("GB", "4407700900101", "447700900101"),
        ("GB", "02079460000", "442079460000"),
        ("US", "2025550129", "12025550129"),
        ("US", "2035550129", "12035550129"),
        ("US", "6175550129", "16175550129"),
        ("US", "12025550129", "12025550129"),
        ("US", "011447700900123", "447700900123"),
        ("IT", "3125550129", "393125550129"),
        ("IT", "02079460000", "3902079460000"),
        ("FR", "0612345678", "33612345678"),
    ],
)
def test_a_number_as_written_at_home_is_one_of_the_operators_country(country, text, digits):
    assert msisdn(text, country) == digits


@pytest.mark.parametrize("text", ["2025550129", "2035550129", "3125550129", "6175550129", "20255501291", "4520123456"])
def test_a_number_that_is_foreign_by_accident_is_refused_unless_it_has_plus_or_00(text):
    assert "by accident" in str(refused(msisdn, text, "GB"))


@pytest.mark.parametrize(
    ("country", "text"),
    [("GB", "77009001011"), ("GB", "7700900101"), ("US", "20255501291"), ("US", "7700900123"), ("IT", "2025550129")],
)
def test_a_home_number_with_a_digit_too_many_or_without_its_0_is_no_foreign_one(country, text):
    assert "+ or 00" in str(refused(msisdn, text, country))


@pytest.mark.parametrize("text", ["12025550123", "33612345678", "61400123456"])
def test_a_whole_mobile_number_of_another_country_that_is_none_at_home_is_taken(text):
    assert msisdn(text, "GB") == text


@pytest.mark.parametrize("text", ["447700", "4477009001", "44770090010123", "0770090", "0123456789012"])
def test_digits_that_begin_like_a_home_number_and_are_none_are_refused(text):
    assert "no number of GB" in str(refused(msisdn, text, "GB"))


@given(st.integers(7_000_000_000, 7_999_999_999), st.sampled_from(["", "+"]))
def test_a_mobile_number_goes_in_with_or_without_plus_and_comes_out_in_digits(national, plus):
    assert msisdn(f"{plus}44{national}") == f"44{national}"


# EID


@pytest.mark.parametrize("text", ["89049032123451234512345678901235", " 89049032123451234512345678901235 "])
def test_an_eid_with_its_check_digits_is_read(text):
    assert eid(text) == text.strip()


@given(st.from_regex(r"[0-9]{30}", fullmatch=True), st.integers(0, 31), st.integers(1, 9))
def test_an_eid_with_one_digit_mistyped_is_refused(first, place, more):
    text = eid_of(first)
    assert eid(text) == text
    wrong = text[:place] + str((int(text[place]) + more) % 10) + text[place + 1 :]
    assert "check digits" in str(refused(eid, wrong))


@pytest.mark.parametrize("text", ["8904903212345123451234567890123", "890490321234512345123456789012355", "", KI])
def test_an_eid_that_is_none_is_refused(text):
    assert refused(eid, text).code == "identifier.eid"


# What errors show


@given(
    st.sampled_from(sorted(READERS)), st.text(UNQUOTED, max_size=40) | st.text(alphabet="0123456789+fF .E", max_size=40)
)
def test_whatever_is_given_is_read_into_digits_or_refused_with_at_most_four_of_them(kind, text):
    digits, error = attempt(READERS[kind], text)
    if digits is not None:
        assert digits.isdecimal()
        return
    told = str(error)
    assert error.code == f"identifier.{kind}"
    assert told.isprintable()
    shown = re.search(r"'(.*?)' ", told)
    assert shown is None or sum(c.isdecimal() for c in ast.literal_eval(shown.group().strip())) <= 4
    assert len(text.strip()) <= 4 or text.strip() not in told


@pytest.mark.parametrize("kind", READERS)
def test_a_key_in_the_column_of_a_number_is_not_shown_at_all(kind):
    told = str(refused(READERS[kind], KI))
    assert "of 32 characters" in told
    assert KI[:2] not in told.removeprefix(kind)


# Keys


def test_keys_are_read_from_a_row_in_either_case():
    row = {"iccid": "8944100000000000018", "Ki": KI.upper(), "OPc ": f" {OPC} ", "eid": None}
    assert read_keys(row) == Keys(bytes.fromhex(KI), bytes.fromhex(OPC))


@pytest.mark.parametrize("row", [{}, {"ki": "", "opc": " "}, {"ki": None, "opc": None, "op": ""}])
def test_a_row_without_keys_has_none(row):
    assert read_keys(row) is None


@pytest.mark.parametrize(
    ("row", "why"), [({"ki": KI, "opc": ""}, "OPc is missing beside Ki"), ({"opc": OPC}, "Ki is missing beside OPc")]
)
def test_half_a_pair_of_keys_is_refused(row, why):
    error = refused(read_keys, row)
    assert error.code == "identifier.key"
    assert why in str(error)


@pytest.mark.parametrize(
    "row",
    [
        {"ki": KI, "op": OTHER},
        {"ki": KI, "opc": OPC, "OP": OTHER},
        {"ki": KI, "opc": f"OP:{OTHER}"},
        {"ki": KI, "opc": f"op = {OTHER}"},
    ],
)
def test_an_op_is_not_taken_for_an_opc(row):
    error = refused(read_keys, row)
    assert error.code == "identifier.opc"
    assert "OP is the operator's, OPc the card's: give OPc" in str(error)
    assert OTHER not in str(error)


@pytest.mark.parametrize(
    "text", [KI[1:], KI + "0", "0x" + KI, KI[:8] + " " + KI[8:], "g" + KI[1:], "", "\uff10" + KI[1:]]
)
def test_a_key_that_is_none_is_refused_and_never_shown(text):
    ki, opc = refused(key, text, "Ki"), refused(key, text, "OPc")
    assert (ki.code, opc.code) == ("identifier.key", "identifier.opc")
    assert str(ki).startswith("Ki is not of 32 hexadecimal digits")
    told = (str(ki) + str(opc)).replace("hexadecimal", "")
    assert not re.search("[0-9a-f]{4}", told, re.ASCII)
    assert ki.__cause__ is None


@given(st.binary(min_size=16, max_size=16), st.booleans())
def test_a_key_goes_in_in_hexadecimal_and_comes_out_in_octets(octets, upper):
    text = octets.hex()
    assert key(text.upper() if upper else text, "Ki") == octets


def test_the_same_opc_for_two_kis_is_an_op_and_both_rows_are_named():
    watch = OpcWatch()
    watch.check(Keys(bytes.fromhex(KI), bytes.fromhex(OPC)), 2)
    watch.check(Keys(bytes.fromhex(OTHER), bytes.fromhex(KI)), 3)
    error = refused(watch.check, Keys(bytes.fromhex(OTHER), bytes.fromhex(OPC)), 17)
    assert error.code == "identifier.opc"
    assert "OPc of row 17 is that of row 2" in str(error)
    assert not re.search("[0-9a-f]{8}", str(error))


def test_the_same_ki_for_two_cards_is_a_row_that_was_mixed_up_and_both_rows_are_named():
    watch = OpcWatch()
    watch.check(Keys(bytes.fromhex(KI), bytes.fromhex(OPC)), 2)
    error = refused(watch.check, Keys(bytes.fromhex(KI), bytes.fromhex(OTHER)), 5)
    assert (error.code, "Ki of row 5 is that of row 2" in str(error)) == ("identifier.key", True)


def test_a_ki_that_was_copied_into_the_column_of_the_opc_is_refused():
    assert refused(read_keys, {"ki": KI, "opc": KI.upper()}).code == "identifier.opc"


def test_a_row_that_comes_twice_is_no_op():
    watch = OpcWatch()
    for row in (2, 3):
        watch.check(Keys(bytes.fromhex(KI), bytes.fromhex(OPC)), row)
    assert len(watch._seen) == len(watch._kis) == 1


def test_the_watch_keeps_no_key_in_clear():
    watch, secrets = OpcWatch(), (bytes.fromhex(KI), bytes.fromhex(OPC))
    watch.check(Keys(*secrets), 2)
    assert not any(repr(secret)[2:-1] in repr(vars(watch)) for secret in secrets)


# Countries


@pytest.mark.parametrize(
    ("number", "countries", "theirs"),
    [
        ("447700900123", "GB", True),
        ("447400123456", "GB", True),
        ("447624000001", "GB", True),  # the Isle of Man's, of the same numbering plan
        ("447400123456", "US", False),
        ("12025550123", "US", True),
        ("12025550123", "GB", False),
        ("14165550123", "US", False),  # Canada's, of the same country code
        ("14165550123", "US CA", True),
        ("17875551234", "US", False),  # Puerto Rico's
        ("77010000000", "RU", False),  # Kazakhstan's
        ("883510001234", "GB", False),  # nobody's: an international network
        ("33612345678", "GB US", False),
    ],
)
def test_a_number_is_of_a_country_by_its_code_and_by_its_range_where_several_share_one(number, countries, theirs):
    assert is_number_of(number, countries.split()) is theirs


@pytest.mark.parametrize(
    ("number", "countries", "theirs"),
    [
        ("234150000000001", "GB", True),
        ("235940000000001", "GB", True),
        ("234150000000001", "US", False),
        ("310260000000001", "US", True),
        ("311480000000001", "US", True),
        ("310260000000001", "GB", False),
        ("302720000000001", "US", False),
        ("204080000000001", "GB NL", True),
        ("001010000000001", "GB", True),  # a test network's
        ("901700000000001", "GB", True),  # an international one's
        ("999700000000001", "GB", True),  # a private one's
    ],
)
def test_an_imsi_is_of_a_country_by_its_mcc_and_nobodys_may_be_anybodys(number, countries, theirs):
    assert is_imsi_of(number, countries.split()) is theirs
