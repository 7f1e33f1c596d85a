"""Sealed months beside a real gateway: what the commands say of them, backups have them once, and a restore puts them back."""

import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest
from support.gateways import Gateway, subscribers
from support.patience import PATIENCE
from support.sealing import age, publish_all, unmoved

from gateway.store.engine import open_writer

LINES = subscribers(3)


@pytest.fixture
def gateway(tmp_path):
    """A stopped gateway whose books go back for 100 days; it seals months from its next start on."""
    with Gateway(tmp_path / "gw", backup=tmp_path / "backup") as running:
        for line in LINES:
            running.enrol([line])
            running.json("subscriber", "topup", line[0], "1.25", "--reference", f"card-{line[0]}")
    age(store(running), 100)
    writer = open_writer(f"sqlite:///{store(running)}")
    publish_all(writer)
    writer.dispose()
    running.config.write_text(running.config.read_text().replace('tpo.db"', 'tpo.db", seal_after: 1d'))
    return running


def store(gateway):
    return gateway.folder / "var" / "tpo.db"


def until_sealed(gateway):
    deadline = time.monotonic() + PATIENCE
    while unmoved(store(gateway), least=4) != 0:
        assert time.monotonic() < deadline, gateway.log.read_text()[-3000:]
        time.sleep(0.02)


def concerns(gateway):
    """What is wrong with sealed months, once the gateway has looked."""
    deadline = time.monotonic() + PATIENCE
    while (told := gateway.get("/metrics")[1]) and "tpo_sealed_months 0" in told:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    found = gateway.json("status")["concerns"]
    return [(each["id"], each["runbook"]) for each in found if each["id"].startswith("sealed")]


def sealed(folder):
    """The files of sealed months; one that is being written stands beside them, and is none yet."""
    return sorted(file.name for file in (folder / "sealed").iterdir() if file.suffix != ".unfinished")


def test_commands_tell_of_sealed_months_and_a_restore_puts_the_files_of_one_moment_together(gateway, tmp_path):
    with gateway:
        balances, before = gateway.balances(), datetime.now(UTC).isoformat()
        until_sealed(gateway)
        assert gateway.balances() == balances
        assert gateway.check()["entries"] == 6
        parts = {row["part"] for row in gateway.json("ledger", "months")["rows"]}
        files = sealed(store(gateway).parent)
        assert {f"sealed/{name}" for name in files if "journal" in name} <= parts
        assert len(gateway.json("ledger", "journal")["rows"]) == 6
        assert sealed(tmp_path / "backup") == files
        first = gateway.json("db", "backup", tmp_path / "one.db")
        again = gateway.json("db", "backup", tmp_path / "two.db")
        assert (first["sealed_files"], first["sealed_files_copied"]) == (len(files), len(files))
        assert (again["sealed_files"], again["sealed_files_copied"]) == (len(files), 0)
        assert sealed(tmp_path) == files
        assert concerns(gateway) == []
    shutil.rmtree(store(gateway).parent / "sealed")
    store(gateway).unlink()
    told = gateway.json("db", "restore", tmp_path / "backup")
    assert told["sealed_months"] == {"files": len(files), "missing": []}
    assert sealed(store(gateway).parent) == files
    with gateway:
        assert gateway.balances() == balances
        gateway.check()
    # The store of the time before its months were sealed: its own rows count, and it seals them again, as the same files.
    told = gateway.json("db", "restore", tmp_path / "backup", "--at", before)
    with gateway:
        until_sealed(gateway)
        assert gateway.balances() == balances
        assert sealed(store(gateway).parent) == files
    told = gateway.json("db", "restore", tmp_path / "two.db", "--to", f"sqlite:///{tmp_path}/drill/tpo.db")
    assert told["sealed_months"]["missing"] == []
    assert sealed(tmp_path / "drill") == files


def test_files_that_are_missing_or_changed_are_named_by_check_status_and_restore(gateway, tmp_path):
    with gateway:
        until_sealed(gateway)
        folder = store(gateway).parent / "sealed"
        with closing(sqlite3.connect(store(gateway))) as rows:  # beside them may stand one that was given up
            names = [name for (name,) in rows.execute("SELECT file FROM sealed_files ORDER BY file")]
        journal = next(folder / name for name in names if "journal" in name)
        usage = next(folder / name for name in names if "usage" in name)
        with closing(sqlite3.connect(journal)) as file, file:
            file.execute("UPDATE transfers SET amount = amount + 1, event_at = 0")
        usage.unlink()
        wrong = gateway.tpo("ledger", "check", ok=(1,)).stderr
        assert f"{journal.name} was changed since it was sealed" in wrong
        assert f"{usage.name} is missing: the usage of" in wrong
    with gateway:
        assert concerns(gateway) == [("sealed.missing", "docs/runbooks/sealed-months.md")]
    (tmp_path / "backup" / "sealed" / usage.name).unlink()
    refused = gateway.tpo("db", "restore", tmp_path / "backup", ok=(1,)).stderr
    assert f"{usage.name} is missing" in refused
    assert "1 files of sealed months" in refused
    told = gateway.json("db", "restore", tmp_path / "backup", "--anyway")
    assert len(told["sealed_months"]["missing"]) == 1
    with gateway:
        wrong = gateway.tpo("ledger", "check", ok=(1,)).stderr
        assert journal.name not in wrong  # the good one is back, and the changed one is kept beside it
        assert usage.name in wrong
    assert (folder / f"{journal.name}.damaged").exists()
