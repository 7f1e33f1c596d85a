"""Packs of evidence: proved offline by their own program, drawn the same again, and naming nobody."""

import itertools
import json
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.charging_fixture import IMSI, MSISDN, TERMINATION, ccr, charging_place, service
from support.lane_fixture import EVIDENCE_KEY, unguard

from gateway.balance.changes import ChooseCauses
from gateway.charity import verify_pack
from gateway.charity.choices import Share
from gateway.charity.evidence_packs import Wanted, make_pack
from gateway.ledger.seals import SealKey

LONDON = ZoneInfo("Europe/London")
PERIOD = "2023-11"
FILES = ("pack.json", "signature.json", "verify.py")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A line whose tenth goes to one cause, then to two, and a second line that chose none."""
    with charging_place(f"sqlite:///{tmp_path_factory.mktemp('packs')}/t.db") as opened:
        opened.first = opened.enrol(50_000_000)
        opened.enrol(50_000_000, imsi="234150000000002", msisdn="447700900002", cause="")
        for n in range(3):
            opened.ask(ccr(TERMINATION, 0, service(used=[(n + 1) * 1_000_003]), session=f"a{n}"))
        opened.lane.run(ChooseCauses("msisdn", MSISDN, (Share("wwf", 3_333), Share("wateraid", 6_667))))
        for n in range(3):
            opened.ask(ccr(TERMINATION, 0, service(used=[(n + 1) * 1_999_999]), session=f"b{n}"))
            opened.ask(ccr(TERMINATION, 0, service(used=[70_001]), session=f"c{n}", imsi="234150000000002"))
        yield opened


def made(place, *, sample=50, seed="s", owner=None, now=1, damage=None):
    with place.writer.connect() as connection:
        if damage:
            unguard(connection)
            connection.exec_driver_sql(damage)
        pack = make_pack(connection, Wanted(PERIOD, sample, seed, owner), LONDON, EVIDENCE_KEY, now)
        connection.rollback()
    return pack


def written(pack, folder):
    folder.mkdir()
    for name, octets in zip(FILES, (pack.pack, pack.signature, pack.verifier), strict=True):
        (folder / name).write_bytes(octets)
    return folder


def told(folder, capsys, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["verify.py", str(folder), *options])
    code = verify_pack.main()
    return code, "".join(capsys.readouterr())


def test_a_pack_is_proved_by_its_own_program_alone_and_says_what_it_claims(place, tmp_path):
    folder = written(made(place), tmp_path / "pack")
    done = subprocess.run([sys.executable, "-I", folder / "verify.py"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "OK: 2023-11: in 9 records" in done.stdout
    assert SealKey(EVIDENCE_KEY).public in done.stdout
    assert len((folder / "verify.py").read_text().splitlines()) < 300


def test_another_key_than_the_one_that_was_named_is_told(place, tmp_path, capsys, monkeypatch):
    folder = written(made(place), tmp_path / "pack")
    assert told(folder, capsys, monkeypatch, "--public-key", SealKey(EVIDENCE_KEY).public)[0] == 0
    assert told(folder, capsys, monkeypatch, "--public-key", "00" * 32)[0] == 1


@pytest.mark.parametrize("name", FILES)
def test_any_changed_octet_fails(place, tmp_path, capsys, monkeypatch, name):
    folder = written(made(place, sample=2), tmp_path / "pack")
    octets = (folder / name).read_bytes()
    step = max(1, len(octets) // 60)
    for at in range(0, len(octets), step):
        (folder / name).write_bytes(octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :])
        assert told(folder, capsys, monkeypatch)[0] == 1, at
    (folder / name).write_bytes(octets + b" ")
    assert told(folder, capsys, monkeypatch)[0] == 1


@pytest.mark.parametrize(("damage", "words"), [
    ("UPDATE usage SET price = price + 1", "priced"),
    ("UPDATE transfers SET amount = amount - 2 WHERE kind = 'accrual'", "was not as it was booked"),
    ("DELETE FROM transfers WHERE kind = 'accrual'", "missing"),
    ("UPDATE transfers SET base = base + 1 WHERE kind = 'accrual'", "was not as it was booked"),
    ("UPDATE usage SET octets = 1", "was not as it was booked"),
])  # fmt: skip
def test_a_store_that_was_changed_gives_a_pack_that_is_not_proved(place, tmp_path, capsys, monkeypatch, damage, words):
    folder = written(made(place, damage=damage), tmp_path / "pack")
    code, said = told(folder, capsys, monkeypatch)
    assert code == 1
    assert words in said or "was not as it was booked" in said


def test_the_same_seed_draws_the_same_records_and_another_one_others(place):
    def days(pack):
        return sorted((each["usage"]["octets"], each["usage"]["price"]) for each in json.loads(pack.pack)["samples"])

    assert days(made(place, sample=3, seed="a")) == days(made(place, sample=3, seed="a", now=2))
    drawn = {tuple(days(made(place, sample=3, seed=seed))) for seed in "abcdef"}
    assert len(drawn) > 1
    assert len(json.loads(made(place, owner=place.first).pack)["samples"]) == 6


def test_a_pack_names_no_number_cause_customer_or_row_and_two_packs_share_no_name(place):
    one, other = made(place), made(place, now=2)
    for hidden in (MSISDN, IMSI, "447700900002", "wateraid", "wwf", "unassigned", str(place.first)):
        assert hidden.encode() not in one.pack
    names = [set(), set()]
    for found, pack in zip(names, (one, other), strict=True):
        for sample in json.loads(pack.pack)["samples"]:
            found.update((sample["usage"]["id"], sample["usage"]["customer"]))
            found.update(set(itertools.chain(*((e["id"], e["debit"]) for e in sample["entries"]))) - {"giving"})
    assert not names[0] & names[1]
    assert {len(each["usage"]["day"]) for each in json.loads(one.pack)["samples"]} == {10}


def test_its_signatures_are_those_of_rfc_8032():
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, signature = key.public_key().public_bytes_raw(), key.sign(b"said")
    assert verify_pack.is_signed(public, b"said", signature)
    assert not verify_pack.is_signed(public, b"sait", signature)
    assert not verify_pack.is_signed(public, b"said", signature[:32] + bytes(32))
    assert not verify_pack.is_signed(b"\xff" * 32, b"said", signature)
    more = int.from_bytes(signature[32:], "little") + verify_pack.L
    assert not verify_pack.is_signed(public, b"said", signature[:32] + more.to_bytes(32, "little"))
