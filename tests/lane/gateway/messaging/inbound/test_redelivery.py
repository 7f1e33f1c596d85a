"""Which text in is a redelivery, and what a customer may say again: on the write lane, with links that drop."""

import pytest
from sqlalchemy import select, update
from support.charging_fixture import MSISDN, PENNY
from support.messaging_fixture import LINK, text_place

from gateway.messaging.inbound.redelivery import KEPT, WINDOW, Drop, Drops
from gateway.messaging.inbound.senders import last_arrival
from gateway.store import leases, nodes, tables

POUND = 100 * PENNY
SECOND = 1_000_000
OTHER_LINK, OTHER_CENTRE = "smsc-2", "other.host.example:2775"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/texts.db"


class Talk:
    """A customer who talks by links that may drop."""

    def __init__(self, place):
        self.place, self.drops = place, Drops()
        for link in (LINK, OTHER_LINK):
            self.bind(link)

    @property
    def now(self):
        return next(self.place.ticks)

    def bind(self, link=LINK):
        self.drops.bound(link, self.now)

    def drop(self, link=LINK, *, bound_after=1):
        """The link drops and is bound again after so many seconds; None: it stays away."""
        self.drops.dropped(link, self.now)
        if bound_after is not None:
            self.place.pass_by(bound_after)
            self.bind(link)

    def come(self, words, link=LINK, **options):
        given = {"bound_at": self.drops.bound_at(link), "drops": self.drops.after(link, self.now), "link": link}
        return self.place.come(words, **given | options)

    def says(self, *words, **options):
        """Say these; gives which were acted on."""
        return [not self.come(text, **options).repeated for text in words]

    @property
    def gifts(self):
        return [amount for amount, _ in self.place.booked("gift")]


@pytest.fixture
def place(url):
    with text_place(url) as opened:
        opened.enrol(100 * POUND)
        yield opened
        assert opened.books_are_right()


@pytest.fixture
def talk(place):
    return Talk(place)


# On a link that lives


@pytest.mark.parametrize("second", [LINK, OTHER_LINK])
def test_the_same_yes_twice_by_whatever_link_of_one_smsc_is_acted_on_once(talk, second):
    talk.says("GIVE WATERAID 5")
    (thanks,) = talk.come("YES").answers
    assert "Thank you" in thanks.body
    again = talk.come("YES", link=second)
    assert (again.repeated, again.answers) == (True, [])
    assert talk.gifts == [5 * POUND]


def test_the_same_words_by_another_smsc_are_another_text(talk):
    assert talk.says("BALANCE") == [True]
    assert talk.says("BALANCE", centre=OTHER_CENTRE, link=OTHER_LINK) == [True]


def test_the_same_words_after_ten_seconds_are_acted_on(talk):
    assert talk.says("BALANCE") == [True]
    talk.place.pass_by(11)
    assert talk.says("BALANCE") == [True]


def test_each_repetition_begins_the_ten_seconds_anew(talk):
    assert talk.says("BALANCE") == [True]
    for _ in range(3):
        talk.place.pass_by(8)
        assert talk.says("BALANCE") == [False]


def test_another_text_in_between_makes_the_same_words_a_new_text(talk):
    assert talk.says("GIVE WATERAID 5", "YES", "GIVE TRUSSELL 10", "GIVE WWF 3", "YES") == [True] * 5
    assert talk.gifts == [5 * POUND, 3 * POUND]


def test_a_give_and_a_yes_that_both_come_twice_take_one_gift(talk):
    talk.says("GIVE WATERAID 5", "YES")
    assert talk.says("GIVE WATERAID 5", "YES", link=OTHER_LINK)[1] is False
    assert talk.gifts == [5 * POUND]


def test_gifts_that_are_made_at_once_one_after_the_other_by_one_link_are_all_taken(talk):
    said = ("GIVE WATERAID 5", "NO", "YES", "GIVE WATERAID 5", "YES", "GIVE WATERAID 5", "YES")
    assert talk.says(*said) == [True] * len(said)
    assert talk.gifts == [5 * POUND] * 2


def test_a_stop_that_is_said_again_after_a_start_counts_at_once(talk):
    assert talk.says("STOP", "START", "STOP") == [True] * 3
    assert talk.place.out()
    assert talk.says("START") == [True]
    assert not talk.place.out()


# After a drop


def test_a_stop_after_a_drop_and_another_text_counts(talk):
    talk.says("STOP")
    talk.drop()
    assert talk.says("BALANCE", "STOP") == [True, True]
    talk.says("START")
    talk.drop()
    assert talk.says("STOP") == [True]
    assert talk.place.out()


