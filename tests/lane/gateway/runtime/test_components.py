"""Components: they stop stage by stage within their time, and a reload is taken over by all of them in one tick, or by none."""

import asyncio

import pytest
from support.gateways import ROOT
from support.sims_context_fixture import settings_of

from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.runtime.component import Component, Prepared, Stage, stop_in_stages
from gateway.runtime.components.store import StoreComponent
from gateway.runtime.reload import Reload

STAGES = [Stage.LANE, Stage.API, Stage.INITIATORS, Stage.WORKERS, Stage.CONNECTIONS]


class Part(Component):
    """A component that writes down what happens to it."""

    def __init__(self, stage, happened, fails=None, hangs=False):
        self.stage, self.name, self.happened = stage, stage.name.lower(), happened
        self.fails, self.hangs = fails, hangs
        self.stop_seconds = 0.01 if hangs else 10.0

    async def stop(self):
        self.happened.append(self.name)
        if self.fails:
            raise self.fails
        if self.hangs:
            await asyncio.Event().wait()

    async def prepare(self, _change):
        if self.fails:
            raise self.fails
        return Prepared(lambda: self.happened.append(f"apply {self.name}"), self.reconnect)

    async def reconnect(self):
        self.happened.append(f"reconnect {self.name}")


async def test_components_stop_stage_by_stage_whatever_their_order_was():
    happened, logged = [], []
    await stop_in_stages([Part(stage, happened) for stage in STAGES], lambda *told: logged.append(told))
    assert (happened, logged) == (["initiators", "connections", "workers", "api", "lane"], [])


@pytest.mark.parametrize("trouble", [{"hangs": True}, {"fails": OSError("no")}])
async def test_one_that_fails_or_hangs_keeps_no_other_from_its_stop(trouble):
    happened, logged = [], []
    parts = [Part(stage, happened, **(trouble if stage is Stage.CONNECTIONS else {})) for stage in STAGES]
    await stop_in_stages(parts, lambda event, fields: logged.append((event, fields["detail"].partition(":")[0])))
    assert happened == ["initiators", "connections", "workers", "api", "lane"]
    assert logged == [("daemon.stop.incomplete", "connections")]


@pytest.fixture
async def context(tmp_path):
    loop = asyncio.get_running_loop()

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    context = await asyncio.to_thread(GatewayContext, settings_of(tmp_path), make_policies, deliver=deliver)
    yield context
    await asyncio.to_thread(context.close)


def change(context):
    """Edit the configuration: another quarantine."""
    file = context.settings.file
    file.write_text(file.read_text().replace("quarantine: 1h", "quarantine: 2h"))


async def test_every_component_applies_before_any_reconnects(context):
    happened = []
    parts = [Part(Stage.INITIATORS, happened), Part(Stage.CONNECTIONS, happened)]
    change(context)
    outcome = await Reload(context, [StoreComponent(context), *parts], lambda *_: None).reload()
    assert (outcome.applied, outcome.changed) == (True, ("provisioning",))
    assert happened == ["apply initiators", "apply connections", "reconnect initiators", "reconnect connections"]
    assert context.settings.provisioning.quarantine == 7200


async def test_where_one_component_is_not_ready_nothing_changes(context):
    happened, policies, causes = [], context.lane.policies, ROOT / "config" / "causes.yaml"
    parts = [
        Part(Stage.INITIATORS, happened),
        Part(Stage.CONNECTIONS, happened, fails=OSError(f"{causes} does not load")),
    ]
    change(context)
    outcome = await Reload(context, [StoreComponent(context), *parts], lambda *_: None).reload()
    assert (outcome.applied, happened) == (False, [])
    assert outcome.problems == (f"{causes} does not load",)
    assert context.settings.provisioning.quarantine == 3600
    assert context.lane.policies is policies


class Slow(Part):
    """A component whose readiness a test decides on; it counts how often it was asked."""

    def __init__(self):
        super().__init__(Stage.INITIATORS, [])
        self.begun, self.gate, self.asked = asyncio.Event(), asyncio.Event(), 0

    async def prepare(self, _change):
        self.asked += 1
        self.begun.set()
        await self.gate.wait()


async def test_of_three_thousand_reloads_one_runs_and_one_waits(context):
    slow, logged = Slow(), []
    reload = Reload(context, [StoreComponent(context), slow], lambda event, _: logged.append(event))
    first = asyncio.create_task(reload.reload())
    await slow.begun.wait()
    assert not reload.waits
    others = [asyncio.create_task(reload.reload()) for _ in range(3000)]
    await asyncio.sleep(0)
    assert reload.waits
    others[0].cancel()  # who goes away takes nobody's reload along
    slow.gate.set()
    outcomes = await asyncio.gather(first, *others[1:])
    assert all(outcome.applied for outcome in outcomes)
    assert (slow.asked, logged.count("config.reloaded")) == (2, 2)
    assert (await reload.reload()).applied
    assert slow.asked == 3
