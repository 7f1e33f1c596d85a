"""Taxes within prices and on top of them: exact, by tax point, and adding up."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.money import digits_of
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.taxes import (
    AddedTax,
    Jurisdiction,
    TaxArea,
    TaxedCharges,
    TaxRate,
    added_taxes,
    included,
    included_after,
    knows,
    percent,
    rate_at,
    tax_lines,
)

DAY = 86_400_000_000
GB = PlanTax(Treatment.INCLUSIVE, "GB")
US = PlanTax(Treatment.EXCLUSIVE, "US")
TABLE = {
    "GB": Jurisdiction(
        "GB",
        "VAT",
        "GBP",
        "Europe/London",
        (TaxRate("standard", 175_000, 0), TaxRate("standard", 200_000, 10 * DAY), TaxRate("reduced", 50_000, 0)),
    ),
    "US": Jurisdiction(
        "US",
        "Taxes",
        "USD",
        "America/New_York",
        added={
            "*": (AddedTax("Universal Service", "usf", 0, rate=381_000, of=371_000),),
            "NY": (
                AddedTax("Sales tax", "state", 0, rate=40_000),
                AddedTax("Sales tax", "state", 20 * DAY, rate=42_500),
                AddedTax("City sales tax", "local", 0, rate=45_000, zips=("100", "101")),
                AddedTax("Public safety surcharge", "911", 0, fixed=1_200_000),
            ),
        },
    ),
}


def test_the_rate_is_that_of_the_tax_point() -> None:
    assert rate_at(TABLE, GB, 10 * DAY - 1) == 175_000
    assert rate_at(TABLE, GB, 10 * DAY) == 200_000
    assert rate_at(TABLE, PlanTax(Treatment.INCLUSIVE, "GB", "reduced"), 10 * DAY) == 50_000


def test_a_rate_that_the_table_does_not_have_is_not_guessed() -> None:
    assert rate_at(TABLE, PlanTax(Treatment.INCLUSIVE, "GB", "zero"), DAY) is None
    assert rate_at(TABLE, PlanTax(Treatment.INCLUSIVE, "FR"), DAY) is None
    assert rate_at(TABLE, GB, -1) is None
    assert rate_at(TABLE, US, DAY) is None


def test_the_tax_within_six_pounds_at_a_fifth_is_one() -> None:
    assert included(6_000_000, 200_000) == 1_000_000
    assert included(1_000_000, 200_000) == 166_667
    assert included(-1_000_000, 200_000) == -166_667


def test_rates_are_written_in_percent() -> None:
    assert [percent(200_000), percent(175_000), percent(88_750), percent(0)] == ["20", "17.5", "8.875", "0"]


@given(st.integers(-(10**15), 10**15), st.integers(0, 1_000_000))
def test_tax_and_net_are_the_price(gross: int, rate: int) -> None:
    tax = included(gross, rate)
    net = gross - tax
    assert tax + net == gross
    assert abs(tax * 1_000_000 - net * rate) <= 1_000_000 + rate  # net times the rate is the tax, to the micro-unit
    assert included(-gross, rate) == -tax  # what is given back takes back the same


@given(st.lists(st.integers(-(10**9), 10**9), max_size=40), st.integers(0, 1_000_000), st.data())
def test_the_tax_of_any_split_of_days_is_that_of_the_month(charges: list[int], rate: int, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(charges)), max_size=6)))
    before = tax = 0
    for begins, ends in zip([0, *cuts], [*cuts, len(charges)], strict=True):
        day = sum(charges[begins:ends])
        tax += included_after(before, day, rate)
        before += day
    assert tax == included(sum(charges), rate)


def test_added_taxes_are_those_of_the_place_and_time() -> None:
    def names(state: str, zip_code: str, at: int) -> list[tuple[str, int]]:
        return [(each.name, each.rate) for each in added_taxes(TABLE, US, TaxArea(state, zip_code), at)]

    city = [
        ("Universal Service", 381_000),
        ("Sales tax", 40_000),
        ("City sales tax", 45_000),
        ("Public safety surcharge", 0),
    ]
    assert names("NY", "10001", DAY) == city
    assert names("NY", "14201", DAY) == [each for each in city if each[0] != "City sales tax"]
    assert dict(names("NY", "14201", 20 * DAY))["Sales tax"] == 42_500
    assert knows(TABLE, US, TaxArea("NY", "10001"))
    assert not knows(TABLE, US, TaxArea("OH", "43004"))


def test_lines_are_rounded_to_what_can_be_paid_and_fixed_ones_are_by_the_month() -> None:
    taxes = added_taxes(TABLE, US, TaxArea("NY", "10001"), DAY)
    found = {each.name: each.amount for each in tax_lines([TaxedCharges(taxes, 25_010_000)], unit=10_000)}
    assert found == {
        "Universal Service": 3_540_000,  # 38.1 % of 37.1 % of 25.01 is 3.535...
        "Sales tax": 1_000_000,
        "City sales tax": 1_130_000,
        "Public safety surcharge": 1_200_000,
    }


@given(
    st.integers(0, 10**12),
    st.sampled_from(("JPY", "USD", "KWD")),
    st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 5_000_000), st.integers(1, 1_000_000)), max_size=8),
)
def test_added_lines_add_up_in_currencies_of_none_two_and_three_digits(
    charges: int, currency: str, given_taxes: list[tuple[int, int, int]]
) -> None:
    unit = 10 ** (6 - digits_of(currency))
    taxes = [
        AddedTax(str(n), "state", 0, rate=rate, fixed=fixed, of=of) for n, (rate, fixed, of) in enumerate(given_taxes)
    ]
    lines = tax_lines([TaxedCharges(taxes, charges)], unit=unit)
    exact = sum(charges * each.of * each.rate / 10**12 + each.fixed for each in taxes)
    assert all(each.amount % unit == 0 and each.base == charges for each in lines)
    assert abs(sum(each.amount for each in lines) - exact) <= unit * len(taxes) / 2 + 1


def test_a_tax_on_taxes_is_on_the_charges_and_on_the_taxes_and_fees_beside_it() -> None:
    taxes = [
        AddedTax("County tax on all of it", "local", 0, rate=100_000, on_taxes=True),
        AddedTax("Sales tax", "state", 0, rate=40_000),
        AddedTax("911 fee", "911", 0, fixed=600_000),
        AddedTax("Town tax on all of it", "local", 0, rate=50_000, on_taxes=True),
    ]
    found = {each.name: (each.base, each.amount) for each in tax_lines([TaxedCharges(taxes, 10_000_000)], unit=10_000)}
    assert found == {
        "County tax on all of it": (11_000_000, 1_100_000),
        "Sales tax": (10_000_000, 400_000),
        "911 fee": (10_000_000, 600_000),
        "Town tax on all of it": (11_000_000, 550_000),
    }
    reordered = tax_lines([TaxedCharges(taxes[::-1], 10_000_000)], unit=10_000)
    assert {each.name: (each.base, each.amount) for each in reordered} == found


def test_charges_of_two_times_and_places_have_the_taxes_of_each_and_the_fees_of_the_last() -> None:
    usf = AddedTax("Universal Service", "usf", 0, rate=100_000)
    before, after = AddedTax("Sales tax", "state", 0, rate=40_000), AddedTax("Sales tax", "state", DAY, rate=50_000)
    fee, other = AddedTax("911 fee", "911", 0, fixed=600_000), AddedTax("Levy", "911", 0, fixed=100_000)
    parts = [
        TaxedCharges([usf, before, fee], 10_000_000, "NY"),
        TaxedCharges([usf, after, fee], 4_000_000, "NY"),
        TaxedCharges([usf, other], 1_000_000),
    ]
    assert [(each.name, each.base, each.amount, each.state) for each in tax_lines(parts, unit=10_000)] == [
        ("Universal Service", 15_000_000, 1_500_000, ""),
        ("Sales tax", 10_000_000, 400_000, "NY"),
        ("Sales tax", 4_000_000, 200_000, "NY"),
        ("Levy", 1_000_000, 100_000, ""),
    ]
