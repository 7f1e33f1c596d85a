"""Outcomes of parts on their way to the store: those of one part in the order in which they came, whatever the store does."""

import pytest
from support.diameter_rig import until

from gateway.messaging.queue import outcome_writer
from gateway.messaging.queue.mt_status import SubmitOutcome
from gateway.messaging.queue.outcome_writer import OutcomeWriter
from gateway.messaging.texts import Step


class Store:
    """A lane client whose store takes a unit, or not."""

    def __init__(self):
        self.works, self.written, self.writer = True, [], None

    def flush_soon(self):
        self.writer.flush()

    def post(self, unit, done, failed):
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


async def test_at_the_last_chance_everything_is_written_in_its_order(store):
    store.works = False
    store.writer.record(outcome(1, Step.DOUBTFUL))
    store.writer.record(outcome(2, Step.DOUBTFUL))
    store.works = True
    store.writer.release()
    store.writer.flush()
    assert store.written == [(1, Step.DOUBTFUL), (2, Step.DOUBTFUL)]
