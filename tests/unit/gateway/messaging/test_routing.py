"""Which link carries a part: the one with the most room, promised places and pauses counted."""

from gateway.messaging.routing import MOST_PAUSED, Rooms, Route, SmscLink
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import LinkConfig
from protocols.smpp.receipts import IdForm


class Window:
    """A link's window with so many free places."""

    def __init__(self, free):
        self.window_free = free


def smsc_link(name, free, bind="transceiver", **more):
    config = LinkConfig(name=name, host="smsc.host.example", port=2775, system_id="tpo", bind=bind)
    return SmscLink(Route(config, Alphabet.GSM7, IdForm.AUTO, "resend", 300.0, **more), Window(free))


def spread(rooms):
    """The names of the links that carry one part after the other, until no link has room."""
    while (link := rooms.widest()) is not None:
        rooms.take(link)
        yield link.name


def test_parts_are_spread_by_the_room_that_is_left_and_never_beyond_it():
    links = [smsc_link("a", 1), smsc_link("b", 3), smsc_link("none", 0)]
    assert list(spread(Rooms(links))) == ["b", "b", "a", "b"]
    assert [link.room for link in links] == [0, 0, 0]
    assert list(spread(Rooms(links))) == []


def test_a_promised_place_is_free_again_once_it_is_released():
    link = smsc_link("a", 2)
    assert list(spread(Rooms([link]))) == ["a", "a"]
    link.release()
    assert link.room == 1


def test_without_a_link_nothing_is_carried():
    assert Rooms([]).widest() is None


def test_a_receiver_carries_nothing_and_asks_nothing():
    link = smsc_link("a", 10, bind="receiver", query_after=60.0)
    assert (link.room, link.route.sends, link.route.asks) == (0, False, False)


def test_a_link_asks_only_where_that_is_set():
    assert smsc_link("a", 10, query_after=60.0).route.asks
    assert not smsc_link("a", 10).route.asks


def test_a_link_whose_smsc_puts_everything_off_gets_nothing_new_until_a_pause_ends():
    link = smsc_link("a", 10)
    for _ in range(MOST_PAUSED):
        link.begin_pause()
    assert link.room == 0
    link.end_pause()
    assert link.room == 10
