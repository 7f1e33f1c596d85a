"""Evidence packs: what they prove, what they refuse to prove, and what they tell nobody."""

import hashlib
import json
import os
import random
import re
import string
import subprocess
import sys

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from support import charging_fixture as charging
from support.billing_fixture import billing_place
from support.evidence_pack import (
    IMSI,
    MSISDN,
    SPLIT,
    audited,
    closed_month,
    failure,
    made,
    rows_of,
    seal,
    signed_again,
    write,
)
from support.lane_fixture import EVIDENCE_KEY
from support.sealing import seal_all

from gateway.balance.changes import ChooseCauses
from gateway.balance.refunds import RefundUsage, charged
from gateway.billing.closing import ReopenMonth
from gateway.billing.packs import reading, row_trees, verify
from gateway.billing.packs.files import archive
from gateway.billing.packs.making import Asked
from gateway.billing.packs.proving import NotProved
from gateway.charging.rerate_reading import Wanted, page
from gateway.charity.accruals import RunningTenth
from gateway.charity.policies import GROSS, Policy
from gateway.ledger import row_tree
from gateway.rating import prices
from gateway.rating.plans import Rate, ServiceCharge
from gateway.store import tables, versions
from gateway.store.evidence import Evidence
from gateway.store.tables import usage
from gateway.store.versions import POLICY, Content, canonical

pytestmark = pytest.mark.xdist_group("evidence_packs")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with billing_place(f"sqlite:///{tmp_path_factory.mktemp('packs')}/tpo.db") as place:
        place.closed = closed_month(place)
        yield place


@pytest.fixture(scope="module")
def files(place):
    return audited(place, place.closed)


def unguard(place, table):
    with place.writer.begin() as connection:
        connection.execute(text(f"DROP TRIGGER {table}_unchanged"))


def run(folder, *options):
    words = [sys.executable, "-I", str(folder / "verify.py"), *map(str, options)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_pack_is_checked_by_its_own_verifier_alone(files, tmp_path):
    folder, key = write(tmp_path / "pack", files), files["signature.txt"].decode()[:64]
    committed, seals = tmp_path / "given.json", tmp_path / "seals.jsonl"
    committed.write_bytes(files["commitment.json"])
    seals.write_text("".join(f"{json.dumps(row)}\n" for row in rows_of(files)["seals"]))
    options = ["--key", key, "--commitment", committed, "--seals", seals]
    code, said = run(folder, *options)
    assert (code, "PASS 3 bills, 6 usage, 9 entries" in said, "0 unsealed" in said) == (0, True, True)
    # A day's seal that never left, made for rows that were made up later, is as good as any but for those who kept theirs.
    for kept in (
        seals.read_text().replace('"sequence": ', '"sequence": 1'),
        seals.read_text().splitlines(keepends=True)[0],
    ):
        seals.write_text(kept)
        code, said = run(folder, *options)
        assert (code, said.startswith("FAIL seals.jsonl row ")) == (1, True)
        assert said.endswith("is none of the seals that you were given day by day\n")
    committed.write_bytes(files["commitment.json"].replace(b'"bills":4', b'"bills":5'))
    assert run(folder, *options)[1] == "FAIL commitment.json row 1: is not the one that you were given before\n"
    assert run(folder, "--key", "00" * 32)[1] == "FAIL manifest.json row 1: is signed with another key than yours\n"


def test_a_verifier_from_elsewhere_checks_the_pack_in_the_folder_that_it_is_given(files, tmp_path):
    folder, elsewhere = write(tmp_path / "pack", files), tmp_path / "trusted"
    elsewhere.mkdir()
    (elsewhere / "verify.py").write_bytes(files["verify.py"])
    key = files["signature.txt"].decode()[:64].upper()
    code, said = run(elsewhere, folder, "--key", key)
    assert (code, said.startswith("PASS 3 bills")) == (0, True)
    (folder / "CLAIM.txt").unlink()
    assert run(elsewhere, folder) == (1, "FAIL CLAIM.txt: is missing\n")
    (folder / "CLAIM.txt").write_bytes(files["CLAIM.txt"])
    (folder / "more.txt").write_bytes(b"")
    assert run(elsewhere, folder) == (1, "FAIL more.txt: does not belong here\n")
    assert run(elsewhere) == (1, "FAIL CLAIM.txt: is missing\n")
    assert run(elsewhere, tmp_path / "nowhere")[1].startswith("FAIL this cannot be read: ")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["manifest.json", "signature.txt", "CLAIM.txt", "usage.jsonl"])
