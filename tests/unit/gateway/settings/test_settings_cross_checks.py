"""What no section can know alone: each check names both keys."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.settings import ConfigInvalid, load

BASE = "operator: {name: TPO}\nstore: {url: sqlite:///tpo.db}\n"
API = "api: {}\n"
DIAMETER = """\
diameter:
  identity: ocs.tpo.example
  realm: tpo.example
  aliases: [ocs2.tpo.example]
  listen: [127.0.0.1:3868]
  peers:
    - {identity: pgw.host.example, realm: host.example}
"""


@pytest.fixture
def problems(tmp_path):
    (tmp_path / "plans.yaml").write_text("{}")
    (tmp_path / "causes.yaml").write_text("wwf: {name: W, country: GB}\nold: {name: O, country: GB, open: false}\n")

    def problems_(text, environ=None):
        path = tmp_path / "gateway.yaml"
        path.write_text(BASE + text)
        try:
            found = load(path, environ or {}).warnings
        except ConfigInvalid as invalid:
            found = invalid.problems
        return [str(problem).split(":", 1)[1] for problem in found]

    return problems_


def test_a_plain_configuration_has_no_problem(problems):
    assert problems(API + DIAMETER) == []


def test_a_peer_that_is_us_or_our_alias(problems):
    text = DIAMETER.replace("pgw.host.example", "OCS.tpo.example") + "    - {identity: ocs2.tpo.example, realm: a.b}\n"
    assert problems(API + text) == [
        "10: diameter.peers[0].identity: OCS.tpo.example is our own diameter.identity",
        "11: diameter.peers[1].identity: ocs2.tpo.example is our own diameter.aliases[0]",
    ]


def test_a_peer_that_is_given_twice(problems):
    assert problems(API + DIAMETER + "    - {identity: PGW.host.example, realm: host.example}\n") == [
        "11: diameter.peers[1].identity: PGW.host.example is diameter.peers[0].identity already"
    ]


def test_a_peer_that_could_never_reach_us(problems):
    assert problems(API + DIAMETER.replace("[127.0.0.1:3868]", "[]")) == [
        "10: diameter.peers[0]: has no connect, so it connects to us, but diameter.listen is empty"
    ]


def test_a_listener_without_peers_is_a_warning(problems):
    text = DIAMETER.partition("  peers:")[0]
    assert problems(API + text) == ["8: diameter.listen: warning: nobody may connect: diameter.peers is empty"]


@pytest.mark.parametrize(
    ("listen", "clash"),
    [("127.0.0.1:3868", True), ("0.0.0.0:3868", True), ("127.0.0.1:3869", False), ("127.0.0.2:3868", False)],
)
def test_two_listeners_on_one_port(problems, listen, clash):
    found = [line for line in problems(f"api: {{listen: {listen}}}\n{DIAMETER}") if "warning" not in line]
    assert found == (["8: diameter.listen[0]: 127.0.0.1:3868 is taken by api.listen"] if clash else [])


def test_port_0_clashes_with_nothing(problems):
    text = DIAMETER.replace("[127.0.0.1:3868]", "[127.0.0.1:0, 127.0.0.1:0]")
    assert problems("api: {listen: 127.0.0.1:0}\n" + text) == []


def test_a_peer_or_broker_at_our_own_address(problems):
    text = DIAMETER.replace("realm: host.example}", "realm: host.example, connect: 127.0.0.1:3868}")
    assert problems(f"{API}{text}events: {{mqtt: {{url: mqtt://127.0.0.1:8080}}}}\n") == [
        "10: diameter.peers[0].connect: 127.0.0.1:3868 is our own diameter.listen[0]",
        "11: events.mqtt.url: 127.0.0.1:8080 is our own api.listen",
    ]


def test_a_threshold_that_the_wire_cannot_hold(problems):
    [problem] = problems(API + "charging:\n  slice: 30000000000\n")
    assert problem.startswith("5: charging.slice: 20 % of it (charging.threshold) is too much")


def test_a_quota_that_is_never_handed_back(problems):
    assert problems(API + "charging:\n  quota_holding: 2h\n") == [
        "5: charging.quota_holding: warning: never ends: charging.validity (3600 s) is over before"
    ]


def test_a_top_up_that_no_wallet_may_hold(problems):
    assert problems(API + "charging:\n  topup_limit: 500.01\n  wallet_limit: 500\n") == [
        "5: charging.topup_limit: warning: no top-up can be as much: charging.wallet_limit is less"
    ]
    assert problems(API + "charging:\n  topup_limit: 500\n  wallet_limit: 500\n") == []


def test_an_unknown_policy(problems):
    assert problems(API + "charity: {policy: 2026-2}\n") == [
        "4: charity.policy: must be '2026-1'; did you mean `2026-1`?"
    ]


@pytest.mark.parametrize(
    "url", ["http://h", "mqtt://", "mqtt://u:canary@h", "mqtt://h/topic", "mqtt://h:99999", "h:1883"]
)
def test_broker_urls_that_are_none(problems, url):
    found = problems(f"{API}events: {{mqtt: {{url: {url}}}}}\n")
    assert found == ["4: events.mqtt.url: must be mqtt://HOST:PORT, or mqtts:// for TLS"]


def test_broker_keys_that_need_one_another(problems, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    text = "events:\n  mqtt:\n    url: mqtt://h\n    password: {env: P}\n    ca: ca.pem\n    topic: a/#\n"
    assert problems(API + text.replace("    topic: a/#\n", ""), {"P": "x"}) == [
        "7: events.mqtt.password: needs events.mqtt.username",
        "8: events.mqtt.ca: is for TLS, but events.mqtt.url is mqtt://, not mqtts://",
        f"8: events.mqtt.ca: holds no certificate in PEM form: {tmp_path}/ca.pem",
    ]
    assert problems(API + text, {"P": "x"}) == ["9: events.mqtt.topic: must be a plain topic, like tpo or mvno/tpo"]


def test_tokens_that_cannot_be_told_apart(problems):
    text = """\
