import msgspec
import pytest
from sqlalchemy import select
from support.lane_fixture import workplace

from gateway.events.outbox import MAX_EVENTS, Event, OutboxRows, emit
from gateway.store.tables import outbox


def an_event(number):
    return Event(
        id=str(number), source="/tpo/n", type="t", time="2026-01-01T00:00:00Z", subject="s1:a", data={"n": number}
    )


class Write:
    """A unit that collects events under topics and emits others by themselves."""

    alone = False
    touches = ()

    def __init__(self, collected=(), emitted=(), fails=False):
        self.collected, self.emitted, self.fails = collected, emitted, fails

    def decide(self, batch):
        for topic, number in self.collected:
            batch.row_set(OutboxRows).collect(batch, topic, an_event(number))
        for topic, number in self.emitted:
            emit(batch, topic, an_event(number))
        if self.fails:
            raise ZeroDivisionError("this unit cannot be decided")


@pytest.fixture
def place(tmp_path):
    with workplace(f"sqlite:///{tmp_path}/t.db") as place:
        yield place


def rows(place):
    return [
        (topic, msgspec.json.decode(body))
        for topic, body in place.read(select(outbox.c.topic, outbox.c.body).order_by(outbox.c.id))
    ]


def test_the_events_of_a_commit_share_a_row_by_topic(place):
    place.lane.run(Write(collected=[("a", 1), ("b", 2), ("a", 3)]))
    assert [(topic, [event["id"] for event in events]) for topic, events in rows(place)] == [
        ("a", ["1", "3"]),
        ("b", ["2"]),
    ]


def test_a_row_holds_a_bounded_number_of_events_and_none_is_left_out(place):
    place.lane.run(Write(collected=[("a", n) for n in range(2 * MAX_EVENTS + 1)]))
    batches = [events for _, events in rows(place)]
    assert [len(events) for events in batches] == [MAX_EVENTS, MAX_EVENTS, 1]
    assert [event["data"]["n"] for events in batches for event in events] == list(range(2 * MAX_EVENTS + 1))


def test_a_whole_number_of_batches_leaves_no_empty_one(place):
    place.lane.run(Write(collected=[("a", n) for n in range(MAX_EVENTS)]))
    assert [len(events) for _, events in rows(place)] == [MAX_EVENTS]


def test_an_event_by_itself_is_an_object_and_a_missing_subject_is_left_out(place):
    place.lane.run(Write(emitted=[("a", 7)]))
    ((topic, event),) = rows(place)
    assert (topic, event["id"], event["specversion"], event["datacontenttype"]) == ("a", "7", "1.0", "application/json")
    bare = Event(id="1", source="/tpo/n", type="t", time="2026-01-01T00:00:00Z", data=None)
    assert "subject" not in msgspec.json.decode(msgspec.json.encode(bare))


def test_events_of_a_unit_that_fails_are_not_written(place):
    with pytest.raises(Exception, match="cannot be decided"):
        place.lane.run(Write(collected=[("a", 1)], emitted=[("b", 2)], fails=True))
    assert rows(place) == []
