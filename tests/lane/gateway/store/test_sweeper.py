import pytest
from sqlalchemy import delete, event, func, insert, select
from support.lane_fixture import Workplace
from support.sealing import seal_day

from gateway.store.idempotency import FOR_EVER
from gateway.store.nodes import enter
from gateway.store.sweeper import Retention, Sweep
from gateway.store.tables import (
    access_log,
    answers,
    held_reports,
    idempotency_keys,
    orders,
    outbox,
    sessions,
    usage,
)

NOW = 1_700_000_000_000_000
HOUR = 3_600_000_000
RETENTION = Retention(
    answers=48 * 3600,
    outbox=24 * 3600,
    sessions=400 * 86_400,
    usage=90 * 86_400,
    orders=90 * 86_400,
    access_log=90 * 86_400,
)
FIRST = 1 << 40


@pytest.fixture
def place(tmp_path):
    place = Workplace(f"sqlite:///{tmp_path}/t.db")
    place.ticks = iter(lambda: NOW, None)
    place.lane.start()
    yield place
    place.close()


def put(place, table, *rows):
    with place.writer.begin() as connection:
        connection.execute(insert(table), list(rows))


def put_sealed(place, *rows):
    """Put in usage that a seal stands for; the event that tells of the seal is not kept."""
    put(place, usage, *rows)
    seal_day(place, NOW)
    with place.writer.begin() as connection:
        connection.execute(delete(outbox))


def ids(place, table):
    return [number for (number,) in place.read(select(table.c.id).order_by(table.c.id))]


def sweep(place, *, published_only=True, limit=1000):
    return place.lane.run(Sweep(RETENTION, published_only=published_only, limit=limit))


def an_event(number, created_hours_ago, published_hours_ago=None):
    published_at = None if published_hours_ago is None else NOW - published_hours_ago * HOUR
    return {
        "id": number,
        "topic": "usage/rated",
        "body": b"[]",
        "created_at": NOW - created_hours_ago * HOUR,
        "published_at": published_at,
    }  # fmt: skip  (one line a thought)


def a_session(number, closed_hours_ago, answers_kept=1):
    closed_at = None if closed_hours_ago is None else NOW - closed_hours_ago * HOUR
    return {
        "id": number,
        "session_id": f"s;{number}",
        "subscriber_id": 1,
        "node": 1,
        "peer": "p",
        "origin_host": "p",
        "service": "data",
        "opened_at": 0,
        "updated_at": 0,
        "expires_at": 0,
        "closed_at": closed_at,
        "answers_kept": answers_kept,
        "reserved": 0,
        "groups": b"",
    }  # fmt: skip  (one line a thought)


def an_answer(session, number):
    return {"session": session, "request_type": 2, "request_number": number, "digest": 0, "body": b"a"}


def a_usage(number, hours_ago):
    return {
        "id": number,
        "event_at": NOW - hours_ago * HOUR,
        "subscriber_id": 1,
        "session": 1,
        "service": "data",
        "rating_group": None,
        "octets": 0,
        "seconds": 0,
        "units": 0,
        "price": 0,
        "currency": "GBP",
        "plan": "p",
    }  # fmt: skip  (one line a thought)


def test_events_go_a_day_after_the_broker_has_them_and_never_before(place):
    put(place, outbox, an_event(FIRST, 90, 25), an_event(FIRST + 1, 90, 24.001), an_event(FIRST + 2, 90, 23))
    put(place, outbox, an_event(FIRST + 3, 90), an_event(FIRST + 4, 90))
    assert sweep(place) == 2
    assert sweep(place) == 0
    assert ids(place, outbox) == [FIRST + 2, FIRST + 3, FIRST + 4]


def test_without_a_broker_events_go_a_day_after_they_were_written(place):
    put(place, outbox, an_event(FIRST, 25), an_event(FIRST + 1, 23))
    assert sweep(place, published_only=False) == 1
    assert ids(place, outbox) == [FIRST + 1]


def test_every_nodes_rows_are_swept_from_their_own_front(place):
    with place.writer.begin() as connection:
        enter(connection, "other", 1)
    put(place, outbox, an_event(FIRST, 90), an_event(2 << 40, 90, 25), an_event((2 << 40) + 1, 90, 1))
    assert sweep(place) == 1
    assert ids(place, outbox) == [FIRST, (2 << 40) + 1]


def test_answers_go_two_days_after_their_session_and_the_session_stays(place):
    put(place, sessions, a_session(1, 49), a_session(2, 47), a_session(3, None))
    put(place, answers, *(an_answer(session, number) for session in (1, 2, 3) for number in range(3)))
    assert sweep(place) == 4
    assert sweep(place) == 0
    assert set(place.read(select(answers.c.session))) == {(2,), (3,)}
    assert place.read(select(sessions.c.id, sessions.c.answers_kept).order_by(sessions.c.id)) == [
        (1, 0),
        (2, 1),
        (3, 1),
    ]


def test_a_session_goes_after_its_retention_and_an_open_one_stays(place):
    old = 400 * 24 + 1
    put(place, sessions, a_session(1, old, 0), a_session(2, old - 2, 0), a_session(3, None), a_session(4, old))
    assert sweep(place) == 3  # the answers of one, then it and another
    assert sweep(place) == 0
    assert ids(place, sessions) == [2, 3]


