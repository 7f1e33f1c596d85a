import pytest
from sqlalchemy import select
from support.lane_fixture import workplace

from gateway.store import nodes
from gateway.store.engine import reading
from gateway.store.node_requests import AnswerNode, AskNode, CloseRequests, Inbox, known_nodes, look
from gateway.store.tables import node_requests

SECOND = 1_000_000


@pytest.fixture
def pair(tmp_path):
    url = f"sqlite:///{tmp_path}/t.db"
    with workplace(url, node="ocs1") as one, workplace(url, node="ocs2") as two:
        yield one, two


def found(place, now=None):
    with reading(place.reader) as connection:
        return look(connection, place.node.id, next(place.ticks) if now is None else now)


def ask(one, two, number=7, within=60 * SECOND):
    one.lane.run(AskNode(number, two.node.id, within, b"what"))


def test_a_request_is_found_by_the_node_that_it_is_for_and_its_answer_by_the_one_that_asked(pair):
    one, two = pair
    ask(one, two)
    (asked,) = found(two).asked
    assert (asked.id, asked.from_node, asked.body) == (7, one.node.id, b"what")
    assert 0 < asked.left <= 60 * SECOND
    assert found(one) == Inbox([], [])
    assert two.lane.run(AnswerNode(7, one.node.id, b"that")) is True
    assert found(two) == Inbox([], [])
    (answered,) = found(one).answered
    assert (answered.id, answered.to_node, answered.body) == (7, two.node.id, b"that")
    one.lane.run(CloseRequests([7]))
    assert one.read(select(node_requests)) == []


def test_a_request_is_answered_once_and_by_nobody_else(pair):
    one, two = pair
    ask(one, two)
    assert one.lane.run(AnswerNode(7, one.node.id, b"not mine to say")) is False
    assert two.lane.run(AnswerNode(7, two.node.id, b"of another one's")) is False
    assert two.lane.run(AnswerNode(7, one.node.id, b"first")) is True
    assert two.lane.run(AnswerNode(7, one.node.id, b"second")) is False
    assert found(one).answered[0].body == b"first"


def test_an_answer_to_what_was_closed_meanwhile_is_dropped_and_only_who_asked_closes(pair):
    one, two = pair
    ask(one, two)
    two.lane.run(CloseRequests([7]))
    assert len(found(two).asked) == 1
    one.lane.run(CloseRequests([7]))
    assert two.lane.run(AnswerNode(7, one.node.id, b"late")) is False


def test_a_request_whose_time_is_over_is_not_found_any_more(pair):
    one, two = pair
    ask(one, two, within=SECOND)
    (row,) = one.read(select(node_requests))
    assert row.not_after == row.created_at + SECOND
    assert len(found(two, row.not_after - 1).asked) == 1
    assert found(two, row.not_after).asked == []


def test_a_name_is_known_by_its_latest_number(pair):
    one, _ = pair
    with one.writer.begin() as connection:
        nodes.enter(connection, "ocs3", next(one.ticks))
    with reading(one.reader) as connection:
        assert [(node.id, node.name, node.runs) for node in known_nodes(connection)] == [
            (1, "ocs1", False), (2, "ocs2", False), (3, "ocs3", False),
        ]  # fmt: skip
