"""Numbers and secrets don't come out in clear."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.privacy.masks import Secret, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+447700900123", "+44********23"),
        ("447700900123", "44********23"),
        ("imsi 234150999912345!", "imsi 23********45!"),
        ("8944110068000000001", "89********01"),
        ("msisdn=447700900123;iccid=89441100680000000015", "msisdn=44********23;iccid=89********15"),
        ("1234567", "12********67"),
        ("447700900123234150999912345", "44********45"),
        ("n447700900123x", "n44********23x"),
        ("465B5CE8B199B49FAA5F0A2EE238A6BC", "********"),
        ("ki:465b5ce8b199b49faa5f0a2ee238a6bc opc", "ki:******** opc"),
    ],
)
def test_numbers_and_keys_are_cut(text, masked):
    assert mask(text) == masked


@pytest.mark.parametrize("text", ["123456", "70070", "2026-11-23T19:30:00.123456Z", "3868", "", "a" * 31, "0x12ab"])
def test_what_is_no_number_stays(text):
    assert mask(text) == text


@given(st.text(alphabet="0123456789+abcdefg *;", max_size=80))
def test_masking_twice_is_masking_once_and_leaves_no_seven_digits(text):
    once = mask(text)
    assert mask(once) == once
    run = longest = 0
    for character in once:
        run = run + 1 if character.isdigit() else 0
        longest = max(longest, run)
    assert longest < 7


def test_a_secret_never_prints_itself():
    secret = Secret("canary", "env:TOKEN")
    seen = f"{secret} {secret!r} {secret:>40} {[secret]}" + str({"k": secret}) + format(secret)
    assert "canary" not in seen
    assert secret.reveal() == "canary"
    assert secret.origin == "env:TOKEN"


def test_a_secret_is_compared_but_not_copied_out():
    secret = Secret("canary")
    assert secret.matches("canary")
    assert not secret.matches("canar")
    assert secret == Secret("canary", "env:X")
    assert secret != Secret("other")
    assert secret != "canary"
    assert len({secret, Secret("canary")}) == 1
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)


def test_a_secret_out_of_reach_matches_nothing():
    absent = Secret(None, "env:TOKEN")
    assert not absent.matches("")
    assert absent != Secret(None, "env:TOKEN")
    with pytest.raises(LookupError):
        absent.reveal()
