"""Who may use the HTTP interface: names that are ours, tokens as they may be shown, and what guessing costs."""

from base64 import b64encode

import msgspec
import pytest
from multidict import CIMultiDict

from gateway.api import access
from gateway.api.access import (
    ALLOWED,
    FORGOTTEN,
    LONGEST_WAIT,
    MAX_ADDRESSES,
    Guard,
    Refusals,
    check_fields,
    check_host,
)
from gateway.api.problems import Problem
from gateway.privacy.masks import Secret


class Known(msgspec.Struct):
    """A token of the settings."""

    name: str
    token: Secret


TOKENS = [Known("billing", Secret("right")), Known("shop", Secret("other"))]


def refused(function, *arguments):
    with pytest.raises(Problem) as caught:
        function(*arguments)
    return int(caught.value.status), caught.value.code


@pytest.mark.parametrize(
    "host",
    [None, "", "localhost", "LOCALHOST:8080", "localhost.", "a.localhost", "127.0.0.1", "127.0.0.1:8080", "[::1]:80", "[::1]",
     "192.0.2.7:8080", "gw.example", "GW.example:443", "gw.example."],
)  # fmt: skip
def test_addresses_localhost_and_configured_names_are_ours(host):
    check_host(host, ["gw.Example"])


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "1.2.3.4.evil", "0", "xlocalhost"]
)
def test_another_name_is_misdirected(host):
    assert refused(check_host, host, ["gw.example"]) == (421, "host.unknown")


@pytest.mark.parametrize(
    "host", ["a b", "[::1", "::1", "localhost:x", "localhost/", "local\xe9", "user@localhost", ":80"]
)
def test_what_is_no_host_is_refused(host):
    assert refused(check_host, host, []) == (400, "host.invalid")


@pytest.mark.parametrize("name", ["Authorization", "Host", "Idempotency-Key", "Content-Encoding"])
def test_a_field_that_we_go_by_stands_in_a_request_once_whatever_its_case(name):
    twice = CIMultiDict([(name, "a"), (name.lower(), "a"), ("X-Other", "1"), ("X-Other", "2")])
    assert refused(check_fields, twice) == (400, "header.repeated")
    check_fields(CIMultiDict([(name, "a"), ("X-Other", "1"), ("X-Other", "2")]))


@pytest.mark.parametrize(
    ("address", "ours"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True), ("192.0.2.1", False),
     ("::ffff:192.0.2.1", False), ("", False), (None, False), ("fe80::1%eth0", False)],
)  # fmt: skip
def test_an_address_of_this_machine_is_known(address, ours):
    assert access.is_loopback(address) is ours


def basic(words):
    return "Basic " + b64encode(words).decode()


@pytest.mark.parametrize(
    ("header", "on_page", "on_api"),
    [
        (None, None, None),
        ("", None, None),
        ("Digest x", None, None),
        ("Bearer right", "right", "right"),
        ("bearer  right", "right", "right"),
        ("Bearer", "", ""),
        (basic(b"anna:right"), "right", None),
        (basic(b":ri:ght"), "ri:ght", None),
        (basic(b"nothing"), "", None),
        (basic(b"a:\xff"), "", None),
        ("Basic !!!", "", None),
        ("Basic", "", None),
    ],
)
def test_a_token_is_shown_as_bearer_and_on_pages_as_the_password_of_a_login_too(header, on_page, on_api):
    assert access.shown_token(header, page=True) == on_page
    assert access.shown_token(header, page=False) == on_api


def test_a_token_that_is_not_utf_8_is_a_wrong_one():
    found = Guard().find(b"\xff\xfe".decode(errors="surrogateescape"), TOKENS, "192.0.2.1", 0.0)
    assert isinstance(found, Refusals)


def test_many_wrong_tokens_of_an_address_let_it_wait_longer_each_time_and_no_other():
    guard, now, waits = Guard(), 0.0, []
    for _ in range(ALLOWED + 9):
        found = guard.find("wrong", TOKENS, "192.0.2.1", now)
        waits.append(max(0.0, found.until - now))
        now = max(now, found.until)
    assert waits[: ALLOWED - 1] == [0.0] * (ALLOWED - 1)
    assert waits[ALLOWED - 1 : ALLOWED + 3] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_WAIT
    assert guard.find("right", TOKENS, "192.0.2.2", now) is TOKENS[0]


def limited(guard, address="192.0.2.1"):
    for _ in range(ALLOWED):
        guard.find("wrong", TOKENS, address, 0.0)
    return guard


def test_while_an_address_waits_its_tokens_are_not_counted_and_a_new_one_is_not_let_in():
    guard = limited(Guard())
    found = guard.find("right", TOKENS, "192.0.2.1", 0.5)
    assert isinstance(found, Refusals)
    assert (found.waits, found.wrong, found.until) == (True, ALLOWED, 1.0)
    assert guard.find("right", TOKENS, "192.0.2.1", 1.0) is TOKENS[0]


def test_who_was_let_in_before_stays_so_while_another_of_its_address_guesses():
    guard = Guard()
    assert guard.find("right", TOKENS, "192.0.2.1", 0.0) is TOKENS[0]
    limited(guard)
    assert guard.find("right", TOKENS, "192.0.2.1", 0.5) is TOKENS[0]
    assert isinstance(guard.find("other", TOKENS, "192.0.2.1", 0.5), Refusals)


def test_an_address_is_forgotten_after_a_time_without_a_wrong_token():
    guard = limited(Guard())
    assert guard.find("wrong", TOKENS, "192.0.2.1", FORGOTTEN).wrong == 1


def test_the_addresses_of_one_ipv6_network_count_as_one():
    guard = limited(Guard(), "2001:db8::1")
    assert guard.find("wrong", TOKENS, "2001:db8::ffff:2", 0.5).waits
    assert not guard.find("wrong", TOKENS, "2001:db8:0:1::1", 0.5).waits


def test_addresses_without_end_take_no_memory_without_end():
    guard = Guard()
    for number in range(3 * MAX_ADDRESSES):
        guard.find("wrong", TOKENS, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
        guard.is_first_in_clear(str(number))
    assert len(guard._refusals) == len(guard._in_clear) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("remote", "named", "client"),
    [
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("::1", "10.0.0.1, 192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("192.0.2.9", "192.0.2.1", "192.0.2.9"),
        (None, None, ""),
    ],
)
def test_the_client_behind_a_proxy_of_this_machine_is_the_one_that_the_proxy_names(remote, named, client):
    assert access.client_of(remote, {"X-Forwarded-For": named} if named else {}) == client


def test_a_login_of_a_browser_over_plain_http_is_known_unless_a_proxy_says_otherwise():
    login = {"Authorization": basic(b"a:right")}
    assert access.is_in_clear(login)
    assert not access.is_in_clear({"Authorization": "Bearer right"})
    assert not access.is_in_clear({**login, "X-Forwarded-Proto": "https"})
    guard = Guard()
    assert [guard.is_first_in_clear("192.0.2.1") for _ in range(2)] == [True, False]
