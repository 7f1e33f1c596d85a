"""Settings for SIMs: the hosts, their adapters and plans, and what customers are told."""

from pathlib import Path

import pytest

from gateway.settings import ConfigInvalid, Endpoint, load, shown

ROOT = Path(__file__).parents[4]
BASE = "operator: {name: TPO}\nstore: {url: sqlite:///tpo.db}\napi: {}\n"
PLAN = "  name: P\n  currency: GBP\n  data: &rate\n".replace("&rate\n", "{price: 1, per: 1}\n")
PLAN += "  voice: {price: 1, per: 1}\n  sms: {price: 1, per: 1}\n"
HLR = "{name: hlr, adapter: osmohlr, plans: [one], ctrl: 127.0.0.1:4259, vty: 127.0.0.1:4258}"
API = "{name: api, adapter: tmf640, plans: [two], url: https://host.example/v4, token: {env: T}}"


def hosts(*rows):
    return "provisioning:\n  hosts:\n" + "".join(f"    - {row}\n" for row in rows)


@pytest.fixture
def write(tmp_path):
    (tmp_path / "plans.yaml").write_text(f"one:\n{PLAN}two:\n{PLAN}")
    (tmp_path / "causes.yaml").write_text("wwf: {name: W, country: GB}\n")

    def write_(text):
        path = tmp_path / "gateway.yaml"
        path.write_text(BASE + text)
        return path

    return write_


@pytest.fixture
def problems(write):
    def problems_(text):
        try:
            found = load(write(text), {"T": "canary-of-a-token"}).warnings
        except ConfigInvalid as invalid:
            found = invalid.problems
        told = [str(problem).split(":", 1)[1] for problem in found]
        assert "canary" not in str(told)
        return told

    return problems_


def test_everything_about_sims_may_be_left_out(write):
    settings = load(write(""), {})
    found = settings.provisioning
    assert (found.hosts, found.host_of, settings.warnings) == ([], {}, [])
    assert (found.quarantine, found.swap_notice, settings.retention.orders) == (90 * 86_400, 60, 400 * 86_400)
    assert "{operator}" in found.welcome
    assert "{operator}" in found.swap_text


def test_two_hosts_serve_their_plans(write):
    settings = load(write(hosts(HLR, API)), {"T": "canary"})
    hlr, api = settings.provisioning.hosts
    assert settings.provisioning.host_of == {"one": "hlr", "two": "api"}
    assert (hlr.ctrl, hlr.vty) == (Endpoint("127.0.0.1", 4259), Endpoint("127.0.0.1", 4258))
    assert (api.url, api.callback, api.token.reveal()) == ("https://host.example/v4", None, "canary")
    assert (hlr.rate, hlr.concurrency, hlr.timeout, hlr.poll, hlr.verify) == (0, 16, 10, 5, 60)
    assert shown(settings)["provisioning"]["hosts"][1]["token"] == {"env": "T"}
    assert settings.warnings == []


