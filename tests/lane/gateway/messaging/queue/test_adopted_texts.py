"""Texts of a gateway that is gone, in the queue of the one that took over: each is found once, our own keep their order."""

import asyncio

import pytest
from support.messaging_fixture import FRIEND, text_place
from support.patience import PATIENCE
from support.querying_smsc import QueryingSmsc, inquiring

from gateway.background import Background
from gateway.messaging.queue import message_queue
from gateway.messaging.queue.message_queue import MessageQueue
from gateway.messaging.routing import ANY, Way
from gateway.messaging.texts import Step

NOWHERE = "33612345678"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/texts.db"


@pytest.fixture
def place(url):
    with text_place(url) as place:
        yield place


@pytest.fixture
def other(url, place):
    """A gateway of the same store whose number is higher: by identifiers alone its texts are newer than all of ours."""
    with text_place(url, node="other.test.example") as other:
        assert other.node.id > place.node.id
        yield other


class Queue:
    """A queue that runs over a place; what was in doubt is in `doubtful`."""

    def __init__(self, place):
        self.place, self.doubtful, self.under_way, self.routes = place, [], set(), {}
        self.queue = MessageQueue(
            read=place.read_async,
            node=place.node.id,
            unknown_outcomes=lambda: 0,
            on_ready=lambda: None,
            under_way=lambda: self.under_way,
            way_of=lambda waiting: self.routes.get(waiting.text.destination, ANY),
        )

    async def start(self):
        await self.queue.start(
            Background(), lambda waiting, link, left: self.doubtful.append((waiting.key, link, left))
        )
        return self

    def drain(self):
        return [self.queue.pop().text.id for _ in range(len(self.queue))]

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110  (a thread reads the store)
                await asyncio.sleep(0.001)

    async def all(self, number):
        """So many texts, as they come while there is room for more; they are under way from then on."""
        found = []

        def enough():
            found.extend(self.drain())
            self.under_way.update((text_id, 0) for text_id in found)
            self.queue.refill()
            return len(found) >= number

        await self.until(enough)
        return found


def accept(place, count=1, to=FRIEND):
    return list(place.accept(*(place.draft(destination=to) for _ in range(count))).ids)


async def test_what_waited_elsewhere_is_queued_behind_our_own_and_what_may_have_gone_out_is_in_doubt(place, other):
    own, theirs = accept(place, 2), accept(other, 4)
    other.take(theirs[1])
    other.take(theirs[2])
    other.answer(theirs[2], Step.DOUBTFUL)
    held = await Queue(place).start()
    held.queue.adopt([other.node.id])
    assert held.queue.more
    assert await held.all(4) == [*own, theirs[0], theirs[3]]
    assert held.doubtful == [((theirs[1], 0), "smsc-1", False), ((theirs[2], 0), "smsc-1", True)]
    newer = place.accept(place.draft())
    held.queue.enqueue(newer.new)
    assert held.drain() == list(newer.ids)
    assert not held.queue.more
    held.queue.stop()


async def test_many_are_read_page_by_page_as_there_is_room_each_once_and_ours_go_on_beside_them(
    place, other, monkeypatch
):
    monkeypatch.setattr(message_queue, "PAGE", 2)
    theirs, own = accept(other, 11), accept(place, 7)
    other.take(theirs[10])
    held = await Queue(place).start()
    held.queue.adopt([other.node.id])
    await held.until(lambda: held.doubtful)
    await asyncio.sleep(0)
    assert len(held.queue) <= 8
    found = await held.all(17)
    assert sorted(found) == sorted([*own, *theirs[:10]])
    assert [text_id for text_id in found if text_id in own] == own
    held.queue.stop()


async def test_what_is_under_way_here_already_is_neither_queued_nor_doubted_again(place, other):
    theirs = accept(other, 3)
    other.take(theirs[0])
    held = await Queue(place).start()
    held.under_way = {(theirs[0], 0), (theirs[1], 0)}
    held.queue.adopt([other.node.id])
    held.queue.adopt([other.node.id])  # the look was cut short, and done again
    assert await held.all(1) == [theirs[2]]
    await held.until(lambda: not held.queue.more)
    assert (held.drain(), held.doubtful) == ([], [])
    held.queue.stop()


async def test_a_change_of_routes_finds_their_way_anew_also_of_those_that_had_none(place, other, monkeypatch):
    monkeypatch.setattr(message_queue, "PAGE", 2)
    theirs, own = accept(other, 7, to=NOWHERE), accept(place, 7, to=NOWHERE)
    held = Queue(place)
    held.routes[NOWHERE] = None
    await held.start()
    held.queue.adopt([other.node.id])
    await held.until(lambda: not held.queue.more)
    assert held.drain() == []
    held.routes[NOWHERE] = Way(("uk",))
    held.queue.reroute()
    assert sorted(await held.all(14)) == sorted([*own, *theirs])
    held.queue.stop()


async def test_nothing_is_sent_once_the_lease_may_be_over_and_it_goes_when_it_surely_holds(url, monkeypatch):
    monkeypatch.setattr("gateway.messaging.queue.outcome_writer.RETRY_SECONDS", 0.05)
    held = []
    async with QueryingSmsc() as smsc, inquiring(url, smsc, may_send=lambda: bool(held)) as inquirer:
        (text_id,) = (await inquirer.smsc_client.accept("shop", [inquirer.place.draft()])).ids
        await inquirer.until(lambda: inquirer.place.text(text_id).parts[0].step is Step.SENT)
        await inquirer.until(lambda: inquirer.place.text(text_id).parts[0].step is Step.WAITING)
        assert smsc.submits == []
        held.append(True)
        text = await inquirer.becomes(text_id, "submitted")
        assert len(smsc.submits) == 1
        assert not text.parts[0].maybe_double
