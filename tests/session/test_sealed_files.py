"""Break the file of a sealed month in every way, and see that the check names it; the store that goes on is not lost for it."""

import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text
from support.books import check
from support.charging_fixture import INITIAL, UPDATE, ccr, charging_place, service
from support.lane_fixture import EVIDENCE_KEY
from support.sealing import at, folder, months_of, seal_all

from gateway.charity.policies import recompute
from gateway.ledger.checks.examined import every
from gateway.store.errors import StoreCorrupt
from gateway.store.sealed_months.records import digest

SEALED_BY = at(2024, 3, 1)
COLUMNS = "at, kind, debit, credit, amount, currency, event_at, usage_id, base, policy, share, reference"
AGAIN = f"INSERT INTO transfers SELECT id {{}}, {COLUMNS} FROM transfers WHERE kind = 'topup'"
CHANGED = r"2023-11-{}-\w+\.db was changed since it was sealed"


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/books.db") as place:
        place.enrol(5_000_000)
        place.ask(ccr(INITIAL, 0, service(ask=0)))
        for number in (1, 2):
            place.ask(ccr(UPDATE, number, service(used=[8_000_000], ask=0)))
            place.top_up("447700900001", 10_000, f"card-{number}")
            place.ticks = iter(range(at(2023, 12, 5), at(2023, 12, 6)))
        place.ticks = iter(range(at(2024, 3, 5), at(2024, 3, 6)))
        assert seal_all(place, SEALED_BY) == ["2023-11", "2023-12"]
        assert findings(place) == []
        yield place


def findings(place):
    with place.reader.connect() as connection:
        return [f"{finding.check}: {finding.detail}" for finding in check(connection, recompute).findings]


def edit(place, content, statement):
    file = folder(place) / getattr(months_of(place)[0], content).file
    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute(statement).rowcount > 0
    return file


def says(place, pattern):
    found = findings(place)
    assert any(re.search(pattern, each) for each in found), found
    return found


@pytest.mark.parametrize(
    ("content", "damage", "also"),
    [
        ("journal", "UPDATE transfers SET amount = amount + 1 WHERE kind = 'opening'", "wallet: wallet:.* its journal"),
        ("journal", "UPDATE transfers SET event_at = event_at + 1", ""),
        ("journal", "DELETE FROM transfers WHERE kind = 'accrual'", "accrual: .* no tenth was booked"),
        (
            "journal",
            AGAIN.format("- 1"),
            "sealed: .* rows, sealed were",
        ),
        (
            "journal",
            AGAIN.format("+ 1000"),
            "sealed: .* which is no number of its month",
        ),
        ("journal", "UPDATE sums SET amount = amount + 1", "sealed: .* says that account .* was moved by"),
        ("usage", "UPDATE usage SET price = price + 1", "usage: record .* was priced"),
        ("usage", "DELETE FROM usage", "sealed: .*-usage-.* has 0 rows, sealed were"),
    ],
)  # fmt: skip
def test_a_row_that_was_edited_deleted_or_invented_is_found_by_the_files_digest_and_where_it_can_be_by_itself(
    place, content, damage, also
):
    edit(place, content, damage)
    says(place, CHANGED.format(content))
    says(place, also)


def test_who_also_changes_what_the_store_notes_of_a_file_is_found_by_its_rows(place):
    file = edit(place, "journal", "UPDATE transfers SET amount = amount * 2 WHERE kind = 'topup'")
    with place.writer.begin() as connection:
        changed = "UPDATE sealed_files SET sha256 = :sha256 WHERE file = :file"
        connection.execute(text(changed), {"sha256": digest(file), "file": file.name})
    says(place, "sealed: .* has rows of .* micro-units, sealed were")
    says(place, "wallet: ")


