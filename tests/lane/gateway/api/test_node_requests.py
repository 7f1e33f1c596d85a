import asyncio
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from random import Random

import msgspec
import pytest
from sqlalchemy import select, update
from support.lane_fixture import workplace
from support.patience import until

from gateway.api import node_requests as module
from gateway.api.action import AsyncAction, Elsewhere, Somewhere
from gateway.api.action_routing import Router
from gateway.api.answers.texts import Links
from gateway.api.callers import OPERATOR, VIEWER, Caller
from gateway.api.node_requests import NodeRequest, NodeRequests
from gateway.api.problems import Problem, conflict
from gateway.api.requests.fields import Nothing
from gateway.background import Background
from gateway.privacy.sealing import Sealer
from gateway.store.errors import StoreUnavailable
from gateway.store.node_requests import MAX_ANSWER, MAX_REQUEST, KnownNode
from gateway.store.tables import node_requests

KEY, OTHER_KEY = b"a key of tests alone, long enough", b"another key of tests, long enough"
WHO = Caller("socket:0", OPERATOR, frozenset({"causes"}), "tpo")


class Gateway:
    """One gateway's way to the others, over a store of its own lane; it looks only when it is told to."""

    def __init__(self, place, key):
        self.place, self.logged, self.done = place, [], []
        self.requests = NodeRequests(
            (place.node.id, f"ocs{place.node.id}"), place.lane, Sealer(key), read=place.read_async,
            clock=lambda: next(place.ticks), random=Random(place.node.id), background=Background(self.log), log=self.log,
        )  # fmt: skip
        self.requests.serve(self.perform)
        self.answer = Links([])

    def log(self, event, fields):
        self.logged.append((event, {name: value for name, value in fields.items() if name != "exc_info"}))

    async def perform(self, request, from_node):
        self.done.append((request.action, request.params, request.caller, from_node))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def known(self):
        return KnownNode(self.place.node.id, self.requests.name, runs=True)

    async def ask(self, other, params=None, seconds=20, kind=Links):
        return await self.requests.ask(other.known, NodeRequest("link.list", params or {}, WHO), kind, seconds)


@asynccontextmanager
async def two(tmp_path, key=KEY):
    loop = asyncio.get_running_loop()

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    with at(tmp_path, 1, deliver) as one, at(tmp_path, 2, deliver) as other:
        yield Gateway(one, KEY), Gateway(other, key)
        await until(lambda: not [task for task in asyncio.all_tasks() if task.get_name() == "close a request"])


@contextmanager
def at(tmp_path, number, deliver):
    with workplace(f"sqlite:///{tmp_path}/t.db", node=f"ocs{number}", deliver=deliver) as place:
        yield place


async def cross(one, other, **asked):
    """Ask, with both looking as often as it takes."""
    task = asyncio.ensure_future(one.ask(other, **asked))
    while not task.done():
        await other.requests.look()
        await one.requests.look()
        await asyncio.sleep(0.005)
    return await task


async def test_an_action_crosses_with_who_asks_and_its_answer_comes_back_and_nothing_stays(tmp_path):
    async with two(tmp_path) as (one, other):
        assert await cross(one, other, params={"a": [1, None, "x"]}) == Links([])
        assert other.done == [("link.list", {"a": [1, None, "x"]}, WHO, one.place.node.id)]
        await until(lambda: not one.place.read(select(node_requests)))
        assert (one.logged, other.logged) == ([], [])


async def test_what_lies_in_the_store_tells_nothing_and_opens_for_nobody_else(tmp_path):
    async with two(tmp_path) as (one, other):
        task = asyncio.ensure_future(one.ask(other, params={"msisdn": "447700900101"}))
        await until(lambda: one.place.read(select(node_requests)))
        (row,) = one.place.read(select(node_requests))
        assert b"447700900101" not in row.request
        assert b"link.list" not in row.request
        with one.place.writer.begin() as connection:  # the same octets as if the first gateway had been asked
            connection.execute(update(node_requests).values(from_node=other.place.node.id, to_node=one.place.node.id))
        await one.requests.look()
        await until(lambda: one.logged)
        assert one.logged == [("node.request.refused", {"from": other.place.node.id})]
        assert one.done == []
        task.cancel()


async def test_gateways_of_different_keys_say_so(tmp_path):
    async with two(tmp_path, OTHER_KEY) as (one, other):
        with pytest.raises(Problem, match="give all gateways of a store the same") as told:
            await cross(one, other)
        assert told.value.code == "node.key"
        assert other.done == []


