"""Rates, decks, tariff periods and caps as plans.yaml writes them, and what is refused with its place."""

import itertools
from datetime import UTC

import pytest

from gateway.balance.caps import pay_under_caps
from gateway.balance.usage import ACTIVE
from gateway.balance.wallets import Wallet
from gateway.rating.plans import HOLIDAY, CalledRates, Cap, Period, Rate, ServiceCharge
from gateway.settings import ConfigInvalid, load, shown

GATEWAY = "operator: {name: TPO}\nstore: {url: sqlite:///var/tpo.db}\napi: {}\n"
RATES = "data: {price: 1, per: 1}, voice: {price: 3, per: 60}, sms: {price: 1, per: 1}"
ROAMING = f"roaming: {{home: ['234'], zones: {{eu: {{networks: ['208'], {RATES}}}}}}}"
PENNY = 10_000


@pytest.fixture
def write(tmp_path):
    def write_(plan, **files):
        (tmp_path / "gateway.yaml").write_text(GATEWAY)
        (tmp_path / "causes.yaml").write_text("c: {name: C, country: GB}\n")
        (tmp_path / "plans.yaml").write_text(f"p: {{name: P, currency: GBP, {plan}}}\n")
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_bytes(text.encode(errors="surrogateescape"))
        return tmp_path / "gateway.yaml"

    return write_


@pytest.fixture
def plan(write):
    return lambda text, **files: load(write(text, **files), {}).plans["p"]


@pytest.fixture
def problems(write, tmp_path):
    def problems_(text, **files):
        with pytest.raises(ConfigInvalid) as refused:
            load(write(text, **files), {})
        return [str(each).replace(f"{tmp_path}/", "") for each in refused.value.problems]

    return problems_


def voice(rate):
    return RATES.replace("{price: 3, per: 60}", rate)


def test_a_rate_has_increments_a_connection_fee_and_other_prices_in_tariff_periods(plan):
    text = voice(
        "{price: 0.03, per: 60, increments: 60/1, connection: 0.05, at: {night: free, noon: {price: 1, per: 60}}}"
    )
    found = plan(
        f"{text}, periods: {{night: {{begins: '19:00', ends: '07:00'}}, noon: {{days: [sat, holiday]}}}}, holidays: GB-ENG"
    )
    assert found.voice == Rate(
        3 * PENNY, 60, 1, 60, connection=5 * PENNY, at={"night": Rate(0, 1), "noon": Rate(100 * PENNY, 60)}
    )
    assert found.periods == (Period("night", tuple(range(7)), 1140, 420), Period("noon", (5, HOLIDAY), 0, 1440))
    assert found.holidays == "GB-ENG"


def test_caps_of_days_go_before_those_of_months(plan):
    found = plan(f"{RATES}, caps: [{{services: [voice, data], day: 1, month: 20}}, {{services: [sms], day: 2}}]")
    assert found.caps == (
        Cap(200 * PENNY, ("sms",)), Cap(100 * PENNY, ("data", "voice")), Cap(2000 * PENNY, ("data", "voice"), monthly=True),
    )  # fmt: skip


NESTED = (
    "{services: [voice, data, sms], month: 4, day: 3}, {services: [voice, data], day: 2}, {services: [data], day: 1}"
)


def test_caps_of_fewer_services_go_first_so_that_a_day_comes_to_the_same_in_whatever_order_it_is_used(plan):
    found, at, totals = plan(f"{RATES}, caps: [{NESTED}]"), 1_700_000_000_000_000, set()
    costs = (("data", 150), ("voice", 120), ("sms", 90), ("data", 60), ("sms", 80))
    for order in itertools.permutations(costs):
        wallet = Wallet(1, "GBP", 1 << 40, 0, [], ACTIVE)
        rates = ((service, found.rate(service, None), cost * PENNY) for service, cost in order)
        totals.add(
            sum(pay_under_caps(wallet, found, rate, service, at, UTC, cost) for service, rate, cost in rates) // PENNY
        )
    assert totals == {300}


DECK = """\
prefix,name,voice,increments,connection,sms,service,service_increments,service_connection,tenth
+33,France,0.20,60/1,0.05,0.12,,,,
449,Premium rate,0.55,60/1,,,3.60,1/1,0.50,no
7,Russia,0.90,,,,,,,
"""