@pytest.mark.parametrize(("after", "acted"), [(9, [False]), (11, [True])])
def test_a_text_that_comes_again_counts_once_more_only_after_ten_seconds_of_the_new_bind(talk, after, acted):
    talk.says("BALANCE")
    talk.drop(bound_after=600)
    talk.place.pass_by(after)
    assert talk.says("BALANCE") == acted


def test_a_text_of_longer_before_the_drop_is_no_redelivery(talk):
    talk.says("BALANCE")
    talk.place.pass_by(11)
    talk.drop()
    assert talk.says("BALANCE") == [True]


def test_a_gift_that_is_made_anew_after_a_drop_is_taken(talk):
    talk.says("GIVE WATERAID 5", "YES")
    talk.drop()
    talk.place.pass_by(21)
    assert talk.says("GIVE WWF 10", "YES") == [True, True]
    talk.place.pass_by(21)
    talk.drop()
    assert talk.says("GIVE WWF 7", "YES") == [True, True]  # at once after the new bind
    assert talk.gifts == [5 * POUND, 10 * POUND, 7 * POUND]


@pytest.mark.parametrize("said", [["GIVE WATERAID 5", "YES"], ["YES"], ["YES", "GIVE WATERAID 5"]])
def test_what_is_redelivered_after_a_drop_takes_nothing_more(talk, said):
    talk.says("GIVE WATERAID 5", "YES")
    talk.drop()
    assert talk.says(*said) == [False] * len(said)
    assert talk.gifts == [5 * POUND]


def test_an_old_yes_that_is_redelivered_does_not_answer_a_newer_question(talk):
    talk.says("GIVE WATERAID 5", "YES", "GIVE WWF 10")
    talk.drop()
    assert talk.says("YES", "GIVE WWF 10") == [False, False]
    assert talk.gifts == [5 * POUND]
    talk.place.pass_by(11)
    talk.says("YES")
    assert talk.gifts == [5 * POUND, 10 * POUND]


def test_stop_and_start_that_are_redelivered_in_their_order_end_as_they_began(talk):
    talk.says("STOP", "START")
    talk.drop()
    talk.says("STOP", "START")
    assert not talk.place.out()
    talk.place.pass_by(30)
    talk.says("START", "STOP")
    talk.drop()
    talk.says("START", "STOP")
    assert talk.place.out()


def test_a_link_that_drops_each_time_before_it_is_answered_is_served_once(talk):
    talk.says("GIVE WATERAID 5", "YES")
    for _ in range(3):
        talk.drop(bound_after=60)
        assert talk.says("YES") == [False]
    assert talk.gifts == [5 * POUND]


def test_a_link_that_flaps_before_it_delivers_again_still_delivers_again(talk):
    talk.says("BALANCE")
    for _ in range(4):
        talk.drop(bound_after=8)
    assert talk.says("BALANCE") == [False]


def test_a_redelivery_by_the_other_link_while_the_first_is_away(talk):
    talk.says("BALANCE")
    talk.place.pass_by(8)
    talk.drop(bound_after=None)
    talk.place.pass_by(8)
    assert talk.says("BALANCE", link=OTHER_LINK) == [False]
    talk.place.pass_by(60)
    assert talk.says("BALANCE", link=OTHER_LINK) == [True]


def test_a_drop_of_another_link_makes_no_text_a_redelivery(talk):
    talk.says("BALANCE")
    talk.place.pass_by(5)
    talk.drop(OTHER_LINK, bound_after=6)
    assert talk.says("BALANCE") == [True]


def test_a_text_that_was_never_answered_is_a_redelivery_whenever_it_comes(talk):
    talk.says("BALANCE")
    talk.place.pass_by(1800)
    assert talk.come("BALANCE", unanswered=True).repeated
    talk.place.pass_by(11)
    assert not talk.come("BALANCE").repeated


def test_a_text_that_was_never_answered_is_known_though_others_came_and_a_stop_counts_all_the_same(talk):
    talk.says("GIVE WATERAID 5", "YES", "GIVE WWF 10")
    talk.place.pass_by(60)
    assert talk.come("YES", unanswered=True).repeated
    talk.says("STOP", "START")
    talk.place.pass_by(60)
    assert not talk.come("STOP", unanswered=True).repeated
    assert talk.place.out()
    assert talk.gifts == [5 * POUND]


@pytest.mark.parametrize("drop", [False, True])
def test_all_parts_of_a_long_text_that_come_again_are_known(talk, drop):
    words = "GIVE WATERAID 5"
    pieces = [bytes((5, 0, 3, 9, 3, n)) + words[5 * n - 5 : 5 * n].encode() for n in (1, 2, 3)]
    assert talk.says(*pieces, esm_class=0x40) == [True] * 3
    talk.says("YES")
    if drop:
        talk.drop()
    assert talk.says(*pieces, esm_class=0x40) == [False] * 3
    assert talk.place.read(select(tables.segments)) == []
    assert talk.gifts == [5 * POUND]