@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_what_stands_in_a_pack_and_is_no_file_is_never_read(files, tmp_path, name, kind):
    folder = write(tmp_path / "pack", files)
    (folder / name).unlink()
    if kind == "device":
        (folder / name).symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).mkdir()
    assert failure(folder) == f"{name}: is missing"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("option", ["--seals", "--commitment"])
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("device", "is neither a file nor a pipe"),
        ("folder", "is neither a file nor a pipe"),
        ("missing", "is neither a file nor a pipe"),
        ("pipe", "has nothing"),
        ("endless pipe", "has more than 67108864 octets"),
        ("large", "has more than 67108864 octets"),
    ],
)
def test_what_is_given_beside_a_pack_has_an_end(files, tmp_path, option, kind, why):
    folder, path = write(tmp_path / "pack", files), tmp_path / "given"
    writer = None
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    elif kind.endswith("pipe"):
        os.mkfifo(path)
        if kind == "endless pipe":
            writer = subprocess.Popen(["sh", "-c", f"exec cat /dev/zero > {path}"], stderr=subprocess.DEVNULL)
    try:
        assert run(folder, option, path) == (1, f"FAIL {path}: {why}\n")
    finally:
        if writer is not None:
            writer.kill()
            writer.wait()


def test_seals_may_come_out_of_a_pipe(files, tmp_path):
    folder, pipe = write(tmp_path / "pack", files), tmp_path / "seals"
    os.mkfifo(pipe)
    seals = "".join(f"{json.dumps(row)}\n" for row in rows_of(files)["seals"])
    with subprocess.Popen(["tee", pipe], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as writer:
        writer.stdin.write(seals)
        writer.stdin.close()
        assert run(folder, "--seals", pipe)[0] == 0


def test_the_verifier_is_short_and_needs_the_standard_library_alone(files):
    source = files["verify.py"].decode()
    assert source.count("\n") < 315
    modules = {line.split()[1].split(".")[0] for line in re.findall(r"^(?:import|from) .*", source, re.MULTILINE)}
    assert modules <= set(sys.stdlib_module_names)


def test_any_octet_that_is_changed_is_found_in_its_file(files, tmp_path):
    folder, chance = write(tmp_path / "pack", files), random.Random(16)
    assert failure(folder) is None
    for name, octets in files.items():
        named = "manifest.json" if name == "signature.txt" else name
        for place in [0, len(octets) - 1, *(chance.randrange(len(octets)) for _ in range(8))] if octets else ():
            changed = bytearray(octets)
            changed[place] ^= 1 << chance.randrange(8)
            (folder / name).write_bytes(changed)
            assert failure(folder).startswith(named), (name, place)
        for changed in (octets + b"\n", octets[:-1], octets + b"x"):
            if changed != octets:
                (folder / name).write_bytes(changed)
                assert failure(folder), name
        (folder / name).unlink()
        assert name in failure(folder)
        (folder / name).write_bytes(octets)
    assert failure(folder) is None


def test_a_row_that_is_deleted_swapped_or_doubled_is_named(files, tmp_path):
    folder = write(tmp_path / "pack", files)
    for name in verify.ROWS:
        lines = files[f"{name}.jsonl"].splitlines(keepends=True)
        for i in range(len(lines)):
            without, doubled = lines[:i] + lines[i + 1 :], lines[: i + 1] + lines[i:]
            swapped = lines[:i] + lines[i + 1 : i + 2] + lines[i : i + 1] + lines[i + 2 :]
            for changed in (without, doubled, swapped):
                if changed != lines:
                    (folder / f"{name}.jsonl").write_bytes(b"".join(changed))
                    found = failure(folder)
                    place = int(re.search(rf"{name}.jsonl row (\d+)", found)[1])
                    assert i <= place <= i + 2, found
        (folder / f"{name}.jsonl").write_bytes(b"".join(lines))
    (folder / "more.txt").write_text("x")
    assert failure(folder) == "more.txt: does not belong here"


def put(name, row, **values):
    return lambda rows: rows[name][row].update({key: f(rows[name][row][key]) for key, f in values.items()})


def more(by):
    return lambda value: value + by


def move_tenth(rows):
    """A millionth goes from one cause to the other."""
    first, second = next(
        (one, other) for one, other in zip(rows["tenths"], rows["tenths"][1:], strict=False) if one["of"] == other["of"]
    )
    first["amount"], second["amount"] = first["amount"] + 1, second["amount"] - 1


def leave_out_use(rows):
    gone = rows["usage"].pop()
    rows["entries"] = [row for row in rows["entries"] if row["usage"] != gone["usage"]]


def cheaper(rows):
    """A use and its charge are both less, and the bill's sums, too."""
    use = rows["usage"][0]
    use["price"] -= 1
    entry = next(row for row in rows["entries"] if row["usage"] == use["usage"])
    entry["amount"] += 1


def swap(name, field):
    """Two rows about use have each other's."""

    def tell(rows):
        one, other = [row for row in rows[name] if row["use"]][:2]
        one[field], other[field] = other[field], one[field]

    return tell


LIES = {
    "a price": (put("usage", 0, price=more(1)), "usage.jsonl row 1"),
    "a price and its charge": (cheaper, "usage.jsonl row 1"),
    "units": (put("usage", 1, octets=more(10_000)), "usage.jsonl row 2"),
    "a rate": (lambda rows: rows["rates"][0]["terms"].update(price=1), "usage.jsonl row 1"),
    "use that is left out": (leave_out_use, "bills.jsonl row 3"),
    "an entry": (put("entries", 0, amount=more(1)), "bills.jsonl row 1"),
    "an entry that is left out": (lambda rows: rows["entries"].pop(0), "bills.jsonl row 1"),
    "what a bill gave": (put("bills", 0, given=more(1)), "bills.jsonl row 1"),
    "what a bill comes to": (put("bills", 1, closing=more(1)), "bills.jsonl row 2"),
    "sums beside a bill": (lambda rows: rows["bills"][0]["path"][0][1]["GBP"].__setitem__(0, 1), "bills.jsonl row 1"),
    "another bill": (put("bills", 0, place=lambda place: place ^ 1), "bills.jsonl row 1"),
    "a bill that is left out": (lambda rows: rows["bills"].pop(), "bills.jsonl"),
    "a tenth": (put("tenths", 0, amount=more(1)), "sessions.jsonl row"),
    "a large part of a tenth": (put("tenths", 0, amount=more(9)), "entries.jsonl row"),
    "a tenth that is left out": (lambda rows: rows["tenths"].pop(), "entries.jsonl row"),
    "a tenth to another cause": (move_tenth, "sessions.jsonl row"),
    "a share": (put("tenths", 0, share=lambda share: 10_000 - share or 1), "entries.jsonl row"),
    "a base": (put("tenths", 0, base=more(1)), "tenths.jsonl row 1"),
    "a rule": (put("policies", 0, rate=more(-1)), "entries.jsonl row"),
    "a seal": (put("seals", 0, sequence=more(1)), "seals.jsonl row 1"),
    "no seal": (lambda rows: rows["seals"].clear(), "commitment.json"),
    "another price list": (put("rates", 0, prices=lambda _: "0" * 64), "usage.jsonl row 1"),
    "an entry of another use": (swap("entries", "opens"), "entries.jsonl row "),
    "a row under no seal": (
        lambda rows: rows["tenths"][1].update(sealed=None),
        "tenths.jsonl row 2: is under no seal yet",
    ),
    "no payment": (lambda rows: rows["payments"].clear(), "tenths.jsonl row 1"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_company_that_signs_a_lie_is_found(files, tmp_path, lie):
    tell, where = LIES[lie]
    rows = rows_of(files)
    tell(rows)
    assert failure(write(tmp_path, signed_again(files, rows))).startswith(where)


def test_a_seed_that_draws_other_bills_is_found_though_it_is_signed(files, tmp_path):
    found = set()
    for number in range(5, 25):  # three of four bills: some seeds draw the same
        seed = b"dice %d" % number
        changed = {**files, "statement.json": files["statement.json"].replace(b"dice 4", seed)}
        assert changed["statement.json"] != files["statement.json"]
        told = failure(write(tmp_path / seed.decode(), signed_again(changed, rows_of(files))))
        found.add(told and told.partition(":")[0].partition(" ")[0])
    assert "bills.jsonl" in found
    assert found <= {"bills.jsonl", None}


@pytest.mark.parametrize(
    ("name", "old", "new", "where"),
    [
        ("statement.json", b'"sample":3', b'"sample":2', "bills.jsonl"),
        ("CLAIM.txt", b"Of the", b"of the", "CLAIM.txt"),
        ("commitment.json", b'"bills":4', b'"bills":3', "commitment.sig"),
    ],
)
def test_another_seed_claim_or_commitment_is_found_though_it_is_signed(files, tmp_path, name, old, new, where):
    changed = {**files, name: files[name].replace(old, new)}
    assert changed[name] != files[name]
    assert failure(write(tmp_path, signed_again(changed, rows_of(files)))).startswith(where)


def test_the_same_seed_gives_the_same_pack_days_later_too_and_another_one_has_other_labels(place, files):
    seal(place)
    assert audited(place, place.closed) == files
    assert archive("a", files) == archive("a", dict(reversed(files.items())))
    other = audited(place, place.closed, seed="dice 5", sample=4)
    labels = [{row["bill"] for row in rows_of(each)["bills"]} for each in (files, other)]
    assert not labels[0] & labels[1]
    assert [row["place"] for row in rows_of(other)["bills"]] == [0, 1, 2, 3]


def test_a_pack_has_no_number_no_identifier_no_cause_and_no_time_of_day(place, files):
    octets = b"".join(files[f"{name}.jsonl"] for name in verify.ROWS)
    with place.reading() as connection:
        lines = connection.execute(text("SELECT id FROM subscribers")).scalars().all()
        rows = connection.execute(text("SELECT id FROM usage UNION SELECT id FROM transfers")).scalars().all()
    for untold in (*(IMSI.format(n) for n in range(4)), *(MSISDN.format(n) for n in range(4)), *lines, *rows):
        assert str(untold).encode() not in octets
    assert not re.search(rb"wwf|wateraid|\d\d:\d\d", octets)
    places = [row["place"] for row in rows_of(audited(place, place.closed, sample=4))["bills"]]
    assert len(places) == 4
    named = audited(place, place.closed, named=True)
    assert b"wwf" in named["tenths.jsonl"]


def test_a_bill_has_a_pack_of_its_own_with_the_exact_sentence(place, tmp_path):
    found = made(place, Asked(place.closed, bill=2))
    assert failure(write(tmp_path, found)) is None
    (bill,) = place.bills()[1:2]
    assert (
        found["CLAIM.txt"]
        == f"Of this bill of {place.closed}, 0.{bill.given:06d} GBP was set aside for causes.\n".encode()
    )
    assert [row["cause"] for row in rows_of(found)["payments"]] != ["wateraid"]


def test_a_row_that_was_changed_in_the_store_is_named_and_no_pack_is_made(tmp_path):
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        period = closed_month(place, lines=1)
        unguard(place, "usage")
        with place.writer.begin() as connection:
            connection.execute(text("UPDATE usage SET octets = octets + 1 WHERE id = (SELECT min(id) FROM usage)"))
        with pytest.raises(NotProved, match="a row of usage behind it is not as it was booked"):
            audited(place, period)


def test_a_published_figure_is_coarse_and_needs_fifty_givers():
    def claim(amount, givers):
        return verify.claim("2026-11", {"GBP": [amount * 1_000_000 + 999_999, 0, 300, givers]}, None)

    assert claim(12_345, 50) == "Of the bills of 2026-11, at least 12000 GBP was set aside for causes.\n"
    assert claim(987, 50) == "Of the bills of 2026-11, at least 900 GBP was set aside for causes.\n"
    assert claim(12_345, 49) == claim(0, 50) == "Of the bills of 2026-11, no figure may be published: too few gave.\n"


# The verifier reckons as the gateway does

RATES = st.builds(
    Rate,
    st.integers(0, 10**7),
    st.integers(1, 10**6),
    st.integers(1, 60),
    st.integers(0, 120),
    connection=st.integers(0, 10**5),
)


# Rows and the seals of their days


def flipped(value, bit):
    """Something else in the place of a value of a row, of the same kind."""
    if isinstance(value, str) and value:
        place, codes = bit % len(value), string.digits + string.ascii_letters
        return value[:place] + codes[(codes.find(value[place]) + 1 + bit % 61) % 62] + value[place + 1 :]
    if isinstance(value, list) and value:
        place = bit % len(value)
        return [*value[:place], flipped(value[place], bit // 7), *value[place + 1 :]]
    return not value if isinstance(value, bool) else value ^ (1 << bit % 30) if isinstance(value, int) else "x"


def sealed_alone(files, rows):
    """What the seals of days say of rows, though all else were made to fit them: None where nothing."""
    pack = verify.Pack.__new__(verify.Pack)
    pack.rows, pack.passes, pack.unsealed = rows, False, 0
    try:
        verify.Pack.sealed(pack)
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        return str(error) or "no whole pack"
    return None


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(verify.SEALED)), st.integers(0, 99), st.integers(0, 99), st.integers(0, 1 << 40))
def test_no_octet_of_a_row_its_salt_its_place_or_its_way_fits_a_sealed_root_but_its_own(files, name, row, field, bit):
    rows = rows_of(files)
    assert sealed_alone(files, rows) is None
    changed = rows[name][row % len(rows[name])]
    key = (*verify.SEALED[name], "salt", "sealed")[field % (len(verify.SEALED[name]) + 2)]
    before = changed[key]
    changed[key] = flipped(before, bit)
    if name == "entries" and key == "amount" and changed[key] == -before:
        return
    if key == "salt" and changed[key].lower() == before:  # the same salt in other letters
        return
    assert sealed_alone(files, rows) is not None, (key, before)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(verify.SEALED)), st.data())
def test_rows_that_take_each_others_ways_stand_twice_or_have_another_root_are_found(files, name, data):
    rows = rows_of(files)
    one, other = data.draw(st.permutations(range(len(rows[name]))))[:2]
    what = data.draw(st.sampled_from(["salt", "sealed", "all", "root", "no root", "path", "other kind"]))
    if what in ("salt", "sealed"):
        rows[name][one][what], rows[name][other][what] = rows[name][other][what], rows[name][one][what]
    elif what == "all":
        rows[name][one] = rows[name][other]
    elif what == "path":
        rows[name][one]["sealed"][4] = data.draw(st.sampled_from(["", "AAAA", rows[name][one]["sealed"][4] * 2]))
    elif what == "other kind":
        rows[name][one] = rows[next(each for each in sorted(verify.SEALED) if each != name)][0]
    else:
        for seal in rows["seals"]:
            seal["rows"] = "0" * 64 if what == "root" else ""
    assert sealed_alone(files, rows) is not None


def test_a_company_that_changes_books_and_chain_after_a_day_was_sealed_is_found_by_the_seal_alone(tmp_path):
    """It has every key, and says of a use that it was a day later; nothing but the seal, which left before, tells otherwise."""
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        period = closed_month(place, lines=1)
        assert failure(write(tmp_path / "before", audited(place, period, sample=1))) is None
        unguard(place, "usage")
        with place.writer.begin() as connection:
            row = connection.execute(usage.select().order_by(usage.c.id)).first()
            changed = {**row._mapping, "event_at": row.event_at + 86_400_000_000}
            connection.execute(usage.update().where(usage.c.id == row.id).values(event_at=changed["event_at"]))
            Evidence(EVIDENCE_KEY, place.node.id).append(
                connection, {"usage": [tuple(changed.values())]}, place.ticks.now
            )
        assert failure(write(tmp_path / "after", audited(place, period, sample=1))).startswith("usage.jsonl row 1: ")


def test_rows_of_a_day_that_is_not_sealed_yet_are_said_to_be_and_pass_only_where_that_is_asked_for(tmp_path):
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        place.enrol(5_000_000)
        place.use(1_000_000, "u;1")
        period = place.close_month().period
        folder = write(tmp_path / "pack", audited(place, period, sample=1))
        code, said = run(folder)
        assert (code, said) == (1, "FAIL bills.jsonl row 1: is under no seal yet: --unsealed lets it pass\n")
        code, said = run(folder, "--unsealed")
        assert (code, "5 unsealed" in said) == (0, True)


def test_a_large_day_keeps_subtrees_and_each_row_has_its_way(tmp_path, monkeypatch):
    monkeypatch.setattr(row_tree, "SMALLEST", 2)
    monkeypatch.setattr(row_trees, "WINDOW_BITS", 2)
    monkeypatch.setattr(row_trees, "AT_ONCE", 2)
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        period = closed_month(place, lines=3)
        assert failure(write(tmp_path / "pack", audited(place, period))) is None
        kept = place.read(select(tables.row_trees))
        assert len(json.loads(kept[0].ranges)) > 1
        assert len(kept[0].roots) // 32 > 2


@given(RATES, st.none() | RATES, st.integers(0, 10**9))
def test_prices_are_those_of_the_gateway(rate, service, total):
    whole = Rate(rate.price, rate.per, rate.step, rate.minimum, connection=rate.connection,
                 service=ServiceCharge(service) if service else None)  # fmt: skip
    terms = {name: getattr(rate, name) for name in ("price", "per", "step", "minimum", "connection")}
    if service:
        terms["service"] = {"rate": {name: getattr(service, name) for name in terms}}
    assert verify.price(terms, total) == prices.price(whole, total)


@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=30),
    st.sampled_from([[10_000], [6_000, 4_000], [3_334, 3_333, 3_333], [5_000, 4_500, 500]]),
    st.sampled_from([Policy("p", "gross", 1_000), Policy("p", "net", 1_000, 2_000)]),
)
def test_tenths_are_those_of_the_gateway_and_one_millionth_elsewhere_is_not(amounts, shares, policy):
    running, rules, charges = RunningTenth(), {"p": {"rate": policy.rate, "tax": policy.tax}}, []
    for amount in amounts:
        parts = running.split(running.add(amount, policy), shares)
        charges.append((amount, *(([*shares], parts, {"p"}) if any(parts) else ([], [], set()))))
    assert verify.is_exact(charges, rules)
    assert all(verify.is_near(charge, rules) for charge in charges if charge[3])
    place = next((i for i, charge in enumerate(charges) if charge[3]), None)
    if place is not None:
        charges[place][2][0] += 1
        assert not verify.is_exact(charges, rules)


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=100), st.binary(min_size=32, max_size=32))
def test_signatures_are_those_of_ed25519_and_no_other_octets_are(message, seed):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw().hex(), key.sign(message).hex()
    assert verify.is_signed(public, message, signature)
    assert not verify.is_signed(public, message + b"x", signature)
    assert not verify.is_signed(
        public,
        message,
        signature[:64]
        + (int.from_bytes(bytes.fromhex(signature[64:]), "little") + verify.L).to_bytes(32, "little").hex(),
    )
    flipped = hashlib.sha256(message).digest()[0] % 64
    wrong = bytearray(bytes.fromhex(signature))
    wrong[flipped] ^= 1
    assert not verify.is_signed(public, message, wrong.hex())


