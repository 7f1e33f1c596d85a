"""Loading whole configurations: what is in force, and every mistake at once with its line."""

from decimal import Decimal
from pathlib import Path

import pytest

from gateway.charity.causes import Cause
from gateway.rating.plan_taxes import PlanTax, Treatment
from gateway.rating.plans import Bundle, CalledRates, Plan, Rate
from gateway.settings import ConfigInvalid, Endpoint, Severity, load, shown
from gateway.settings.sections.api import Token
from gateway.settings.sections.diameter import DiameterPeer, Tls
from gateway.settings.sections.events import Mqtt
from gateway.settings.sections.smpp import LinkTls, SmppLink
from gateway.settings.top_level import FILES, SECTIONS
from gateway.settings.values import parse_percent

ROOT = Path(__file__).parents[4]

SMALLEST = """\
operator: {name: TPO}
store: {url: sqlite:///var/tpo.db}
api: {}
"""

PLAN = """\
p: {name: P, currency: GBP, data: {price: 0.01, per: 1000}, voice: {price: 1, per: 60}, sms: {price: '0.02', per: 1}}
"""
DIAMETER = "diameter:\n  identity: ocs.tpo.example\n  realm: tpo.example\n"


@pytest.fixture
def write(tmp_path):
    def write_(text, name="gateway.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_


@pytest.fixture
def problems(write, tmp_path):
    def problems_(text, environ=None, plans=PLAN, causes="c: {name: C, country: GB}\n"):
        write(plans, "plans.yaml")
        write(causes, "causes.yaml")
        try:
            found = load(write(text), environ or {}).warnings
        except ConfigInvalid as invalid:
            found = invalid.problems
        return [str(problem).removeprefix(f"{tmp_path}/") for problem in found]

    return problems_


def test_the_shipped_configuration_is_good_and_says_what_the_design_says():
    settings = load(ROOT / "config/gateway.yaml", {})
    assert settings.warnings == []
    assert set(settings.plans) == {"payg-gb", "bundle-gb", "payg-us"}
    assert set(settings.causes) == {
        "wateraid", "trussell-trust", "feeding-america", "wwf", "save-the-children", "emerge-poverty-free",
    }  # fmt: skip
    assert settings.diameter.listen[0].address == Endpoint("127.0.0.1", 3868)
    assert settings.diameter.peers[0].identity == "pgw.host.example"
    assert settings.diameter.peers[0].connect is None
    assert settings.api.listen == Endpoint("127.0.0.1", 8080)
    assert settings.api.socket == ROOT / "config/var/tpo.sock"
    assert settings.store.url == f"sqlite:///{ROOT}/config/var/tpo.db"
    assert settings.events.mqtt is None
    charging = settings.charging
    assert (charging.slice, charging.slice_seconds, charging.slice_units) == (10_000_000, 300, 10)
    assert (charging.validity, charging.threshold, charging.quota_holding, charging.deadline) == (3600, 20, 600, 5)
    retention = settings.retention
    assert (retention.answers, retention.outbox, retention.sessions) == (172_800, 86_400, 400 * 86_400)


def test_shipped_plans_are_held_to_the_micro_unit():
    plans = load(ROOT / "config/gateway.yaml", {}).plans
    data = Rate(10_000, 1_000_000)
    assert plans["payg-gb"] == Plan(
        "payg-gb",
        "Pay as you go",
        "GBP",
        data,
        Rate(30_000, 60, 1, 60),
        Rate(20_000, 1),
        {100: data, 200: Rate(0, 1)},
        tax=PlanTax(Treatment.INCLUSIVE, "GB"),
    )
    assert plans["bundle-gb"].bundle == Bundle(7_500_000, 30, 4_000_000_000, 30_000, 500)
    assert plans["payg-us"].currency == "USD"


def test_the_shipped_file_explains_every_key():
    text = (ROOT / "config/gateway.yaml").read_text()
    for model in (*SECTIONS.values(), DiameterPeer, SmppLink, LinkTls, Mqtt, Token, Tls):
        for name in model.model_fields:
            assert f"{name}:" in text, f"{model.__name__}.{name} is not in config/gateway.yaml"
    assert all(f"\n{name}:" in text for name in (*SECTIONS, *FILES))


def test_only_operator_store_and_api_are_required(write, tmp_path):
    settings = load(write(SMALLEST), {})
    assert settings.diameter is None
    assert settings.charging.slice == 10_000_000
    assert settings.charity.policy == "2026-1"
    assert (settings.plans, settings.causes) == ({}, {})
    assert [(p.key, p.severity) for p in settings.warnings] == [
        ("plans", Severity.WARNING), ("causes", Severity.WARNING),
    ]  # fmt: skip
    assert settings.api.socket == tmp_path / "var/tpo.sock"


def test_a_missing_section_is_named(problems):
    assert problems("charging: {slice: 1}\ndiameter: {identity: a.b, realm: b.c}") == [
        "gateway.yaml:1: operator: is required",
        "gateway.yaml:1: store: is required",
        "gateway.yaml:1: api: is required",
    ]


def test_a_section_with_all_keys_commented_out_has_its_defaults(problems):
    assert problems(SMALLEST + "events:\nprivacy:\ncharging:\n" + DIAMETER + "  peers:\n") == [
        "gateway.yaml:10: diameter.peers: must be a list, not nothing"
    ]


def test_a_misspelt_key_is_one_problem_with_the_right_word(problems):
    text = "operator: {nmae: TPO}\nstroe: {}\nstore: {url: sqlite:///a.db}\napi: {}\ncharging:\n  slize: 5\n"
    assert problems(text) == [
        "gateway.yaml:1: operator.nmae: unknown key; did you mean `name`?",
        "gateway.yaml:2: stroe: unknown key; did you mean `store`?",
        "gateway.yaml:6: charging.slize: unknown key; did you mean `slice`?",
    ]


def test_sections_of_later_issues_are_unknown_keys(problems):
    assert problems(f"{SMALLEST}posters: x\n")[0].startswith("gateway.yaml:4: posters: unknown key")


def test_misspelt_keys_deep_inside_are_found(problems):
    text = SMALLEST + DIAMETER + "  listen: [{adress: 'a:1'}]\n  peers:\n    - identity: a.b\n      reaml: c.d\n"
    assert problems(text) == [
        "gateway.yaml:7: diameter.listen[0].adress: unknown key; did you mean `address`?",
        "gateway.yaml:10: diameter.peers[0].reaml: unknown key; did you mean `realm`?",
    ]


def test_ten_problems_are_told_in_one_run_in_the_order_of_the_files(problems):
    text = """\
operator: {name: "", country: uk, currency: GBP, timezone: Europe/Londen}
store: {url: mysql://x}
api: {listen: 8080, sokcet: x}
charging: {slice: lots, validity: 1w, threshold: 101}
charity: {policy: 2026-2}
retention: {answers: 0.5}
"""
    found = problems(text, plans=PLAN.replace("0.01", "0.0000001"))
    keys = "operator.name operator.country operator.timezone store.url api.sokcet api.listen charging.slice"
    keys += " charging.validity charging.threshold charity.policy retention.answers p.data.price"
    assert [line.split(": ")[1] for line in found] == keys.split()
    assert "there is no time zone `Europe/Londen`; did you mean `Europe/London`?" in found[2]
    assert found[6] == "gateway.yaml:4: charging.slice: must be a whole number, not text"
    assert found[7].endswith("must be a duration: whole seconds, or like 30s, 10m, 48h, 7d")
    assert found[8].endswith("must be at most 90")
    assert found[-1] == "plans.yaml:1: p.data.price: has more than 6 decimal places, which can't be held exactly"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("operator: {name: 7}", 'operator.name: must be text; write it in quotes: "7"'),
        ("operator: {name: true}", 'operator.name: must be text; write it in quotes: "true"'),
        ("operator: {name: [a]}", "operator.name: must be text, not a list"),
        ("operator: [a]", "operator: must be a mapping of keys and values, not a list"),
        (
            "operator: {name: a, country: no}",
            "operator.country: must be a country code of two capital letters, like GB",
        ),
        ("operator: {name: a, currency: Pounds}", "must be a currency code of three capital letters, like GBP"),
        ("operator: {name: 'a\\tb'}", "operator.name: must be printable text on one line"),
    ],
)
def test_values_of_the_wrong_kind_are_explained(problems, value, message):
    value = value.replace("'a\\tb'", '"a\\tb"')
    assert message in problems(SMALLEST.replace("operator: {name: TPO}", value))[0]


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("sqlite:///a.db", True),
        ("sqlite:////abs/a.db", True),
        ("sqlite://", False),
        ("sqlite:///:memory:", False),
        ("sqlite:///a.db?mode=memory", False),
        ("postgres://u@h/d", False),
        ("postgresql://u@h/d", True),
        ("postgresql:///d", False),
        ("postgresql://u@h", False),
        ("postgresql://u@h/d?password=x", False),
        ("postgresql://u:123/x@h/d", False),
    ],
)
def test_store_urls(problems, url, good):
    found = problems(SMALLEST.replace("sqlite:///var/tpo.db", url))
    assert (found == []) is good, found


