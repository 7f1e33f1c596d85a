"""Reads of open texts: what each finds, and that it looks only at these, however many texts wait or are over."""

import json

import pytest
from sqlalchemy import event
from support.messaging_fixture import FRIEND, HOUR, text_place

from gateway.messaging import receipts
from gateway.messaging.queries import count_open
from gateway.messaging.queue.open_texts import texts_out, waiting_texts
from gateway.messaging.queue.query_sm import silent_parts
from gateway.messaging.queue.sms_expiry import RECEIPT_GRACE, overdue_texts
from gateway.messaging.texts import Step
from gateway.status_page.stored import _doubtful
from gateway.store.waiting_rows import count_waiting, kinds_waiting

LONG = "ten and twelve " * 20
ALL = 1000


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/texts.db") as place:
        yield place


@pytest.fixture
def connection(place):
    with place.reader.connect() as opened:
        yield opened


def ids_of(texts):
    return [text.id for text in texts]


def one_of_each(place):
    """Ids by what became of a text."""
    names = ("waits", "sent", "accepted", "doubtful", "partly_sent", "partly_doubtful", "failed")
    bodies = [LONG if name.startswith("partly") else "hello" for name in names]
    ids = dict(zip(names, place.accept(*map(place.draft, bodies)).ids, strict=True))
    for name in names[1:]:
        place.take(ids[name])
    place.answer(ids["accepted"], message_id="a1")
    place.answer(ids["doubtful"], Step.DOUBTFUL)
    place.answer(ids["partly_doubtful"], Step.DOUBTFUL)
    place.answer(ids["failed"], Step.FAILED)
    return ids


def test_what_waits_and_what_may_be_out_are_told_apart_also_part_by_part(place, connection):
    ids, node = one_of_each(place), place.node.id
    waiting = [ids["waits"], ids["doubtful"], ids["partly_sent"], ids["partly_doubtful"]]
    out = [ids["sent"], ids["doubtful"], ids["partly_sent"], ids["partly_doubtful"]]
    assert ids_of(waiting_texts(connection, node, 0, ALL)) == waiting
    assert ids_of(waiting_texts(connection, node, waiting[0], 2)) == waiting[1:3]
    assert ids_of(texts_out(connection, node, 0, ALL)) == out
    assert ids_of(texts_out(connection, node, out[0], 2)) == out[1:3]
    assert waiting_texts(connection, node + 1, 0, ALL) == texts_out(connection, node + 1, 0, ALL) == []


def test_texts_whose_receipts_may_come_keep_none_from_its_end_that_never_went_out(place, connection, monkeypatch):
    monkeypatch.setattr("gateway.messaging.queue.sms_expiry.LIMIT", 2)
    accepted = list(place.accept(*(place.draft() for _ in range(5))).ids)
    for number, text_id in enumerate(accepted):
        place.take(text_id)
        place.answer(text_id, message_id=f"a{number}")
    (waits,) = place.accept(place.draft()).ids
    end = place.text(waits).valid_until
    assert overdue_texts(connection, end - 1) == []
    assert overdue_texts(connection, end) == [waits]
    assert overdue_texts(connection, end + RECEIPT_GRACE) == [waits, *accepted[:2]]


def test_no_read_of_open_texts_looks_at_those_of_another_state_or_at_final_ones(place, connection):
    plans, node, now = [], place.node.id, HOUR

    @event.listens_for(connection, "before_cursor_execute")
    def explain(raw, _cursor, statement, parameters, *_more):
        if "texts" in statement and not statement.startswith("EXPLAIN"):
            found = raw.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            plans.extend(row[3] for row in found if " texts" in row[3])

    waiting_texts(connection, node, 0, ALL)
    texts_out(connection, node, 0, ALL)
    overdue_texts(connection, now)
    silent_parts(connection, [node], 0, now, {"smsc-1": 1})
    count_open(connection, [node])
    count_waiting(connection, [node])
    kinds_waiting(connection, [node])
    doubtful = receipts._DOUBTFUL["sqlite"].text(connection.dialect)  # the driver's own: no event tells of it
    found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {doubtful}", (json.dumps([FRIEND]),)).fetchall()
    plans.extend(row[3] for row in found if " texts" in row[3])
    _doubtful(connection)
    used = [plan.partition(" texts USING ")[2].removeprefix("COVERING ") for plan in plans]
    opened = "INDEX ix_texts_open (node=?"
    assert used == [
        f"{opened} AND state=? AND id>?)",
        f"{opened} AND state=? AND id>?)",
        "INDEX ix_texts_out (node=? AND id>?)",
        *["INDEX ix_texts_expiring (state=? AND valid_until<?)"] * 3,
        f"{opened} AND state=? AND id>?)",
        *[f"{opened})"] * 3,
        "INDEX ix_texts_out",
        "INDEX ix_texts_expiring (state=?)",
    ]
