"""The ground goes away under a running gateway: files removed, replaced, overwritten. It says so, and acknowledges nothing."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import time
from contextlib import asynccontextmanager, closing

import pytest
from support.gateways import Gateway, subscribers
from support.gy_results import Asking
from support.patience import PATIENCE

SUCCESS, TOO_BUSY, UNABLE = 2001, 3004, 5012
NOTICED = 4.0
"""Seconds within which a file that is not the opened one any more takes readiness, with traffic or without."""
INSPECTED = 9.0
"""Seconds within which an overwritten store of this size does."""
ROWS = subscribers(500)


def checks(gateway):
    return json.loads(gateway.get("/readyz")[1])["checks"]


def events(gateway, name):
    """The log's lines of an event."""
    lines = (json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == name]


async def is_not_ready(gateway, within):
    """Wait until the store takes readiness; gives the seconds that it took."""
    began = time.monotonic()
    while await asyncio.to_thread(checks, gateway) != {"not_draining": True, "store": False}:
        assert time.monotonic() < began + within, gateway.log.read_text()[-2000:]
        await asyncio.sleep(0.05)
    return time.monotonic() - began


@asynccontextmanager
async def charging(folder):
    """A gateway with customers, and a client that was just told 2001."""
    gateway = Gateway(folder / "gw")
    with gateway:
        await asyncio.to_thread(gateway.enrol, ROWS)
        client = Asking(gateway, ROWS[0][1])
        assert await client.ask() == SUCCESS
        yield gateway, client, gateway.folder / "var" / "tpo.db"
        await client.leave()


def remove(store):
    store.unlink()


def rename(store):
    store.rename(store.with_name("away.db"))


def replace_with_a_copy(store):
    """As a careless restore does: another file, in one step, under the same name."""
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(store.with_name("copy.db"))) as copy:
        source.backup(copy)
    store.with_name("copy.db").replace(store)


def replace_with_an_empty_file(store):
    store.with_name("empty").touch()
    store.with_name("empty").replace(store)


def remove_the_log(store):
    store.with_name("tpo.db-wal").unlink()


MOVED = [remove, rename, replace_with_a_copy, replace_with_an_empty_file, remove_the_log]


@pytest.mark.parametrize("move", MOVED, ids=lambda move: move.__name__)
async def test_a_store_that_is_not_there_any_more_is_noticed_and_nothing_is_acknowledged(tmp_path, move):
    async with charging(tmp_path) as (gateway, client, store):
        move(store)
        there = set(store.parent.iterdir())
        assert await client.ask() == TOO_BUSY, "the very next request is not acknowledged"
        await is_not_ready(gateway, NOTICED)
        for _ in range(5):
            assert await client.ask() == TOO_BUSY
        status = gateway.tpo("subscriber", "show", ROWS[0][0], ok=(1, 69))
        assert "while the gateway had it open" in status.stderr
        assert set(store.parent.iterdir()) - {store.with_name("tpo.sock")} <= there, "a reader made a file"
        (told,) = events(gateway, "store.replaced")
        assert told["level"] == "critical"
        assert events(gateway, "store.unit.poisoned") == []
        assert (await asyncio.to_thread(gateway.get, "/livez"))[0] == 200
    assert UNABLE not in client.results


async def test_a_store_that_is_gone_is_noticed_without_any_request(tmp_path):
    async with charging(tmp_path) as (gateway, client, store):
        store.unlink()
        await is_not_ready(gateway, NOTICED)
        assert not store.exists()
        assert await client.ask() == TOO_BUSY


async def test_a_store_that_comes_back_counts_from_the_restart_on_and_has_all_that_was_acknowledged(tmp_path):
    async with charging(tmp_path) as (gateway, client, store):
        store.rename(store.with_name("away.db"))
        await is_not_ready(gateway, NOTICED)
        store.with_name("away.db").rename(store)
        await asyncio.sleep(1.5)
        assert await client.ask() == TOO_BUSY
        assert checks(gateway)["store"] is False
        await asyncio.to_thread(gateway.stop)
        await asyncio.to_thread(gateway.start)
        again = Asking(gateway, ROWS[1][1])
        again._number = 100
        assert await again.ask() == SUCCESS
        await again.leave()
        await asyncio.to_thread(gateway.check)
        with closing(sqlite3.connect(store)) as connection:
            assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (
                client.results.count(SUCCESS) + 1,
            )


