"""When a gateway takes over from another one, and when not, on a real PostgreSQL and a clock that is put on; `tpo node`."""

import asyncio
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

import msgspec
import pytest
from sqlalchemy import insert
from support.gateways import ROOT

from gateway.api.actions.table import ACTIONS
from gateway.api.callers import ADMIN, Caller
from gateway.api.problems import Problem
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.policies import make_policies
from gateway.runtime.components.leases import LeasesComponent
from gateway.settings import load
from gateway.store.async_submit import submit
from gateway.store.errors import StoreFenced, StoreUnavailable
from gateway.store.node_requests import known_nodes
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import orders, outbox, texts
from gateway.store.takeover import AdoptNode, RenewLease

pytestmark = pytest.mark.xdist_group("takeover_rules")
LINK = "smpp: {links: [{name: smsc-1, host: 127.0.0.1, port: 1, system_id: tpo, password: secret}]}"
HOST = """provisioning:
  hosts: [{name: lab, adapter: osmohlr, plans: [payg-gb], ctrl: "127.0.0.1:1", vty: "127.0.0.1:2"}]"""
BROKER = "events: {mqtt: {url: mqtt://127.0.0.1:1, topic: tpo}}"
ROW = {
    "texts": (texts, {"final": 0}),
    "orders": (orders, {"open": 1}),
    "events": (outbox, {"published_at": None}),
}


@pytest.fixture
def url(request, database):
    return database(f"rules_{abs(hash(request.node.nodeid))}")


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@contextmanager
def gateway(folder, url, name, time, extra="", takeover="10s"):
    """A context of a gateway on a store, its lane delivering to the loop."""
    path = folder / f"{name}.yaml"
    path.write_text(
        f"""operator: {{name: Test operator}}
store: {{url: "{url}", takeover: {takeover}}}
api: {{listen: "127.0.0.1:0", socket: {name}.sock}}
diameter:
  identity: {name}.tpo.example
  realm: tpo.example
  listen: ["127.0.0.1:0"]
  peers: [{{identity: pgw.host.example, realm: host.example}}]
plans: {ROOT}/config/plans.yaml
causes: {ROOT}/config/causes.yaml
privacy: {{key: c2hhcmVkLWJ5LWFsbC1nYXRld2F5cy1vZi1hLXN0b3JlIQ==}}
{extra}
"""
    )
    loop = asyncio.get_running_loop()

    def finish(jobs):
        for job in jobs:
            job.done(job.answer, job.error)

    context = GatewayContext(
        load(path),
        make_policies,
        deliver=lambda jobs: loop.call_soon_threadsafe(finish, jobs),
        environment=Environment(monotonic=time),
    )
    try:
        yield context
    finally:
        loop.run_in_executor(None, context.close)


class Watcher:
    """A gateway that looks around; `sent` are the shards whose texts it was given, `told` what it logged."""

    def __init__(self, context, time):
        self.context, self.time, self.sent, self.told = context, time, [], []
        self.fails = False
        services = SimpleNamespace(
            context=context, background=None, log=lambda name, fields: self.told.append((name, fields))
        )
        self.component = LeasesComponent(services, self)

    async def adopt(self, shards):
        """As the SMSC client does."""
        if self.fails:
            raise StoreUnavailable("the server is away")
        self.sent += shards

    async def watch(self, seconds, *others):
        """Let so many seconds pass, looking around in each; the others commit something in each."""
        for _ in range(seconds):
            self.time.now += 1.0
            for context in (self.context, *others):
                await submit(context.lane, RenewLease())
            await self.component._watch()
        return [gone.node.name for gone in self.component.gone]

    @property
    def owned(self):
        return self.context.node.owned


@asynccontextmanager
async def pair(folder, url, extra=f"{LINK}\n{HOST}", takeover="10s", waits=("texts",)):
    """A gateway for which rows wait, and another one that looks around."""
    time = Time()
    with gateway(folder, url, "ocs1", time) as one, gateway(folder, url, "ocs2", time, extra, takeover) as two:
        with one._writer.begin() as connection:
            for n, kind in enumerate(waits):
                table, values = ROW[kind]
                blank = {c.name: _blank(c) for c in table.c}
                if "node" in blank:
                    values = values | {"node": one.node.id}
                connection.execute(insert(table).values(blank | values | {"id": (one.node.id << SPAN_BITS) + n}))
        yield one, Watcher(two, time)


def _blank(column):
    kind = column.type.python_type
    return None if column.nullable else kind()


async def test_a_gateway_without_a_sign_of_life_for_its_lease_is_taken_over_from_and_a_live_one_is_not(tmp_path, url):
    async with pair(tmp_path, url) as (one, watcher):
        assert await watcher.watch(25, one) == []
        assert watcher.owned == (2,)
        assert await watcher.watch(10) == []
        assert watcher.owned == (2,)
        assert await watcher.watch(2) == []
        assert (watcher.owned, watcher.sent) == ((1, 2), [1])
        assert watcher.told == [("node.adopted", {"nodes": "ocs1.tpo.example", "shards": 1})]
        await watcher.watch(3)
        assert watcher.sent == [1]
        with pytest.raises(StoreUnavailable):  # its connection was ended
            await submit(one.lane, RenewLease())
        with pytest.raises(StoreFenced):
            await submit(one.lane, RenewLease())
        assert not one.may_send


