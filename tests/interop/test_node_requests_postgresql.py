"""Requests between gateways on a PostgreSQL server: who runs, how a notification wakes who is asked, what is swept."""

import select as readiness
import time

import pytest
from sqlalchemy import insert, select
from support import postgres
from support.lane_fixture import workplace
from support.patience import PATIENCE

from gateway.store.engine import reading
from gateway.store.errors import StoreError
from gateway.store.node_requests import KEPT, AnswerNode, AskNode, known_nodes, look
from gateway.store.notifications import Notifications
from gateway.store.sweeper import Retention, Sweep
from gateway.store.tables import node_requests

pytestmark = pytest.mark.xdist_group("node_requests_postgresql")
RETENTION = Retention(answers=1, outbox=1, sessions=1, usage=1, orders=1, access_log=1)


@pytest.fixture(scope="module")
def url():
    if not postgres.BINARIES:
        pytest.skip("PostgreSQL is not installed (package postgresql)")
    with postgres.server() as make:
        yield make("requests")


@pytest.fixture
def pair(url):
    with workplace(url, node="ocs1") as one, workplace(url, node="ocs2") as two:
        yield one, two


def woken(descriptor, seconds=20):
    return bool(readiness.select([descriptor], [], [], seconds)[0])


def take_all(ears):
    """Take what comes until the connection ends."""
    while True:
        ears.take()


def test_who_is_asked_and_who_asked_are_woken_by_what_was_committed(pair):
    one, two = pair
    ears = [Notifications(place.url, place.node.id) for place in pair]
    first, second = (each.open() for each in ears)
    one.lane.run(AskNode(7, two.node.id, 60_000_000, b"what"))
    assert woken(second)
    assert ears[1].take() is True
    assert ears[1].take() is False
    with reading(two.reader) as connection:
        (asked,) = look(connection, two.node.id, 0).asked
    assert (asked.id, asked.from_node, asked.body) == (7, one.node.id, b"what")
    assert 0 < asked.left < 60_000_000  # by the server's clock, whatever the gateways' own say
    two.lane.run(AnswerNode(7, one.node.id, b"that"))
    assert woken(first)
    assert ears[0].take() is True
    with reading(one.reader) as connection:
        assert look(connection, one.node.id, 0).answered[0].body == b"that"
    for each in ears:
        each.close()


def test_a_connection_that_the_server_ended_is_told_and_can_be_opened_again(pair):
    one, two = pair
    ears = Notifications(one.url, one.node.id)
    descriptor = ears.open()
    with two.writer.begin() as connection:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
        assert connection.exec_driver_sql(ended).rowcount == 1
    assert woken(descriptor)
    with pytest.raises(StoreError):
        take_all(ears)
    ears.close()
    assert ears.open() >= 0
    assert ears.take() is False
    ears.close()


def test_a_gateway_runs_as_long_as_a_process_listens_for_it(pair):
    one, two = pair

    def running():
        with reading(one.reader) as connection:
            return {node.name for node in known_nodes(connection) if node.runs}

    assert running() == set()
    first, second = (Notifications(two.url, two.node.id) for _ in range(2))
    for each in (first, second):  # one that comes back does not wait for the server to notice that it was gone
        each.open()
        assert running() == {"ocs2"}
    first.close()
    assert running() == {"ocs2"}
    second.close()
    deadline = time.monotonic() + PATIENCE
    while running() and time.monotonic() < deadline:
        continue
    assert running() == set()


def test_what_nobody_closed_is_swept_after_its_time(pair):
    one, _ = pair
    now = time.time_ns() // 1000
    with one.writer.begin() as connection:
        rows = [
            {"id": number, "from_node": 1, "to_node": 2, "request": b"", "created_at": 0, "not_after": not_after}
            for number, not_after in ((1001, now - KEPT - 60_000_000), (1002, now + 60_000_000))
        ]
        connection.execute(insert(node_requests), rows)
    while one.lane.run(Sweep(RETENTION, published_only=False)):
        continue
    left = {row.id for row in one.read(select(node_requests.c.id))}
    assert 1001 not in left
    assert 1002 in left