@pytest.mark.parametrize(("url", "good"), [("sqlite:///var/tpo.db", True), ("postgresql://u@h/d", False)])
def test_a_continuous_backup_is_of_an_sqlite_store(problems, url, good):
    found = problems(SMALLEST.replace("sqlite:///var/tpo.db", f'"{url}", backup: {{folder: b, every: 2s}}'))
    assert (found == []) is good
    assert good or "backup is for an SQLite store; a server archives its own log" in found[0]


@pytest.mark.parametrize(
    ("url", "after", "words"),
    [
        ("sqlite:///var/tpo.db", "31d", ""),
        ("sqlite:///var/tpo.db", "off", ""),
        ("sqlite:///var/tpo.db", "23h", "must be off, or at least 1d"),
        ("postgresql://u@h/d", "31d", "seal_after is for an SQLite store"),
        ("postgresql://u@h/d", "off", ""),
    ],
)
def test_months_are_sealed_a_day_after_their_end_at_least_in_an_sqlite_store(problems, url, after, words):
    found = problems(SMALLEST.replace("sqlite:///var/tpo.db", f'"{url}", seal_after: {after}'))
    assert len(found) == bool(words)
    assert words in "".join(found)


def test_a_password_in_the_store_url_is_moved_out_of_sight(write):
    text = SMALLEST.replace("sqlite:///var/tpo.db", "postgresql://tpo:s%40crt-canary@db.example:5433/tpo")
    settings = load(write(text), {})
    assert settings.store.url == "postgresql://tpo@db.example:5433/tpo"
    assert settings.store.password.reveal() == "s@crt-canary"
    assert settings.store.connect_url == "postgresql://tpo:s%40crt-canary@db.example:5433/tpo"
    assert "canary" not in repr(settings) + str(shown(settings)) + "".join(map(str, settings.warnings))
    assert "store.password" in [problem.key for problem in settings.warnings]