# After a restart


def restarted(place, *, after):
    """The talk with a process that has just begun, by a link that it has just bound; what it knows of drops is in the store."""
    talk = Talk(place)
    talk.drops = Drops()
    place.pass_by(after)
    with place.reader.connect() as connection:
        last = last_arrival(connection, place.node.id)
    if last is not None:
        talk.drops.restarted(last)
    talk.bind()
    return talk


@pytest.mark.parametrize("link", [LINK, "a name that the link had before"])
def test_a_restart_is_a_drop_of_all_links(url, link):
    with text_place(url) as place:
        place.enrol(100 * POUND)
        Talk(place).says("GIVE WATERAID 5", "YES", link=link)
    with text_place(url) as place:
        talk = restarted(place, after=3600)
        assert talk.says("GIVE WATERAID 5", "YES") == [False, False]
        place.pass_by(11)
        assert talk.says("GIVE WATERAID 5", "YES") == [True, True]
        assert talk.gifts == [5 * POUND, 5 * POUND]


@pytest.mark.parametrize(("after", "acted"), [(1, False), (11, True)])
def test_what_a_gateway_took_just_before_it_was_taken_over_from_is_known_when_it_comes_again(url, after, acted):
    """The link of the one that took over was bound all the time; the text comes half a minute after it was answered."""
    with text_place(url, node="other.test.example") as other, text_place(url) as place:
        place.enrol(100 * POUND)
        Talk(other).says("GIVE WATERAID 5", "YES", link="the link of the other one")
        talk = Talk(place)
        place.pass_by(30)
        with place.reader.connect() as connection:
            talk.drops.taken_over(last_arrival(connection, other.node.id), next(place.ticks))
        place.pass_by(after)
        assert talk.says("GIVE WATERAID 5", "YES") == [acted, acted]
        assert talk.gifts == [5 * POUND] * (1 + acted)


def test_a_start_without_texts_before_it_knows_of_none(place):
    assert restarted(place, after=1).drops.after(LINK, next(place.ticks)) == ()


def test_each_node_lived_when_it_took_its_own_last_text(place, talk):
    talk.says("BALANCE")
    with place.reader.connect() as connection:
        assert last_arrival(connection, place.node.id) is not None
        assert last_arrival(connection, place.node.id + 1) is None


def test_a_gateway_that_comes_back_under_a_new_number_knows_when_it_lived(place, talk):
    talk.says("BALANCE")
    with place.writer.begin() as connection:
        adopter = nodes.enter(connection, "other.test.example", 1)
        leases.adopt(connection, place.node.id, place.node.epoch, None, adopter.id)
        back = nodes.enter(connection, place.node.name, 1)
        assert last_arrival(connection, back.id) is not None
        assert last_arrival(connection, adopter.id) is None


# What is kept


def test_so_many_texts_of_one_source_are_remembered_and_no_more(talk):
    talk.says(*(f"word {n}" for n in range(2 * KEPT)))
    (row,) = talk.place.read(select(tables.arrivals))
    assert row.source == MSISDN
    assert len(row.remembered) < KEPT * 120
    assert talk.says(f"word {2 * KEPT - 1}", "word 0") == [False, True]


def test_two_gateways_that_remember_one_number_go_on_from_each_other(place, talk):
    talk.says("BALANCE")
    rows = tables.arrivals
    with place.writer.begin() as connection:  # another node took a text of this number since
        connection.execute(update(rows).values(node=place.node.id + 1))
    assert talk.says("BALANCE") == [False]
    assert [row.node for row in place.read(select(rows))] == [place.node.id]


# Drops as such


def test_the_drops_that_matter_are_few_and_short_lived():
    drops = Drops()
    assert drops.after(LINK, 0) == ()
    drops.bound(LINK, 100 * SECOND)
    drops.dropped(LINK, 200 * SECOND)
    drop = Drop(LINK, 200 * SECOND - WINDOW, 200 * SECOND)
    assert drops.after(OTHER_LINK, 205 * SECOND) == (drop,)
    assert drops.after(OTHER_LINK, 211 * SECOND) == ()
    drops.bound(LINK, 300 * SECOND)
    assert [found.bound_at for found in drops.after(LINK, 310 * SECOND)] == [300 * SECOND]
    assert drops.after(LINK, 310 * SECOND + 1) == ()
    assert drops.after(OTHER_LINK, 310 * SECOND + 1) == ()


def test_a_digest_is_of_source_destination_and_payload(place):
    first = place.come("BALANCE")
    assert not first.repeated
    assert not place.come("BALANCE", "447700900005").repeated
    assert place.come("BALANCE").repeated
