"""The component of the continuous backup: it begins by itself, says how far behind it is, and is a concern when that is far."""

import asyncio
from contextlib import asynccontextmanager

from support.patience import PATIENCE
from support.sims_context_fixture import settings_of

from gateway.background import Background
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.runtime.component import Services
from gateway.runtime.components.backup import BackupComponent
from gateway.settings.sections.store import StoreBackup
from gateway.store.async_submit import submit
from gateway.store.recovery.changes import NoteBackup
from gateway.store.recovery.folder import chains
from gateway.store.recovery.rebuild import rebuild

SECOND = 1_000_000


class Clock:
    def __init__(self):
        self.now = 1_795_711_442 * SECOND

    def __call__(self):
        self.now += 1
        return self.now


@asynccontextmanager
async def running(folder):
    """A context and a backup of its store; gives the component, the clock, the context and what was logged."""
    loop, clock, logged = asyncio.get_running_loop(), Clock(), []

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    environment = Environment(clock=clock)
    options = {"deliver": deliver, "environment": environment}
    context = await asyncio.to_thread(GatewayContext, settings_of(folder), make_policies, **options)
    background = Background(
        lambda event, _fields: logged.append(event), environment=environment, sleep=lambda _seconds: asyncio.sleep(0.01)
    )
    services = Services(
        context, Metrics(), background, lambda event, _fields: logged.append(event), lambda _event: None
    )
    settings = StoreBackup.model_construct(folder=folder / "backup", every=5, full=86_400, keep=86_400)
    component = BackupComponent(services, folder / "tpo.db", settings)
    await component.start()
    yield component, clock, context, logged
    await component.stop()
    await asyncio.to_thread(context.close)


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (of threads)
            await asyncio.sleep(0.01)


async def test_it_begins_by_itself_and_what_is_committed_last_is_there_after_the_stop(tmp_path):
    async with running(tmp_path) as (component, _clock, context, logged):
        await until(lambda: component.view().safe_until)
        assert component.concerns() == []
        assert component.view().trouble == ""
        assert component.behind < 1
        policies = context.lane.policies
        (await context.prepare_settings(context.settings, {}))()
        assert policies.keys() == context.lane.policies.keys()
        await submit(context.lane, NoteBackup())
    assert logged == ["store.backup.copied"]
    rebuild(tmp_path / "backup", tmp_path / "again.db")
    assert (tmp_path / "again.db").read_bytes()[100:] == (tmp_path / "tpo.db").read_bytes()[100:]


async def test_a_folder_that_cannot_be_written_becomes_a_concern_and_passes(tmp_path):
    (tmp_path / "backup").write_text("no folder")
    async with running(tmp_path) as (component, clock, context, logged):
        await until(lambda: "daemon.timer.failed" in logged)
        assert component.concerns() == []
        clock.now += 60 * SECOND
        (found,) = component.concerns()
        assert (found.id, found.severity, "60 s behind" in found.words) == ("backup.behind", "warning", True)
        assert str(tmp_path / "backup") in found.words
        await submit(context.lane, NoteBackup())
        (tmp_path / "backup").unlink()
        await until(lambda: component.view().safe_until)
        assert component.concerns() == []
        names = {sample.name: sample.value for metric in component.metrics() for sample in metric.samples}
        assert names["tpo_backup_behind_seconds"] < 1
        assert names["tpo_backup_bytes_total"] > 100_000
        assert len(chains(tmp_path / "backup")) == 1
