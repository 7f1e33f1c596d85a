"""Which link carries a part: the one with the most room, promised places and pauses counted."""

import pytest
from support.messaging_fixture import make_text

from gateway.messaging.routing import (
    ANY,
    MOST_PAUSED,
    Rooms,
    Route,
    RouteRule,
    RoutingTable,
    SmscLink,
    Way,
    country_of,
    elsewhere,
)
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import LinkConfig
from protocols.smpp.receipts import IdForm


class Window:
    """A link's window with so many free places."""

    def __init__(self, free):
        self.window_free, self.available = free, True


def smsc_link(name, free, bind="transceiver", host="smsc.host.example", **more):
    config = LinkConfig(name=name, host=host, port=2775, system_id="tpo", bind=bind)
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


UK, US, BACKUP = (smsc_link(name, 10, host=f"{name}.example") for name in ("uk", "us", "backup"))


def table(*rules, links=(UK, US, BACKUP)):
    return RoutingTable(lambda: links, rules)


def text(destination="447700900123", source="TPO"):
    return make_text(source=source, destination=destination)


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("447700900123", "GB"),
        ("12025550129", "US"),
        ("14165550129", "CA"),
        ("5511912345678", "BR"),
        ("4915112345678", "DE"),
        ("70070", None),
        ("999999999999", None),
        ("TPO", None),
    ],
)
def test_a_number_lies_in_a_country(number, country):
    assert country_of(number) == country


@pytest.mark.parametrize(
    ("rule", "destination", "source", "taken"),
    [
        (RouteRule(("us",), prefixes=("1",)), "12025550129", "TPO", True),
        (RouteRule(("us",), prefixes=("1",)), "447700900123", "TPO", False),
        (RouteRule(("us",), prefixes=("1416", "44")), "+447700900123", "TPO", True),
        (RouteRule(("us",), senders=frozenset({"70070"})), "447700900123", "70070", True),
        (RouteRule(("us",), senders=frozenset({"70070"})), "447700900123", "700700", False),
        (RouteRule(("us",), countries=frozenset({"US"})), "14165550129", "TPO", False),
        (RouteRule(("us",), countries=frozenset({"US", "CA"})), "14165550129", "TPO", True),
        (RouteRule(("us",), prefixes=("1",), senders=frozenset({"70070"})), "12025550129", "TPO", False),
        (RouteRule(("us",)), "70071", "", True),
    ],
)
def test_a_rule_takes_a_text_by_prefix_sender_and_country(rule, destination, source, taken):
    assert rule.takes(text(destination, source)) is taken


def test_without_rules_all_links_share_all_texts():
    assert table().way(text()) == ANY
    assert table().way(text(), no_route={"uk"}) == Way(others=True, excluded=frozenset({"uk"}))
    assert not table().way(text(), no_route={"uk", "us", "backup"})


def test_the_first_rule_that_fits_is_the_way_and_the_next_one_where_its_links_have_no_way_to_the_number():
    routed = table(
        RouteRule(("uk", "backup"), prefixes=("44",)), RouteRule(("us",), prefixes=("1",)), RouteRule(("us",))
    )
    assert routed.way(text()) == Way(("uk", "backup"))
    assert routed.way(text("12025550129")) == Way(("us",))
    assert routed.way(text(), no_route={"uk"}) == Way(("backup",))
    assert routed.way(text(), no_route={"uk", "backup"}) == Way(("us",))
    assert not routed.way(text(), no_route={"uk", "backup", "us"})
    assert routed.way(text(), no_route={"uk", "backup", "us"}) is not None


def test_a_text_that_no_rule_takes_has_no_way():
    assert table(RouteRule(("uk",), prefixes=("44",))).way(text("12025550129")) is None


def test_an_answer_goes_by_the_link_of_its_question_then_by_another_to_that_smsc_then_by_the_routes():
    receiver = smsc_link("uk-rx", 10, bind="receiver", host="uk.example")
    links = (US, UK, BACKUP, receiver)
    assert table(links=links).way(text(), "us") == Way(("us",))
    assert table(links=links).way(text(), "uk-rx") == Way(("uk",))
    assert table(links=links).way(text(), "gone") == Way(others=True)
    assert table(links=links).way(text(), "us", {"us"}) == Way(others=True, excluded=frozenset({"us"}))
    routed = table(RouteRule(("uk", "us")), links=links)
    assert routed.way(text(), "us") == Way(("us", "uk"))
    assert table(RouteRule(("uk",), prefixes=("1",)), links=links).way(text(), "us") == Way(("us",))


def link_of(name, free=1, *, available=True):
    link = smsc_link(name, free)
    link.link.available = available
    return link


def test_the_next_link_is_taken_while_one_is_not_there_and_not_while_it_is_full():
    way = Way(("a", "b"))
    assert Rooms([link_of("a"), link_of("b")]).find(way).name == "a"
    assert Rooms([link_of("a", available=False), link_of("b")]).find(way).name == "b"
    assert Rooms([link_of("a", 0), link_of("b")]).find(way) is None
    assert Rooms([link_of("b")]).find(way).name == "b"
    assert Rooms([link_of("c")]).find(way) is None


def test_a_link_that_wanted_a_text_later_is_passed_over_while_there_is_another():
    links = [link_of("a"), link_of("b")]
    assert Rooms(links).find(Way(("a", "b")), {"a"}).name == "b"
    assert Rooms(links).find(Way(("a", "b")), {"a", "b"}).name == "a"
    assert Rooms(links).find(ANY, {"a"}).name == "b"
    assert Rooms(links).find(Way(others=True, excluded=frozenset({"b"})), {"a"}).name == "a"
    assert elsewhere(ANY, links, {"a"})
    assert not elsewhere(Way(("a",)), links, {"a"})
    assert not elsewhere(Way(("a", "b")), [links[0], link_of("b", available=False)], {"a"})