@pytest.mark.parametrize("note", ["first_at = first_at + 1", "last_at = last_at - 1", "first_at = NULL"])
def test_the_times_that_reports_find_a_file_by_are_held_against_its_rows(place, note):
    with place.writer.begin() as connection:
        connection.execute(text(f"UPDATE sealed_files SET {note} WHERE period = '2023-11' AND content = 'usage'"))
    says(place, r"^sealed: 2023-11-usage-\w+\.db has rows of the times")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            "DELETE FROM sealed_files WHERE period = '2023-11' AND content = 'usage'",
            "of 2023-11 it names the transfers alone",
        ),
        (
            "UPDATE sealed_files SET ranges = '[' WHERE content = 'usage'",
            "what is noted of the file of usage of 2023-11",
        ),
    ],
)
def test_a_note_of_a_file_that_is_gone_or_none_is_trouble_of_the_store_that_names_it(place, damage, words):
    with place.writer.begin() as connection:
        connection.execute(text(damage))
    with pytest.raises(StoreCorrupt, match=words):
        findings(place)


def test_a_file_that_is_missing_is_swapped_or_no_database_any_more_is_named_and_the_others_are_still_checked(place):
    first, second = months_of(place)
    one, other = folder(place) / first.journal.file, folder(place) / second.journal.file
    kept = one.read_bytes()
    one.unlink()
    assert "put it back from a backup" in says(place, rf"sealed: .*{one.name} is missing: the journal of 2023-11")[0]
    shutil.copyfile(other, one)
    says(place, f"sealed: .*{one.name} has the content of {other.name}")
    one.write_bytes(b"no database" * 2000)
    says(place, f"sealed: .*{one.name} was changed")
    broken = bytearray(kept)
    broken[16_384 * 2 : 16_384 * 2 + 200] = b"\xff" * 200
    one.write_bytes(broken)
    edit(place, "usage", "UPDATE usage SET octets = octets + 1")
    assert len([each for each in says(place, f"sealed: .*{one.name} was changed") if "was changed" in each]) == 2
    one.write_bytes(kept)
    assert len(findings(place)) == 1


def test_rows_in_the_store_of_a_month_that_has_left_it_are_named(place):
    last = months_of(place)[0].ranges[0][1]
    with place.writer.begin() as connection:
        new = f"INSERT INTO transfers SELECT {last - 1}, {COLUMNS} FROM sealed.transfers WHERE kind = 'topup'"
        file = str(folder(place) / months_of(place)[1].journal.file)
        connection.exec_driver_sql("ATTACH ? AS sealed", (file,))
        connection.execute(text(new))
    says(place, f"sealed: entry {last - 1} stands in the store, though its month is sealed")


def test_a_reference_that_two_months_have_is_booked_twice(place):
    edit(place, "journal", "UPDATE transfers SET kind = 'opening', debit = 1 WHERE kind = 'topup'")
    other = folder(place) / months_of(place)[1].journal.file
    with closing(sqlite3.connect(other)) as connection, connection:
        same = "UPDATE transfers SET kind = 'opening', reference = 'card-1' WHERE kind = 'topup'"
        assert connection.execute(same).rowcount > 0
    says(place, "posting: reference card-1 is booked more than once as opening")


def test_sealed_months_are_computed_again_where_a_row_of_theirs_was_changed_or_all_is_asked_for(place, monkeypatch):
    looked = []
    monkeypatch.setattr("gateway.ledger.check.CHECKS", (every(lambda connection: looked.append(connection) or ()),))
    parts = len(months_of(place)) + 1
    for options, wanted in (({"full": False}, 1), ({}, parts), ({"full": False, "key": None}, parts)):
        looked.clear()
        with place.reader.connect() as connection:
            assert check(connection, recompute, **{"key": EVIDENCE_KEY, **options}).findings == []
        assert len(looked) == wanted
    edit(place, "journal", "UPDATE transfers SET event_at = event_at + 1")
    looked.clear()
    with place.reader.connect() as connection:
        found = check(connection, recompute, EVIDENCE_KEY, full=False).findings
    assert {each.check for each in found} == {"sealed", "evidence"}
    assert len(looked) == parts