@pytest.mark.parametrize(
    ("text", "seconds"), [("48h", 172_800), ("10m", 600), ("600s", 600), ("7d", 604_800), ("3600", 3600)]
)
def test_durations(write, text, seconds):
    assert load(write(f"{SMALLEST}retention: {{answers: {text}}}\n"), {}).retention.answers == seconds


@pytest.mark.parametrize("text", ["08h", "1h30m", "-5", "1.5h", "true", "5 m", "\u0661h", "''"])
def test_what_is_no_duration(problems, text):
    assert len(problems(f"{SMALLEST}retention: {{answers: {text}}}\n")) == 1


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "x:65536", "'::1:80'", "'[::1'", "'[a.b]:80'", "'a b:1'", "'x:+5'", "8080", "':80'"]
)
def test_what_is_no_address(problems, text):
    assert problems(SMALLEST.replace("api: {}", f"api: {{listen: {text}}}")) == [
        "gateway.yaml:3: api.listen: must be host:port, like 127.0.0.1:3868 or [::1]:3868"
    ]


def test_an_ipv6_address_and_port_0_are_good(write):
    listen = load(write(SMALLEST.replace("api: {}", "api: {listen: '[::1]:0'}")), {}).api.listen
    assert listen == Endpoint("::1", 0)
    assert str(listen) == "[::1]:0"


def test_yaml_problems_and_wrong_values_are_told_together_and_not_twice(problems):
    text = "operator: &o {name: TPO}\nstore: *o\nstore: {url: x}\napi: !!map {}\ncharging: {slice: no}\n"
    assert problems(text) == [
        "gateway.yaml:1: operator: the anchor `&o` is not allowed",
        "gateway.yaml:2: store: the alias `*o` is not allowed; write the value out",
        "gateway.yaml:3: store: is given twice; the first is on line 2",
        "gateway.yaml:4: api: the tag `tag:yaml.org,2002:map` is not allowed; write the value without it",
        "gateway.yaml:5: charging.slice: must be a whole number, not text",
    ]


@pytest.mark.parametrize("written", ["18446744073709551616", "'10000000'", "010"])
def test_digits_that_are_no_quantity_are_told_as_what_they_are(problems, written):
    text = f"operator: {{name: TPO}}\nstore: {{url: sqlite:///x}}\napi: {{}}\ncharging: {{slice: {written}}}\n"
    wanted = "must be a whole number of at most 18 digits, without quotes and without zeros in front"
    assert [line for line in problems(text) if "slice" in line] == [f"gateway.yaml:4: charging.slice: {wanted}"]