# Months that are not simple


@pytest.fixture
def fresh(tmp_path):
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        yield place


def every_bill(place, period, folder):
    """A pack of all bills and notes of a month, checked."""
    seal(place)
    found = audited(place, period, sample=500)
    assert failure(write(folder, found)) is None
    return rows_of(found)


def test_a_credit_note_comes_with_its_bill_and_takes_a_tenth_back(fresh, tmp_path):
    fresh.enrol(5_000_000)
    fresh.use(5_000_000, "m;1")
    fresh.close_month()
    with fresh.reading() as connection:
        found = charged(connection, connection.execute(usage.select()).one().id)
    fresh.lane.run(RefundUsage(found, "ann", "it was cut off"))
    fresh.use(1_000_000, "m;2")
    period = fresh.close_month().period
    rows = every_bill(fresh, period, tmp_path / "all")
    assert sorted(bill["series"] for bill in rows["bills"]) == ["bill", "credit"]
    assert len({bill["line"] for bill in rows["bills"]}) == 1
    assert {row["kind"] for row in rows["tenths"]} == {"accrual", "accrual_reversal"}
    for seed in "abcd":  # whichever of the two is drawn
        drawn = audited(fresh, period, seed=seed, sample=1)
        assert failure(write(tmp_path / seed, drawn)) is None
        assert [bill["drawn"] for bill in rows_of(drawn)["bills"]].count(True) == 1


