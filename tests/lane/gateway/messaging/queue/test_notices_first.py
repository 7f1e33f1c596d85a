"""Notices are found in the store by themselves, and go before all else that waits, however much that is."""

import asyncio

import pytest
from support.charging_fixture import INITIAL, PENNY, UPDATE, ccr, service
from support.notice_fixture import POUND, watched_place

from gateway.background import Background
from gateway.messaging.queue import message_queue
from gateway.messaging.queue.message_queue import MessageQueue

MEGABYTE = 1_000_000


@pytest.fixture
def place(tmp_path):
    with watched_place(f"sqlite:///{tmp_path}/lines.db") as opened:
        opened.enrol(20 * POUND)
        yield opened


def queue_of(place):
    return MessageQueue(read=place.read_async, node=place.node.id, unknown_outcomes=lambda: 0, on_ready=lambda: None)


async def test_a_notice_that_a_charging_request_wrote_is_the_next_text_to_go_also_where_the_store_has_more(
    place, monkeypatch
):
    monkeypatch.setattr(message_queue, "PAGE", 2)
    place.accept(*(place.draft(f"number {number}") for number in range(9)))
    queue = queue_of(place)
    await queue.start(Background(), lambda *_: None)
    place.limit(PENNY)
    await asyncio.to_thread(place.ask, ccr(INITIAL, 0, service(ask=0)))
    await asyncio.to_thread(place.ask, ccr(UPDATE, 1, service(used=(MEGABYTE,), ask=0)))
    assert queue.more
    for _ in range(2):  # nothing is queued twice
        await queue.take_notices([place.node.id])
    first = [queue.pop().text for _ in range(3)]
    assert [text.always for text in first] == [1, 1, 0]
    assert "bill limit is now" in first[0].body
    assert "reached" in first[1].body
    assert first[2].body == "number 0"
    queue.stop()


async def test_after_a_start_a_notice_that_still_waits_goes_before_older_texts_and_one_that_is_out_is_left(place):
    place.accept(place.draft("older"))
    place.limit(POUND)
    place.limit(PENNY)
    ids = [text for text, *_ in place.notice_ids()]
    place.take(ids[0])
    queue = queue_of(place)
    await queue.take_notices([place.node.id])
    assert [queue.pop().text.id for _ in range(len(queue))] == [ids[1]]
