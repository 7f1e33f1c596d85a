"""`tpo plan`: what plans there are, what is wrong with them, and what charging itself would take for some usage."""

import json

import pytest

from gateway.cli import main

GATEWAY = "operator: {name: TPO}\nstore: {url: sqlite:///var/tpo.db}\napi: {}\nplans: prices.yaml\n"
PLANS = """\
p:
  name: P
  currency: GBP
  data: {price: 0.01, per: 1000000}
  voice: {price: 0.03, per: 60, increments: 60/1, connection: 0.05, at: {evening: {price: 0.01, per: 60}}}
  sms: {price: 0.02, per: 1}
  deck: world.csv
  periods: {evening: {days: [mon, tue, wed, thu, fri], begins: "19:00", ends: "07:00"}}
  caps: [{services: [data], day: 1}]
  roaming:
    home: ["234"]
    zones:
      usa: {networks: ["310"], data: {price: 10, per: 1000000}, voice: {price: 0.4, per: 60}, sms: {price: 0.1, per: 1}}
"""
DECK = """\
prefix,name,voice,increments,service,service_connection,tenth
449,Premium rate,0.55,60/1,3.60,0.50,no
118,Enquiries,0.55,,2,,
"""


@pytest.fixture
def tpo(tmp_path, capsys):
    (tmp_path / "gateway.yaml").write_text(GATEWAY)
    (tmp_path / "causes.yaml").write_text("c: {name: C, country: GB}\n")
    (tmp_path / "prices.yaml").write_text(PLANS)
    (tmp_path / "world.csv").write_text(DECK)

    def run(*words, code=0):
        assert main(["--config", str(tmp_path / "gateway.yaml"), "plan", *words]) == code
        return capsys.readouterr()

    return run


def price(tpo, *words):
    return json.loads(tpo("price", "--plan", "p", *words, "--json").out)


WINTER, SUMMER = "2026-11-25T12:00:00Z", "2026-07-22T18:30:00Z"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "07700900123", "--seconds", "61", "--at", WINTER], {"price": "0.0805", "connection": "0.05"}),
        (["--to", "07700900123", "--seconds", "61", "--at", SUMMER], {"price": "0.010167", "rate_key": "///evening"}),
        (["--to", "07700900123", "--seconds", "0", "--at", WINTER], {"price": "0.00", "connection": "0.00"}),
        (
            ["--to", "0909 8790123", "--seconds", "90", "--at", WINTER],
            {"price": "6.725", "service_charge": "5.90", "without_tenth": "5.90", "destination_name": "Premium rate"},
        ),
        (["--to", "0909 8790123", "--seconds", "900"], {"over_limit": "14.50", "price": "48.25"}),
        (["--to", "118118", "--seconds", "60"], {"price": "2.55", "rate_key": "//118/", "without_tenth": "0.00"}),
        (["--to", "112", "--seconds", "600", "--roaming", "310260"], {"price": "0.00", "traffic": "sos"}),
        (["--to", "112", "--seconds", "600", "--roaming", "20801"], {"price": "0.00", "traffic": "sos"}),
        (["--to", "0800 1111", "--seconds", "600"], {"price": "0.00", "traffic": "free"}),
        (["--seconds", "60", "--incoming", "--roaming", "310260"], {"price": "0.00", "traffic": "in", "zone": "usa"}),
        (["--octets", "150000000"], {"price": "1.00", "used": "1.50", "over_limit": "0.50"}),
        (["--octets", "1000000", "--roaming", "310260"], {"price": "10.00", "rate_key": "/usa//"}),
        (["--texts", "3", "--to", "+12025550123"], {"price": "0.06", "texts": 3}),
    ],
)  # fmt: skip
def test_a_price_is_told_with_what_it_is_made_of(tpo, words, said):
    found = price(tpo, *words)
    assert {name: found[name] for name in said} == said


