"""Who is still registered, and how long a cause's money has waited."""

import io

import pytest

from gateway.charity.ageing import Waiting, oldest, runs
from gateway.charity.causes import Agreement, Cause
from gateway.charity.register import RegisterInvalid, read_rows
from gateway.charity.standings import Account
from gateway.charity.tenth_states import Stream

COMMISSION = """\
date_of_extract,registered_charity_number,linked_charity_number,charity_name,charity_registration_status
2026-11-01,288701,0,WATERAID,Registered
2026-11-01,288701,1,A FUND OF IT,Removed
2026-11-01,1081247,0,WWF-UK,Removed
2026-11-01,999999,0,SOMEBODY ELSE,Registered
"""
IRS = "EIN,NAME,STATUS\n363673599,FEEDING AMERICA,01\n"
OSCR = "Charity Number,Charity Name,Charity Status\nSC039479,WaterAid,Active\n"


@pytest.mark.parametrize(
    ("text", "wanted", "found"),
    [
        (
            COMMISSION,
            ["288701", "1081247", "1110522"],
            [("288701", "registered"), ("1081247", "removed")],
        ),
        (COMMISSION.replace(",", "\t"), ["288701"], [("288701", "registered")]),
        (IRS, ["36-3673599"], [("36-3673599", "registered")]),
        (IRS.replace(",01", ",02"), ["36-3673599"], [("36-3673599", "registered")]),
        (IRS.replace(",01", ",12"), ["36-3673599"], [("36-3673599", "removed")]),
        (OSCR, ["SC039479"], [("SC039479", "registered")]),
    ],
)
def test_an_extract_is_read_as_each_regulator_publishes_it_and_only_our_rows_are_kept(text, wanted, found):
    assert [(row.number, row.status) for row in read_rows(io.StringIO(text), wanted)] == found


def test_what_has_no_column_of_numbers_is_no_extract():
    with pytest.raises(RegisterInvalid, match="no column of numbers"):
        read_rows(io.StringIO("a,b\n1,2\n"), ["288701"])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2026-11-01,288701,0,WATERAID", "line 6: the row of 288701 has not as many fields"),
        ("2026-11-01,288701,0,WATER,AID,Removed", "line 6: the row of 288701 has not as many fields"),
        (f"2026-11-01,288701,0,{'W' * 200_000},Removed", "behind line 5: a row cannot be read: field larger than"),
    ],
)
def test_an_extract_that_was_cut_off_or_broken_says_nothing_of_our_causes(row, said):
    with pytest.raises(RegisterInvalid, match=said):
        read_rows(io.StringIO(f"{COMMISSION}{row}\n"), ["288701"])


@pytest.mark.parametrize(
    ("outstanding", "period"),
    [(0, ""), (1, "2026-11"), (30, "2026-11"), (31, "2026-09"), (80, "2026-09"), (500, "2026-09")],
)
def test_the_oldest_of_what_is_outstanding_came_in_first_of_what_is_left(outstanding, period):
    assert oldest([("2026-09", 50), ("2026-10", -5), ("2026-11", 30)], outstanding) == period


def test_money_of_a_later_month_is_not_paid_with_an_earlier_one_and_no_quarter_is_spoken_of():
    terms = Agreement("2026-01-01", "2026-01-01", "GBP", "bacs", transmit_within=60)
    cause = Cause("wwf", "WWF", "GB", agreement=terms)
    waits = [Waiting(Account(Stream.TENTH, "wwf", "GBP"), 1, "2026-11", 9, 60)]
    assert runs(cause, waits, "2026-10") == "what waits is of 2026-11: it is paid with that"
    assert runs(cause, waits, "2026-11") == ""


@pytest.mark.parametrize(
    ("oldest_month", "paid_with", "why"),
    [
        ("2026-10", "2026-10", "its quarter runs: it is paid with 2026-12"),
        ("2026-11", "2026-11", "its quarter runs: it is paid with 2026-12"),
        ("2026-10", "2026-12", ""),
        ("2026-10", "2027-01", ""),  # nobody paid in December
        ("2027-01", "2027-01", "its quarter runs: it is paid with 2027-03"),
    ],
)
def test_a_cause_that_is_paid_quarters_is_paid_when_one_is_over(oldest_month, paid_with, why):
    terms = Agreement("2026-01-01", "2026-01-01", "GBP", "bacs", period="quarter", transmit_within=120)
    cause = Cause("wwf", "WWF", "GB", agreement=terms)
    waits = [Waiting(Account(Stream.TENTH, "wwf", "GBP"), 1, oldest_month, 9, 120)]
    assert runs(cause, waits, paid_with) == why
    assert runs(cause, [], paid_with) == ""
    monthly = Cause("wwf", "WWF", "GB", agreement=Agreement("2026-01-01", "2026-01-01", "GBP", "bacs"))
    assert runs(monthly, waits, paid_with) == ""
