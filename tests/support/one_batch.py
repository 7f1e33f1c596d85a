"""Units that are decided together, in one batch of the write lane."""

import functools
import threading

from support.patience import PATIENCE


class Gate:
    """A unit that keeps the lane busy, so that what is posted meanwhile shares one batch."""

    alone = False
    touches = ()

    def __init__(self):
        self.begun, self.open = threading.Event(), threading.Event()

    def decide(self, _batch):
        self.begun.set()
        assert self.open.wait(PATIENCE)


def together(lane, *units):
    """Put units through the lane in one batch; gives their answers, or the errors that kept them from being done."""
    gate, answers, ready = Gate(), {}, threading.Event()

    def done(place, answer, error):
        answers[place] = error or answer
        if len(answers) == len(units):
            ready.set()

    lane.post(gate, lambda *_: None)
    assert gate.begun.wait(PATIENCE)
    before = lane.counters.batches
    for place, unit in enumerate(units):
        lane.post(unit, functools.partial(done, place))
    gate.open.set()
    assert ready.wait(PATIENCE)
    assert lane.counters.batches == before + 2, "they did not share one batch"
    return [answers[place] for place in range(len(units))]
