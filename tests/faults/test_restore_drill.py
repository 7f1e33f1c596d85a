"""The drill: under load the store is lost with its disk, the continuous backup is restored, and the peers go on.

What was acknowledged before the moment that `tpo db restore` names is there, once; what is gone is later than that.
"""

import asyncio
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import datetime

from sqlalchemy import select
from support import text_load
from support.gateways import subscribers
from support.lateness import Lateness
from support.old_stores import everything
from support.patience import PATIENCE
from support.stubborn_pgw import RATING_GROUPS, StubbornPgw

from gateway.store.engine import open_reader, reading
from gateway.store.tables import nodes, texts

EVERY = 1
STATED = 10
"""Seconds: what at most is lost, by docs/restore.md, with this interval and a disk that keeps up."""
LINES = 400


class DatedPgw(StubbornPgw):
    """Notes when each report had been acknowledged, at the latest."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.acknowledged = {}

    async def _charge(self, session, customer, request_type, number):
        await super()._charge(session, customer, request_type, number)
        for group in RATING_GROUPS:
            reports = self.reported.get((session, group))
            if reports:
                self.acknowledged.setdefault((session, group, reports[-1]), time.time())


class Drill:
    """What was seen on the way."""

    def __init__(self, backup):
        self.backup = backup
        self.accepted, self.ids_before, self.restored, self.told_before = {}, {}, None, None
        self.killed_at, self.until, self.entries, self.lost, self.pgw = 0.0, 0, [], None, None

    def prepare(self, gateway):
        settings = gateway.config.read_text()
        url = '"sqlite:///var/tpo.db"'
        assert url in settings
        backup = f"backup: {{folder: {self.backup}, every: {EVERY}s}}"
        gateway.config.write_text(settings.replace(url, f"{url}, {backup}"))

    async def __call__(self, gateway, load, _chance):
        self.pgw = DatedPgw(gateway.diameter_port, await self._enrol(gateway), random.Random(11))
        self.late = Lateness()
        charging = asyncio.create_task(self.pgw.run())
        watching = asyncio.create_task(self._watch(load))
        await self._until(lambda: list(self.backup.glob("*/*.db")))
        files = len(list(self.backup.glob("*/*.pages")))
        await self._until(lambda: len(list(self.backup.glob("*/*.pages"))) >= files + 3)
        self.told_before = await asyncio.to_thread(gateway.json, "status")
        await asyncio.to_thread(gateway.kill)
        self.killed_at = time.time()
        self.late.end()
        self.ids_before = dict(load.accepted)
        self.lost = self.backup.with_name("lost")
        self.lost.mkdir()
        for file in gateway.folder.glob("var/tpo.db*"):
            file.rename(self.lost / file.name)
        self.restored = await asyncio.to_thread(gateway.json, "db", "restore", self.backup)
        self.until = int(datetime.fromisoformat(self.restored["until"]).timestamp() * 1_000_000)
        files = (self.lost / "tpo.db", gateway.folder / "var" / "tpo.db")
        self.entries = [booked_until(file, self.until) for file in files]
        await asyncio.to_thread(gateway.start)
        answered = self.pgw.requests
        await self._until(lambda: self.pgw.requests > answered + 200)
        self.pgw.end()
        await asyncio.wait_for(charging, PATIENCE)
        watching.cancel()

    async def _enrol(self, gateway):
        rows = subscribers(LINES, balance="1000.00", first=50_000)
        assert (await asyncio.to_thread(gateway.enrol, rows))["created"] == LINES
        return [(row[0], row[1]) for row in rows]

    async def _watch(self, load):
        """Note when each text had been accepted, at the latest."""
        while True:
            for text_id in load.accepted.keys() - self.accepted.keys():
                self.accepted[text_id] = time.time()
            await asyncio.sleep(0.02)

    async def _until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 (of files and of the load)
                await asyncio.sleep(0.02)


def booked_until(file, moment):
    """How many entries a store has until a moment, whose gateway is dead."""
    with closing(sqlite3.connect(file)) as store:
        return store.execute("SELECT count(*) FROM transfers WHERE at <= ?", (moment,)).fetchone()[0]


NOTED = ("chains", "evidence", "releases")
"""Where a restore is written down."""


def rows(file):
    """All rows but those that a restore changes."""
    engine = open_reader(f"sqlite:///{file}")
    found = everything(engine)
    engine.dispose()
    return {name: of_table for name, of_table in found.items() if name not in ("nodes", "marks")}


async def test_a_lost_store_is_restored_with_all_that_was_acknowledged_until_the_stated_moment_and_peers_go_on(
    tmp_path,
):
    drill = Drill(tmp_path / "backup")
    async with text_load.under_load(tmp_path, 5, drill, lines=2400, prepare=drill.prepare) as (load, _smsc, gateway):
        usage, books = gateway.usage(), gateway.check()
    until = datetime.fromisoformat(drill.restored["until"]).timestamp()
    assert drill.killed_at - until < STATED + 10 * drill.late.most
    assert drill.entries[0] == drill.entries[1] > 1000, "all that was committed until then is in the backup"
    assert not drill.pgw.surprises, drill.pgw.surprises[:3]

    reports = (row for row in usage if row["service"] == "data")
    booked = Counter((row["session_id"], int(row["rating_group"]), int(row["octets"])) for row in reports)
    assert set(booked.values()) == {1}
    before = {key for key, at in drill.pgw.acknowledged.items() if at <= until}
    gone = drill.pgw.acknowledged.keys() - booked.keys()
    assert len(before) > 200
    assert not before & gone
    assert all(drill.pgw.acknowledged[key] <= drill.killed_at + 1 for key in gone)

    again = gateway.json("db", "restore", drill.backup, "--to", f"sqlite:///{tmp_path}/again.db")
    restored, lost = rows(tmp_path / "again.db"), rows(gateway.folder / "var" / "tpo.db")
    noted = {name: [*restored.pop(name)] for name in NOTED}
    assert restored == {name: of_table for name, of_table in lost.items() if name not in NOTED}, (
        "a stop leaves nothing out"
    )
    for name in ("evidence", "releases"):
        assert noted[name][: len(lost[name])] == lost[name]
        assert len(noted[name]) == len(lost[name]) + 1
    assert again["changes"] >= 1

    engine = open_reader(f"sqlite:///{gateway.folder}/var/tpo.db")
    with reading(engine) as connection:
        stored = dict(connection.execute(select(texts.c.id, texts.c.destination)).all())
        (node,) = connection.execute(select(nodes)).all()
    engine.dispose()
    assert all(text_id in stored for text_id, at in drill.accepted.items() if at <= until)
    for text_id, (receiver, _words) in drill.ids_before.items():
        assert stored.get(text_id, receiver) == receiver, "an identifier was given out twice"
    assert drill.restored["nodes"][0]["origin_state_id"] == node.origin_state_id >= int(drill.killed_at)
    assert drill.restored["books"]["findings"] == []
    assert drill.told_before["backup"]["trouble"] == ""
    print(
        f"lost {drill.killed_at - until:.1f} s: {len(gone)} of {len(drill.pgw.acknowledged)} reports, "
        f"{len(drill.ids_before.keys() - stored.keys())} of {len(load.accepted)} texts; {books['entries']} entries"
    )
