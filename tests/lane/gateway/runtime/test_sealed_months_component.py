"""What a gateway does about months that are over: sealed and copied once, finished after trouble, and told."""

import asyncio
import shutil
from contextlib import asynccontextmanager

import msgspec
from sqlalchemy import insert, text, update
from support.lane_fixture import unguard
from support.sealing import at, publish_all, seal_day
from support.sims_context_fixture import settings_of

from gateway.background import Background
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.runtime.component import Services
from gateway.runtime.components.sealed_months import SealedMonthsComponent
from gateway.settings.sections.store import StoreBackup
from gateway.store.tables import sealed_files, transfers, usage

DAY = 86_400


@asynccontextmanager
async def running(folder, monkeypatch):
    """A context with rows of August to October 2026, and the component; gives it, the context and what was logged."""
    monkeypatch.setattr("gateway.store.sealed_months.writing.STEP", 20)
    loop, clock, logged = asyncio.get_running_loop(), [at(2026, 11, 26)], []

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    environment = Environment(clock=lambda: clock[0])
    context = await asyncio.to_thread(
        GatewayContext, settings_of(folder), make_policies, deliver=deliver, environment=environment
    )
    context.set_clock = lambda now: clock.__setitem__(0, now)
    configure(context, seal_after=31 * DAY)
    services = Services(
        context, Metrics(), Background(), lambda event, fields: logged.append((event, fields)), lambda _: None
    )
    component = SealedMonthsComponent(services, folder / "tpo.db")
    book(context)
    try:
        yield component, context, logged
    finally:
        await asyncio.to_thread(context.close)


def configure(context, **store):
    stored = context.settings.store.model_copy(update=store)
    context.settings = msgspec.structs.replace(context.settings, store=stored)


def book(context):
    """Charge 60 times each month, a tenth of a minute apart."""
    entries, records = [], []
    number = context.node.next_id + 10_000
    for month in (8, 9, 10, 11):
        for turn in range(60):
            number += 2
            when = at(2026, month, 3) + turn * 6_000_000
            used = {"id": number, "event_at": when, "subscriber_id": 1 << 41, "session": 1, "service": "data"}
            amounts = {"octets": 1, "seconds": 0, "units": 0, "price": 7, "currency": "GBP", "plan": "p"}
            records.append(used | amounts)
            entry = {"id": number + 1, "at": when, "kind": "charge", "debit": 1 << 41, "amount": 7, "currency": "GBP"}
            entries.append(entry | {"credit": context.accounts["revenue"], "event_at": when, "usage_id": number})
    with context._writer.begin() as connection:
        connection.execute(insert(transfers), entries)
        connection.execute(insert(usage), records)
    publish_all(context._writer)


def left(context):
    with context._writer.connect() as connection:
        return [connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() for table in ("transfers", "usage")]


def events(logged, name):
    return [fields for event, fields in logged if event == name]


async def test_a_turn_seals_each_month_that_is_over_for_so_long_and_the_next_one_finds_nothing_to_do(
    tmp_path, monkeypatch
):
    async with running(tmp_path, monkeypatch) as (component, context, logged):
        configure(context, seal_after=0)
        await component.turn()
        assert left(context) == [240, 240]
        configure(context, seal_after=31 * DAY)
        await component.turn()
        assert [each["period"] for each in events(logged, "store.month.sealed")] == ["2026-08", "2026-09"]
        assert left(context) == [120, 120]
        context.set_clock(at(2026, 12, 3))
        for _ in range(2):
            await component.turn()
        assert left(context) == [60, 60]
        sealed = events(logged, "store.month.sealed")
        assert [each["period"] for each in sealed] == ["2026-08", "2026-09", "2026-10"]
        assert [(each["entries"], each["usage"]) for each in sealed] == [(60, 60)] * 3
        assert [each["rows"] for each in events(logged, "store.month.moved")] == [120] * 3
        assert (component.copied, component.removed, component.trouble, component.concerns()) == (360, 360, "", [])


async def test_a_month_is_copied_to_the_backup_before_it_counts_and_waits_for_a_folder_that_cannot_be_written(
    tmp_path, monkeypatch
):
    async with running(tmp_path, monkeypatch) as (component, context, logged):
        blocked = tmp_path / "backup"
        blocked.write_text("not a folder")
        configure(context, backup=StoreBackup.model_construct(folder=blocked, keep=DAY))
        await component.turn()
        await component.turn()
        assert left(context) == [240, 240]
        assert component.months == []
        assert len(events(logged, "store.sealing.failed")) == 1
        assert [each.id for each in component.concerns()] == ["sealed.trouble"]
        blocked.unlink()
        await component.turn()
        assert left(context) == [120, 120]
        assert component.concerns() == []
        names = sorted(file.name for file in (tmp_path / "sealed").iterdir())
        assert sorted(file.name for file in (blocked / "sealed").iterdir()) == names
        times = {file: file.stat().st_mtime_ns for file in (blocked / "sealed").iterdir()}
        (blocked / "sealed" / names[0]).unlink()
        await component.turn()
        assert {file: file.stat().st_mtime_ns for file in times if file.name != names[0]} == {
            file: time for file, time in times.items() if file.name != names[0]
        }
        assert sorted(file.name for file in (blocked / "sealed").iterdir()) == names


