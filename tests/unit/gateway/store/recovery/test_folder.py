"""The folder of a continuous backup: what is written is read again, and what is missing or damaged is named."""

import shutil
import sqlite3
import stat
from contextlib import closing

import pytest

from gateway.store.backup import CopyStopped
from gateway.store.errors import StoreUnavailable
from gateway.store.recovery import folder as backups
from gateway.store.recovery.changes import Changes
from gateway.store.recovery.folder import Chain
from gateway.store.recovery.rebuild import rebuild

SECOND = 1_000_000
BEGAN = 1_795_711_442_000_000
PAGE = 4096


@pytest.fixture
def source(tmp_path):
    with closing(sqlite3.connect(tmp_path / "source.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE entry (what TEXT)")
        yield connection


def chain_at(tmp_path, source, at=BEGAN, store="t.db"):
    """A chain with a whole copy and three files of changes, a second apart, each with the store's first page as it was then."""
    chain = Chain(tmp_path / "backup", tmp_path / store, at)
    copy_of(chain, source, 0, at)
    for number in range(1, 4):
        source.execute("INSERT INTO entry VALUES (?)", (f"{number}",))
        chain.add(changes_of(source, at + number * SECOND))
        chain.complete(at + number * SECOND + 1)
    return chain


def copy_of(chain, source, number, at):
    source.execute("BEGIN")
    size = chain.copy(source, number, at, lambda: True)
    source.execute("COMMIT")
    assert size >= 2 * PAGE


def changes_of(source, at):
    octets = source.serialize()
    pages = {number + 1: octets[number * PAGE : (number + 1) * PAGE] for number in range(len(octets) // PAGE)}
    return Changes(at, PAGE, len(pages), pages)


def rows(file):
    with closing(sqlite3.connect(file)) as connection:
        return [what for (what,) in connection.execute("SELECT what FROM entry ORDER BY rowid")]


def test_the_newest_state_and_each_earlier_one_can_be_made_again(tmp_path, source):
    chain = chain_at(tmp_path, source)
    files = sorted(chain.path.iterdir())
    for until, expected, told in (
        (None, ["1", "2", "3"], BEGAN + 3 * SECOND + 1),
        (BEGAN + 2 * SECOND, ["1", "2"], BEGAN + 2 * SECOND),
        (BEGAN + 2 * SECOND + 5, ["1", "2"], BEGAN + 2 * SECOND + 5),
        (BEGAN, [], BEGAN),
        (BEGAN + 60 * SECOND, ["1", "2", "3"], BEGAN + 3 * SECOND),
    ):
        target = tmp_path / "again.db"
        made = rebuild(tmp_path / "backup", target, until)
        assert (rows(target), made.until, made.changes) == (expected, told, len(expected))
        target.unlink()
    assert sorted(chain.path.iterdir()) == files, "nothing is made in the folder: it may be read-only"


def test_a_single_copy_that_was_made_by_hand_is_taken_with_the_log_beside_it(tmp_path, source):
    source.execute("PRAGMA journal_mode=WAL")
    source.execute("INSERT INTO entry VALUES ('in the log alone')")
    for end in ("", "-wal"):
        shutil.copy(f"{tmp_path}/source.db{end}", f"{tmp_path}/by hand.db{end}")
    assert rebuild(tmp_path / "by hand.db", tmp_path / "again.db").until is None
    assert rows(tmp_path / "again.db") == ["in the log alone"]


def test_a_later_chain_counts_once_it_has_a_whole_copy(tmp_path, source):
    chain_at(tmp_path, source)
    later = Chain(tmp_path / "backup", tmp_path / "t.db", BEGAN + 100 * SECOND)
    assert rebuild(tmp_path / "backup", tmp_path / "one.db").changes == 3
    copy_of(later, source, 0, BEGAN + 101 * SECOND)
    made = rebuild(tmp_path / "backup", tmp_path / "two.db")
    assert (made.source, made.changes, made.until) == (later.path, 0, BEGAN + 101 * SECOND)
    assert rebuild(tmp_path / "backup", tmp_path / "three.db", BEGAN + 50 * SECOND).changes == 3


def test_a_missing_file_of_changes_is_named_with_the_latest_moment_before_it(tmp_path, source):
    chain = chain_at(tmp_path, source)
    next(chain.path.glob("*2-*.pages")).unlink()
    with pytest.raises(StoreUnavailable, match="the changes number 2 are missing; restore --at 2026-11-26T16:44:03Z"):
        rebuild(tmp_path / "backup", tmp_path / "again.db")
    assert rebuild(tmp_path / "backup", tmp_path / "early.db", BEGAN + SECOND).changes == 1


@pytest.mark.parametrize("at", [0, 30, -1])
def test_a_damaged_file_of_changes_is_named_and_not_used(tmp_path, source, at):
    chain = chain_at(tmp_path, source)
    file = next(chain.path.glob("*3-*.pages"))
    octets = bytearray(file.read_bytes())
    octets[at] ^= 0xFF
    file.write_bytes(octets)
    with pytest.raises(StoreUnavailable, match=str(file.name)):
        rebuild(tmp_path / "backup", tmp_path / "again.db")


def test_a_folder_without_a_whole_copy_or_of_later_only_says_so(tmp_path, source):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreUnavailable, match="there is no whole copy"):
        rebuild(tmp_path / "empty", tmp_path / "again.db")
    chain_at(tmp_path, source)
    with pytest.raises(StoreUnavailable, match="goes back to 2026-11-26T16:44:02Z only"):
        rebuild(tmp_path / "backup", tmp_path / "early.db", BEGAN - 1)


def test_what_is_not_needed_any_more_goes_and_what_is_needed_stays(tmp_path, source):
    old = chain_at(tmp_path, source)
    chain = chain_at(tmp_path, source, BEGAN + 100 * SECOND)
    copy_of(chain, source, chain.number, BEGAN + 104 * SECOND)
    source.execute("INSERT INTO entry VALUES ('last')")
    chain.add(changes_of(source, BEGAN + 105 * SECOND))
    backups.prune(tmp_path / "backup", BEGAN + 103 * SECOND)
    assert not old.path.exists()
    assert [part.number for part in backups.copies(chain.path)] == [0, 3]
    backups.prune(tmp_path / "backup", BEGAN + 104 * SECOND)
    assert [file.name[:10] for file in sorted(chain.path.glob("*-*"))] == ["0000000003", "0000000004"]
    assert rebuild(tmp_path / "backup", tmp_path / "again.db").changes == 1
    assert rows(tmp_path / "again.db")[-1] == "last"
    backups.prune(tmp_path / "backup", BEGAN + 999 * SECOND)
    assert rebuild(tmp_path / "backup", tmp_path / "once more.db").changes == 1


def test_of_many_starts_the_latest_copies_stay_and_what_a_killed_run_left_goes_at_the_next_start(tmp_path, source):
    for number in range(backups.MOST_COPIES + 3):
        chain = Chain(tmp_path / "backup", tmp_path / "t.db", BEGAN + number * SECOND)
        copy_of(chain, source, 0, BEGAN + number * SECOND)
        backups.prune(tmp_path / "backup", 0)
    assert len(backups.chains(tmp_path / "backup")) == backups.MOST_COPIES
    (chain.path / ".0000000001-1.db").write_bytes(bytes(9))
    killed = Chain(tmp_path / "backup", tmp_path / "t.db", BEGAN + 100 * SECOND)
    killed.add(changes_of(source, BEGAN + 101 * SECOND))
    assert not (chain.path / ".0000000001-1.db").exists()
    Chain(tmp_path / "backup", tmp_path / "t.db", BEGAN + 200 * SECOND)
    assert not killed.path.exists()
    assert len(backups.chains(tmp_path / "backup")) == backups.MOST_COPIES + 1


def test_the_folder_of_another_store_is_left_alone(tmp_path, source):
    chain_at(tmp_path, source)
    with pytest.raises(FileExistsError, match="it has the backup of another store"):
        Chain(tmp_path / "backup", tmp_path / "other.db", BEGAN + 1)


def test_everything_is_its_owners_alone_and_nothing_unfinished_is_left(tmp_path, source):
    chain = chain_at(tmp_path, source)

    source.execute("BEGIN")
    with pytest.raises(CopyStopped):
        chain.copy(source, 9, BEGAN + 1, lambda: False)
    assert {stat.S_IMODE(path.stat().st_mode) for path in chain.path.iterdir()} == {0o600}
    assert stat.S_IMODE(chain.path.stat().st_mode) == stat.S_IMODE(chain.path.parent.stat().st_mode) == 0o700
    assert not [path for path in chain.path.iterdir() if path.name.startswith(".")]
