"""The queue by itself, over a store: what was left open, what does not fit in memory, what nobody knew of."""

import asyncio

import pytest
from support.messaging_fixture import FRIEND, text_place
from support.patience import PATIENCE

from gateway.background import Background
from gateway.messaging.queue import message_queue
from gateway.messaging.queue.message_queue import MessageQueue
from gateway.messaging.routing import ANY, Way
from gateway.messaging.texts import Step

ABROAD, NOWHERE = "12025550129", "33612345678"
UK, US = Way(("uk",)), Way(("us",))
ROUTES = {FRIEND: UK, ABROAD: US}


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
        self.under_way, self.unrouted, self.routes = set(), [], None
        self.queue = MessageQueue(
            read=place.read_async,
            node=place.node.id,
            unknown_outcomes=lambda: self.unknown,
            on_ready=self.told,
            under_way=lambda: self.under_way,
            way_of=self.way_of,
            on_no_route=self.unrouted.append,
        )

    def way_of(self, waiting):
        """One way for all, or one by destination where there are routes."""
        return ANY if self.routes is None else self.routes.get(waiting.text.destination)

    def told(self):
        self.ready += 1

    async def start(self):
        background = Background()
        await self.queue.start(background, lambda waiting, link, left: self.doubtful.append((waiting.key, link, left)))

    def send(self, count=1, to=FRIEND):
        """Commit texts and queue them; gives their ids."""
        accepted = self.place.accept(*(self.place.draft(destination=to) for _ in range(count)))
        self.queue.enqueue(accepted.new)
        return list(accepted.ids)

    def drain(self):
        """The ids of the texts whose parts are in memory, in their order."""
        return [self.queue.pop().text.id for _ in range(len(self.queue))]

    async def all_of(self, way):
        """The ids of the texts of one way, in memory and in the store, in their order; it is read whenever it runs dry."""
        found = []
        async with asyncio.timeout(PATIENCE):
            while self.queue.first() is not None or self.queue.more:
                blocked = {other for other in (UK, US) if other != way}
                while (first := self.queue.first(blocked)) is not None:
                    found.append(self.queue.pop(first).text.id)
                self.queue.refill(hungry=True)
                await asyncio.sleep(0.001)
                unread = way in self.queue._behind or self.queue._more or self.queue.filling
                if self.queue.first(blocked) is None and not unread:
                    return found
        return found

    async def refilled(self):
        before = self.ready
        self.queue.refill()
        async with asyncio.timeout(PATIENCE):
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
async def test_a_start_reads_of_what_waits_the_oldest_page_and_goes_on_as_memory_runs_low(place):
    ids = list(place.accept(*(place.draft() for _ in range(9))).ids)
    desk = Desk(place)
    await desk.start()
    assert (len(desk.queue), desk.queue.more) == (2, True)
    newer = desk.send()
    assert len(desk.queue) == 2
    found = []
    async with asyncio.timeout(PATIENCE):
        while desk.queue.more or desk.queue:
            found += desk.drain()
            desk.queue.refill()
            await asyncio.sleep(0.001)
            assert len(desk.queue) <= 4
    assert found == ids + newer
    desk.queue.stop()


@pytest.mark.usefixtures("small_pages")
async def test_a_start_decides_on_all_that_may_have_gone_out_and_reads_none_of_the_rest_for_that(place):
    ids = list(place.accept(*(place.draft() for _ in range(12))).ids)
    for text_id in ids[1::2]:
        place.take(text_id)
    place.answer(ids[1], Step.DOUBTFUL)
    place.answer(ids[3], message_id="a1")
    desk = Desk(place)
    await desk.start()
    assert [key for key, _, _ in desk.doubtful] == [(text_id, 0) for text_id in ids[1::2] if text_id != ids[3]]
    assert desk.drain() == ids[:1]
    desk.queue.stop()


