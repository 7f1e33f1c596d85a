"""Handing units to the lane: who is told of which outcome, and that what gathers is posted once a turn, in its order."""

import asyncio
from typing import ClassVar

import pytest
from support.lane_fixture import workplace
from support.patience import PATIENCE

from gateway.messaging.lane_client import LaneClient


@pytest.fixture
async def place(tmp_path):
    loop = asyncio.get_running_loop()

    def finish(jobs):
        for job in jobs:
            job.done(job.answer, job.error)

    with workplace(
        f"sqlite:///{tmp_path}/lane.db", deliver=lambda jobs: loop.call_soon_threadsafe(finish, jobs)
    ) as place:
        yield place


class Says:
    """A unit that answers, or raises, what it was given."""

    alone: ClassVar[bool] = False
    touches: ClassVar[tuple[type, ...]] = ()

    def __init__(self, answer):
        self.answer = answer

    def decide(self, _batch):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def outcome(client, unit, *, knows_lost=True):
    """What is called for a unit, with its answer."""
    said = asyncio.get_running_loop().create_future()
    lost = (lambda: said.set_result("lost")) if knows_lost else None
    client.post(unit, said.set_result, lambda: said.set_result("failed"), lost)
    return await asyncio.wait_for(said, PATIENCE)


async def test_an_answer_goes_to_who_waits_for_it_and_a_refused_unit_has_failed(place):
    client = LaneClient(place.lane)
    assert await outcome(client, Says(7)) == 7
    assert await outcome(client, Says(ValueError("no"))) == "failed"


@pytest.mark.parametrize(("knows_lost", "called"), [(True, "lost"), (False, "failed")])
async def test_an_unknown_outcome_is_lost_to_who_can_tell_and_failed_to_others(place, monkeypatch, knows_lost, called):
    original = type(place.writer.dialect).do_commit

    def vanish(self, connection):
        original(self, connection)
        raise self.dbapi.OperationalError("the connection went away during COMMIT")

    monkeypatch.setattr(type(place.writer.dialect), "do_commit", vanish)
    assert await outcome(LaneClient(place.lane), Says(7), knows_lost=knows_lost) == called
    monkeypatch.undo()


async def test_a_lane_that_takes_nothing_more_has_failed(place):
    await asyncio.to_thread(place.lane.close)
    assert await outcome(LaneClient(place.lane), Says(7)) == "failed"


async def test_what_gathers_is_posted_once_a_turn_in_the_order_that_was_set(place):
    client, flushed = LaneClient(place.lane), []
    client.flush_in_order(lambda: flushed.append("outcomes"), lambda: flushed.append("receipts"))
    client.flush_soon()
    client.flush_soon()
    assert flushed == []
    await asyncio.sleep(0)
    assert flushed == ["outcomes", "receipts"]
    client.flush_soon()
    await asyncio.sleep(0)
    assert flushed == ["outcomes", "receipts"] * 2
