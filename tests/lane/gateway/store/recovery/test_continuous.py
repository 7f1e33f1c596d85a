"""A continuous backup beside a lane at work: it follows, says how far it is behind, and begins anew where it cannot follow."""

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager, closing

import pytest
from sqlalchemy import text
from support.lane_fixture import Workplace

from gateway.store.backup import backup as single_copy
from gateway.store.recovery import continuous
from gateway.store.recovery.changes import TakeChanges, make_no_checkpoints
from gateway.store.recovery.continuous import ContinuousBackup, Terms
from gateway.store.recovery.folder import chains, copies
from gateway.store.recovery.rebuild import rebuild

MICROSECONDS = 1_000_000


class Beside:
    """A lane, and a backup of what it writes; `now` is the clock of both."""

    def __init__(self, folder, terms):
        loop = asyncio.get_running_loop()
        self.now, self.told, self.folder = 1_795_711_442 * MICROSECONDS, [], folder
        self.place = Workplace(
            f"sqlite:///{folder}/t.db", deliver=lambda jobs: loop.call_soon_threadsafe(self._finish, jobs)
        )
        self.place.lane._transactions._clock = self.tick
        self.backup = ContinuousBackup(
            folder / "t.db", terms, self.place.lane, clock=self.tick, in_thread=asyncio.to_thread,
            log=lambda event, fields: self.told.append((event, fields)),
        )  # fmt: skip
        make_no_checkpoints(self.place.writer)
        self.place.decide_by(self.backup.reader)
        self.place.lane.start()
        self.numbers = 0

    @staticmethod
    def _finish(jobs):
        for job in jobs:
            job.done(job.answer, job.error)

    def tick(self):
        self.now += 1
        return self.now

    async def write(self, rows=1):
        """Commit rows by the lane's connection, and leave the rest to the backup."""

        def commit():
            with self.place.writer.begin() as connection:
                for _ in range(rows):
                    self.numbers += 1
                    row = {"name": f"row {self.numbers}", "value": self.numbers}
                    connection.execute(text("INSERT INTO marks (node, name, value) VALUES (99, :name, :value)"), row)

        await asyncio.to_thread(commit)

    async def turn(self):
        await self.backup.look()
        await self.backup.write()
        if self.backup.copy_waits:
            await self.backup.copy()

    def restored(self):
        target = self.folder / "restored.db"
        made = rebuild(self.backup.terms.folder, target)
        with closing(sqlite3.connect(target)) as connection:
            found = connection.execute("SELECT count(*) FROM marks WHERE node = 99").fetchone()[0]
        target.unlink()
        return found, made


@asynccontextmanager
async def beside(folder, **terms):
    given = {"folder": folder / "backup", "every": 1, "full": 3600, "keep": 7200} | terms
    found = Beside(folder, Terms(**given))
    try:
        yield found
    finally:
        await found.backup.stop()
        await asyncio.to_thread(found.place.lane.close)
        found.backup.finish()
        found.place.close()


async def test_what_was_written_at_the_last_turn_is_restored_and_until_when_is_said(tmp_path):
    async with beside(tmp_path) as it:
        assert it.backup.safe_at is None
        for number in (1, 5, 40, 0):
            await it.write(number)
            await it.turn()
        found, made = it.restored()
        assert (found, made.until) == (46, it.backup.safe_at)
        await it.write(3)
        assert it.restored()[0] == 46
    assert it.restored()[0] == 49, "what was committed last is written at the end"
    assert [event for event, _ in it.told] == ["store.backup.copied"]


async def test_octets_of_a_copy_that_ends_while_changes_are_written_are_counted_too(tmp_path, monkeypatch):
    async with beside(tmp_path) as it:
        await it.backup.look()
        await it.backup.write()
        await it.write(3)
        await it.backup.look()
        written, write = threading.Event(), continuous._write

        def slow(chain, changes):
            written.wait()
            return write(chain, changes)

        monkeypatch.setattr(continuous, "_write", slow)
        writing = asyncio.create_task(it.backup.write())
        await asyncio.sleep(0)
        await it.backup.copy()
        copied = it.backup.octets
        written.set()
        await writing
        assert it.backup.octets > copied > 0


async def test_what_was_looked_at_last_is_written_at_the_end_though_its_answer_comes_too_late(tmp_path):
    async with beside(tmp_path) as it:
        await it.write(4)
        await it.turn()
        await it.write(3)
        looked = threading.Event()
        it.place.lane.post(TakeChanges(), lambda *_: looked.set())
        await asyncio.to_thread(looked.wait, 10)
    assert it.restored()[0] == 7


async def test_a_whole_copy_is_made_again_after_its_time_and_old_ones_go(tmp_path):
    async with beside(tmp_path) as it:
        for _ in range(4):
            await it.write(2)
            await it.turn()
            await it.turn()
            it.now += 3601 * MICROSECONDS
        (chain,) = chains(tmp_path / "backup")
        assert len(copies(chain)) == 3
        assert it.restored()[0] == 8


async def test_a_folder_that_cannot_be_written_is_tried_again_and_costs_nothing_but_the_backup(tmp_path):
    (tmp_path / "backup").write_text("no folder")
    async with beside(tmp_path) as it:
        await it.write()
        with pytest.raises(OSError, match="backup"):
            await it.turn()
        assert str(tmp_path / "backup") in it.backup.trouble
        (tmp_path / "backup").unlink()
        await it.write()
        await it.turn()
        assert (it.restored()[0], it.backup.trouble) == (2, "")


async def test_what_could_not_be_written_stays_and_goes_with_the_next(tmp_path):
    async with beside(tmp_path) as it:
        await it.turn()
        (chain,) = chains(tmp_path / "backup")
        safe = it.backup.safe_at
        chain.rename(tmp_path / "away")
        await it.write(4)
        with pytest.raises(OSError, match="No such file"):
            await it.turn()
        assert it.backup.safe_at == safe
        assert "No such file" in it.backup.trouble
        (tmp_path / "away").rename(chain)
        await it.write(1)
        await it.turn()
        assert (it.restored()[0], it.backup.trouble) == (5, "")
        assert it.backup.safe_at > safe


async def test_a_checkpoint_by_another_program_ends_the_chain_and_the_next_begins_with_a_whole_copy(tmp_path):
    async with beside(tmp_path) as it:
        await it.turn()
        await it.write(2)
        with closing(sqlite3.connect(tmp_path / "t.db")) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        await it.write(2)
        await it.backup.look()
        assert [event for event, _ in it.told] == ["store.backup.copied", "store.backup.broken"]
        assert it.backup.safe_at is None
        assert it.backup.trouble
        await it.turn()
        assert len(chains(tmp_path / "backup")) == 2
        assert (it.restored()[0], it.backup.trouble) == (4, "")


async def test_a_folder_that_hangs_does_not_take_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(continuous, "MOST_PENDING", 20_000)
    async with beside(tmp_path) as it:
        await it.turn()
        for _ in range(5):
            await it.write(150)
            await it.backup.look()
        assert "octets wait for" in it.backup.trouble
        assert it.backup._pending.octets <= 20_000
        await it.turn()
        assert it.restored()[0] == 750


async def test_a_single_copy_may_be_taken_beside_it(tmp_path):
    async with beside(tmp_path) as it:
        await it.turn()
        await it.write(3)
        await asyncio.to_thread(single_copy, tmp_path / "t.db", tmp_path / "single.db", lambda _share: None)
        await it.write(3)
        await it.turn()
        assert it.restored()[0] == 6
        assert not [event for event, _ in it.told if event != "store.backup.copied"]