def test_no_cause_is_called_what_the_books_call_giving_of_those_who_chose_none(problems):
    (problem,) = problems(SMALLEST, causes="c: {name: C, country: GB}\nunassigned: {name: U, country: GB}\n")
    assert problem.startswith("causes.yaml:2: unassigned: no cause can be called unassigned")


def test_a_file_that_is_no_mapping(problems):
    for text in ("", "- a\n", "text"):
        assert problems(text) == ["gateway.yaml:1: file: must be a mapping with the sections operator, store and api"]


def test_files_that_are_named_must_be_there(problems):
    found = problems(SMALLEST + "plans: absent.yaml\ncauses: 5\n")
    assert "plans: there is no file" in found[0]
    assert found[1] == "gateway.yaml:5: causes: must be the path of a YAML file"


@pytest.mark.parametrize(
    ("price", "micro"),
    [
        ("0", 0),
        ("0.01", 10_000),
        ("'0.01'", 10_000),
        ("7.50", 7_500_000),
        ("0.000001", 1),
        ("'0.0100000000'", 10_000),
        ("3", 3_000_000),
        ("0.123456", 123_456),
    ],
)
def test_prices_are_exact(write, price, micro):
    write(PLAN.replace("0.01", price), "plans.yaml")
    assert load(write(SMALLEST), {}).plans["p"].data == Rate(micro, 1000)


@pytest.mark.parametrize(
    "price", ["-1", "0.0000001", "free", "'1e3'", "true", "'1.2.3'", "1000001", "'0x5'", "null", "'\u0663'"]
)
def test_what_is_no_price(problems, price):
    assert len(problems(SMALLEST, plans=PLAN.replace("0.01", price))) == 1


def test_rating_groups_have_rates_of_their_own(write):
    write(PLAN.replace("voice", "rating_groups: {200: free, 7: {price: 1, per: 10}}, voice"), "plans.yaml")
    assert load(write(SMALLEST), {}).plans["p"].rating_groups == {200: Rate(0, 1), 7: Rate(1_000_000, 10)}


@pytest.mark.parametrize("group", ["-1", "007", "4294967296", "data"])
def test_what_is_no_rating_group(problems, group):
    plans = PLAN.replace("voice", f"rating_groups: {{{group}: free}}, voice")
    assert problems(SMALLEST, plans=plans) == [
        f"plans.yaml:1: p.rating_groups.{group}: a rating group is a whole number from 0 to 4294967295"
    ]


RATES = "data: {price: 1, per: 1}, voice: {price: 1, per: 1}, sms: {price: 1, per: 1}"


def priced(more):
    return PLAN.replace("voice", f"{more}, voice", 1)


def test_destinations_and_zones_have_rates_that_no_bundle_covers_unless_it_is_said(write):
    zone = "networks: ['310', '*'], data: {price: 1, per: 5}, voice: {price: 2, per: 5}, sms: {price: 3, per: 1}"
    more = (
        "destinations: {'4490': {voice: {price: 1, per: 60}}, own: {sms: free, bundle: true}}, "
        f"roaming: {{home: ['234', '23510'], zones: {{usa: {{{zone}, rating_groups: {{7: free}}}}}}}}"
    )
    write(priced(more), "plans.yaml")
    plan = load(write(SMALLEST), {}).plans["p"]
    assert plan.destinations["4490"] == CalledRates(voice=Rate(1_000_000, 60, in_bundle=False))
    assert plan.destinations["own"] == CalledRates(sms=Rate(0, 1))
    assert plan.home == ("234", "23510")
    (usa,) = plan.zones
    assert (usa.networks, usa.data) == (("310", ""), Rate(1_000_000, 5, in_bundle=False))
    assert [plan.prices(network) for network in ("23430", "23510", "310260", "20801", "")] == [
        plan,
        plan,
        usa,
        usa,
        plan,
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("destinations: {'44800': {voice: {price: 1, per: 60}}}", "free to call in GB"),
        ("destinations: {'+448081570000': {sms: {price: 1, per: 1}}}", "free to call in GB"),
        ("destinations: {'44116123': {voice: {price: 1, per: 60}}}", "free to call in GB"),
        ("destinations: {'44999': {voice: {price: 1, per: 60}}}", "free to call in GB"),
        ("destinations: {'0909': {voice: {price: 1, per: 60}}}", "country code first"),
        ("destinations: {'4490': {}}", "prices nothing"),
        ("roaming: {home: ['23'], zones: {}}", "must be an MCC"),
        (f"roaming: {{home: ['234'], zones: {{a: {{networks: ['234'], {RATES}}}}}}}", "given twice"),
    ],
)
def test_what_no_destination_or_zone_can_be(problems, more, words):
    assert any(words in problem for problem in problems(SMALLEST, plans=priced(more)))


