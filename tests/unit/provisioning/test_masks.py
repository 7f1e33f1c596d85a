"""Numbers and keys in text are cut however people write them; what is none stays as it is."""

import datetime
import ipaddress
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioning.masks import MASK, mask

GAPS = st.sampled_from([" ", "-", "\u00a0", "\u2011", "\u2013"])
FURTHER_GAPS = "\u00ad\u00b7\u2007\u2009\u200b\u2010\u2012\u2014\u2015\u202f\u2060\u2212\u3000\ufe63\ufeff\uff0d"
"""Further spaces and dashes, some of them not to be seen."""
AROUND = st.sampled_from(
    [("", ""), ("to ", " now"), ("number=", ";x"), ("(", ")"), ("'", "',"), ("tel:", "."), ("\n", "\n")]
)
DIGITS = "0123456789"


def digits(least, most=None):
    return st.text(DIGITS, min_size=least, max_size=least if most is None else most)


@st.composite
def in_groups(draw, *groups):
    """A number whose groups are joined by one kind of gap."""
    return draw(GAPS).join(draw(group) for group in groups)


BRITISH = st.one_of(
    in_groups(st.just("+44"), digits(4), digits(6)),
    in_groups(st.just("+44"), digits(2), digits(4), digits(4)),
    in_groups(st.just("44"), digits(4), digits(6)),
    in_groups(st.just("07").flatmap(lambda head: digits(3).map(lambda tail: head + tail)), digits(6)),
    in_groups(st.just("020"), digits(4), digits(4)),
    in_groups(digits(3).map(lambda tail: "01" + tail), digits(3), digits(3)),
    st.builds("+44 (0){} {}".format, digits(4), digits(6)),
    st.builds("(01{}) {} {}".format, digits(3), digits(3), digits(3)),
)
AMERICAN = st.one_of(
    in_groups(st.just("+1"), digits(3), digits(3), digits(4)),
    in_groups(st.sampled_from(["212", "646", "917"]), digits(3), digits(4)),
    st.builds("({}) {}-{}".format, st.sampled_from(["212", "646"]), digits(3), digits(4)),
    st.builds("{}.{}.{}".format, st.sampled_from(["212", "646"]), st.just("555"), digits(4)),
)
CARDS = st.one_of(
    in_groups(st.just("8944"), digits(4), digits(4), digits(4), digits(2, 4)).filter(lambda text: len(text) > 22),
    digits(18, 22),
    digits(14, 16),
)


@given(number=BRITISH | AMERICAN | CARDS, around=AROUND)
def test_a_number_is_cut_to_its_ends_however_it_is_written(number, around):
    before, after = around
    plain = re.sub(r"\D", "", number)
    shown = mask(f"{before}{number}{after}")
    assert MASK in shown
    left = re.sub(r"\D", "", shown)
    # Of a number that begins inside a bracket, or with a plus, the first two and the last two digits are left.
    assert left == plain[:2] + plain[-2:]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+44 7700 900101", "+44********01"),
        ("07700-900101", "07********01"),
        ("call (07700) 900 123 now", "call (07********23 now"),
        ("44-7700-900123", "44********23"),
        ("+44.7700.900101", "+44********01"),
        ("07700 900101, 07700 900102", "07********01, 07********02"),
        ("8944 1100 6800 0000 0001", "89********01"),
        ("to +44 7700 900101 10.00 GBP", "to +44********01 10.00 GBP"),
        ("2026-11-23 +44 7700 900101", "2026-11-23 +44********01"),
        ("2026-11-23-447700900101", "2026-11-23-44********01"),
        ("pgw.host.example;1;447700900101", "pgw.host.example;1;44********01"),
        ("\u0664\u0664\u0667\u0667\u0660\u0660\u0669\u0660", "\u0664\u0664********\u0669\u0660"),
        ("00000000-0000-0000-0000-447700900101", "00********00-0000-0000-0000-44********01"),
        ("07700/900123, (07700)/900123", "07********23, (07********23"),
        ("+44/7700/900123", "+44********23"),
        ("07700.900123 020.7946.0958", "07********23 02********58"),
        ("+1.212.555.0134, 1.212.555.0134", "+12********34, 12********34"),
        ("07700 - 900123", "07********23"),
        ("from=%2B44%207700%20900123&to=07700+900123", "from=%2B44********23&to=07********23"),
        ("06 12 34 56 78, 06.12.34.56.78", "06********78, 06********78"),
        ("35-209900-176148-1", "35********81"),
        ("8944 1100 6800 0000 01", "89********01"),
        ("8904 9032 0000 0000 0000 0000 0000 0012", "89********12"),
        *((gap.join(("07700", "900", "123")), "07********23") for gap in FURTHER_GAPS),
    ],
)
def test_forms_of_numbers(text, masked):
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "10000-20000",
        "ports 3868 3869",
        "waits 10 20 30 40 50 60",
        "00 01 02 03 04 05 06 07",
        "00-11-22-33-44-55",
        "Mon, 23 Nov 2026 19:30:00 +0000",
        "23-11-2026 10:20",
        "20261 lines",
        "2001:db8:1234:5678:9abc:1234:5678:9012",
        "order 17 step 3, attempt 2 of 10",
        "1234-5678-9012-abcd",
        "2001:0db8:1234:5678:9abc:1234:5678:9012",
        "01:23:45:67:89:ab",
        "dead beef 1234",
        "2026/11/23 01/02/2026 23.11.2026",
        "120000/300000 lines",
        "1,234,567.89 or 1/100000",
    ],
)
def test_digits_that_are_no_number_stay(text):
    assert mask(text) == text


