"""Sweeping while the store's tables are away: it is told, tried again, and goes on by itself when they are back."""

import asyncio

import pytest
from sqlalchemy import insert, select, text
from support.gateways import ROOT
from support.patience import PATIENCE

from gateway.background import Background
from gateway.context import GatewayContext
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.runtime.component import Services
from gateway.runtime.periodic import PeriodicWork
from gateway.settings import load
from gateway.store.tables import outbox

DAY_US = 86_400_000_000
pytestmark = pytest.mark.xdist_group("sweeping_fails")


@pytest.fixture(params=["sqlite", "postgresql"])
async def context(request, tmp_path):
    url = "sqlite:///var/tpo.db" if request.param == "sqlite" else request.getfixturevalue("database")("sweeping")
    file = tmp_path / "gateway.yaml"
    lines = (
        "operator: {name: T}",
        f'store: {{url: "{url}"}}',
        'api: {listen: "127.0.0.1:0"}',
        f"plans: {ROOT}/config/plans.yaml",
        f"causes: {ROOT}/config/causes.yaml",
    )
    file.write_text("\n".join(lines))
    loop = asyncio.get_running_loop()

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    context = await asyncio.to_thread(GatewayContext, load(file), make_policies, deliver=deliver)
    yield context
    await asyncio.to_thread(context.close)


def write(context, *statements):
    with context._writer.begin() as connection:
        for statement in statements:
            connection.execute(statement)


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110  (the store is all there is to look at)
            await asyncio.sleep(0.1)


async def test_sweeping_goes_on_by_itself_when_its_tables_are_back(context):
    alarms = []
    background = Background(lambda event, fields: alarms.append((event, fields)))
    periodic = PeriodicWork(Services(context, Metrics(), background, lambda *_: None, lambda _: None), None, None)
    old = {"topic": "t", "body": b"[]", "created_at": context.clock() - 40 * DAY_US, "published_at": None}
    first = context.node.next_id + 1000
    write(context, insert(outbox).values(id=first, **old))
    await asyncio.to_thread(write, context, text("ALTER TABLE outbox RENAME TO outbox_away"))
    task = background.every("sweep", 0.2, periodic._sweep)
    try:
        await until(lambda: alarms or task.done())
        assert not task.done()
        await asyncio.to_thread(write, context, text("ALTER TABLE outbox_away RENAME TO outbox"))
        rows = select(outbox.c.id)
        await until(lambda: context.read(lambda connection: connection.execute(rows).all()) == [])
        assert not task.done()
    finally:
        task.cancel()