def test_a_deck_has_destinations_and_those_of_the_file_itself_go_before_it(plan):
    found = plan(f"{RATES}, deck: world.csv, destinations: {{'7': {{sms: {{price: 2, per: 1}}}}}}", world=DECK)
    apart = {"in_bundle": False}
    charge = ServiceCharge(Rate(360 * PENNY, 60, 1, 1, connection=50 * PENNY), tenth=False)
    assert found.destinations == {
        "33": CalledRates(
            Rate(20 * PENNY, 60, 1, 60, connection=5 * PENNY, **apart), Rate(12 * PENNY, 1, **apart), "France"
        ),
        "449": CalledRates(Rate(55 * PENNY, 60, 1, 60, service=charge, **apart), None, "Premium rate"),
        "7": CalledRates(None, Rate(200 * PENNY, 1, **apart)),
    }


def test_a_deck_may_begin_with_a_byte_order_mark(plan):
    assert plan(f"{RATES}, deck: world.csv", world=f"\ufeff{DECK}") == plan(f"{RATES}, deck: world.csv", world=DECK)


def test_what_is_in_force_is_shown_in_major_units(write):
    text = voice("{price: 0.03, per: 60, connection: 0.05, at: {night: {price: 0.01, per: 60}}}")
    path = write(f"{text}, periods: {{night: {{begins: '19:00'}}}}, caps: [{{services: [data], day: 1.5}}]")
    found = shown(load(path, {}))["plans"]["p"]
    assert (found["voice"]["connection"], found["voice"]["at"]["night"]["price"]) == ("0.05", "0.01")
    assert (found["caps"][0]["price"], found["periods"][0]["begins"]) == ("1.50", 1140)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (voice("{price: 1, per: 60, increments: 60-1}"), "p.voice: must be the first increment and the next ones, like 60/1"),
        (voice("{price: 1, per: 60, increments: 60/7}"), "the first a multiple of the others"),
        (voice("{price: 1, per: 60, increments: 60/1, step: 2}"), "increments says what step and minimum say"),
        (voice("{price: 1, per: 60, at: {nigth: free}}") + ", periods: {night: {}}", "there is no period nigth; did you mean"),
        (voice("{price: 1, per: 60, at: {x: {price: 1, per: 1, at: {x: free}}}}"), "has no periods of its own"),
        (f"{RATES}, periods: {{x: {{begins: '25:00'}}}}", "p.periods.x.begins: must be a time of day, like 07:00"),
        (f"{RATES}, periods: {{x: {{ends: '00:00'}}}}", "begins before 24:00 and ends after 00:00"),
        (f"{RATES}, periods: {{x: {{days: [sunday]}}}}", "p.periods.x.days[0]"),
        (f"{RATES}, periods: {{x: {{days: [holiday]}}}}", "has holidays, but holidays does not say whose"),
        (f"{RATES}, holidays: GB-XXX", "p.holidays: no holidays are known of GB-XXX"),
        (f"{RATES}, caps: [{{services: [data]}}]", "caps nothing: give day, month or both"),
        (f"{RATES}, caps: [{{services: [data], day: 2, month: 1}}]", "day is more than month, so that no day ever comes to it"),
        (f"{RATES}, bundle: {{price: 1, days: 9, data: 1, roll_over: [data, data]}}", "roll_over: names a service twice"),
        (f"{RATES}, caps: [{{services: [data], day: 0}}]", "0 would make all use free"),
        (f"{RATES}, caps: [{{services: [data], day: 1, month: 0.00}}]", "0 would make all use free"),
        (f"{RATES}, holidays: GB-ENG, periods: {{x: {{days: [sat]}}}}", "holidays: none of periods has holiday among its days"),
        (f"{RATES}, bundle: {{price: 1, days: 30, data: 1, pro_rata: false}}", "p.bundle: pro_rata is for period: month"),
        (
            f"{RATES}, bundle: {{price: 1, days: 30, data: 1, roll_over: [data, voice]}}",
            "p.bundle: roll_over: voice is not in it",
        ),
        (f"{RATES}, add_ons: {{x: {{price: 1, days: 3, sms: 1, fair_use: {{home: 1}}}}}}", "p.add_ons.x: fair_use is of data"),
        (
            f"{RATES}, bundle: {{price: 1, days: 3, data: 2, zones: [home], fair_use: {{eu: 1}}}}, {ROAMING}",
            "p.bundle: fair_use: eu is none of its zones: it counts in home alone",
        ),
        (f"{RATES}, caps: [{{services: [sms], day: 1}}, {{services: [sms], day: 2}}]", "caps: sms has two for a day"),
        (
            f"{RATES}, caps: [{{services: [data, voice], day: 1}}, {{services: [voice, sms], day: 2}}]",
            "caps: the day of sms, voice counts a part of what the day of data, voice counts",
        ),
        (
            f"{RATES}, caps: [{{services: [data], month: 1}}, {{services: [data, voice], day: 2}}]",
            "caps: the month of data counts a part of what the day of data, voice counts",
        ),
        (
            f"{RATES}, destinations: {{'+44': {{voice: free}}, '44': {{voice: {{price: 1, per: 60}}}}}}",
            "p.destinations: +44 is given twice, with and without its plus sign",
        ),
        (f"{RATES}, roaming: {{home: ['234'], zones: {{home: {{networks: ['208'], {RATES}}}}}}}", "zones.home: that is how"),
        (f"{RATES}, add_ons: {{x: {{price: 1, days: 3, data: 1, roll_over: [data]}}}}", "roll_over is for the bundle"),
        (f"{RATES}, deck: absent.csv", "p.deck: can't be read"),
        (f"{RATES}, deck: /dev/zero", "p.deck: can't be read: /dev/zero: it is a device, and a regular file is wanted"),
        (voice("{price: 1, per: 60, service: {price: 1, per: 60}}"), "voice.service: a service charge is for calls to"),
        (
            f"{RATES}, destinations: {{'449': {{sms: {{price: 1, per: 1, service: {{price: 1, per: 1}}}}}}}}",
            "destinations.449.sms.service: a service charge is for calls to destinations",
        ),
        (
            f"{RATES}, destinations: {{'449': {{voice: {{price: 1, per: 1, service: {{price: 41, per: 1}}}}}}}}",
            "p.destinations.449.voice.service: begins with more than 40.00 GBP in GB",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(problems, text, problem):
    assert problem in problems(text)[0]


@pytest.mark.parametrize(
    ("deck", "problem"),
    [
        ("", "world.csv:1: the first line has the columns, prefix and any of name, voice"),
        ("prefix,price\n", "world.csv:1: the first line has the columns"),
        ("prefix,voice\n,\n", "world.csv: has no rows: every number would cost what an ordinary one does"),
        ("prefix,voice\n33,0.2\n33,0.3\n", "world.csv:3: prefix 33 stands twice"),
        ("prefix,voice\n0033,0.2\n", "world.csv:2: must be the first digits of a phone number"),
        ("prefix,voice\n33,x\n", "world.csv:2: must be an amount in major units"),
        ("prefix,voice\n33\n", "world.csv:2: has 1 cells, not 2"),
        ("prefix,voice,sms\n33,,\n", "world.csv:2: give voice, sms or both"),
        ("prefix,sms,service\n33,1,1\n", "service only with voice"),
        (
            "prefix,voice,tenth\n33,1,yes\n449,1,no\n",
            "world.csv:3: service_increments, service_connection and tenth: no are of",
        ),
        (
            "prefix,voice,service_increments\n33,1,1/1\n",
            "world.csv:2: service_increments, service_connection and tenth: no",
        ),
        ("prefix,voice,service_connection\n33,1,0.5\n", "of service, which the row does not have"),
        (
            "prefix,sms,increments\n33,1,60/1\n",
            "world.csv:2: increments and connection are of voice, which the row does not",
        ),
        ("prefix,sms,connection\n33,1,0.5\n", "increments and connection are of voice"),
        ("prefix,voice,increments\n33,1,6\n", "world.csv:2: must be the first increment"),
        ("prefix,voice\n33,0.2\n34,0.2" + "0" * 200_000, "world.csv:3: can't be read: field larger than"),
        ('prefix,voice\n"33,0.2\n34,0.2\n', "world.csv:3: can't be read: unexpected end of data"),
        ("prefix,voice\n33,0.2\udce9\n", "world.csv: is no text in UTF-8"),
        ("prefix,voice\n44800,1\n", "p.destinations.44800: these numbers are free to call in GB"),
    ],
)
def test_a_deck_is_refused_with_its_line(problems, deck, problem):
    assert problem in problems(f"{RATES}, deck: world.csv", world=deck)[0]