@given(
    st.binary(min_size=16, max_size=40).map(bytes.hex).filter(lambda text: not text.isdecimal()),
    st.sampled_from([2, 4, 8, 16]),
    st.sampled_from([*" -._/", ", ", *FURTHER_GAPS, "\u00a0", " 0x"]),
    AROUND,
)
def test_a_key_is_hidden_however_it_is_grouped(key, size, gap, around):
    whole = key[: len(key) // size * size]
    groups = [whole[start : start + size] for start in range(0, len(whole), size)]
    assert mask(gap.join(groups).join(around)) == MASK.join(around)
    assert mask(gap.join(groups).upper().replace(" 0X", " 0x").join(around)) == MASK.join(around)


TIMES = st.builds(
    datetime.datetime.combine, st.dates(datetime.date(1970, 1, 1), datetime.date(2099, 12, 31)), st.times()
)


@given(time=TIMES, zone=st.sampled_from(["", "Z", "+00:00", "-05:00"]), apart=st.sampled_from(["T", " "]))
def test_a_time_stays(time, zone, apart):
    for form in (time.isoformat(apart) + zone, f"{time.isoformat(apart)}{zone} {time.date()}", f"[{time:%H:%M:%S.%f}]"):
        assert mask(form) == form


@given(st.uuids(version=4) | st.uuids(version=1) | st.uuids(version=5), AROUND)
def test_an_id_stays(identifier, around):
    for form in (str(identifier), str(identifier).upper()):
        text = form.join(around)
        assert mask(text) == text


@given(
    st.lists(st.integers(0, 999), min_size=2, max_size=4).map(lambda parts: ".".join(map(str, parts))),
    st.sampled_from(["", "-rc1", "+build.7", ".dev3", "-beta"]),
)
def test_a_version_stays(version, suffix):
    assert mask(f"version {version}{suffix}") == f"version {version}{suffix}"


@given(st.decimals(0, 999_999, places=2) | st.decimals(0, 999_999, places=6), st.sampled_from(["GBP", "USD"]))
def test_an_amount_stays(amount, currency):
    for form in (f"{amount} {currency}", f"-{amount}", f"+{amount}", f"£{amount}", f"{amount} of {amount}"):
        assert mask(form) == form


@given(st.ip_addresses(), st.integers(1, 65535), st.integers(1, 65535))
@example(ipaddress.ip_address("192.168.100.200"), 65535, 10000)
def test_an_address_with_its_port_stays(address, port, other):
    shown = f"[{address}]" if address.version == 6 else str(address)
    for form in (f"{shown}:{port}", f"{address} {port}", f"({str(address)!r}, {port})", f"{port}-{other}"):
        assert mask(form) == form


@given(st.text(alphabet="0123456789+-.() *;:,abT\u2011\n", max_size=60))
@example("5555 1234 447700900101")
@example("0770 0900 1010 2026-11-23 19:30 447700900101 (020) 79")
def test_masking_twice_is_masking_once(text):
    once = mask(text)
    assert mask(once) == once


@given(st.text(alphabet="0123456789+() *;:", max_size=60))
def test_no_seven_digits_are_left_in_a_run(text):
    assert not re.search(r"\d{7}", mask(text))


@pytest.mark.parametrize(
    "text",
    [
        "0 " * 20_000,
        "1-" * 20_000,
        "+1 (" * 10_000,
        "12345 " * 10_000,
        "a1b2c3d4-" * 8_000,
        "0a " * 20_000,
        "0 7.7/" * 10_000,
        "2026-11-" * 8_000,
    ],
)
@pytest.mark.timeout(60)
def test_no_text_takes_long(text):
    assert isinstance(mask(text), str)
