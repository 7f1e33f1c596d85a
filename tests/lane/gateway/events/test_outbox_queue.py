import msgspec
import pytest
from sqlalchemy import insert, select
from support.lane_fixture import workplace

from gateway.events.outbox_queue import MarkPublished, backlog, read_waiting
from gateway.events.queries import recent
from gateway.store.nodes import enter
from gateway.store.tables import outbox

FIRST, OTHER = 1 << 40, 2 << 40


@pytest.fixture
def place(tmp_path):
    with workplace(f"sqlite:///{tmp_path}/t.db") as place:
        with place.writer.begin() as connection:
            enter(connection, "other", 1)
        yield place


def put(place, *numbers, body=b'{"id":"x"}', published_at=None, at=1_000_000):
    with place.writer.begin() as connection:
        rows = [
            {"id": n, "topic": "t", "body": body, "created_at": at + n % 100, "published_at": published_at}
            for n in numbers
        ]
        connection.execute(insert(outbox), rows)


def waiting(place, *shards, **limits):
    with place.reader.connect() as connection:
        return [row.id for row in read_waiting(connection, shards or (1,), **limits)]


def test_waiting_rows_are_read_in_order_and_only_ones_own(place):
    put(place, FIRST + 2, OTHER, FIRST, FIRST + 1)
    put(place, FIRST + 3, published_at=5)
    assert waiting(place) == [FIRST, FIRST + 1, FIRST + 2]
    assert waiting(place, 2) == [OTHER]
    assert waiting(place, 3) == []


def test_what_an_adopted_shard_tells_goes_before_what_is_told_since(place):
    put(place, FIRST, FIRST + 1, OTHER)
    assert waiting(place, 2, 1) == [OTHER]
    place.lane.run(MarkPublished([OTHER]))
    assert waiting(place, 2, 1) == [FIRST, FIRST + 1]
    put(place, OTHER + 1, at=1)
    with place.reader.connect() as connection:
        assert (backlog(connection, (2, 1)).waiting, backlog(connection, (2, 1)).oldest_at) == (
            3,
            1 + (OTHER + 1) % 100,
        )


def test_no_more_is_read_than_memory_is_meant_for(place):
    put(place, *range(FIRST, FIRST + 10), body=b"x" * 100)
    assert len(waiting(place, max_rows=4)) == 4
    assert len(waiting(place, max_bytes=350)) == 3
    assert len(waiting(place, max_bytes=10)) == 1


def test_marked_rows_wait_no_more_and_carry_the_time(place):
    put(place, FIRST, FIRST + 1, FIRST + 2)
    assert place.lane.run(MarkPublished([FIRST, FIRST + 2])) == 2
    assert waiting(place) == [FIRST + 1]
    times = place.read(select(outbox.c.published_at).where(outbox.c.published_at.is_not(None)))
    assert len({at for (at,) in times}) == 1


def test_the_backlog_is_counted_with_its_oldest_row(place):
    put(place, FIRST + 7, FIRST + 8, at=2_000_000)
    put(place, OTHER)
    with place.reader.connect() as connection:
        assert (backlog(connection, (1,)).waiting, backlog(connection, (1,)).oldest_at) == (
            2,
            2_000_000 + (FIRST + 7) % 100,
        )
        assert (backlog(connection, (3,)).waiting, backlog(connection, (3,)).oldest_at) == (0, None)


def read(place, *arguments):
    with place.reader.connect() as connection:
        return msgspec.to_builtins(recent(connection, *arguments))


def test_the_latest_events_are_shown_in_order_with_their_row(place):
    put(place, FIRST, body=b'[{"id":"1"},{"id":"2"},{"id":"3"}]', at=1_000_000)
    put(place, FIRST + 1, body=b'{"id":"4"}', at=2_000_000, published_at=3_000_000)
    found = read(place, 3)
    assert [entry["event"]["id"] for entry in found] == ["2", "3", "4"]
    assert found[-1] == {
        "id": FIRST + 1,
        "topic": "t",
        "written_at": f"1970-01-01T00:00:02.{(FIRST + 1) % 100:06d}Z",
        "published_at": "1970-01-01T00:00:03Z",
        "event": {"id": "4"},
    }
    assert found[0]["published_at"] is None


def test_the_latest_events_of_several_nodes_are_shown_by_their_time(place):
    put(place, OTHER, body=b'{"id":"b"}', at=2_000_000)
    put(place, FIRST, body=b'{"id":"a"}', at=1_000_000)
    put(place, FIRST + 1, body=b'{"id":"c"}', at=3_000_000)
    assert [entry["event"]["id"] for entry in read(place, 10)] == ["a", "b", "c"]
    assert [entry["event"]["id"] for entry in read(place, 2)] == ["b", "c"]


def test_following_gives_whole_rows_after_one_and_stays_with_its_node(place):
    put(place, *range(FIRST, FIRST + 4), body=b'[{"id":"1"},{"id":"2"}]')
    put(place, OTHER)
    assert [entry["id"] for entry in read(place, 3, FIRST)] == [FIRST + 1, FIRST + 1, FIRST + 2, FIRST + 2]
    assert [entry["id"] for entry in read(place, 9, FIRST + 2)] == [FIRST + 3, FIRST + 3]
    assert read(place, 9, FIRST + 3) == []


def test_following_from_the_very_beginning_gives_everything(place):
    assert read(place, 10) == read(place, 10, 0) == []
    put(place, FIRST, OTHER)
    assert [entry["id"] for entry in read(place, 10, 0)] == [FIRST, OTHER]
