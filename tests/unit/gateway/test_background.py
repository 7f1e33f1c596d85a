"""Background tasks are watched: told of, counted, begun again; five surprises in a minute take readiness for a while."""

import asyncio
from random import Random

import pytest
from support.patience import PATIENCE

from gateway import background as watching
from gateway.background import SURPRISES, WITHIN, Background, Record
from gateway.environment import Environment
from gateway.store.errors import LaneClosed, StoreUnavailable


@pytest.fixture
def told():
    return []


@pytest.fixture
def waited():
    """The seconds of each wait; none of them passes."""
    return []


@pytest.fixture
def background(told, waited):
    async def sleep(seconds):
        waited.append(seconds)
        await asyncio.sleep(0)

    return Background(
        lambda event, fields: told.append((event, dict(fields))), sleep=sleep, environment=Environment(random=Random(1))
    )


def failing(*errors):
    """Work that raises these, one a run, and then returns."""
    left = list(errors)

    async def work():
        if left:
            raise left.pop(0)

    return work


async def test_a_task_that_ends_by_surprise_is_told_with_its_traceback_counted_and_begun_again(background, told):
    error = KeyError("nobody thought of it")
    await background.keep("refill", failing(error, error))
    fields = {"task": "refill", "detail": "KeyError: 'nobody thought of it'", "exc_info": error}
    assert told == [("daemon.task.failed", fields)] * 2
    assert background.surprises == {"refill": 2}
    assert background.failing == []


async def test_a_store_in_trouble_is_told_and_no_surprise(background, told, waited):
    errors = [StoreUnavailable("disk I/O error"), OSError(28, "No space left on device")] * SURPRISES
    await background.keep("refill", failing(*errors))
    assert told[0] == ("daemon.timer.failed", {"timer": "refill", "detail": "disk I/O error"})
    assert {event for event, _ in told} == {"daemon.timer.failed"}
    assert len(told) == len(waited) == len(errors)
    assert 0 < waited[0] < max(waited) <= watching.TROUBLE_DELAY
    assert (background.surprises, background.failing) == ({}, [])


async def test_a_timer_that_finds_the_lane_closed_ends_in_silence_as_the_gateway_stops(background, told, waited):
    await background.keep("close months", failing(LaneClosed("the gateway is stopping")))
    await background.once("refill", failing(LaneClosed("the gateway is stopping")))
    assert (told, waited, background.surprises) == ([], [], {})


async def test_a_cancelled_task_ends_and_is_no_surprise(background, told):
    task = background.keep("orders", asyncio.Event().wait)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == []


async def test_work_at_intervals_outlives_whatever_a_turn_raises(background, told):
    turns, done = [], asyncio.Event()

    async def turn():
        turns.append(1)
        if len(turns) < 4:
            raise ZeroDivisionError("this turn")
        done.set()

    task = background.every("sweep", 0.0, turn)
    await asyncio.wait_for(done.wait(), PATIENCE)
    task.cancel()
    assert background.surprises["sweep"] == 3


async def test_what_runs_once_is_told_of_and_not_begun_again(background, told):
    await background.once("reload", failing(ValueError("the first"), ValueError("never raised")))
    assert [(event, fields["detail"]) for event, fields in told] == [("daemon.task.failed", "ValueError: the first")]


async def test_no_number_of_a_customer_is_told(background, told):
    await background.once("order", failing(ValueError("no line 447700900101\nDETAIL: 447700900101")))
    assert "900101" not in told[0][1]["detail"]


async def test_five_surprises_make_the_task_a_failing_one_by_its_name(background):
    await background.keep("orders", failing(*[KeyError("again")] * SURPRISES))
    await background.keep("sweep", failing(*[KeyError("again")] * (SURPRISES - 1)))
    assert background.failing == ["orders"]


def test_a_task_fails_after_five_surprises_within_a_minute_until_a_minute_without_one():
    record, now = Record(Random(1)), 1000.0
    for number in range(SURPRISES):
        assert not record.is_failing(now)
        now += WITHIN / (SURPRISES - 1) if number else 0.0
        record.surprised(now)
    assert record.is_failing(now)
    record.surprised(now + WITHIN - 1)
    assert record.is_failing(now + 2 * WITHIN - 2)
    assert not record.is_failing(now + 2 * WITHIN)
    record.surprised(now + 2 * WITHIN + 1)
    assert not record.is_failing(now + 2 * WITHIN + 1)


def test_surprises_that_are_far_apart_are_not_added_up():
    record = Record(Random(1))
    for number in range(10 * SURPRISES):
        record.surprised(number * WITHIN / (SURPRISES - 2))
        assert not record.is_failing(number * WITHIN / (SURPRISES - 2))


def test_a_task_that_always_fails_is_failing_for_ever():
    record, now = Record(Random(1)), 0.0
    for number in range(50):
        now += record.surprised(now)
        assert record.is_failing(now) == (number >= SURPRISES - 1)


def test_waits_grow_to_a_cap_and_begin_anew_after_a_good_run():
    record = Record(Random(1))
    waits = [record.surprised(float(n)) for n in range(12)]
    assert waits[0] < 1
    assert 10 < waits[-1] <= watching.LAST_DELAY < WITHIN
    assert max(record.in_trouble() for _ in range(12)) <= watching.TROUBLE_DELAY
    record.ran(WITHIN - 1)
    assert record.surprised(0.0) > 10
    record.ran(WITHIN)
    assert record.surprised(0.0) < 1
    assert record.in_trouble() < 1