def an_order(number, hours_ago, *, is_open=0):
    names = ("kind", "iccid", "host", "state", "actor")
    return {
        **dict.fromkeys(names, "x"),
        "id": number,
        "node": 1,
        "request": b"",
        "steps": b"",
        "undoing": 0,
        "due_at": 0,
        "created_at": 0,
        "updated_at": NOW - hours_ago * HOUR,
        "open": is_open,
    }


def test_an_order_goes_after_its_retention_unless_it_is_open(place):
    old, young = 90 * 24 + 1, 90 * 24 - 1
    put(place, orders, an_order(FIRST, old), an_order(FIRST + 1, old, is_open=1), an_order(FIRST + 2, young))
    sweep(place)
    assert ids(place, orders) == [FIRST + 1, FIRST + 2]


def test_usage_goes_after_its_retention(place):
    put(place, usage, a_usage(FIRST, 90 * 24 + 1), a_usage(FIRST + 1, 90 * 24 - 1))
    assert sweep(place) == 0  # no seal stands for it yet
    seal_day(place, NOW)
    assert sweep(place) == 1
    assert ids(place, usage) == [FIRST + 1]


def test_a_look_at_causes_goes_after_its_retention(place):
    look = {"actor": "socket:0", "action": "subscriber.show", "subscriber_id": 1}
    rows = [look | {"id": FIRST + n, "at": NOW - hours * HOUR} for n, hours in enumerate((90 * 24 + 1, 90 * 24 - 1))]
    put(place, access_log, *rows)
    assert sweep(place) == 1
    assert ids(place, access_log) == [FIRST + 1]


def test_an_idempotency_key_expires_but_one_of_what_is_done_once_for_ever_never_does(place):
    row = {"key": "k", "digest": "d", "result": b"", "created_at": NOW - 401 * 24 * HOUR}
    put(place, idempotency_keys, row | {"scope": "import"}, row | {"scope": "topup:1"})
    put(place, idempotency_keys, row | {"scope": "topup:2", "created_at": NOW})
    put(place, idempotency_keys, *(row | {"scope": scope} for scope in ("refund", "promotion:a", "add-on:a")))
    put(place, idempotency_keys, row | {"scope": "refund", "key": "l", "created_at": FOR_EVER})
    assert sweep(place) == 1
    once = {("refund",), ("promotion:a",), ("add-on:a",)}
    assert set(place.read(select(idempotency_keys.c.scope))) == {("import",), ("topup:2",), *once}


def test_a_large_backlog_goes_in_bounded_steps(place):
    put_sealed(place, *(a_usage(FIRST + n, 9000) for n in range(250)))
    put(place, outbox, *(an_event(FIRST + n, 90, 80) for n in range(250)))
    put(place, sessions, *(a_session(n, 99) for n in range(50)))
    put(place, answers, *(an_answer(session, number) for session in range(50) for number in range(9)))
    steps = []
    while swept := sweep(place, limit=100):
        steps.append(swept)
    assert sum(steps) == 250 + 250 + 50 * 10
    assert max(steps) <= 100
    assert place.read(select(func.count()).select_from(answers)) == [(0,)]


def test_one_session_with_more_answers_than_a_step_is_swept_in_one(place):
    put(place, sessions, a_session(1, 99), a_session(2, 98))
    put(place, answers, *(an_answer(session, number) for session in (1, 2) for number in range(30)))
    assert [sweep(place, limit=10) for _ in range(3)] == [31, 31, 0]


def test_no_statement_of_a_step_reads_a_whole_table(place):
    run = []
    event.listen(
        place.writer, "before_cursor_execute", lambda _c, _k, statement, given, *_: run.append((statement, given))
    )
    put_sealed(place, a_usage(FIRST, 9000))
    put(place, outbox, an_event(FIRST, 90, 80))
    put(place, sessions, a_session(1, 99), a_session(2, 99999, 0))
    put(place, answers, an_answer(1, 1))
    row = {"scope": "s", "key": "k", "digest": "d", "result": b"", "created_at": 0}
    put(place, idempotency_keys, row)
    del run[:]
    sweep(place)
    plans = []
    with place.reader.connect() as connection:
        for statement, given in run:
            if statement.startswith(("SELECT", "DELETE", "UPDATE")):
                plans += connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
    steps = [step[3] for step in plans]
    assert len(steps) > 10
    assert not [s for s in steps if s.startswith("SCAN") and s not in {"SCAN front", "SCAN anon_1", "SCAN nodes"}]
    assert not [s for s in steps if "TEMP B-TREE" in s]


def a_held_report(number, decided_days_ago):
    texts = ("reason", "session_id", "origin_host", "peer", "service", "traffic", "decided_by", "note")
    return {
        "id": number,
        "fingerprint": str(number),
        "state": "open" if decided_days_ago is None else "dropped",
        "arrived_at": NOW - 400 * 24 * HOUR,
        "event_at": NOW - 400 * 24 * HOUR,
        "request_type": 3,
        "request_number": 1,
        "octets": "1",
        "seconds": "0",
        "units": "0",
        "decided_at": None if decided_days_ago is None else NOW - decided_days_ago * 24 * HOUR,
    } | dict.fromkeys(texts, "")


def test_a_held_report_is_swept_as_usage_is_once_it_is_decided_and_never_before(place):
    first = [a_held_report(FIRST, 91), a_held_report(FIRST + 1, 89), a_held_report(FIRST + 2, None)]
    put(place, held_reports, *first)
    assert sweep(place) == 1
    assert ids(place, held_reports) == [FIRST + 1, FIRST + 2]