api:
  tokens:
    - {name: a, role: viewer, token: {env: A}}
    - {name: a, role: admin, token: {env: B}}
    - {name: c, role: operator, token: {env: A}}
"""
    assert problems(text, {"A": "canary-1" * 2, "B": "canary-2" * 2}) == [
        "6: api.tokens[1].name: a is api.tokens[0].name already",
        "7: api.tokens[2].token: is the same as api.tokens[0].token",
    ]


def test_a_token_that_nobody_could_show(problems):
    text = "api: {tokens: [{name: a, role: viewer, token: {env: A}}]}\n"
    for token in (
        "canary-0123456789 ",
        "\tcanary-0123456789",
        "\ufeffcanary-0123456789",
        "canary\n0123456789",
        "canary\x7f0123456789",
    ):
        [problem] = problems(text, {"A": token})
        assert problem.startswith(
            "3: api.tokens[0].token: has a blank at an end, a control character or a byte order mark"
        )
        assert "canary" not in problem
    url = (
        "provisioning: {hosts: [{name: h, adapter: tmf640, plans: [], url: 'https://h.example/v4', token: {env: A}}]}\n"
    )
    assert any("hosts[0].token: has a blank" in problem for problem in problems(API + url, {"A": "canary\r"}))


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (1, ["can be guessed: it must have at least 8 characters; make one with `openssl rand -hex 24`"]),
        (7, ["can be guessed: it must have at least 8 characters; make one with `openssl rand -hex 24`"]),
        (8, ["warning: has fewer than 16 characters, which can be guessed; make one with `openssl rand -hex 24`"]),
        (15, ["warning: has fewer than 16 characters, which can be guessed; make one with `openssl rand -hex 24`"]),
        (16, []),
        (48, []),
    ],
)
def test_a_token_that_can_be_guessed(problems, length, said):
    text = "api: {tokens: [{name: a, role: viewer, token: {env: A}}]}\n"
    assert problems(text, {"A": "x" * length}) == [f"3: api.tokens[0].token: {each}" for each in said]


GIVING = "format: pain.001.001.09, name: Giving"
ACCOUNTS = """\
bills:
  accounts:
    - {sort_code: "601613", account: "31926819"}
    - {iban: GB33BUKB20201555555555}
    - {sort_code: 60-16-13, account: "3192 6819"}
    - {sort_code: "601613", account: "12345678"}
"""


def test_an_account_that_bills_are_paid_to_and_causes_are_paid_from(problems):
    text = f"""\
{API}{ACCOUNTS}\
charity:
  accounts:
    - {{currency: GBP, {GIVING}, iban: GB29NWBK60161331926819}}
    - {{currency: EUR, {GIVING}, sort_code: "202015", account: "55555555"}}
