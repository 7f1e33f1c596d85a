"""A store that does not come back: who waited is told 3004 after `charging.deadline`, or cut off where a commit had begun, and
nothing that was told 3004 is committed later. A disk without room is told as 3004 too, and nobody is cut off."""

import asyncio
import json
import os
import re
import resource
import signal
import sqlite3
import time
from contextlib import contextmanager

import psycopg
import pytest
from support import postgres
from support.gateways import Gateway, lanes_of, subscribers
from support.gy_results import Asking
from support.patience import PATIENCE

SUCCESS, TOO_BUSY = 2001, 3004
DEADLINE = 1
ROWS = subscribers(1)
needs_postgresql = pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed (package postgresql)")


def checks(gateway):
    return json.loads(gateway.get("/readyz")[1])["checks"]


async def until_ready(gateway):
    async with asyncio.timeout(PATIENCE):
        while not checks(gateway)["store"]:  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.1)


def sessions_of(gateway):
    """The sessions that were committed, by the number that `Asking` gave them."""
    return {int(row["session_id"].rpartition(";")[2]) for row in gateway.json("session", "list", "--limit", "100")}


@contextmanager
def frozen_backends(url):
    """Every process that serves this database stops, and goes on afterwards."""
    with psycopg.connect(url.replace("/stuck", "/postgres"), autocommit=True) as server:
        found = server.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'stuck'").fetchall()
    pids = [pid for (pid,) in found]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def another_writer(url):
    """Another program writes to the file, and does not come to an end."""
    other = sqlite3.connect(url, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


async def stuck(gateway, trouble):
    """Ask while the store is stuck, and see that everything goes on afterwards as it was told."""
    await asyncio.to_thread(gateway.enrol, ROWS)
    client = Asking(gateway, ROWS[0][1])
    assert await client.ask() == SUCCESS
    with trouble:
        for _ in range(3):
            began = time.monotonic()
            assert await client.ask() in (TOO_BUSY, None)
            assert time.monotonic() - began < DEADLINE + 5  # not for as long as the store is stuck
        assert not checks(gateway)["store"]
        assert TOO_BUSY in client.results
    await until_ready(gateway)
    assert await client.ask() == SUCCESS
    answered = {number for number, result in enumerate(client.results, 1) if result == SUCCESS}
    open_to_both = {number for number, result in enumerate(client.results, 1) if result is None}
    assert answered <= await asyncio.to_thread(sessions_of, gateway) <= answered | open_to_both
    await asyncio.to_thread(gateway.check)
    await client.leave()
    assert '"store.stalled"' in gateway.log.read_text()
    assert "Traceback" not in gateway.log.read_text()


@needs_postgresql
async def test_a_database_server_that_is_frozen_keeps_nobody_waiting_past_the_deadline(tmp_path):
    with postgres.server() as make:
        url = make("stuck")
        with Gateway(tmp_path / "gw", store=url, charging=f"deadline: {DEADLINE}") as gateway:
            await stuck(gateway, frozen_backends(url))


async def test_a_file_that_another_writer_holds_keeps_nobody_waiting_past_the_deadline(tmp_path):
    with Gateway(tmp_path / "gw", charging=f"deadline: {DEADLINE}") as gateway:
        await stuck(gateway, another_writer(gateway.folder / "var" / "tpo.db"))


async def test_where_the_disk_takes_no_more_nobody_is_cut_off(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        await asyncio.to_thread(gateway.enrol, ROWS)
        client = Asking(gateway, ROWS[0][1])
        assert await client.ask() == SUCCESS
        writer = next(iter(lanes_of(gateway.process.pid)), gateway.process.pid)
        wal = gateway.folder / "var" / "tpo.db-wal"
        _, hard = resource.prlimit(writer, resource.RLIMIT_FSIZE)
        resource.prlimit(writer, resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
        assert {await client.ask() for _ in range(4)} == {TOO_BUSY}
        assert not checks(gateway)["store"]
        resource.prlimit(writer, resource.RLIMIT_FSIZE, (hard, hard))
        await until_ready(gateway)
        assert await client.ask() == SUCCESS
        assert await asyncio.to_thread(sessions_of, gateway) == {1, 6}
        await asyncio.to_thread(gateway.check)
        await client.leave()
    assert not re.search(r'"store.(outcome_unknown|unit.poisoned)"', gateway.log.read_text())
