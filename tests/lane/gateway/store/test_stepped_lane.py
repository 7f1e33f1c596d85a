"""A lane whose thread is not started: whoever drives it works on one batch after the other."""

import itertools

from support import new_stores

from gateway.store import nodes
from gateway.store.batch import Unit
from gateway.store.engine import open_writer
from gateway.store.lane import Lane


class Say(Unit):
    word: str

    def decide(self, batch):
        return self.word


class Alone(Say):
    alone = True


def test_a_lane_without_its_thread_works_on_one_batch_a_step_and_then_has_nothing_to_do(tmp_path):
    new_stores.place(tmp_path / "tpo.db")
    writer = open_writer(f"sqlite:///{tmp_path / 'tpo.db'}", existing=True)
    with writer.begin() as connection:
        node = nodes.enter(connection, "ocs.tpo.example", 1)
    said, batches = [], []
    lane = Lane(writer, node, clock=lambda: 1, monotonic=itertools.count().__next__, observe=batches.append)
    for unit in (Say("one"), Say("two"), Alone("three")):
        lane.post(unit, lambda answer, error: said.append((answer, error)))
    assert not said
    assert lane.run_pending()
    assert said == [("one", None), ("two", None)]
    assert lane.run_pending()
    assert said[2:] == [("three", None)]
    assert not lane.run_pending()
    assert [times.units for times in batches] == [2, 1]
    writer.dispose()
