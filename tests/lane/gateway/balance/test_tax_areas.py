"""Where a line is taxed: over time, told of where nobody knows it, and never guessed."""

import msgspec
import pytest
from support.books import check
from support.charging_fixture import MSISDN, PLANS, charging_place
from support.lane_fixture import EVIDENCE_KEY

from gateway.balance.changes import SubscriberUnknown
from gateway.balance.plan_standing import recorded, versions_of
from gateway.balance.profiles import Profile, read_plans
from gateway.balance.queries import Terms, show
from gateway.balance.tax_areas import LineTax, SetTaxArea, area_at, unknown_areas
from gateway.charging.plan_changes import AgreeToPrices, PricesAgreed
from gateway.charity.policies import recompute
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.taxes import AddedTax, Jurisdiction, TaxArea
from gateway.settings.plans_file import FOR_GOOD
from gateway.subscribers import history

US = PlanTax(Treatment.EXCLUSIVE, "US")
TAXED = {name: msgspec.structs.replace(plan, tax=US) for name, plan in PLANS.items()}
TAXES = {
    "US": Jurisdiction("US", "Taxes", "GBP", "America/New_York", added={"NY": (AddedTax("Sales", "state", 0, 40_000),)})
}


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/books.db", plans=TAXED) as opened:
        opened.owner = opened.enrol(5_000_000)
        yield opened


def tax(place):
    terms = Terms(place.policy.tariff.plan_of, TAXES)
    with place.reader.connect() as connection:
        return show(connection, place.owner, next(place.ticks), terms).tax


def unknown(place):
    with place.reader.connect() as connection:
        return unknown_areas(connection, TAXED, TAXES)


def test_a_line_without_an_area_is_told_of_until_it_has_one_that_the_taxes_know(place):
    assert tax(place) == LineTax("exclusive", "US", None, None, is_known=False)
    assert unknown(place) == {"payg-gb": 1}
    place.lane.run(SetTaxArea("msisdn", MSISDN, "OH", "43004", "me", "form"))
    assert tax(place) == LineTax("exclusive", "US", "OH", "43004", is_known=False)
    assert unknown(place) == {"payg-gb": 1}
    place.lane.run(SetTaxArea("msisdn", MSISDN, "NY", "10001", "me", "moved"))
    assert tax(place) == LineTax("exclusive", "US", "NY", "10001", is_known=True)
    assert unknown(place) == {}


def test_an_area_counts_from_its_time_on_stands_in_the_history_and_is_proved(place):
    assert isinstance(
        place.lane.run(SetTaxArea("msisdn", "447700900999", "NY", "10001", "me", "form")), SubscriberUnknown
    )
    first = place.lane.run(SetTaxArea("msisdn", MSISDN, "NY", "10001", "me", "form"))
    again = place.lane.run(SetTaxArea("msisdn", MSISDN, "NY", "10001", "me", "form"))
    assert again.valid_from == first.valid_from
    moved = place.lane.run(SetTaxArea("msisdn", MSISDN, "TX", "75001", "me", "moved"))
    with place.reader.connect() as connection:
        found = [
            area_at(connection, place.owner, at) for at in (first.valid_from - 1, first.valid_from, moved.valid_from)
        ]
        changes = [(each.change, each.before, each.after) for each in history.read(connection, place.owner)]
    assert found == [None, TaxArea("NY", "10001"), TaxArea("TX", "75001")]
    assert changes == [("tax area", "", "NY 10001"), ("tax area", "NY 10001", "TX 75001")]
    place.unguard()
    with place.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE tax_areas SET zip = '10002' WHERE state = 'NY'")
    with place.reader.connect() as connection:
        found = [
            each.detail for each in check(connection, recompute, EVIDENCE_KEY).findings if each.check == "evidence"
        ]
    assert len(found) == 1
    assert found[0].startswith("tax area ")


def test_who_agrees_to_the_prices_of_today_has_them_from_then_on(place):
    before = place.policy.tariff.plans["payg-gb"].version
    place.ticks.skip(60)
    place.price_by({**TAXED, "payg-gb": msgspec.structs.replace(TAXED["payg-gb"], name="New", kept_until=FOR_GOOD)})
    latest = place.policy.tariff.plans["payg-gb"].version
    terms = Terms(place.policy.tariff.plan_of, TAXES)

    def version():
        with place.reader.connect() as connection:
            return show(connection, place.owner, next(place.ticks), terms).plan_version

    assert version() == before
    with place.reader.connect() as connection:
        rows = versions_of(connection, "payg-gb", next(place.ticks))
        assert recorded(connection, "payg-gb", before).name == "Pay as you go"
        assert recorded(connection, "bundle-gb", before) is None
    assert [(row.version, row.state, row.lines, row.former_kept_until) for row in rows] == [
        (before, "former", 1, None), (latest, "in force", 0, "for good"),
    ]  # fmt: skip
    agreed = PricesAgreed(place.owner, "payg-gb", before, latest)
    assert place.lane.run(AgreeToPrices("msisdn", MSISDN, "me", "by text")) == agreed
    assert version() == latest
    again = place.lane.run(AgreeToPrices("msisdn", MSISDN, "me", "by text"))
    assert again == msgspec.structs.replace(agreed, before=latest)
    with place.reader.connect() as connection:
        assert len(history.read(connection, place.owner)) == 1


def test_agreeing_leaves_a_plan_that_waits_for_the_renewal_as_it_is(place):
    place.ticks.skip(60)
    place.price_by({**TAXED, "payg-gb": msgspec.structs.replace(TAXED["payg-gb"], name="New", kept_until=FOR_GOOD)})
    waits_until = place.ticks.now + 86_400_000_000
    place.unguard()
    with place.writer.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO subscriptions VALUES (77, {place.owner}, 'bundle-gb', {waits_until})")
    place.lane.run(AgreeToPrices("msisdn", MSISDN, "me", "by text"))
    with place.reader.connect() as connection:
        profile = Profile(read_plans(connection, {place.owner})[place.owner])
    assert [plan for _, plan in profile.plans] == ["payg-gb", "payg-gb", "bundle-gb"]
    assert place.policy.tariff.plan_of(profile, next(place.ticks)).name == "New"
