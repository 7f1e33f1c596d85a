"""Taxes as taxes.yaml writes them, what plans say of them, and what is refused with its place."""

from datetime import UTC, datetime

import pytest

from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.taxes import AddedTax, TaxRate
from gateway.settings import ConfigInvalid, load, shown
from gateway.settings.plans_file import FOR_GOOD

GATEWAY = "operator: {name: TPO}\nstore: {url: sqlite:///var/tpo.db}\napi: {}\n"
RATES = "data: {price: 1, per: 1}, voice: {price: 3, per: 60}, sms: {price: 1, per: 1}"
GB = """\
GB:
  name: VAT
  currency: GBP
  timezone: Europe/London
  rates: {standard: {2010-01-01: 17.5, 2011-01-04: 20}, reduced: {2010-07-01: 5}}
"""
US = """\
US:
  name: Taxes
  currency: USD
  timezone: America/New_York
  added:
    "*": [{name: Universal Service, kind: usf, percent: 38.1, of: 37.1, valid_from: 2025-10-01}]
    NY: [{name: Public safety, kind: 911, fixed: 1.20, valid_from: 2025-01-01, zips: ["100"]}]
"""


@pytest.fixture
def settings(tmp_path):
    def load_(taxes, plan="", currency="GBP"):
        (tmp_path / "gateway.yaml").write_text(GATEWAY)
        (tmp_path / "causes.yaml").write_text("c: {name: C, country: GB}\n")
        (tmp_path / "plans.yaml").write_text(f"p: {{name: P, currency: {currency}, {RATES}{plan}}}\n")
        (tmp_path / "taxes.yaml").write_text(taxes)
        return load(tmp_path / "gateway.yaml", {})

    return load_


@pytest.fixture
def problems(settings):
    def problems_(*given, **named):
        with pytest.raises(ConfigInvalid) as refused:
            settings(*given, **named)
        return [each.message for each in refused.value.problems]

    return problems_


def micros(*moment):
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000


def test_rates_begin_with_their_day_by_the_clocks_of_the_country(settings):
    found = settings(GB).taxes["GB"]
    assert found.rates == (
        TaxRate("standard", 175_000, micros(2010, 1, 1)),
        TaxRate("standard", 200_000, micros(2011, 1, 4)),
        TaxRate("reduced", 50_000, micros(2010, 6, 30, 23)),
    )


def test_taxes_on_top_are_by_state_and_place(settings):
    found = settings(US).taxes["US"].added
    assert found["*"] == (AddedTax("Universal Service", "usf", micros(2025, 10, 1, 4), 381_000, 0, 371_000),)
    assert found["NY"] == (AddedTax("Public safety", "911", micros(2025, 1, 1, 5), fixed=1_200_000, zips=("100",)),)


def test_a_plan_says_whose_tax_it_includes_and_until_when_its_former_version_is_kept(settings):
    plan = settings(GB, ", tax: {inclusive: GB, kind: reduced}, grandfathered: 2027-06-30").plans["p"]
    assert plan.tax == PlanTax(Treatment.INCLUSIVE, "GB", "reduced")
    assert plan.kept_until == micros(2027, 6, 30)
    at_midnight = settings(GB, ", grandfathered: '2027-06-30T00:00:00+01:00'").plans["p"]
    assert at_midnight.kept_until == micros(2027, 6, 29, 23)
    assert settings(GB, ", grandfathered: true").plans["p"].kept_until == FOR_GOOD


def test_a_tax_whose_first_rate_is_still_to_come_is_warned_of_as_nothing_is_booked_until_then(settings):
    future = GB.replace("2010-01-01: 17.5, 2011-01-04: 20", "2910-01-04: 20")
    (warning,) = [each.message for each in settings(future, ", tax: {inclusive: GB}").warnings]
    first = "the first rate of kind standard of GB in taxes is of 2910-01-04"
    assert warning == f"p.tax.inclusive: {first}: no tax is booked until then"
    assert not settings(GB, ", tax: {inclusive: GB}").warnings


def test_a_plan_whose_tax_is_in_no_table_is_refused(problems):
    assert problems(GB, ", tax: {inclusive: FR}") == ["p.tax.inclusive: taxes has no FR"]
    assert problems(GB, ", tax: {inclusive: GB, kind: zero}") == [
        "p.tax.inclusive: GB in taxes has no rates of kind zero"
    ]
    assert problems(GB, ", tax: {exclusive: GB}") == [
        "p.tax.exclusive: GB in taxes has nothing that is added to prices"
    ]
    assert problems(US, ", tax: {exclusive: US}") == ["p.tax.exclusive: is in USD, the plan in GBP"]
    assert problems(GB, ", tax: {inclusive: GB, exclusive: US}") == [
        "give inclusive or exclusive, with the country whose tax it is"
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("17.5", "117.5", "must be between 0 and 100, with at most 4 decimal places"),
        ("2010-01-01", "2010-13-01", "must be a date, like 2011-01-04"),
        ("Europe/London", "Europe/Londno", "there is no time zone `Europe/Londno`; did you mean `Europe/London`?"),
    ],
)
def test_what_is_no_rate_is_refused(problems, before, after, said):
    assert problems(GB.replace(before, after)) == [said]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("fixed: 1.20", "fixed: 1.20, percent: 1", "give percent, or fixed: so much a month"),
        ("NY:", "ny:", "must be a state of two capital letters, like NY, or * for all of them"),
        ('["100"]', '["1OO"]', "must be a ZIP, or its first three or four digits, in quotes"),
    ],
)
def test_what_is_no_tax_on_top_is_refused(problems, before, after, said):
    assert problems(US.replace(before, after)) == [said]


def test_a_moment_that_is_none_is_refused(problems):
    assert problems(GB, ", grandfathered: soon") == [
        "must be a date, like 2027-06-30, or a time with its offset, like 2027-06-30T00:00:00+01:00"
    ]


def test_taxes_are_shown_as_the_file_has_them(settings):
    assert shown(settings(GB))["taxes"]["GB"]["rates"][0] == {
        "kind": "standard", "percent": "17.5", "valid_from": "2010-01-01T00:00:00Z",
    }  # fmt: skip
    (usf,) = shown(settings(US))["taxes"]["US"]["added"]["*"]
    assert (usf["percent"], usf["of"], usf["fixed"]) == ("38.1", "37.1", "0.00")
