"""A restored file takes the store's place: killed at any point, that leaves the old store or a note, never an empty store."""

import os

import pytest

from gateway.store.errors import StoreCorrupt, StoreUnavailable
from gateway.store.files import StoreFiles, family
from gateway.store.recovery.placing import put_in_place

NOW = 1_795_711_442_000_000
KEPT = "t.db.before-20261126T164402Z"


@pytest.fixture
def store(tmp_path):
    for name, words in (("t.db", "old"), ("t.db-wal", "old log"), ("t.db-shm", "index"), (".restoring", "new")):
        (tmp_path / name).write_text(words)
    return tmp_path / "t.db"


def words(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_old_store_is_kept_with_its_log_and_the_new_one_has_none(store):
    assert put_in_place(store.with_name(".restoring"), store, NOW) == store.with_name(KEPT)
    assert words(store.parent) == {"t.db": "new", KEPT: "old", f"{KEPT}-wal": "old log", f"{KEPT}-shm": "index"}


def test_a_restored_file_that_has_a_log_still_is_refused(store):
    store.with_name(".restoring-wal").write_text("commits")
    with pytest.raises(StoreUnavailable, match="is still open"):
        put_in_place(store.with_name(".restoring"), store, NOW)
    assert words(store.parent)["t.db"] == "old"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("of", ["t.db", "."])
def test_what_root_puts_in_place_belongs_to_whom_the_store_or_its_folder_did(store, of):
    if of == ".":
        store.unlink()
    os.chown(store.parent / of, 65_534, 65_533)
    put_in_place(store.with_name(".restoring"), store, NOW)
    assert (store.stat().st_uid, store.stat().st_gid) == (65_534, 65_533)


def test_where_there_is_no_store_nothing_is_kept(store):
    store.unlink()
    assert put_in_place(store.with_name(".restoring"), store, NOW) is None
    assert words(store.parent)["t.db"] == "new"


@pytest.mark.parametrize("steps", range(4))
def test_killed_between_its_steps_it_leaves_no_store_that_is_taken_for_an_empty_one(store, steps, monkeypatch):
    left, rename = iter(range(steps)), type(store).rename

    def die_later(path, target):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(type(store), "rename", die_later)
    with pytest.raises(KeyboardInterrupt):
        put_in_place(store.with_name(".restoring"), store, NOW)
    monkeypatch.undo()
    if steps == 0:
        assert words(store.parent)["t.db"] == "old"
        StoreFiles(store).prove(lambda _file: None)
    else:
        with pytest.raises(StoreCorrupt, match="is gone: restore it"):
            StoreFiles(store).prove(lambda _file: None)
        assert words(store.parent)[KEPT] == "old"
    put_in_place(store.with_name(".restoring"), store, NOW + 60_000_000)
    assert words(store.parent)["t.db"] == "new"
    assert not family(store)["wal"].exists()