@pytest.mark.usefixtures("small_pages")
async def test_it_reads_on_behind_a_full_way_only_while_a_link_has_room_for_none_of_what_is_there(place):
    ids = list(place.accept(*(place.draft(destination=to) for to in (*[FRIEND] * 12, ABROAD))).ids)
    desk = Desk(place)
    desk.routes = ROUTES
    await desk.start()
    async with asyncio.timeout(PATIENCE):
        while len(desk.queue) < 4:  # noqa: ASYNC110  (a thread reads the store)
            await asyncio.sleep(0.001)
        for _ in range(10):
            desk.queue.refill()
            await asyncio.sleep(0.001)
        assert (desk.queue.first({UK}), desk.queue.more) == (None, True)
        while desk.queue.first({UK}) is None:
            desk.queue.refill(hungry=True)
            await asyncio.sleep(0.001)
    assert desk.queue.pop(US).text.id == ids[-1]
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
    under_way = desk.under_way = {desk.queue.pop().key}
    await desk.queue.recover()
    assert (len(desk.queue), under_way) == (1, {(out[0], 0)})
    desk.unknown += 1
    await desk.queue.recover()
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


async def test_the_way_whose_text_is_the_oldest_is_first_and_a_blocked_one_holds_up_nobody(place):
    desk = Desk(place)
    desk.routes = ROUTES
    await desk.start()
    home, abroad, later = desk.send(), desk.send(to=ABROAD), desk.send()
    assert (desk.queue.first(), desk.queue.first({UK}), desk.queue.first({UK, US})) == (UK, US, None)
    assert desk.queue.peek(US).text.id == abroad[0]
    assert desk.drain() == [*home, *abroad, *later]
    desk.queue.stop()


@pytest.mark.usefixtures("small_pages")
async def test_a_way_that_is_full_keeps_no_text_of_another_out_of_memory_and_loses_none(place):
    desk = Desk(place)
    desk.routes = ROUTES
    await desk.start()
    home = [text_id for _ in range(12) for text_id in desk.send()]
    abroad = desk.send(2, to=ABROAD)
    assert len(desk.queue) == 5 + 2
    assert await desk.all_of(US) == abroad
    home += desk.send(3)
    assert await desk.all_of(UK) == home
    assert not desk.queue.more
    desk.queue.stop()


@pytest.mark.usefixtures("small_pages")
async def test_what_is_under_way_is_not_read_again_when_its_way_is(place):
    desk = Desk(place)
    desk.routes = ROUTES
    await desk.start()
    home = [text_id for _ in range(9) for text_id in desk.send()]
    desk.under_way = {(home[6], 0)}
    assert await desk.all_of(UK) == [*home[:6], *home[7:]]
    desk.queue.stop()


@pytest.mark.usefixtures("small_pages")
async def test_a_text_without_a_way_is_told_of_and_goes_once_the_routes_have_one(place):
    desk = Desk(place)
    desk.routes = ROUTES
    await desk.start()
    stuck = [text_id for _ in range(8) for text_id in desk.send(to=NOWHERE)]
    home = desk.send()
    now = place.text(home[0]).created_at
    assert (desk.drain(), desk.queue.more) == (home, False)
    assert {waiting.text.id for waiting in desk.unrouted} == set(stuck)
    assert (desk.queue.without_route(now), desk.queue.without_route(1 << 62)) == (5, 0)
    desk.routes = {**ROUTES, NOWHERE: US}
    desk.queue.reroute()
    assert await desk.all_of(US) == stuck
    assert desk.queue.without_route(now) == 0
    desk.queue.stop()


@pytest.mark.usefixtures("small_pages")
async def test_all_that_is_open_is_found_at_the_start_by_its_way(place):
    desk = Desk(place)
    desk.routes = ROUTES
    ids = list(place.accept(*(place.draft(destination=to) for to in (FRIEND, ABROAD) * 4)).ids)
    await desk.start()
    assert await desk.all_of(US) == ids[1::2]
    assert await desk.all_of(UK) == ids[::2]
    desk.queue.stop()