@pytest.mark.parametrize("octets", [b"", b"\x01", b"\x01" * 40, b"\xff" * 9])
async def test_any_octets_in_the_store_are_refused_by_who_is_asked_and_by_who_asked(tmp_path, octets):
    async with two(tmp_path) as (one, other):
        task = asyncio.ensure_future(one.ask(other))
        await until(lambda: one.place.read(select(node_requests)))
        with one.place.writer.begin() as connection:
            connection.execute(update(node_requests).values(request=octets))
        await other.requests.look()
        await until(lambda: other.logged)
        assert other.logged == [("node.request.refused", {"from": one.place.node.id})]
        await until(lambda: one.place.read(select(node_requests).where(node_requests.c.answer.is_not(None))))
        with one.place.writer.begin() as connection:
            connection.execute(update(node_requests).values(answer=octets))
        await one.requests.look()
        with pytest.raises(Problem, match="cannot read each other"):
            await task


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (conflict("session.closed", "it is over"), Problem),
        (Elsewhere(HTTPStatus.NOT_FOUND, "link.unknown", "there is none"), Elsewhere),
    ],
)
async def test_a_refusal_comes_back_as_what_it_is(tmp_path, problem, kind):
    async with two(tmp_path) as (one, other):
        other.answer = problem
        with pytest.raises(Problem) as told:
            await cross(one, other)
        assert type(told.value) is kind
        assert (told.value.status, told.value.code, told.value.detail) == (problem.status, problem.code, problem.detail)


async def test_a_failure_is_logged_where_it_happens_and_told_without_its_inside(tmp_path):
    async with two(tmp_path) as (one, other):
        other.answer = RuntimeError("447700900101 is in here")
        with pytest.raises(Problem) as told:
            await cross(one, other)
        assert told.value.code == "node.failed"
        assert "4477" not in told.value.detail
        assert other.logged == [("node.request.failed", {"action": "link.list", "detail": "RuntimeError"})]


async def test_who_does_not_answer_in_time_is_named_and_the_request_is_gone(tmp_path):
    async with two(tmp_path) as (one, other):
        with pytest.raises(Problem, match="the gateway ocs2 did not answer within") as told:
            await one.ask(other, seconds=0.1)
        assert (told.value.status, told.value.code) == (HTTPStatus.GATEWAY_TIMEOUT, "node.silent")
        await until(lambda: not one.place.read(select(node_requests)))


async def test_who_does_not_run_is_not_asked(tmp_path):
    async with two(tmp_path) as (one, other):
        gone = msgspec.structs.replace(other.known, runs=False)
        with pytest.raises(Problem, match="the gateway ocs2 does not run") as told:
            await one.requests.ask(gone, NodeRequest("link.list", {}, WHO), Links, 20)
        assert (told.value.status, told.value.code) == (HTTPStatus.GATEWAY_TIMEOUT, "node.down")
        assert one.place.read(select(node_requests)) == []


async def test_a_store_that_stands_still_is_asked_once_by_however_many_and_holds_nobody_up(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KNOWN_SECONDS", 0.05)
    async with two(tmp_path) as (one, _):
        reads, goes_on = [], asyncio.Event()

        async def read(look):
            reads.append(look)
            await goes_on.wait()
            return [KnownNode(1, "ocs1", runs=True), KnownNode(2, "ocs2", runs=False)]

        one.requests._read = read
        asked = await asyncio.gather(one.requests.known(), one.requests.known(), return_exceptions=True)
        assert [type(error) for error in asked] == [StoreUnavailable] * 2
        goes_on.set()
        assert [node.name for node in await one.requests.known()] == ["ocs2"]
        assert len(reads) == 1


async def test_a_request_is_done_once_however_often_it_is_found(tmp_path):
    async with two(tmp_path) as (one, other):
        task = asyncio.ensure_future(one.ask(other))
        await until(lambda: one.place.read(select(node_requests)))
        for _ in range(3):
            await other.requests.look()
        await until(lambda: other.done)
        await cross(one, other)
        await task
        assert len(other.done) == 2


async def test_what_is_too_large_does_not_cross(tmp_path):
    async with two(tmp_path) as (one, other):
        with pytest.raises(Problem, match="too much to ask"):
            await one.ask(other, params={"x": "x" * MAX_REQUEST})

        class Long(msgspec.Struct):
            text: str

        other.answer = Long("x" * MAX_ANSWER)
        with pytest.raises(Problem, match="the answer of ocs2 is too large"):
            await cross(one, other)


async def test_an_answer_of_another_version_is_told_and_one_that_nobody_waits_for_is_deleted(tmp_path):
    async with two(tmp_path) as (one, other):

        class Other(msgspec.Struct):
            rows: int

        other.answer = Other(1)
        with pytest.raises(Problem, match="ocs2 answered with something unexpected"):
            await cross(one, other)
        other.answer = Links([])
        task = asyncio.ensure_future(one.ask(other))
        await until(lambda: one.place.read(select(node_requests)))
        await other.requests.look()
        await until(lambda: one.place.read(select(node_requests.c.answer).where(node_requests.c.answer.is_not(None))))
        task.cancel()
        await Gateway(one.place, KEY).requests.look()  # as after a restart of the one that asked
        assert one.place.read(select(node_requests)) == []


async def test_the_role_of_who_asks_is_checked_by_the_gateway_that_does_it():
    async def abort(_request, _caller):
        raise AssertionError("it was done")

    actions = {
        "session.abort": AsyncAction(abort, OPERATOR, Nothing, Somewhere(Links)),
        "gateway.drain": AsyncAction(abort, VIEWER, Nothing),
    }
    router = Router(actions, others=None)
    for action, code in (
        ("session.abort", "action.forbidden"),
        ("gateway.drain", "action.unknown"),
        ("no", "action.unknown"),
    ):
        with pytest.raises(Problem) as told:
            await router.serve(NodeRequest(action, {}, Caller("api:reader", VIEWER)), 2)
        assert told.value.code == code