def test_a_free_number_may_stand_there_as_free(problems):
    assert problems(SMALLEST, plans=priced("destinations: {'44800': {voice: free}}")) == []


def test_a_bundle_covers_something(problems):
    plans = PLAN.replace("voice", "bundle: {price: 5, days: 30}, voice")
    assert problems(SMALLEST, plans=plans) == ["plans.yaml:1: p.bundle: covers nothing: give data, voice or sms"]


def bundled(more):
    return PLAN.replace("voice", f"bundle: {{price: 5, data: 1, {more}}}, voice")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("sms: 1", "give days, or period: month"),
        ("days: 30, period: month", "give days, or period: month"),
        ("period: week", "period"),
        ("days: 30, zones: [mars]", "mars is no zone of roaming"),
        ("days: 30, fair_use: {mars: 5}", "mars is no zone of roaming"),
        ("days: 30, roll_over: [calls]", "roll_over"),
    ],
)
def test_what_no_bundle_can_be(problems, more, words):
    assert any(words in problem for problem in problems(SMALLEST, plans=bundled(more)))


def test_a_bundle_by_the_month_and_an_add_on_are_read(tmp_path):
    plans = bundled("period: month, roll_over: [data], zones: [home]").replace(
        "voice", "add_ons: {boost: {price: 3, days: 7, sms: 9}}, voice", 1
    )
    (tmp_path / "gateway.yaml").write_text(SMALLEST)
    (tmp_path / "plans.yaml").write_text(plans)
    (tmp_path / "causes.yaml").write_text("c: {name: C, country: GB}\n")
    (plan,) = load(tmp_path / "gateway.yaml", {}).plans.values()
    assert plan.bundle == Bundle(5_000_000, 0, 1, roll_over=("data",), zones=("",))
    assert plan.add_ons == {"boost": Bundle(3_000_000, 7, sms=9)}


@pytest.mark.parametrize(("written", "read"), [("20", 2_000), ("17.5", 1_750), ("0", 0)])
def test_a_percentage_is_held_in_hundredths(written, read):
    assert parse_percent(Decimal(written)) == read


@pytest.mark.parametrize("written", ["-1", "100.01", "1.234"])
def test_what_no_percentage_can_be(written):
    with pytest.raises(ValueError, match="between 0 and 100"):
        parse_percent(Decimal(written))


def test_plans_and_causes_are_checked_like_the_rest(problems):
    plans = "P!: {}\nq:\n  name: Q\n  curency: GBP\n"
    causes = "a: {name: A, country: GB, regulator: GB-CHC, number: SC039479}\nb: {name: B, country: GB, number: '1'}\n"
    found = problems(SMALLEST, plans=plans, causes=causes)
    assert "plans.yaml:1: P!: must be lower-case letters, digits and hyphens, like payg-gb" in found
    assert "plans.yaml:4: q.curency: unknown key; did you mean `currency`?" in found
    assert "plans.yaml:2: q.sms: is required" in found
    assert "causes.yaml:1: a: the number is not one of regulator GB-CHC: it looks like 288701" in found
    assert "causes.yaml:2: b: has a number but no regulator" in found


def test_a_cause_is_held_as_it_is_registered(write):
    write("x: {name: X, country: US, regulator: US-EIN, number: 36-3673599, open: false}\n", "causes.yaml")
    assert load(write(SMALLEST), {}).causes == {"x": Cause("x", "X", "US", "US-EIN", "36-3673599", False)}


def test_what_is_shown_has_the_shape_of_the_file():
    values = shown(load(ROOT / "config/gateway.yaml", {}))
    assert values["diameter"]["listen"] == [{"address": "127.0.0.1:3868", "tls": None}]
    assert values["plans"]["bundle-gb"]["bundle"]["price"] == "7.50"
    assert values["plans"]["payg-gb"]["rating_groups"]["200"]["price"] == "0.00"
    assert values["causes"]["wwf"]["number"] == "1081247"