def test_a_bill_that_was_taken_back_stands_beside_the_note_and_the_next_one(fresh, tmp_path):
    fresh.enrol(1_000_000)
    fresh.use(1_000_000, "n;1")
    period = fresh.pass_month()
    fresh.close_month(period)
    fresh.use(2_000_000, "n;2", at=fresh.ticks.now // 1_000_000 - 40 * 3600)
    fresh.lane.run(ReopenMonth(period, "ann", "a late file"))
    fresh.lane.run(ReopenMonth(period, "bob", confirm=True))
    fresh.close_month(period)
    bills = every_bill(fresh, period, tmp_path / "all")["bills"]
    assert sorted((bill["series"], bill["back"], bill["given"]) for bill in bills) == [
        ("bill", False, 1_000),
        ("bill", False, 3_000),
        ("credit", True, -1_000),
    ]


def test_many_small_reports_and_a_session_over_the_end_of_a_month_are_proved(fresh, tmp_path):
    fresh.enrol(5_000_000)
    fresh.lane.run(ChooseCauses("msisdn", charging.MSISDN, SPLIT))
    fresh.ask(charging.ccr(1, 0, charging.service(ask=0), session="o;1"))
    for number in range(1, 8):
        fresh.ask(charging.ccr(2, number, charging.service(ask=0, used=(45_500 * number,)), session="o;1"))
    first = fresh.close_month().period
    for number in range(8, 14):
        fresh.ask(charging.ccr(2, number, charging.service(ask=0, used=(45_500 * number,)), session="o;1"))
    second = fresh.close_month().period
    assert [row["exact"] for row in every_bill(fresh, first, tmp_path / "first")["sessions"]] == [True]
    rows = every_bill(fresh, second, tmp_path / "second")
    assert len(rows["usage"]) == 6
    assert rows["usage"][0]["before"] > 0


def test_bundles_gifts_and_top_ups_are_entries_of_a_bill(fresh, tmp_path):
    fresh.enrol(50_000_000, plan="bundle-gb")
    fresh.use(3_000_000, "p;1")
    period = fresh.close_month().period
    rows = every_bill(fresh, period, tmp_path / "all")
    assert {row["kind"] for row in rows["entries"]} >= {"opening", "sale"}
    assert rows["usage"][0]["covered"] > 0
    assert [row["base"] for row in rows["tenths"]] == [
        -row["amount"] for row in rows["entries"] if row["kind"] == "sale"
    ]


def test_a_charge_that_a_rule_leaves_out_is_proved_without_a_tenth_and_no_other_charge_is(fresh, tmp_path):
    rule = Policy("2027-2", base=GROSS, rate=1_000, exclusions=("data",), effective_from=next(fresh.ticks))
    with fresh.writer.begin() as connection:
        versions.record(connection, [Content(POLICY, rule.id, canonical(rule))], next(fresh.ticks))
    fresh.policy.tariff = msgspec.structs.replace(fresh.policy.tariff, later=(rule,))
    fresh.ticks.skip(60)
    fresh.enrol(50_000_000)
    fresh.use(3_000_000, "q;1")
    period = fresh.close_month().period
    rows = every_bill(fresh, period, tmp_path / "all")
    assert (rows["tenths"], [row["kind"] for row in rows["entries"]].count("charge")) == ([], 1)
    assert [row["leaves_out"] for row in rows["policies"]] == [["data"]]
    rows["policies"][0]["leaves_out"] = ["sale"]
    lie = signed_again(audited(fresh, period, sample=500), rows)
    assert "no tenth of" in failure(write(tmp_path / "lie", lie))


def test_use_that_stands_in_sealed_files_is_proved_like_other(fresh, tmp_path):
    fresh.enrol(5_000_000)
    fresh.use(1_000_000, "q;1")
    first = fresh.pass_month()
    assert seal_all(fresh, fresh.ticks.now) == [first]
    fresh.use(2_000_000, "q;2")
    fresh.close_month(first)
    second = fresh.close_month().period
    assert len(every_bill(fresh, first, tmp_path / "first")["usage"]) == 1
    assert len(every_bill(fresh, second, tmp_path / "second")["usage"]) == 1


def test_use_that_was_priced_anew_has_its_first_price_what_was_given_back_and_the_new_one(fresh, tmp_path):
    right = charging.PLANS["payg-gb"]
    wrong = msgspec.structs.replace(right, data=Rate(70_000, 1_000_000))
    fresh.price_by({**charging.PLANS, "payg-gb": wrong})
    fresh.enrol(50_000_000)
    fresh.lane.run(ChooseCauses("msisdn", charging.MSISDN, SPLIT))
    fresh.use(1_234_567, "r;1")
    fresh.use(2_000_001, "r;2")
    fresh.price_by(charging.PLANS)
    version = fresh.policy.tariff.plans["payg-gb"].version
    with fresh.reading() as connection:
        units = page(connection, Wanted("payg-gb", version, 0, "ops", dry_run=False), after=0, limit=10).units
    for unit in units:
        fresh.lane.run(unit)
    period = fresh.close_month().period
    rows = every_bill(fresh, period, tmp_path / "all")
    assert {row["kind"] for row in rows["tenths"]} == {"accrual", "accrual_reversal", "rerated_accrual"}
    assert sum(row["kind"] == "rerated" for row in rows["entries"]) == 2


def test_charges_that_stand_far_from_their_use_are_looked_for_in_the_whole_journal(fresh, tmp_path, monkeypatch):
    fresh.enrol(5_000_000)
    fresh.use(1_000_000, "s;1")
    first = fresh.pass_month()
    seal_all(fresh, fresh.ticks.now)
    fresh.use(2_000_000, "s;2")
    fresh.close_month(first)
    second = fresh.close_month().period
    monkeypatch.setattr(reading, "NEAR", 0)
    assert [len(every_bill(fresh, period, tmp_path / period)["tenths"]) for period in (first, second)] == [1, 1]