def overwrite_pages(store):
    """Zeros over pages that the lane holds in its cache: as an fsck, a broken disk or a stray dd leave them."""
    with closing(sqlite3.connect(store, timeout=10)) as connection:
        connection.execute("PRAGMA wal_checkpoint(FULL)")
    with store.open("r+b") as file:
        for page in range(5, store.stat().st_size // 4096, 3):
            file.seek(page * 4096)
            file.write(bytes(4096))


def overwrite_the_header(store):
    with store.open("r+b") as file:
        file.write(b"\xa5" * 8192)


def overwrite_the_log(store):
    with store.with_name("tpo.db-wal").open("r+b") as file:
        file.write(b"\xa5" * min(40_000, store.with_name("tpo.db-wal").stat().st_size))


def empty_the_log(store):
    os.truncate(store.with_name("tpo.db-wal"), 0)


DAMAGES = [overwrite_pages, overwrite_the_header, overwrite_the_log, empty_the_log]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_an_overwritten_store_is_noticed_without_any_request_and_charges_no_more(tmp_path, damage):
    async with charging(tmp_path) as (gateway, client, store):
        damage(store)
        await is_not_ready(gateway, INSPECTED)
        for _ in range(5):
            assert await client.ask() == TOO_BUSY
        (told,) = events(gateway, "store.corrupt")
        assert told["level"] == "critical"
        assert events(gateway, "store.unit.poisoned") == []
        assert "Traceback" not in gateway.log.read_text()
    assert UNABLE not in client.results


async def test_a_damaged_store_is_not_started_on_again_before_it_is_mended(tmp_path):
    async with charging(tmp_path) as (gateway, _, store):
        sound = tmp_path / "sound.db"
        await asyncio.to_thread(gateway.tpo, "db", "backup", str(sound))
        overwrite_pages(store)
        await is_not_ready(gateway, INSPECTED)
        gateway.kill()
        refused = await asyncio.to_thread(gateway.tpo, "run", ok=(1,))
        assert "the store is damaged" in refused.stderr
        assert "what to do" in refused.stderr
        asked = await asyncio.to_thread(gateway.tpo, "ledger", "balances", ok=(69,))
        assert "Traceback" not in asked.stderr
        for file in store.parent.glob("tpo.db-*"):
            file.unlink()
        shutil.copyfile(sound, store)
        await asyncio.to_thread(gateway.start)
        await asyncio.to_thread(gateway.check)
        assert not store.with_name("tpo.db.damaged").exists()


async def test_a_sound_store_under_load_is_never_called_damaged(tmp_path):
    async with charging(tmp_path) as (gateway, client, store):
        until = time.monotonic() + 2 * INSPECTED
        while time.monotonic() < until:
            assert await client.ask() == SUCCESS
            await asyncio.sleep(0.005)
        with closing(sqlite3.connect(store)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        await asyncio.sleep(INSPECTED)
        assert await client.ask() == SUCCESS
        assert events(gateway, "store.corrupt") == []


def make_a_file(path, _store):
    path.write_text("an operator's notes")


def make_the_store(path, store):
    path.symlink_to(store)


def make_a_folder(path, _store):
    path.mkdir()


@pytest.mark.parametrize("make", [make_a_file, make_the_store, make_a_folder], ids=lambda make: make.__name__)
def test_what_is_no_socket_is_refused_as_one_by_check_and_at_start_and_stays(tmp_path, make):
    gateway = Gateway(tmp_path / "gw")
    with gateway:
        gateway.enrol(ROWS[:1])
    store, notes = gateway.folder / "var" / "tpo.db", gateway.folder / "var" / "notes"
    make(notes, store)
    gateway.config.write_text(gateway.config.read_text().replace("var/tpo.sock", "var/notes"))
    for command in (("config", "check"), ("run",)):
        refused = gateway.tpo(*command, ok=(78,))
        assert "api.socket" in refused.stdout + refused.stderr
    assert os.path.lexists(notes)
    assert notes.is_symlink() == (make is make_the_store)
    gateway.config.write_text(gateway.config.read_text().replace("var/notes", "var/tpo.sock"))
    assert gateway.json("subscriber", "show", ROWS[0][0])["msisdn"] == ROWS[0][0]


@pytest.mark.parametrize("end", ["", "-wal", ".lock"])
def test_a_file_of_the_store_is_refused_as_a_socket(tmp_path, end):
    gateway = Gateway(tmp_path / "gw")
    gateway.config.write_text(gateway.config.read_text().replace("var/tpo.sock", f"var/tpo.db{end}"))
    assert "api.socket" in gateway.tpo("run", ok=(78,)).stderr
    assert not (gateway.folder / "var").exists()


def test_a_socket_that_somebody_listens_on_is_left_to_them_and_one_of_the_dead_is_taken_over(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    path = gateway.folder / "var" / "tpo.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        refused = gateway.tpo("run", ok=(1,))
        assert "somebody listens there already" in refused.stderr
        assert path.is_socket()
    with gateway:  # the other one is dead, and its socket was left behind
        assert gateway.json("status")["state"] == "running"
        gateway.kill()
        gateway.start()
        path.unlink()
        with socket.socket(socket.AF_UNIX) as theirs:
            theirs.bind(str(path))
            gateway.stop()
            assert path.is_socket(), "a socket that is somebody else's by now was removed"


def test_a_backup_never_takes_the_place_of_one_of_the_stores_files(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    with gateway:
        gateway.enrol(ROWS[:1])
    store = gateway.folder / "var" / "tpo.db"
    before = set(store.parent.iterdir())
    for end in ("", "-wal", "-shm", "-journal", ".lock"):
        refused = gateway.tpo("db", "backup", f"{store}{end}", ok=(1,))
        assert "one of the store's own" in refused.stderr
    assert set(store.parent.iterdir()) == before


def test_a_second_gateway_by_another_name_of_the_store_is_refused(tmp_path):
    first = Gateway(tmp_path / "one")
    with first:
        link = tmp_path / "link.db"
        link.symlink_to(first.folder / "var" / "tpo.db")
        second = Gateway(tmp_path / "two", store=f"sqlite:///{link}")
        refused = second.tpo("run", ok=(1,))
        assert f"process {first.process.pid} has this store open" in refused.stderr


def test_a_missing_server_is_told_in_words(tmp_path):
    gateway = Gateway(tmp_path / "gw", store="postgresql://tpo@127.0.0.1:1/tpo")
    for command in (("run",), ("ledger", "balances")):
        refused = gateway.tpo(*command, ok=(69,))
        assert "Traceback" not in refused.stderr + refused.stdout
        assert "the store cannot be opened" in refused.stderr


def test_a_gateway_whose_store_is_gone_still_stops_in_order(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    with gateway:
        gateway.enrol(ROWS[:1])
        (gateway.folder / "var" / "tpo.db").unlink()
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(PATIENCE) == 0
    assert not (gateway.folder / "var" / "tpo.db").exists()