"""
    needs = "bills and causes need an account each"
    assert problems(text) == [
        f"6: bills.accounts[0]: is charity.accounts[0]: {needs}",
        f"7: bills.accounts[1]: is charity.accounts[1]: {needs}",
        f"8: bills.accounts[2]: is charity.accounts[0]: {needs}",
        "8: bills.accounts[2]: is one of bills.accounts already",
    ]


def test_an_interface_that_nobody_may_use(problems):
    [problem] = problems("api: {listen: 0.0.0.0:8080}\n")
    assert problem.startswith("3: api.listen: warning: can be reached from other machines, but api.tokens is empty")


def test_a_socket_path_that_the_system_cannot_hold(problems):
    [problem] = problems(f"api: {{socket: {'x' * 108}}}\n")
    assert problem.startswith("3: api.socket: is longer than 107 octets")


def test_a_right_is_given_by_name_and_an_unknown_one_is_an_error(problems):
    token = "api: {{tokens: [{{name: a, role: admin, rights: {}, token: {{env: A}}}}]}}\n"
    assert problems(token.format("[causes]"), {"A": "0123456789abcdef-secret"}) == []
    [problem] = problems(token.format("[cause]"), {"A": "0123456789abcdef-secret"})
    assert problem == "3: api.tokens[0].rights[0]: must be 'causes'; did you mean `causes`?"


def test_an_unknown_role_has_a_suggestion(problems):
    [problem] = problems("api: {tokens: [{name: a, role: viwer, token: {env: A}}]}\n", {"A": "x"})
    assert (
        problem == "3: api.tokens[0].role: must be 'viewer', 'operator', 'admin' or 'auditor'; did you mean `viewer`?"
    )


def test_secrets_have_one_clear_error_each(problems, tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    tokens = [
        "{env: ABSENT}",
        "{env: EMPTY}",
        "{file: absent}",
        "{file: empty}",
        "{file: binary}",
        "{evn: A}",
        "7",
        "''",
    ]
    lines = [f"    - {{name: t{number}, role: viewer, token: {token}}}\n" for number, token in enumerate(tokens)]
    found = problems("api:\n  tokens:\n" + "".join(lines), {"EMPTY": ""})
    assert [problem.split(": ", 2)[2] for problem in found] == [
        "the environment variable ABSENT is not set",
        "the environment variable EMPTY is empty",
        f"the secret's file can't be read: {tmp_path}/absent: No such file or directory",
        f"the secret's file is empty: {tmp_path}/empty",
        f"the secret's file is not UTF-8 text: {tmp_path}/binary",
        "must be a secret: {env: NAME} or {file: PATH}",
        "must be a secret: {env: NAME} or {file: PATH}",
        "must not be empty",
    ]


def test_a_literal_secret_and_one_that_all_can_read_are_warnings(problems, tmp_path):
    (tmp_path / "key").write_text("0123456789abcdef\n")
    (tmp_path / "key").chmod(0o644)
    text = "api: {tokens: [{name: a, role: viewer, token: canary-0123456789}]}\nprivacy: {key: {file: key}}\n"
    literal = "a literal secret is read by all who read this file; use {env: NAME} or {file: PATH}"
    assert problems(text) == [
        f"3: api.tokens[0].token: warning: {literal}",
        f"4: privacy.key: warning: every user of this machine can read {tmp_path}/key; chmod o= would mend it",
    ]
    (tmp_path / "key").chmod(0o640)
    assert len(problems(text)) == 1


def test_a_privacy_key_that_can_be_guessed(problems):
    assert problems(API + "privacy: {key: {env: K}}\n", {"K": "short"}) == [
        "4: privacy.key: must have at least 16 octets"
    ]


@pytest.fixture
def certificate(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ocs.tpo.example")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 7, start, start + datetime.timedelta(days=9000))
    (tmp_path / "cert.pem").write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    other = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "other.pem").write_bytes(other.private_bytes(serialization.Encoding.PEM, form, plain))


@pytest.mark.usefixtures("certificate")
def test_certificates_are_loaded_once_to_see(problems):
    tls = "{ca: cert.pem, cert: cert.pem, key: key.pem}"
    text = DIAMETER.replace("[127.0.0.1:3868]", f"[{{address: 127.0.0.1:3868, tls: {tls}}}]")
    assert problems(API + text) == []
    [problem] = problems(API + text.replace("key: key.pem", "key: other.pem"))
    assert problem.startswith(
        "8: diameter.listen[0].tls.cert: doesn't load with its key (diameter.listen[0].tls.key): "
    )
    [problem] = problems(API + text.replace("ca: cert.pem", "ca: key.pem"))
    assert "diameter.listen[0].tls.ca: holds no certificate in PEM form" in problem
    [problem] = problems(API + text.replace("ca: cert.pem", "ca: absent.pem"))
    assert "diameter.listen[0].tls.ca: can't be read:" in problem


@pytest.mark.usefixtures("certificate")
def test_tls_of_a_peer_that_connects_to_us_belongs_to_the_listener(problems):
    tls = "tls: {ca: cert.pem, cert: cert.pem, key: key.pem}"
    assert problems(API + DIAMETER.replace("realm: host.example}", f"realm: host.example, {tls}}}")) == [
        "10: diameter.peers[0].tls: is for connect; a peer that connects to us takes the tls of diameter.listen"
    ]


@pytest.mark.parametrize("address", ["10.0.0.1/8", "host", "256.1.1.1"])
def test_addresses_that_a_peer_cannot_come_from(problems, address):
    text = DIAMETER.replace("realm: host.example}", f"realm: host.example, addresses: [{address}]}}")
    [problem] = problems(API + text)
    assert problem.startswith("10: diameter.peers[0].addresses[0]: must be an IP address or a network")


def test_a_client_needs_no_secret_and_no_certificate(tmp_path):
    path = tmp_path / "gateway.yaml"
    path.write_text(
        BASE
        + "api: {tokens: [{name: a, role: viewer, token: {env: ABSENT}}]}\nprivacy: {key: {file: absent}}\n"
        + DIAMETER.replace("[127.0.0.1:3868]", "[{address: 'a:1', tls: {ca: x, cert: y, key: z}}]")
    )
    settings = load(path, {}, for_client=True)
    assert settings.api.tokens[0].token.origin == "env:ABSENT"
    with pytest.raises(LookupError):
        settings.privacy.key.reveal()
    with pytest.raises(ConfigInvalid):
        load(path, {})


PLAN = (
    "payg: {name: P, currency: CURRENCY, data: FREE, voice: FREE, sms: FREE, caps: [{services: [data], day: 5.005}]}\n"
)
LIMITS = """\
charging: {topup_limit: 50.005, wallet_limit: 500.0005, cap_abroad: 45.0001}
notices: {low_balance: 1.0005}
fraud: {limits: {spend: 20.0005}, plans: {payg: {premium: 2.0005}}}
charity: {matching: [{id: a, matcher: A, ratio: 50, cap: 5.005, begins: 2026-12-01, ends: 2026-12-31}]}
"""


@pytest.mark.parametrize(
    ("currency", "found"),
    [
        (
            "GBP",
            [
                "charging.topup_limit: has more decimals than the plans' currencies: GBP has 2",
                "charging.wallet_limit: has",
                "charging.cap_abroad: has",
                "notices.low_balance: has",
                "fraud.limits.spend: has",
                "fraud.plans.payg.premium: has",
                "charity.matching[0].cap: has more decimals than GBP, which has 2",
                "plans: payg.caps: day of data: has more decimals than GBP, which has 2",
            ],
        ),
        (
            "KWD",
            [
                "charging.wallet_limit: has more decimals than the plans' currencies: KWD has 3",
                "charging.cap_abroad: has",
                "notices.low_balance: has",
                "fraud.limits.spend: has",
                "fraud.plans.payg.premium: has",
                "charity.matching[0].cap: has more decimals than GBP, which has 2",
            ],
        ),
    ],
)
def test_a_limit_has_no_more_decimals_than_the_wallets_that_it_is_for(problems, tmp_path, currency, found):
    rate = "{price: 0.0001, per: 1}"
    (tmp_path / "plans.yaml").write_text(PLAN.replace("CURRENCY", currency).replace("FREE", rate))
    told = problems(API + LIMITS)
    assert len(told) == len(found)
    assert [wanted for wanted in found if not any(wanted in problem for problem in told)] == []
