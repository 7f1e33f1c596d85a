"""`tpo db restore` beside a real gateway: when it refuses, what it keeps, what it says, and that a killed one is run again."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.gateways import ROOT, Gateway, subscribers
from support.old_stores import RELEASED, restored

from gateway.store import schema

LINE = subscribers(1)
NUMBER = LINE[0][0]


@pytest.fixture
def gateway(tmp_path):
    """A gateway with a line that has ten pounds, and a single copy of its store; it is stopped."""
    with Gateway(tmp_path / "gw", backup=tmp_path / "backup") as running:
        running.enrol(LINE)
        running.tpo("db", "backup", tmp_path / "single.db")
    return running


def top_up(gateway, reference, amount="1.00"):
    return gateway.json("subscriber", "topup", NUMBER, amount, "--reference", reference)


def balance(gateway):
    return gateway.json("subscriber", "show", NUMBER)["balance"]


def restore(gateway, *arguments):
    return gateway.json("db", "restore", *arguments)


def test_a_single_copy_takes_the_place_and_names_what_the_store_before_had_beyond_it(gateway, tmp_path):
    with gateway:
        refused = gateway.tpo("db", "restore", tmp_path / "single.db", ok=(1,))
        assert "has this store open" in refused.stderr
        top_up(gateway, "shop-1")
        top_up(gateway, "shop-2", "2.50")
    told = restore(gateway, tmp_path / "single.db")
    assert told["lost"]["rows"] == {"transfers": 2}
    payments = [(each["channel"], each["reference"], each["amount"]) for each in told["lost"]["payments"]]
    assert payments == [("tpo", "shop-1", 1_000_000), ("tpo", "shop-2", 2_500_000)]
    assert told["lost_seconds"] > 0
    assert told["books"]["findings"] == []
    with gateway:
        assert balance(gateway) == "10.00"
        assert top_up(gateway, "shop-2", "2.50")["repeated"] is False
        gateway.check()
    kept = told["kept"]
    assert kept.startswith(f"{tmp_path}/gw/var/tpo.db.before-")
    again = restore(gateway, kept)
    assert again["lost"] is not None
    assert balance(gateway) == "13.50"


def test_a_folder_is_restored_as_of_a_moment_elsewhere_or_in_place_and_the_last_commit_of_an_orderly_stop_is_there(
    gateway, tmp_path
):
    with gateway:
        top_up(gateway, "good")
        moment = datetime.now(UTC).isoformat()
        top_up(gateway, "a mistake", "3.00")
    before = (tmp_path / "gw" / "var" / "tpo.db").read_bytes()
    elsewhere = restore(gateway, tmp_path / "backup", "--to", f"sqlite:///{tmp_path}/look.db")
    assert (elsewhere["kept"], elsewhere["lost"], elsewhere["store"]) == (None, None, f"sqlite:///{tmp_path}/look.db")
    assert (tmp_path / "gw" / "var" / "tpo.db").read_bytes() == before
    with closing(sqlite3.connect(tmp_path / "look.db")) as copy:
        assert copy.execute("SELECT balance FROM wallets").fetchall() == [(14_000_000,)]
    told = restore(gateway, tmp_path / "backup", "--at", moment)
    assert datetime.fromisoformat(told["until"]) <= datetime.fromisoformat(moment)
    assert balance(gateway) in ("10.00", "11.00")  # what was written to the folder by then
    assert [each["reference"] for each in told["lost"]["payments"]][-1] == "a mistake"
    with gateway:
        gateway.check()


def test_a_store_before_that_is_damaged_is_kept_and_nobody_says_what_it_had(gateway, tmp_path):
    store = tmp_path / "gw" / "var" / "tpo.db"
    octets = bytearray(store.read_bytes())
    octets[:4096] = os.urandom(4096)
    store.write_bytes(octets)
    told = restore(gateway, tmp_path / "backup")
    assert told["lost"] is None
    assert Path(told["kept"]).read_bytes() == octets
    with gateway:
        assert balance(gateway) == "10.00"


@pytest.mark.parametrize("how", ["damaged", "books", "not there", "no store", "empty", "another program's"])
def test_what_cannot_be_trusted_is_refused_and_nothing_is_changed(gateway, tmp_path, how):
    source, store = tmp_path / "single.db", tmp_path / "gw" / "var" / "tpo.db"
    if how == "damaged":
        octets = bytearray(source.read_bytes())
        octets[len(octets) // 2 :] = bytes(len(octets) - len(octets) // 2)
        source.write_bytes(octets)
    elif how == "books":
        with closing(sqlite3.connect(source)) as copy, copy:
            copy.execute("UPDATE wallets SET balance = balance + 1")
    elif how == "not there":
        source.unlink()
    elif how == "no store":
        source.write_text("a letter")
    else:
        source.write_bytes(b"")
        if how != "empty":
            with closing(sqlite3.connect(source)) as other, other:
                other.execute("CREATE TABLE wallets (id INTEGER)")
    before, there = store.read_bytes(), {path.name for path in store.parent.iterdir()}
    refused = gateway.tpo("db", "restore", source, ok=(1,)).stderr
    assert ("the books of the backup are not right" if how == "books" else "it cannot be restored") in refused
    assert store.read_bytes() == before
    assert {path.name for path in store.parent.iterdir()} == there | {"tpo.db.lock"}
    if how == "books":
        assert len(restore(gateway, source, "--anyway")["books"]["findings"]) == 1


def test_a_backup_of_an_earlier_version_is_upgraded_on_the_way(gateway, tmp_path):
    dump = next(each for each in RELEASED if each.stem == "0004")
    restored(f"sqlite:///{tmp_path}/old.db", dump).dispose()
    told = restore(gateway, tmp_path / "old.db", "--to", f"sqlite:///{tmp_path}/new.db")
    assert told["upgraded_from"] == "0004"
    with closing(sqlite3.connect(tmp_path / "new.db")) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [(schema.head(),)]


def test_a_restore_that_was_killed_at_any_moment_is_run_again(gateway, tmp_path):
    """Killed at its first renaming of a file, then at the second, ... until one lives."""
    store = tmp_path / "gw" / "var" / "tpo.db"
    command = [sys.executable, "-m", "gateway.cli", "--config", gateway.config, "db", "restore", tmp_path / "single.db"]
    killed = 0
    for number in range(1, 20):
        killing = f"--inject=rename,renameat,renameat2:signal=KILL:when={number}"
        traced = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename,renameat,renameat2", killing]
        done = subprocess.run([*traced, *command], capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
        if done.returncode == 0:
            break
        assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
        killed += 1
        assert store.exists() or store.with_name("tpo.db.damaged").exists()
    assert killed >= 2
    with gateway:
        assert balance(gateway) == "10.00"
        gateway.check()
