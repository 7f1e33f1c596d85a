"""What an open store stands on: its files are those that were opened, whole, and a damage is remembered until it is mended."""

import os
import sqlite3

import pytest
from support.lane_fixture import workplace

from gateway.store.driver_errors import classify
from gateway.store.errors import StoreCorrupt, StoreReplaced, StoreUnavailable, UnitPoisoned
from gateway.store.files import StoreFiles, family
from gateway.store.inspection import HEADER, inspect


class Nothing:
    """A unit that changes nothing but its own row of identifiers."""

    alone = False
    touches = ()

    def decide(self, batch):
        return batch.take_id()


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "tpo.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, what BLOB)")
        connection.executemany("INSERT INTO entry (what) VALUES (?)", ((bytes(900),) for _ in range(2000)))
    yield path
    connection.close()


def overwrite(path, place, octets):
    with path.open("r+b") as file:
        file.seek(place)
        file.write(octets)


REPLACED = {
    "removed": os.unlink,
    "renamed": lambda path: path.rename(path.with_name("elsewhere")),
    "replaced by a copy": lambda path: (
        path.with_name("copy").write_bytes(path.read_bytes()),
        path.with_name("copy").replace(path),
    ),
}


@pytest.mark.parametrize("how", REPLACED)
@pytest.mark.parametrize("name", ["store", "wal"])
def test_a_file_that_is_not_the_opened_one_any_more_is_told_once_and_for_ever(store, how, name):
    told = []
    ground = StoreFiles(store, lambda event, detail: told.append((event, detail)))
    ground.hold()
    ground.check()
    file = family(store)[name]
    kept = file.with_name("kept")
    os.link(file, kept)
    REPLACED[how](file)
    for _ in range(2):
        with pytest.raises(StoreReplaced, match=f"{file.name} is"):
            ground.check()
    kept.replace(file)  # the very file is back
    with pytest.raises(StoreReplaced):
        ground.check()
    assert [event for event, _ in told] == ["store.replaced"]


def test_a_log_that_nobody_holds_open_may_come_and_go(store):
    ground = StoreFiles(store)
    ground.hold()
    ground.let_go()
    family(store)["wal"].unlink()
    ground.check()


def test_a_damage_is_noted_beside_the_store_until_an_inspection_finds_none(store):
    ground = StoreFiles(store)
    with pytest.raises(StoreCorrupt):
        raise ground.lose(StoreCorrupt("page 7"))
    with pytest.raises(StoreCorrupt, match="page 7"):
        ground.check()
    note = family(store)["damaged"]
    assert note.read_text() == "page 7\n"

    def still(path):
        raise StoreCorrupt(f"{path} still is")

    with pytest.raises(StoreCorrupt, match="still is"):
        StoreFiles(store).prove(still)
    assert note.exists()
    store.rename(store.with_name("away.db"))
    with pytest.raises(StoreCorrupt, match="is gone: restore it, or remove"):
        StoreFiles(store).prove(inspect)
    store.with_name("away.db").rename(store)
    StoreFiles(store).prove(inspect)
    assert not note.exists()
    StoreFiles(store).prove(still)  # which is not asked any more


@pytest.mark.parametrize("error", [StoreUnavailable("busy"), UnitPoisoned("its own fault")])
def test_what_passes_by_itself_is_not_kept(store, error):
    ground = StoreFiles(store)
    assert ground.lose(error) is error
    ground.check()
    assert not family(store)["damaged"].exists()


def test_a_lane_neither_writes_to_nor_acknowledges_a_store_that_is_gone(tmp_path):
    url, path = f"sqlite:///{tmp_path}/tpo.db", tmp_path / "tpo.db"
    path.touch()
    ground = StoreFiles(path)
    with workplace(url, ground=ground) as place:
        place.lane.run(Nothing())
        path.unlink()
        with pytest.raises(StoreReplaced):
            place.lane.run(Nothing())
        assert place.lane.in_trouble
        with pytest.raises(StoreReplaced):
            place.lane.run(Nothing())
    assert not path.exists()


def test_an_older_copy_of_the_store_is_not_gone_on_with(tmp_path):
    from sqlalchemy import update

    from gateway.store.tables import nodes

    with workplace(f"sqlite:///{tmp_path}/tpo.db") as place:
        place.lane.run(Nothing())
        with place.writer.begin() as connection:
            connection.execute(update(nodes).values(next_id=nodes.c.next_id - 1))
        place.lane._transactions.let_go()
        with pytest.raises(StoreReplaced, match="an old copy"):
            place.lane.run(Nothing())


def test_a_sound_store_is_found_sound_while_it_is_written_to(store):
    writer = sqlite3.connect(store)
    for number in range(50):
        writer.execute("INSERT INTO entry (what) VALUES (?)", (bytes(5000),))
        writer.commit()
        if number % 20 == 9:
            writer.execute("PRAGMA wal_checkpoint(RESTART)")
        inspect(store)
    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    inspect(store)
    writer.close()


@pytest.mark.parametrize("octets", [bytes(4096), b"\xa5" * 4096], ids=["zeros", "noise"])
@pytest.mark.parametrize("page", [0, 1, 40, 200])
def test_overwritten_pages_are_found(store, page, octets):
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(store, page * 4096, octets)
    with pytest.raises(StoreCorrupt):
        inspect(store)
    connection.close()


def test_a_store_that_was_cut_off_is_found(store):
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(store, 100 * 4096)
    with pytest.raises(StoreCorrupt):
        inspect(store)
    connection.close()


@pytest.mark.parametrize(
    ("place", "length"), [(0, 4), (8, 4), (24, 8), (HEADER.size, 24), (HEADER.size + 30 * 4120, 4120), (4000, 30_000)]
)
def test_an_overwritten_log_is_found(store, place, length):
    log = family(store)["wal"]
    assert log.stat().st_size > 200 * 4120
    overwrite(log, place, b"\x5a" * length)
    with pytest.raises(StoreCorrupt, match="overwritten"):
        inspect(store)


def test_a_log_that_was_emptied_is_found(store):
    os.truncate(family(store)["wal"], 0)
    with pytest.raises(StoreCorrupt):
        inspect(store)


def test_a_store_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StoreUnavailable, match="unable to open"):
        inspect(tmp_path / "absent.db")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_a_closed_connection_is_the_stores(store):
    connection = sqlite3.connect(store)
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError) as caught:
        connection.execute("SELECT 1")
    assert type(classify(caught.value)) is StoreUnavailable
