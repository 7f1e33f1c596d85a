from datetime import UTC, datetime

import pytest

from protocols.errors import LocalProtocolError
from protocols.smpp.errors import SmppError
from protocols.smpp.times import LONGEST_RELATIVE, absolute_time, parse_time, relative_time, well_formed

NOW = 1_800_000_000


def utc(*digits):
    return int(datetime(*digits, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("261123203600000+", utc(2026, 11, 23, 20, 36)),
        ("261123203600904+", utc(2026, 11, 23, 19, 36)),
        ("261123203600004-", utc(2026, 11, 23, 21, 36)),
        ("261123203600022+", utc(2026, 11, 23, 15, 6)),
        ("370101000000000+", utc(2037, 1, 1)),
        ("380101000000000+", utc(1938, 1, 1)),
        ("991231235959000+", utc(1999, 12, 31, 23, 59, 59)),
    ],
)
def test_trap_19_an_absolute_time_counts_quarters_of_an_hour_from_utc(text, moment):
    assert parse_time(text, NOW) == moment


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("000000000000000R", 0),
        ("000000003000000R", 1800),
        ("000002610000000R", 2 * 86400 + 61 * 3600),
        ("010100000000000R", 395 * 86400),
    ],
)
def test_trap_19_a_relative_time_is_a_span(text, span):
    assert parse_time(text, NOW) == NOW + span


@pytest.mark.parametrize(
    "text", ["", "261123203600000", "261323203600000+", "261123203600000X", "26112320360000\u0660+"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(SmppError):
        parse_time(text, NOW)


def test_times_of_ours_are_read_back():
    for moment in (0, NOW, utc(2037, 12, 31, 23, 59, 59)):
        assert well_formed(absolute_time(moment))
        assert parse_time(absolute_time(moment), 5) == moment
    for span in (0, 59, 86_399, 3 * 86_400, LONGEST_RELATIVE):
        assert parse_time(relative_time(span), NOW) == NOW + span


def test_a_time_that_cannot_be_said_is_our_error():
    for moment in (utc(2038, 1, 1), utc(1937, 12, 31)):
        with pytest.raises(LocalProtocolError):
            absolute_time(moment)
    for span in (-1, LONGEST_RELATIVE + 1):
        with pytest.raises(LocalProtocolError):
            relative_time(span)
