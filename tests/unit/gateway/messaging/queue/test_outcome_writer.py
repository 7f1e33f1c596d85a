"""Outcomes of parts on their way to the store: those of one part in the order in which they came, whatever the store does."""

from types import SimpleNamespace

import pytest
from support.patience import until

from gateway.messaging.queue import outcome_writer
from gateway.messaging.queue.mt_status import SubmitOutcome
from gateway.messaging.queue.outcome_writer import OutcomeWriter
from gateway.messaging.texts import Step


class Store:
    """A lane client whose store takes a unit, or not."""

    def __init__(self):
        self.works, self.slow, self.written, self.writer = True, False, [], None
        self.in_lane = []

    def flush_soon(self):
        self.writer.flush()

    def post(self, unit, done, failed):
        if self.slow:
            self.in_lane.append((unit, done, failed))
            return
        if not self.works:
            failed()
            return
        self.written += [(outcome.text_id, outcome.step) for outcome in unit.answers]
        done(None)


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(outcome_writer, "RETRY_SECONDS", 0.01)
    store = Store()
    store.writer = OutcomeWriter(store, on_again=lambda _: None, on_written=lambda: None)
    return store


def outcome(text_id, step):
    return SubmitOutcome(text_id, 0, "a", step)


async def test_what_comes_of_a_part_is_written_after_what_came_of_it_before_also_where_the_store_could_not_take_that(
    store,
):
    store.works = False
    store.writer.record(outcome(1, Step.DOUBTFUL))
    store.works = True
    store.writer.record(outcome(1, Step.WAITING))
    store.writer.record(outcome(2, Step.ACCEPTED))
    assert store.written == [(2, Step.ACCEPTED)], "another part need not wait"
    assert store.writer.unwritten == 2
    await until(lambda: len(store.written) == 3)
    assert store.written[1:] == [(1, Step.DOUBTFUL), (1, Step.WAITING)]


async def test_what_comes_of_a_part_while_news_of_it_is_in_the_lane_follows_that_whatever_becomes_of_it(store):
    store.slow = True
    store.writer.record(outcome(1, Step.DOUBTFUL))
    store.writer.record(outcome(1, Step.WAITING))
    store.writer.record(outcome(2, Step.ACCEPTED))
    assert [[answer.text_id for answer in unit.answers] for unit, *_ in store.in_lane] == [[1], [2]]
    assert store.writer.unwritten == 1
    store.slow = False
    (_, _, failed), _ = store.in_lane
    failed()
    await until(lambda: len(store.written) == 2)
    assert store.written == [(1, Step.DOUBTFUL), (1, Step.WAITING)]


async def test_what_follows_news_that_was_written_is_on_its_way_before_the_part_is_given_back(store):
    given_back = []
    store.writer = OutcomeWriter(
        store, on_again=lambda _: given_back.append(list(store.written)), on_written=lambda: None
    )
    store.slow = True
    waiting = SimpleNamespace(key=(1, 0))
    store.writer.send_again(waiting, "a")
    store.writer.record(outcome(1, Step.ACCEPTED))
    store.slow = False
    ((_, done, _),) = store.in_lane
    done(None)
    assert given_back == [[(1, Step.ACCEPTED)]]
    assert store.writer.unwritten == 0


async def test_at_the_last_chance_what_follows_news_in_the_lane_goes_once(store):
    store.slow = True
    store.writer.record(outcome(1, Step.DOUBTFUL))
    store.writer.record(outcome(1, Step.WAITING))
    store.slow = False
    store.writer.release()
    store.writer.flush()
    ((_, done, _),) = store.in_lane
    done(None)
    assert store.written == [(1, Step.WAITING)]


async def test_at_the_last_chance_everything_everything_is_written_in_its_order(store):
    store.works = False
    store.writer.record(outcome(1, Step.DOUBTFUL))
    store.writer.record(outcome(2, Step.DOUBTFUL))
    store.works = True
    store.writer.release()
    store.writer.flush()
    assert store.written == [(1, Step.DOUBTFUL), (2, Step.DOUBTFUL)]