@pytest.mark.parametrize(
    ("waits", "extra", "takeover", "gone", "adopted"),
    [
        ((), f"{LINK}\n{HOST}\n{BROKER}", "10s", False, False),  # when it is back, it goes on under its number
        (("events",), LINK, "10s", False, False),  # there is no broker at all
        (("events",), BROKER, "10s", False, True),
        (("texts",), BROKER, "10s", True, False),  # no link to send them by
        (("orders",), LINK, "10s", True, False),
        (("orders",), HOST, "10s", False, True),
        (("texts", "orders"), f"{LINK}\n{HOST}", "off", True, False),
    ],
)
async def test_who_takes_over_has_what_it_takes_for_all_that_waits(
    tmp_path, url, waits, extra, takeover, gone, adopted
):
    async with pair(tmp_path, url, extra, takeover, waits) as (_, watcher):
        assert await watcher.watch(13) == (["ocs1.tpo.example"] if gone else [])
        assert watcher.owned == ((1, 2) if adopted else (2,))


async def test_who_was_silent_itself_takes_nobody_for_dead_before_it_has_held_its_lease_for_its_time(tmp_path, url):
    """The server was away: the others were silent as well, and may be on their way back."""
    async with pair(tmp_path, url) as (one, watcher):
        await watcher.watch(15, one)
        watcher.time.now += 60.0
        await watcher.watch(9)
        assert watcher.owned == (2,)
        await submit(one.lane, RenewLease())
        await watcher.watch(10)
        assert watcher.owned == (2,)
        await watcher.watch(2)
        assert watcher.owned == (1, 2)


async def test_a_gateway_that_drains_takes_nothing_over(tmp_path, url):
    async with pair(tmp_path, url) as (_, watcher):
        watcher.context.draining = True
        assert await watcher.watch(13) == ["ocs1.tpo.example"]
        assert watcher.owned == (2,)


async def test_what_could_not_be_taken_up_is_taken_up_by_the_next_look_and_told_of_once(tmp_path, url):
    async with pair(tmp_path, url) as (one, watcher):
        await watcher.watch(1, one)
        await submit(watcher.context.lane, AdoptNode(one.node.id, one.node.epoch, None))
        watcher.fails = True
        with pytest.raises(StoreUnavailable):
            await watcher.watch(1)
        watcher.fails = False
        await watcher.watch(2)
        assert (watcher.sent, [name for name, _ in watcher.told]) == ([1], ["node.adopted"])


# The commands


async def act(context, name, **params):
    action = ACTIONS[name]
    done = await asyncio.to_thread(action.perform, context, params, Caller("root", ADMIN))
    return msgspec.to_builtins(done)


async def refused(context, name, **params):
    with pytest.raises(Problem) as found:
        await act(context, name, **params)
    return found.value.code


async def listed(context):
    return [
        (row["name"].partition(".")[0], row["state"], row["owner"].partition(".")[0], row["shards"], row["texts"])
        for row in (await act(context, "node.list"))["rows"]
    ]


async def test_node_commands_list_who_is_there_adopt_by_force_and_retire(tmp_path, url):
    async with pair(tmp_path, url, waits=("texts", "orders", "events")) as (one, watcher):
        two = watcher.context
        assert await listed(two) == [("ocs1", "live", "ocs1", [1], 1), ("ocs2", "here", "ocs2", [2], 0)]
        assert await refused(two, "node.adopt", node="ocs1.tpo.example") == "node.alive"
        assert await refused(two, "node.retire", node="1") == "node.alive"
        assert await refused(two, "node.adopt", node="ocs2.tpo.example", force=True) == "node.self"
        assert await refused(two, "node.adopt", node="ocs9") == "node.unknown"
        assert await act(two, "node.adopt", node="1", force=True) == {"name": one.node_name, "number": 1, "shards": 1}
        assert await refused(two, "node.adopt", node="1", force=True) == "node.adopted"
        await watcher.watch(1)
        assert (watcher.owned, watcher.sent) == ((1, 2), [1])
        (first, second) = (await act(two, "node.list"))["rows"]
        assert (first["state"], first["owner"], first["shards"]) == ("adopted", "ocs2.tpo.example", [])
        assert (second["shards"], second["texts"], second["orders"], second["events"]) == ([1, 2], 1, 1, 1)
        retired = await act(two, "node.retire", node="ocs1.tpo.example")
        assert retired == {"name": "ocs1.tpo.example", "owner": "ocs2.tpo.example", "retired": 1}
        assert await listed(two) == [("ocs2", "here", "ocs2", [1, 2], 1)]
        assert [node.name for node in await two.read_async(known_nodes)] == ["ocs2.tpo.example"]


async def test_a_gateway_that_was_stopped_is_retired_at_once_once_its_lease_is_over(tmp_path, url):
    async with pair(tmp_path, url, waits=()) as (one, watcher):
        await asyncio.to_thread(one.close)
        with watcher.context._writer.begin() as connection:
            connection.exec_driver_sql("UPDATE nodes SET renewed_at = renewed_at - 11000000 WHERE id = 1")
        assert (await listed(watcher.context))[0] == ("ocs1", "gone", "ocs1", [1], 0)
        retired = await act(watcher.context, "node.retire", node="ocs1.tpo.example")
        assert retired == {"name": "ocs1.tpo.example", "owner": "ocs2.tpo.example", "retired": 1}
