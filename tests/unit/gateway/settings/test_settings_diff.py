"""What two configurations differ in, and what of it a running gateway may take over."""

import pytest
from support.gateways import ROOT

from gateway.settings import load
from gateway.settings.diff import Sorted, compare

BASE = f"""operator: {{name: Test}}
store: {{url: "sqlite:///var/tpo.db"}}
api: {{listen: "127.0.0.1:8080", socket: var/tpo.sock, tokens: [{{name: shop, role: viewer, token: "0123456789abcdef"}}]}}
smpp:
  links:
    - {{name: a, host: 127.0.0.1, port: 2775, system_id: tpo, password: secret}}
    - {{name: b, host: 127.0.0.1, port: 2776, system_id: tpo, password: secret}}
diameter:
  identity: ocs.tpo.example
  realm: tpo.example
  listen: ["127.0.0.1:3868"]
  peers:
    - {{identity: pgw.host.example, realm: host.example}}
    - {{identity: dra.host.example, realm: host.example, relay: true}}
plans: {ROOT}/config/plans.yaml
causes: {ROOT}/config/causes.yaml
"""


@pytest.fixture
def differ(tmp_path):
    """Compare the base with what becomes of it by replacements."""

    def settings(*replacements):
        text = BASE
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / "gateway.yaml"
        file.write_text(text)
        return load(file)

    return lambda *replacements, **more: compare(settings(), settings(*replacements), **more)


def test_the_same_file_read_twice_differs_in_nothing(differ):
    found = differ()
    assert (found.sections, found.restart) == ((), ())
    assert not any((found.links, found.peers, found.hosts))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("var/tpo.db", "var/other.db", "store.url"),
        ("127.0.0.1:8080", "127.0.0.1:8081", "api.listen"),
        ("var/tpo.sock", "var/other.sock", "api.socket"),
        ("ocs.tpo.example", "ocs2.tpo.example", "diameter.identity"),
        ("realm: tpo.example", "realm: tpo2.example", "diameter.realm"),
        ("127.0.0.1:3868", "127.0.0.1:3869", "diameter.listen"),
        ("plans:", "privacy: {key: 0123456789abcdef0123456789abcdef}\nplans:", "privacy.key"),
        ("plans:", "events: {mqtt: {url: 'mqtt://127.0.0.1:1883'}}\nplans:", "events.mqtt"),
    ],
)
def test_what_a_running_gateway_keeps_is_named(differ, old, new, key):
    assert differ((old, new)).restart == (key,)


def test_diameter_as_a_whole_comes_only_with_a_restart(differ):
    head, _, rest = BASE.partition("diameter:")
    assert differ((f"diameter:{rest.partition('plans:')[0]}", "")).restart == ("diameter",)
    assert head


def test_a_token_may_change_at_any_time(differ):
    found = differ(("0123456789abcdef", "fedcba9876543210"))
    assert (found.sections, found.restart) == (("api",), ())


def test_links_are_sorted_by_what_became_of_them(differ):
    found = differ(("name: a, host", "name: c, host"), ("port: 2776", "port: 2777"))
    assert found.links == Sorted(added=("c",), removed=("a",), changed=("b",))
    assert found.sections == ("smpp",)


def test_a_password_that_changed_makes_its_link_changed(differ):
    found = differ(("2776, system_id: tpo, password: secret", "2776, system_id: tpo, password: other"))
    assert found.links == Sorted(changed=("b",))


def test_a_peers_profile_takes_no_new_connection(differ):
    found = differ(("relay: true", "relay: true, profile: lenient"))
    assert found.sections == ("diameter",)
    assert not found.peers


def test_peers_are_sorted_by_their_names_in_any_case(differ):
    found = differ(("identity: pgw.host", "identity: PGW.host"), ("relay: true", "relay: false"))
    assert found.peers == Sorted(changed=("pgw.host.example", "dra.host.example"))


def test_a_link_whose_certificates_were_renewed_is_changed(differ):
    assert differ(stale=["b"]).links == Sorted(changed=("b",))
