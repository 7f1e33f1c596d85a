"""The queue by itself, over a store: what was left open, what does not fit in memory, what nobody knew of."""

import asyncio

import pytest
from support.messaging_fixture import text_place

from gateway.background import Background
from gateway.messaging.queue import message_queue
from gateway.messaging.queue.message_queue import MessageQueue
from gateway.messaging.texts import Step


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/texts.db") as place:
        yield place


@pytest.fixture
def small_pages(monkeypatch):
    """Two texts a page: more than four parts in memory are too many."""
    monkeypatch.setattr(message_queue, "PAGE", 2)


class Desk:
    """A queue over a place; `ready` counts how often it said that there may be something to do."""

    def __init__(self, place):
        self.place, self.ready, self.unknown, self.doubtful = place, 0, 0, []
        self.queue = MessageQueue(
            read=place.read_async, node=place.node.id, unknown_outcomes=lambda: self.unknown, on_ready=self.told
        )

    def told(self):
        self.ready += 1

    async def start(self):
        background = Background()
        await self.queue.start(background, lambda waiting, link, left: self.doubtful.append((waiting.key, link, left)))

    def send(self, count=1):
        """Commit texts and queue them; gives their ids."""
        accepted = self.place.accept(*(self.place.draft() for _ in range(count)))
        self.queue.enqueue(accepted.new)
        return list(accepted.ids)

    def drain(self):
        """The ids of the texts whose parts are in memory, in their order."""
        return [self.queue.pop().text.id for _ in range(len(self.queue))]

    async def refilled(self):
        before = self.ready
        self.queue.refill()
        async with asyncio.timeout(5):
            while self.ready == before:  # noqa: ASYNC110  (a thread reads the store)
                await asyncio.sleep(0.001)


async def test_at_the_start_open_parts_are_queued_and_doubtful_ones_told_of(place):
    ids = list(place.accept(*(place.draft() for _ in range(3))).ids)
    place.take(ids[1])
    place.take(ids[2])
    place.answer(ids[2], Step.DOUBTFUL)
    desk = Desk(place)
    await desk.start()
    assert desk.drain() == ids[:1]
    assert desk.doubtful == [((ids[1], 0), "smsc-1", False), ((ids[2], 0), "smsc-1", True)]
    desk.queue.stop()


@pytest.mark.usefixtures("small_pages")
async def test_all_that_is_open_is_found_at_the_start_however_many_pages_it_takes(place):
    ids = list(place.accept(*(place.draft() for _ in range(5))).ids)
    desk = Desk(place)
    await desk.start()
    assert desk.drain() == ids
    desk.queue.stop()


@pytest.mark.usefixtures("small_pages")
async def test_what_does_not_fit_waits_in_the_store_and_comes_in_its_turn(place):
    desk = Desk(place)
    await desk.start()
    ids = [text_id for _ in range(8) for text_id in desk.send()]
    assert len(desk.queue) == 5
    assert desk.queue.more
    order = desk.drain()
    await desk.refilled()
    ids += desk.send()  # not before those that wait in the store
    while desk.queue or desk.queue.more:
        order += desk.drain()
        if desk.queue.more:
            await desk.refilled()
    assert order == ids
    desk.queue.stop()


async def test_a_text_that_was_read_already_is_not_queued_twice(place):
    accepted = place.accept(place.draft())
    desk = Desk(place)
    await desk.start()
    desk.queue.enqueue(accepted.new)
    assert desk.drain() == list(accepted.ids)
    desk.queue.stop()


async def test_after_an_unknown_outcome_only_what_is_neither_queued_nor_under_way_is_found(place):
    desk = Desk(place)
    await desk.start()
    lost = list(place.accept(place.draft()).ids)
    out, queued = desk.send(), desk.send()
    under_way = {desk.queue.pop().key}
    await desk.queue.recover(lambda: under_way)
    assert (len(desk.queue), under_way) == (1, {(out[0], 0)})
    desk.unknown += 1
    await desk.queue.recover(lambda: under_way)
    assert desk.drain() == [*queued, *lost]
    desk.queue.stop()


async def test_a_part_that_is_put_back_is_the_next(place):
    desk = Desk(place)
    await desk.start()
    ids = desk.send(3)
    first = desk.queue.pop()
    desk.queue.put_first(first)
    assert desk.drain() == ids
    desk.queue.stop()
