"""What /metrics tells of texts that have not come to their end."""

import pytest
from sqlalchemy import select
from support.charging_fixture import PENNY
from support.messaging_fixture import text_place

from gateway.messaging.queries import count_open
from gateway.messaging.texts import Step
from gateway.store import tables


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/texts.db") as opened:
        opened.enrol(1000 * PENNY)
        yield opened


def counted(place, node):
    with place.reader.connect() as connection:
        return count_open(connection, (node,))


def test_open_texts_are_counted_by_state_and_node_and_none_is_told_as_zero(place):
    ids = place.accept(*(place.draft(words) for words in ("one", "two", "three", "four"))).ids
    (node,) = {row.node for row in place.read(select(tables.texts.c.node))}
    assert counted(place, node) == {"queued": 4, "submitted": 0, "doubtful": 0}
    for text_id, step in zip(ids, (Step.ACCEPTED, Step.DOUBTFUL, Step.FAILED), strict=False):
        place.take(text_id)
        place.answer(text_id, step, message_id="a1" if step is Step.ACCEPTED else "")
    assert counted(place, node) == {"queued": 1, "submitted": 1, "doubtful": 1}
    assert counted(place, node + 1) == {"queued": 0, "submitted": 0, "doubtful": 0}
    place.receipt("a1")
    assert counted(place, node) == {"queued": 1, "submitted": 0, "doubtful": 1}