def test_a_network_without_a_price_an_unknown_plan_and_two_kinds_of_usage_are_refused(tpo):
    refused = tpo("price", "--plan", "p", "--octets", "1", "--roaming", "20801", code=1)
    assert "p has no price in the network 20801" in refused.err
    assert "there is no plan q" in tpo("price", "--plan", "q", "--octets", "1", code=1).err
    assert "give one of --seconds, --octets and --texts" in tpo("price", "--plan", "p", code=64).err
    for network in ("usa", "310", "310-260", "+31026"):
        said = tpo("price", "--plan", "p", "--octets", "1", "--roaming", network, code=64).err
        assert "give MCC and MNC" in said


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "9999-01-01", "1969-12-31T23:59:59Z"])
def test_a_time_at_the_ends_of_the_calendar_is_refused(tpo, at):
    said = tpo("price", "--plan", "p", "--octets", "1", "--at", at, code=64).err
    assert "--at: give a time from 1970 on and before 9999" in said


def test_plans_are_listed_with_how_much_there_is_to_them(tpo):
    (row,) = json.loads(tpo("list", "--json").out)
    assert (row["plan"], row["voice"], row["destinations"]) == ("p", "0.05 + 0.03 for 60 seconds (60/1)", 2)
    assert (row["zones"], row["periods"], row["caps"]) == (1, 1, 1)
    assert "0.05 + 0.03 for 60 seconds (60/1)" in tpo("list").out


def test_a_check_says_what_is_wrong_with_plans_and_nothing_of_the_rest(tpo, tmp_path):
    assert tpo("check").out.endswith("good: 1 plans, 2 destinations\n")
    (tmp_path / "world.csv").write_text("prefix,voice\n44808,1\n")
    (tmp_path / "gateway.yaml").write_text(GATEWAY + "charging: {slices: 1}\n")
    wrong = tpo("check", code=78)
    assert "p.destinations.44808: these numbers are free to call in GB" in wrong.out
    assert ("slices" in wrong.out, "tpo config check" in wrong.err) == (False, True)
    (tmp_path / "prices.yaml").write_text(PLANS.replace("deck: world.csv", "deck: none.csv"))
    found = json.loads(tpo("check", "--json", code=78).out)
    assert [each["key"] for each in found["problems"]] == ["p.deck"]


TAXES = """\
GB: {name: VAT, currency: GBP, timezone: Europe/London, rates: {standard: {2010-01-01: 17.5, 2011-01-04: 20}}}
US:
  name: Taxes
  currency: USD
  timezone: America/New_York
  added:
    "*": [{name: Universal Service, kind: usf, percent: 38.1, of: 37.1, valid_from: 2025-10-01}]
    NY: [{name: Sales tax, kind: state, percent: 4, valid_from: 2025-01-01},
         {name: Public safety, kind: 911, fixed: 1.20, valid_from: 2025-01-01}]
"""


def test_the_steps_of_a_price_end_with_the_tax_within_it_or_on_top_of_it(tpo, tmp_path):
    (tmp_path / "taxes.yaml").write_text(TAXES)
    (tmp_path / "prices.yaml").write_text(PLANS.replace("  deck", "  tax: {inclusive: GB}\n  deck"))
    found = price(tpo, "--texts", "3", "--at", WINTER)
    assert {name: found[name] for name in ("tax", "tax_percent", "net", "tax_amount", "price", "total")} == {
        "tax": "inclusive GB", "tax_percent": "20", "net": "0.05", "tax_amount": "0.01", "price": "0.06", "total": "0.06",
    }  # fmt: skip
    assert price(tpo, "--texts", "3", "--at", "2010-07-01T00:00:00Z")["tax_percent"] == "17.5"
    american = PLANS.replace("GBP", "USD").replace("  deck", "  tax: {exclusive: US}\n  deck")
    (tmp_path / "prices.yaml").write_text(american)
    found = price(tpo, "--texts", "100", "--at", WINTER, "--state", "NY", "--zip", "10001")
    assert found["tax_lines"] == {"Universal Service": "0.28", "Sales tax": "0.08"}
    assert (found["price"], found["tax_amount"], found["total"]) == ("2.00", "0.36", "2.36")
    assert price(tpo, "--texts", "100")["tax_lines"] is None
    assert price(tpo, "--texts", "100", "--state", "OH", "--zip", "43004")["tax_lines"] is None
    assert "give --state and --zip" in tpo("price", "--plan", "p", "--texts", "1", "--state", "NY", code=64).err