def test_the_example_hosts_of_the_shipped_file_are_good_ones(write):
    text = (ROOT / "config/gateway.yaml").read_text()
    start, end = text.index("provisioning:\n  hosts: []\n"), text.index("\n# What the company hears of.")
    example = text[start:end].replace("hosts: []", "hosts:").replace("\n  #  ", "\n   ")
    for plan, ours in (("payg-gb", "one"), ("bundle-gb", "two")):
        example = example.replace(plan, ours)
    lines = [line for line in example.splitlines() if " ca: " not in line]
    settings = load(write("\n".join(lines)), {"TPO_HOST_TOKEN": "secret"})
    assert settings.warnings == []
    assert settings.provisioning.host_of == {"one": "lab-hlr", "two": "host"}
    defaults = load(write(""), {}).provisioning
    assert (settings.provisioning.welcome, settings.provisioning.swap_text) == (defaults.welcome, defaults.swap_text)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("{name: h, adapter: osmohlr, ctrl: 127.0.0.1:1}", ["6: {0}: needs vty: its adapter is osmohlr"]),
        ("{name: h, adapter: tmf640}", ["6: {0}: needs url: its adapter is tmf640"]),
        (HLR.replace("}", ", url: https://h, token: {env: T}}"),
         ["6: {0}.url: is not for an adapter osmohlr", "6: {0}.token: is not for an adapter osmohlr"]),
        (API.replace("}}", "}, ctrl: 127.0.0.1:1}"), ["6: {0}.ctrl: is not for an adapter tmf640"]),
        (HLR.replace("osmohlr", "osmo-hlr"), ["6: {0}.adapter: must be 'osmohlr' or 'tmf640'; did you mean `osmohlr`?"]),
        (HLR.replace("[one]", "[onee]"), ["6: {0}.plans[0]: there is no plan onee; did you mean `one`?"]),
        (HLR.replace("[one]", "[one, one]"), ["6: {0}.plans[1]: one is {0}.plans[0] already: one host serves a plan"]),
        (HLR.replace("127.0.0.1:4259", "127.0.0.1:0"), ["6: {0}.ctrl: must name a port to connect to, not 0"]),
        (HLR.replace("4259", "8080"), ["6: {0}.ctrl: 127.0.0.1:8080 is our own api.listen"]),
        (API.replace("https://host.example", "http://127.0.0.1:8080").replace(", token: {env: T}", ""),
         ["6: {0}.url: 127.0.0.1:8080 is our own api.listen"]),
        (API.replace("https:", "http:"), ["6: {0}.token: warning: goes in clear: {0}.url is http://, not https://"]),
        (API.replace("https://host.example", "http://127.0.0.1:9"), []),
        (API.replace("}}", "}, concurrency: 0}"), ["6: {0}.concurrency: must be at least 1"]),
        (API.replace("}}", "}, tiemout: 1s}"), ["6: {0}.tiemout: unknown key; did you mean `timeout`?"]),
    ],
)  # fmt: skip
def test_hosts_that_cannot_be(problems, row, found):
    assert problems(hosts(row)) == [line.replace("{0}", "provisioning.hosts[0]") for line in found]


@pytest.mark.parametrize(
    "url", ["ftp://h/x", "http://", "https://u:canary@h/v4", "https://h/v4#canary", "h:80", "'https://h/v4?key=canary'"]
)
def test_addresses_that_an_api_cannot_have(problems, url):
    [problem] = problems(hosts(API.replace("https://host.example/v4", url)))
    assert problem.endswith("url: must be http://HOST:PORT/PATH or https://, without a user, query or fragment")


def test_a_name_and_a_plan_belong_to_one_host(problems):
    other = API.replace("name: api", "name: hlr").replace("[two]", "[two, one]")
    assert problems(hosts(HLR, other)) == [
        "7: provisioning.hosts[1].name: hlr is provisioning.hosts[0].name already",
        "7: provisioning.hosts[1].plans[1]: one is provisioning.hosts[0].plans[0] already: one host serves a plan",
    ]


def test_an_authority_that_is_none(problems, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    [problem] = problems(hosts(API.replace("}}", "}, ca: ca.pem}")))
    assert problem.startswith("6: provisioning.hosts[0].ca: holds no certificate")
    found = problems(hosts(API.replace("https", "http").replace("token: {env: T}", "ca: ca.pem")))
    assert found[0] == "6: provisioning.hosts[0].ca: is for TLS, but provisioning.hosts[0].url is http://, not https://"


def test_a_literal_token_is_warned_of(problems):
    [problem] = problems(hosts(API.replace("{env: T}", "canary-of-a-token")))
    assert problem.startswith("6: provisioning.hosts[0].token: warning: a literal secret")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'Hello {msisdn}'", "unknown placeholder {msisdn}; it may have {operator}"),
        ("'Hello {'", "has a brace without its partner"),
        ('"two\\nlines"', "must be printable text on one line, or empty for none"),
        ("x" * 481, "must be at most 480 characters"),
    ],
)
def test_words_that_cannot_be_sent(problems, text, message):
    [problem] = problems(f"provisioning: {{welcome: {text}}}\n")
    assert problem.startswith(f"4: provisioning.welcome: {message}")


def test_no_words_are_no_text(write):
    assert load(write("provisioning: {welcome: '', swap_text: ''}\n"), {}).provisioning.welcome == ""


def test_a_tokens_name_fits_beside_what_its_caller_does(write):
    path = write("")
    path.write_text(BASE.replace("{}", f"{{tokens: [{{name: {'n' * 49}, role: viewer, token: {{env: T}}}}]}}"))
    with pytest.raises(ConfigInvalid) as invalid:
        load(path, {"T": "secret"})
    assert str(invalid.value).endswith("3: api.tokens[0].name: must be at most 48 characters")
