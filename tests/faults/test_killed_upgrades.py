"""An upgrade is one transaction: killed at any of its statements it leaves the store as it was, and is simply run again."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from support.old_stores import described, everything, fill, store_at

from gateway.store import schema
from gateway.store.engine import open_reader, open_writer

SCRIPT = Path(__file__).parents[1] / "support" / "killed_upgrade.py"
NUMBERS = itertools.count()
KEY = "a key of tests alone"
KILLS = 1 << 20 if int(os.environ.get("TPO_KILLS", "0")) else 16
"""At how many of its statements it is killed, evenly spread; a soak (TPO_KILLS) kills at each."""
BEFORE = "0003"
"""The oldest version that has every kind of rows which later steps work on."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/t.db"
    return request.getfixturevalue("database")(f"killed_{next(NUMBERS)}", empty=True)


def killed_again_and_again(url):
    env = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, SCRIPT, url, KEY, str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500, env=env)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_upgrade_killed_at_any_statement_has_changed_nothing_and_one_that_lives_has_changed_all(url, tmp_path):
    writer = store_at(url, BEFORE)
    fill(writer)
    before = everything(writer)
    writer.dispose()
    told = killed_again_and_again(url)
    after_the_commit = [i for i, each in enumerate(told) if each["killed"] and each["version"] == schema.head()]
    assert len(told) > min(KILLS, 30)
    assert not told[-1]["killed"]
    not_committed = told[: after_the_commit[0]]
    assert {each["version"] for each in not_committed} == {BEFORE}
    assert len({each["rows"] for each in not_committed}) == 1
    reader, fresh = open_reader(url), open_writer(f"sqlite:///{tmp_path}/fresh.db")
    schema.prepare(fresh)
    assert described(reader) == described(fresh)
    after = everything(reader)
    (node,), (node_before,) = after["nodes"], before["nodes"]
    assert node[:2] == node_before[:2]
    assert node[2] == node_before[2] + len(after["payments"])  # which got numbers to be proved by
    for table in ("transfers", "usage", "wallets", "lines", "subscribers", "sessions"):
        assert [new[: len(old)] for new, old in zip(after[table], before[table], strict=True)] == before[table], table
    assert len(after["awaited_receipts"]) == len(before["awaited_receipts"]) == 1
    reader.dispose()
    fresh.dispose()


def test_a_creation_killed_at_any_statement_leaves_an_empty_store(tmp_path):
    url = f"sqlite:///{tmp_path}/t.db"
    open_writer(url).connect().close()
    told = killed_again_and_again(url)
    versions = [each["version"] for each in told]
    assert len(versions) > min(KILLS, 30)
    assert versions == [None] * versions.count(None) + [schema.head()] * (len(versions) - versions.count(None))
    assert versions.count(schema.head()) <= 3  # killed after the commit, and where it closes the log
    reader = open_reader(url)
    with reader.connect() as connection:
        assert inspect(connection).has_table("sims")
        assert connection.execute(text("SELECT count(*) FROM transfers")).scalar() == 0
    reader.dispose()
