import hashlib
import hmac
import re
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.privacy.masks import Secret
from gateway.privacy.pseudonyms import EVENTS, LOGS, KeyInvalid, Pseudonyms, derive, load_key, normalise

KEY = b"a key of a good length for tests"


def test_a_name_is_the_keyed_hash_of_type_and_id_in_base32():
    digest = hmac.new(derive(KEY, "pseudonyms/events"), b"s:4711", hashlib.sha256).digest()
    bits = int.from_bytes(digest[:10], "big")
    letters = "".join("abcdefghijklmnopqrstuvwxyz234567"[bits >> shift & 31] for shift in range(75, -1, -5))
    assert Pseudonyms(KEY).subscriber(4711) == f"s1:{letters}"


def test_names_carry_their_type_and_the_epoch_of_the_key_and_at_least_64_bits():
    names = Pseudonyms(KEY, epoch=2)
    for letter, name in (
        ("m", names.msisdn("447700900123")),
        ("i", names.imsi("234150000000001")),
        ("c", names.iccid("8944000000000000001")),
        ("s", names.subscriber(1)),
    ):
        assert re.fullmatch(rf"{letter}2:[a-z2-7]{{16}}", name)


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_events_and_logs_never_share_a_name(subscriber_id):
    assert Pseudonyms(KEY, EVENTS).subscriber(subscriber_id) != Pseudonyms(KEY, LOGS).subscriber(subscriber_id)


def test_another_key_gives_other_names_and_the_same_key_the_same():
    assert Pseudonyms(KEY).subscriber(1) == Pseudonyms(KEY).subscriber(1)
    assert Pseudonyms(KEY).subscriber(1) != Pseudonyms(KEY + b"!").subscriber(1)


@pytest.mark.parametrize("written", ["447700900123", "+447700900123", "+44 7700 900123", " +44 (7700) 900-123 "])
def test_a_number_has_one_name_however_it_is_written(written):
    assert normalise(written) == "447700900123"
    assert Pseudonyms(KEY).msisdn(written) == Pseudonyms(KEY).msisdn("447700900123")


def test_the_same_digits_as_another_type_have_another_name():
    names = Pseudonyms(KEY)
    assert names.msisdn("234150000000001")[3:] != names.imsi("234150000000001")[3:]


def test_ten_thousand_subscribers_have_as_many_names():
    names = Pseudonyms(KEY)
    assert len({names.subscriber(i) for i in range(10_000)}) == 10_000


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "var" / "tpo.key"
    first = load_key(None, path)
    assert load_key(None, path) == first
    assert len(first) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["tpo.key"]


def test_processes_that_start_together_agree_on_one_key(tmp_path):
    path = tmp_path / "tpo.key"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_key(None, path), range(16)))
    assert len(set(keys)) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["tpo.key"]


def test_a_configured_key_goes_before_the_file_and_makes_none(tmp_path):
    path = tmp_path / "tpo.key"
    assert load_key(Secret("a configured key, long enough\n"), path) == b"a configured key, long enough"
    assert not path.exists()


def test_the_file_of_a_made_key_can_be_configured_later_and_gives_the_same_names(tmp_path):
    path = tmp_path / "tpo.key"
    made = load_key(None, path)
    assert load_key(Secret(path.read_text().rstrip("\n")), tmp_path / "other.key") == made


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "tpo.key"
    load_key(None, path)
    path.chmod(0o640)
    with pytest.raises(KeyInvalid, match="chmod 600"):
        load_key(None, path)


@pytest.mark.parametrize("text", ["", "hunter2", "fifteen octets!"])
def test_a_key_that_is_too_short_is_refused_and_not_shown(tmp_path, text):
    path = tmp_path / "tpo.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyInvalid, match="fewer than 16") as refused:
        load_key(None, path)
    assert not text or text not in str(refused.value)