async def test_after_a_restart_rows_leave_the_store_only_if_the_file_still_has_them(tmp_path, monkeypatch):
    async with running(tmp_path, monkeypatch) as (component, context, logged):
        await component.turn()
        with context._writer.begin() as connection:  # as one that was killed before the last rows of August had left
            connection.execute(
                update(sealed_files).where(sealed_files.c.period == "2026-08").values(removed_at=None, removed_to=-1)
            )
            file = tmp_path / "sealed" / component.months[0].journal.file
            unguard(connection)
            connection.exec_driver_sql("ATTACH ? AS old", (str(file),))
            connection.exec_driver_sql("INSERT INTO transfers SELECT * FROM old.transfers")
            connection.exec_driver_sql("UPDATE transfers SET amount = 8 WHERE id = (SELECT min(id) FROM transfers)")
        component._verified.clear()
        await component.turn()
        assert left(context) == [180, 120]
        (failed,) = events(logged, "store.sealing.failed")
        assert "of the store is not in" in failed["detail"]
        with context._writer.begin() as connection:
            connection.exec_driver_sql("UPDATE transfers SET amount = 7")
        kept = file.read_bytes()
        file.write_bytes(kept[:-1] + b"x")
        await component.turn()
        assert left(context) == [180, 120]
        assert "was changed since it was sealed" in component.trouble
        file.write_bytes(kept)
        await component.turn()
        assert left(context) == [120, 120]
        assert component.trouble == ""


async def test_what_a_killed_gateway_did_not_finish_is_removed_and_a_file_that_is_missing_is_told_once(
    tmp_path, monkeypatch
):
    async with running(tmp_path, monkeypatch) as (component, _context, logged):
        await component.turn()
        unfinished = tmp_path / "sealed" / "2026-10-transfers.unfinished"
        unfinished.write_bytes(b"half")
        gone = tmp_path / "sealed" / component.months[1].usage.file
        kept = gone.read_bytes()
        gone.unlink()
        for _ in range(2):
            await component.turn()
        assert not unfinished.exists()
        assert events(logged, "store.sealed.missing") == [{"file": str(gone)}]
        assert [each.id for each in component.concerns()] == ["sealed.missing"]
        gone.write_bytes(kept)
        await component.turn()
        assert component.concerns() == []


async def test_usage_past_retention_is_given_up_and_its_file_goes_a_day_later_here_and_with_the_last_backup_that_needs_it(
    tmp_path, monkeypatch
):
    async with running(tmp_path, monkeypatch) as (component, context, logged):
        configure(context, backup=StoreBackup.model_construct(folder=tmp_path / "backup", keep=2 * DAY))
        await component.turn()
        august = component.months[0].usage.file
        here, there = tmp_path / "sealed" / august, tmp_path / "backup" / "sealed" / august
        context.set_clock(at(2026, 9, 2) + 400 * DAY * 1_000_000)
        await asyncio.to_thread(seal_day, context, context.clock(), context.evidence_key)
        await component.turn()
        assert events(logged, "store.month.dropped") == [{"partition": august}]
        assert here.exists()
        context.set_clock(at(2026, 9, 2) + 401 * DAY * 1_000_000 + 60_000_000)
        for _ in range(2):
            await component.turn()
        assert (here.exists(), there.exists()) == (False, True)
        assert component.concerns() == []
        context.set_clock(at(2026, 9, 4) + 402 * DAY * 1_000_000)
        await component.turn()
        assert not there.exists()
        assert (tmp_path / "sealed" / component.months[0].journal.file).exists()


async def test_a_row_that_changes_while_its_month_is_copied_keeps_the_month_in_the_store(tmp_path, monkeypatch):
    async with running(tmp_path, monkeypatch) as (component, context, logged):
        counted = component._count_copied

        def change(steps):
            counted(steps)
            if component.copied == 40:
                with context._writer.begin() as connection:
                    unguard(connection)
                    connection.exec_driver_sql("UPDATE transfers SET amount = 8")

        monkeypatch.setattr(component, "_count_copied", change)
        await component.turn()
        assert left(context) == [240, 240]
        (failed,) = events(logged, "store.sealing.failed")
        assert "or not as it is there: it stays" in failed["detail"]
        assert not list((tmp_path / "sealed").iterdir())
        await component.turn()
        assert left(context) == [120, 120]


async def test_a_disk_that_has_little_left_is_the_stores(tmp_path, monkeypatch):
    async with running(tmp_path, monkeypatch) as (component, context, _logged):
        usage_of = shutil.disk_usage(tmp_path)
        nearly_full = usage_of._replace(free=(tmp_path / "tpo.db").stat().st_size // 20)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: nearly_full)
        await component.turn()
        assert left(context) == [240, 240]
        assert "have to stay so" in component.trouble
        assert not list((tmp_path / "sealed").iterdir())
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage_of)
        await component.turn()
        assert left(context) == [120, 120]
