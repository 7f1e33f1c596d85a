"""A batch that waits for more units: on a server, where each batch costs as much as some nine units."""

import threading
import time

import pytest
from support.lane_fixture import Workplace

from gateway.store import lane as lane_module
from gateway.store.batch import Unit
from gateway.store.errors import UnitExpired
from gateway.store.lane import MANY
from gateway.store.log_file import LogFile
from gateway.store.server_log import GATHERS

SECONDS = 90


class Say(Unit):
    """Answers with its words."""

    words: str

    def decide(self, _batch):
        return self.words


class SayAlone(Say):
    alone = True


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A lane that gathers as one on a server does, and in which nobody loses patience."""
    monkeypatch.setattr(LogFile, "gathers", GATHERS)
    monkeypatch.setattr(lane_module, "PAUSE", SECONDS)
    place = Workplace(f"sqlite:///{tmp_path}/lane.db")
    place.lane.start()
    place.lane.run(Say("first"))
    yield place
    place.close()


class Crowd:
    """Units that are posted together, and what came of them."""

    def __init__(self, place):
        self.lane, self.came, self.news, self.posted = place.lane, [], threading.Semaphore(0), 0

    def post(self, count, kind=Say, not_after=float("inf")):
        units = [kind(f"{self.posted + number}") for number in range(count)]
        self.posted += count
        self.lane.post_all([(unit, self._take, not_after) for unit in units])

    def _take(self, answer, error):
        self.came.append(answer if error is None else type(error))
        self.news.release()

    def wait(self, count):
        for _ in range(count):
            assert self.news.acquire(timeout=SECONDS), self.came
        return self.came[-count:]


@pytest.fixture
def crowd(place):
    """After a batch of many."""
    crowd = Crowd(place)
    crowd.post(MANY)
    crowd.wait(MANY)
    return crowd


def test_after_a_batch_of_many_the_next_one_begins_when_enough_have_come(place, crowd):
    before = place.lane.counters.batches
    crowd.post(MANY)
    time.sleep(0.05)
    crowd.post(GATHERS - MANY)
    assert crowd.wait(GATHERS) == [f"{MANY + number}" for number in range(GATHERS)]
    assert place.lane.counters.batches == before + 1


def test_it_begins_when_no_more_come(place, crowd, monkeypatch):
    monkeypatch.setattr(lane_module, "PAUSE", 0.01)
    crowd.post(MANY)
    assert crowd.wait(MANY) == [f"{MANY + number}" for number in range(MANY)]


def test_after_a_batch_of_few_nobody_waits(place):
    crowd = Crowd(place)
    for _ in range(3):
        crowd.post(MANY - 1)
        assert UnitExpired not in crowd.wait(MANY - 1)


def test_a_unit_that_has_a_batch_to_itself_waits_for_no_other(place, crowd):
    crowd.post(1, SayAlone)
    assert crowd.wait(1) == [f"{MANY}"]


def test_a_lane_that_is_closed_waits_for_no_more(place, crowd):
    crowd.post(MANY)
    place.lane.close()
    assert crowd.wait(MANY) == [f"{MANY + number}" for number in range(MANY)]


def test_units_whose_time_is_over_are_given_up_while_they_gather_and_the_lane_goes_on(place, crowd):
    crowd.post(MANY, not_after=time.monotonic() + SECONDS)
    place.lane._monotonic = lambda: time.monotonic() + 2 * SECONDS
    place.lane.expire()
    assert crowd.wait(MANY) == [UnitExpired] * MANY
    crowd.post(GATHERS)
    assert crowd.wait(GATHERS) == [f"{2 * MANY + number}" for number in range(GATHERS)]
